"""Making the lab: about two minutes, once for each recipe.

A build goes into a folder beside the one in use and takes its place when it is whole, so a build that
fails or is killed leaves the old lab as it was.  One build runs at a time, and none while a node does:
nodes hold the same lock, shared (`lab.lock`).
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from lab import debian, image, manifest, places
from lab.errors import NoLab
from lab.lock import Lock
from lab.recipe import FIRST, PACKAGES, SETTINGS, SUITE, digest

LOG = "build.log"
WRITABLE = "etc root home opt srv tmp run var/cache var/lib var/log var/tmp".split()
"""Folders that are a node's own (`node.sh`)."""


def current() -> bool:
    """Whether the lab that is there was made by this recipe."""
    found = manifest.read(places.home())
    return found.get("recipe") == digest() and places.root().is_dir()


def build(*, again: bool = False) -> Path:
    """The lab's root filesystem, made now if it is missing or of another recipe.

    Raises `NoLab` if it cannot be made here, with the reason.
    """
    if current() and not again:
        return places.root()
    if reason := debian.why_not():
        raise NoLab(reason)
    home = places.home()
    home.mkdir(parents=True, exist_ok=True)
    with Lock(home, shared=False):
        if again or not current():
            _build(home)
    return places.root()


def _build(home: Path) -> None:
    part, started = home / "root.part", time.monotonic()
    log = home / LOG
    log.unlink(missing_ok=True)
    shutil.rmtree(part, ignore_errors=True)
    try:
        _fill(part, log)
    except NoLab as error:
        shutil.rmtree(part, ignore_errors=True)
        raise NoLab(f"{error} (more in {log})") from None
    (home / manifest.NAME).unlink(missing_ok=True)
    shutil.rmtree(home / "root", ignore_errors=True)
    os.replace(part, home / "root")
    manifest.write(home / "root", home, time.monotonic() - started)


def _fill(root: Path, log: Path) -> None:
    debian.bootstrap(SUITE, root, log=log)
    _write(root, FIRST)
    debian.install(root, PACKAGES, log=log)
    _write(root, SETTINGS)
    image.make(root, log=log)


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(0o755 if text.startswith("#!") else 0o644)


def required() -> Path:
    """The lab's root filesystem if it was made by this recipe; raises `NoLab` if not."""
    if reason := debian.why_not():
        raise NoLab(reason)
    if not current():
        raise NoLab("it is not built, or of another recipe: `make lab` builds it")
    return places.root()
