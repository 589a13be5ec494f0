"""`capture --with image,logs,…`: what an engine saves next to an archive, in a folder beside it.

    checkpoint-web-….tar
    checkpoint-web-….companions/   0700, its files 0600: logs and inspect data tell secrets
        inspect.json  container.log  …
        manifest.json              written last: what is there, digests, where it is from, and what is missing

The archive is left as it is.  A folder without a manifest is one that was not finished.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module

import msgspec

from cryoscope import limits
from cryoscope.engines.beside import KINDS, Beside
from cryoscope.engines.port import Container, Engine
from cryoscope.errors import CryoscopeError, UsageError
from cryoscope.text import readable

OFFERS = {
    "podman": "cryoscope.engines.podman.companions",
    "docker": "cryoscope.engines.docker.companions",
    "cri": "cryoscope.engines.cri.companions",
    "kubelet": "cryoscope.engines.kubelet.companions",
    "apiserver": "cryoscope.engines.kubelet.companions",
}
"""Modules of engines whose class has no `companions` of its own."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,100}\Z")
MANIFEST = "manifest.json"


class CompanionFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file in the folder: `size` in bytes, `source` what was asked of whom."""

    kind: str
    name: str
    size: int
    sha256: str
    source: str


class MissingCompanion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was asked for and could not be had, and how to have it by hand."""

    kind: str
    why: str
    code: str
    cure: str = ""


class Companions(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest: the archive and its digest as the caller knows it, the container, times in UTC."""

    schema: str = "cryoscope.companions/1"
    archive: str
    archive_sha256: str | None
    target: str
    id: str
    name: str
    engine: str
    taken: str
    files: list[CompanionFile]
    missing: list[MissingCompanion]


def check_kinds(wanted: Sequence[str]) -> None:
    """Raises `UsageError` for a kind that there is not."""
    for kind in wanted:
        if kind not in KINDS:
            raise UsageError(
                f"nothing is saved as {readable(kind)[:50]!r}",
                hint=f"--with {','.join(KINDS)}",
                code="companions.kind",
            )


def folder_of(archive: str) -> str:
    """The folder beside an archive."""
    stem = archive
    for end in (".gz", ".zst", ".tar"):
        stem = stem.removesuffix(end)
    return stem + ".companions"


def save_companions(
    engine: Engine,
    container: Container,
    wanted: Sequence[str],
    archive: str,
    *,
    sha256: str | None = None,
) -> tuple[str, Companions]:
    """Save what was asked for in a new folder beside `archive`; its path and the manifest.

    What cannot be had is in `missing`, and keeps nothing else.  Raises `UsageError` for a folder that is
    there, `CryoscopeError` (`companions.write`) where the files cannot be written.
    """
    check_kinds(wanted)
    folder = folder_of(archive)
    _make(folder)
    files: list[CompanionFile] = []
    missing: list[MissingCompanion] = []
    for beside in _offered(engine, container, wanted, missing):
        try:
            files.append(_written(folder, beside))
        except OSError as error:
            raise _unwritable(folder, error) from None
        except CryoscopeError as error:
            missing.append(_missing(beside.kind, error))
    told = {each.kind for each in files} | {each.kind for each in missing}
    missing += [
        MissingCompanion(kind=kind, why=f"{engine.name} has none", code="companions.none")
        for kind in wanted
        if kind not in told
    ]
    manifest = Companions(
        archive=os.path.basename(archive),
        archive_sha256=sha256,
        target=container.target,
        id=container.id,
        name=container.name,
        engine=engine.name,
        taken=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        files=files,
        missing=missing,
    )
    _finish(folder, manifest)
    return folder, manifest


def _offered(
    engine: Engine, container: Container, wanted: Sequence[str], missing: list[MissingCompanion]
) -> Iterator[Beside]:
    """What the engine can save; that it cannot even be asked is one thing missing of each kind."""
    try:
        if hasattr(engine, "companions"):
            yield from engine.companions(container, wanted)
        elif engine.name in OFFERS:
            yield from import_module(OFFERS[engine.name]).companions(engine, container, wanted)
    except CryoscopeError as error:
        missing += [_missing(kind, error) for kind in wanted]


def _missing(kind: str, error: CryoscopeError) -> MissingCompanion:
    why, cure = readable(error.message), readable(error.hint)
    return MissingCompanion(kind=kind, why=why, code=error.code, cure=cure)


def _make(folder: str) -> None:
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        raise UsageError(
            f"{readable(folder)} is there already",
            hint="take it away, or give another -o",
            code="companions.exists",
        ) from None
    except OSError as error:
        raise _unwritable(folder, error) from None


def _unwritable(folder: str, error: OSError) -> CryoscopeError:
    return CryoscopeError(
        f"{readable(folder)} cannot be written: {error.strerror or error}",
        hint="the archive itself is whole; make room and save the rest by hand",
        code="companions.write",
    )


def _written(folder: str, beside: Beside) -> CompanionFile:
    """One file, under another name until its last byte is there; raises what its bytes raise, and OSError."""
    if not NAME.match(beside.name) or beside.name == MANIFEST:
        raise CryoscopeError(f"{readable(beside.name)} is no name for a file", code="companions.name")
    path = os.path.join(folder, beside.name)
    try:
        size, digest = _write(path + ".incomplete", beside.blocks)
    except CryoscopeError:
        os.unlink(path + ".incomplete")
        raise
    os.rename(path + ".incomplete", path)
    source = readable(beside.source)
    return CompanionFile(kind=beside.kind, name=beside.name, size=size, sha256=digest, source=source)


def _write(path: str, blocks: Iterable[bytes]) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as out:
        for block in blocks:
            size += len(block)
            if size > limits.COMPANION:
                raise CryoscopeError(f"more than {limits.COMPANION >> 30} GiB of it", code="limit.companion")
            digest.update(block)
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    return size, digest.hexdigest()


def _finish(folder: str, manifest: Companions) -> None:
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    try:
        _write(os.path.join(folder, MANIFEST), [text])
    except OSError as error:
        raise _unwritable(folder, error) from None
