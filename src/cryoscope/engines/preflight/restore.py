"""What stands against restoring a checkpoint on a host, whichever engine does it."""

from __future__ import annotations

import os
from collections.abc import Iterator

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.engines.host import Host
from cryoscope.engines.port import NOTE, SOFT, Concern, RestoreOptions
from cryoscope.engines.preflight.cpu import cpu_concerns
from cryoscope.engines.preflight.criu import criu_version, version_of
from cryoscope.engines.preflight.disk import amount, disk_concern
from cryoscope.text import readable

SPOOL = "/var/lib"
"""Where engines unpack what they restore."""
MORE = 64
"""MiB, or threads, above what it held: runtimes and CRIU itself take some within the same bounds."""


def restore_concerns(checkpoint: Checkpoint, host: Host, options: RestoreOptions) -> list[Concern]:
    """Concerns about the processor, the kernel, CRIU, memory and room."""
    concerns = [*cpu_concerns(checkpoint, host), *kernel_concerns(checkpoint)]
    concerns += _criu(checkpoint, host)
    concerns += bound_concerns(checkpoint, options)
    room = disk_concern(checkpoint.overview.memory_size or 0, host.path(SPOOL), shown=SPOOL)
    return [*concerns, *([room] if room is not None else [])]


def kernel_concerns(checkpoint: Checkpoint) -> list[Concern]:
    """A concern where this kernel is older than the one that the checkpoint was taken on."""
    told = checkpoint.dump_log.kernel if checkpoint.dump_log is not None else None
    then, now = _release(told), _release(os.uname().release)
    if then is None or now is None or then <= now:
        return []
    return [
        Concern(
            code="preflight.kernel-older",
            weight=SOFT,
            what=f"it was taken on Linux {_dotted(then)}, this is {_dotted(now)}: "
            "kernels take over state from older ones only",
            cure=f"restore it on Linux {_dotted(then)} or newer; --force tries it",
        )
    ]


def _release(text: str | None) -> tuple[int, ...] | None:
    """Major and minor number of a kernel; of dump.log's line the first word that is one."""
    for word in (text or "").split():
        found = version_of(word)
        if found is not None and len(found) >= 2:
            return found[:2]
    return None


def _criu(checkpoint: Checkpoint, host: Host) -> Iterator[Concern]:
    told = checkpoint.dump_log.version if checkpoint.dump_log is not None else None
    then, now = version_of(told), criu_version(host)
    if now is None:
        yield Concern(
            code="preflight.criu-missing",
            weight=NOTE,
            what="there is no criu in this host's path: the engine needs one of its own",
            cure="install criu",
        )
    elif then is not None and now[:2] < then[:2]:
        yield Concern(
            code="preflight.criu-older",
            weight=SOFT,
            what=f"criu {readable(told or '')} took it, here is {_dotted(now)}: it may not know its images",
            cure=f"install criu {_dotted(then[:2])} or newer; --force tries it",
        )


def bound_concerns(checkpoint: Checkpoint, options: RestoreOptions) -> Iterator[Concern]:
    """More memory or threads than the sandbox may have: they would be killed, or not made, on the way."""
    if options.live:
        return
    held = checkpoint.overview.memory_size or 0
    if held > options.memory:
        yield Concern(
            code="preflight.memory-bound",
            weight=SOFT,
            what=f"it holds {amount(held, up=True)} of memory, the sandbox may have {amount(options.memory)}",
            cure=f"--memory {(held * 5 // 4 >> 20) + MORE}M",
        )
    threads = sum(len(process.threads) for process in checkpoint.processes)
    if threads > options.processes:
        yield Concern(
            code="preflight.process-bound",
            weight=SOFT,
            what=f"it has {threads:,} threads, the sandbox may have {options.processes:,}",
            cure=f"--processes {threads + MORE}",
        )


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
