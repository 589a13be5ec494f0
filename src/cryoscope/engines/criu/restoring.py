"""criu restore of an archive's images: in a sandbox, or live among the processes of the host."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

import msgspec

from cryoscope.checkpoint.archive import Archive, FileSource, open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint as Cleaned
from cryoscope.engines import escaped
from cryoscope.engines.criu import privileges, unpacking
from cryoscope.engines.criu.dumping import failure
from cryoscope.engines.criu.processes import Processes
from cryoscope.engines.criu.program import Program
from cryoscope.engines.criu.sandbox import Sandbox, addresses
from cryoscope.engines.port import EngineError, Restored, RestoreOptions
from cryoscope.errors import UsageError
from cryoscope.text import readable

if TYPE_CHECKING:
    from cryoscope.checkpoint.checkpoint import Checkpoint

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
MOST = 200
"""Processes that the command names which ends a restored tree."""
TCP = {"refuse": (), "established": ("--tcp-established",), "close": ("--tcp-close",)}


def restore(program: Program, archive: str, checkpoint: Checkpoint, options: RestoreOptions) -> Restored:
    """Let the images in `archive` go on; its files are on the host for as long as this takes."""
    if not NAME.match(options.name):
        raise UsageError(
            f"{readable(options.name)[:80]!r} is no name for a copy",
            hint="give --name letters, digits, _ . and -, at most 64, a letter or digit first",
            code="criu.name",
        )
    started = time.monotonic()
    with open_archive(FileSource(archive)) as cleaned, program.host.scratch() as folder:
        for name in ("inside", "inside/images", "inside/work", "inside/kept"):
            os.mkdir(program.host.path(f"{folder}/{name}"), 0o700)
        unpacking.images(cleaned, Cleaned(cleaned).prefix, program.host, f"{folder}/inside/images")
        run = _live if options.live else _sandboxed
        restored = run(program, cleaned, folder, checkpoint, options)
    return msgspec.structs.replace(restored, seconds=round(time.monotonic() - started, 3))


def _live(
    program: Program, _cleaned: Archive, folder: str, checkpoint: Checkpoint, options: RestoreOptions
) -> Restored:
    inside = f"{folder}/inside"
    root = _root(checkpoint)
    command = [
        *("criu", "restore", "--images-dir", f"{inside}/images", "--work-dir", f"{inside}/work"),
        *("--log-file", "restore.log", "-v4", "--restore-detached", "--manage-cgroups=ignore"),
        *_options(checkpoint, options),
    ]
    code = program.run(command, options.timeout)
    if code:
        raise failure(program.host, f"{inside}/work/restore.log", "cannot restore it", code)
    if Processes(program.host).task(root) is None:
        raise EngineError(
            f"process {root} ended at once", hint="its own output may say why", code="criu.ended"
        )
    return Restored(
        engine="criu",
        id=str(root),
        name=options.name,
        target=f"pid://{root}",
        pid=root,
        live=True,
        remove="kill -9 " + " ".join(str(each.pid) for each in checkpoint.processes[:MOST]),
    )


def _sandboxed(
    program: Program, cleaned: Archive, folder: str, checkpoint: Checkpoint, options: RestoreOptions
) -> Restored:
    privileges.check(Cleaned(cleaned))
    sandbox = Sandbox(program, folder, options)
    try:
        kept = f"{folder}/inside/kept"
        files = () if options.ignore_rootfs else unpacking.files(cleaned, program.host, kept)
        sandbox.prepare(files, addresses(checkpoint))
        sandbox.run(_options(checkpoint, options))
        # The one that made the namespaces is in the control groups too, and on the outside.
        escaped.check(program.host, sandbox.on_host(sandbox.first()), "criu", groups=False)
    except BaseException:
        sandbox.end()
        raise
    pid = sandbox.on_host(sandbox.inside(_root(checkpoint)))
    return Restored(
        engine="criu",
        id=options.name,
        name=options.name,
        target=f"pid://{pid}",
        pid=pid,
        sandbox=sandbox.kept_from,
        notes=sandbox.notes,
        remove=f"kill -9 {sandbox.on_host(sandbox.first())}",
    )


def _options(checkpoint: Checkpoint, options: RestoreOptions) -> list[str]:
    """What criu has to be told besides where the images are."""
    pids = {each.pid for each in checkpoint.processes}
    foreign = any(each.sid not in pids for each in checkpoint.processes)
    return [
        *TCP[options.tcp],
        *(["--file-locks"] if options.file_locks else []),
        *(["--shell-job"] if foreign else []),
    ]


def _root(checkpoint: Checkpoint) -> int:
    """The first process of a tree."""
    if not checkpoint.processes:
        raise EngineError("there is no process in it", hint="capture it again", code="criu.image-missing")
    pids = {each.pid for each in checkpoint.processes}
    return next((each.pid for each in checkpoint.processes if each.ppid not in pids), min(pids))
