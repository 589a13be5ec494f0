#!/bin/sh
# Locks the dependencies of pyproject.toml with hashes for every supported Python, and without the
# address of any registry.
set -eu
cd "$(dirname "$0")/.."
lock() {
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header "$@"
}
lock pyproject.toml requirements/build.in -o requirements/base.txt
lock pyproject.toml requirements/build.in --all-extras --group test --group check -o requirements/dev.txt
lock --group fuzz -o requirements/fuzz.txt
