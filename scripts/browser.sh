#!/bin/sh
# What the tests in tests/browser need: Debian's Chromium, and axe-core from the npm registry in a folder of its own.
#   sh scripts/browser.sh           installs what is missing (apt-get as root)
#   CRYOSCOPE_BROWSER=required      makes the tests fail, not skip, where it is not there
set -eu
cd "$(dirname "$0")/.."
home="${CRYOSCOPE_BROWSER_HOME:-.browser}"
if ! command -v chromium >/dev/null; then
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium fonts-dejavu-core
fi
if [ ! -f "$home/node_modules/axe-core/axe.min.js" ]; then
    mkdir -p "$home"
    npm install --prefix "$home" --no-save --no-audit --no-fund --ignore-scripts --loglevel=error axe-core@4.10.3
fi
chromium --version
