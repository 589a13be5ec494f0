"""What the processor of the dump had that this one lacks.

CRIU leaves registers out that the processor has no place for (criu/arch/x86/crtools.c), and a program chose
its functions by what its processor could: it may go on with wrong numbers, or end with SIGILL.  What was in
use is in each core image (`xstate_bv`: Intel SDM volume 1, 13.4.2); what there was is in cpuinfo.img,
which CRIU writes with --cpu-cap (criu/arch/x86/cpu.c; words as in the kernel's cpufeatures.h).
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from typing import Any

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.engines.host import Host
from cryoscope.engines.port import HARD, NOTE, SOFT, Concern
from cryoscope.text import readable

PKU = "pku"
"""Rights of protection keys: kernels set them up for every process, hardly any program uses them."""
STATES = {
    2: "avx",
    3: "mpx",
    4: "mpx",
    5: "avx512f",
    6: "avx512f",
    7: "avx512f",
    9: PKU,
    11: "user_shstk",
    17: "amx_tile",
    18: "amx_tile",
}
"""Bits of xstate_bv by the flag in /proc/cpuinfo of a processor that has them."""
FEATURES = {
    (0, 26): "sse2",
    (4, 0): "pni",
    (4, 9): "ssse3",
    (4, 12): "fma",
    (4, 13): "cx16",
    (4, 19): "sse4_1",
    (4, 20): "sse4_2",
    (4, 22): "movbe",
    (4, 23): "popcnt",
    (4, 25): "aes",
    (4, 28): "avx",
    (4, 29): "f16c",
    (9, 3): "bmi1",
    (9, 5): "avx2",
    (9, 8): "bmi2",
    (9, 9): "erms",
    (9, 16): "avx512f",
    (9, 17): "avx512dq",
    (9, 28): "avx512cd",
    (9, 29): "sha_ni",
    (9, 30): "avx512bw",
    (9, 31): "avx512vl",
}
"""Word and bit of cpuinfo.img by the flag in /proc/cpuinfo: those that programs choose their functions by."""
MACHINES = {"arm64": "aarch64", "amd64": "x86_64", "arm": "armv7l", "s390": "s390x", "ppc64": "ppc64le"}
"""Architectures by other names than the kernel's."""
SAMPLE = 4096
"""Core images that are looked at."""


def cpu_concerns(checkpoint: Checkpoint, host: Host) -> list[Concern]:
    """Concerns about the processor; none where it can be the same."""
    machine = MACHINES.get(checkpoint.machine, checkpoint.machine)
    if machine not in ("unknown", platform.machine()):
        return [
            Concern(
                code="preflight.machine",
                weight=HARD,
                what=f"the checkpoint is of a {machine} machine, this one is {platform.machine()}",
                cure=f"restore it on a {machine} machine",
            )
        ]
    flags = flags_of(host)
    return [*_in_use(checkpoint, flags), *_there(checkpoint, flags)] if flags else []


def flags_of(host: Host) -> set[str]:
    """The flags of the host's processor (/proc/cpuinfo); empty where it says none."""
    for path in (host.path("/proc/cpuinfo"), "/proc/cpuinfo"):
        if not os.path.exists(path):
            continue
        with open(path, errors="replace") as file:
            for line in file:
                if line.startswith(("flags", "Features")):
                    return set(line.partition(":")[2].split())
    return set()


def _in_use(checkpoint: Checkpoint, flags: set[str]) -> Iterator[Concern]:
    missing: dict[str, str] = {}
    for name, _ in checkpoint.images.matching("core-*")[:SAMPLE]:
        for bit, flag in STATES.items():
            if flag not in flags and _states(checkpoint.images.first(name)) >> bit & 1:
                missing.setdefault(flag, name.removeprefix("core-"))
    for flag, pid in missing.items():
        yield Concern(
            code="preflight.cpu-state",
            weight=NOTE if flag == PKU else SOFT,
            what=f"process {pid} has registers of {flag}, which this processor lacks",
            cure=f"restore it on a processor with {flag} (grep {flag} /proc/cpuinfo)",
        )


def _states(core: Any) -> int:
    """xstate_bv of a core image; 0 where it has none (another architecture, no FPU in use)."""
    if core is None or not core.HasField("thread_info"):
        return 0
    registers = core.thread_info.fpregs
    return int(registers.xsave.xstate_bv) if registers.HasField("xsave") else 0


def _there(checkpoint: Checkpoint, flags: set[str]) -> Iterator[Concern]:
    info = checkpoint.images.first("cpuinfo")
    if info is None or not info.x86_entry:
        return
    words = info.x86_entry[0].capability
    has = {flag for (word, bit), flag in FEATURES.items() if word < len(words) and words[word] >> bit & 1}
    missing = sorted(has - flags)
    if missing:
        model = readable(info.x86_entry[0].model_id)
        yield Concern(
            code="preflight.cpu-features",
            weight=SOFT,
            what=f"the dump's processor ({model or 'unknown'}) had {', '.join(missing)}, this one has not",
            cure="restore it on a processor that has them; --force tries it",
        )
