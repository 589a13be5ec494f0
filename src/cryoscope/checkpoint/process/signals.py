"""Signals, timers and resource limits of a task.

Defined in CRIU's images/{core,timer,rlimit,siginfo,sa}.proto.  A queued signal is the kernel's
siginfo_t, 128 bytes (include/uapi/asm-generic/siginfo.h): signo, errno and code as 32-bit
numbers, then from byte 16 on fields that depend on the code.
"""

from __future__ import annotations

import struct
from typing import Any, Literal

import msgspec

from cryoscope.checkpoint.criu import names

INFINITY = (1 << 64) - 1
SIGINFO = struct.Struct("<3i4x2i")
CLOCKS = (
    "CLOCK_REALTIME",
    "CLOCK_MONOTONIC",
    "CLOCK_PROCESS_CPUTIME_ID",
    "CLOCK_THREAD_CPUTIME_ID",
    "CLOCK_MONOTONIC_RAW",
    "CLOCK_REALTIME_COARSE",
    "CLOCK_MONOTONIC_COARSE",
    "CLOCK_BOOTTIME",
    "CLOCK_REALTIME_ALARM",
    "CLOCK_BOOTTIME_ALARM",
)
"""Clocks by number (linux/time.h)."""

FROM_USER = (0, -1, -6)  # SI_USER, SI_QUEUE, SI_TKILL carry the sender


class PendingSignal(msgspec.Struct, frozen=True, omit_defaults=True):
    """A signal that was queued and not yet delivered; `shared` ones wait for any thread."""

    signal: str
    code: int
    shared: bool = False
    sender_pid: int | None = None
    sender_uid: int | None = None


class SignalAction(msgspec.Struct, frozen=True):
    """What a signal does to the task: `ignore`, or the address of its handler (hexadecimal)."""

    signal: str
    handler: str


class Timer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A running timer: microseconds until it fires, and between firings (0: once)."""

    kind: str
    remaining_us: int
    interval_us: int
    clock: str | None = None
    signal: str | None = None
    id: int | None = None


class Rlimit(msgspec.Struct, frozen=True):
    """A resource limit, in the unit of setrlimit(2)."""

    name: str
    soft: int | Literal["unlimited"]
    hard: int | Literal["unlimited"]


def pending_of(queue: Any, *, shared: bool) -> list[PendingSignal]:
    """The signals of a `signal_queue_entry`; entries too short to be a siginfo_t are left out."""
    infos = (bytes(entry.siginfo) for entry in queue.signals)
    return [_pending(info, shared) for info in infos if len(info) >= SIGINFO.size]


def _pending(info: bytes, shared: bool) -> PendingSignal:
    signo, _, code, pid, uid = SIGINFO.unpack_from(info)
    if code in FROM_USER:
        return PendingSignal(names.signal(signo), code, shared, pid, uid)
    return PendingSignal(names.signal(signo), code, shared)


def clock(number: int) -> str:
    """Name of a clock of clock_gettime(2); a number for the CPU clock of another process."""
    return CLOCKS[number] if 0 <= number < len(CLOCKS) else str(number)


def actions_of(core: Any) -> list[SignalAction]:
    """The handlers that differ from the default.

    `sigactions` has one entry a signal from 1 on, without SIGKILL and SIGSTOP, which cannot be
    changed (criu/cr-dump.c, dump_sigacts).
    """
    numbers = [number for number in range(1, 65) if number not in (9, 19)]
    found = zip(numbers, core.sigactions, strict=False)
    return [
        SignalAction(names.signal(number), "ignore" if action.sigaction == 1 else hex(action.sigaction))
        for number, action in found
        if action.sigaction
    ]


def timers_of(timers: Any) -> list[Timer]:
    """The timers of a `task_timers_entry` that are armed."""
    interval = [
        Timer(kind, _us(entry.vsec, entry.vusec), _us(entry.isec, entry.iusec))
        for kind, entry in (("real", timers.real), ("virtual", timers.virt), ("prof", timers.prof))
    ]
    armed = [timer for timer in interval if timer.remaining_us or timer.interval_us]
    return armed + [_posix_timer(entry) for entry in timers.posix]


def _posix_timer(entry: Any) -> Timer:
    return Timer(
        "posix",
        _us(entry.vsec, entry.vnsec // 1000),
        _us(entry.isec, entry.insec // 1000),
        clock=clock(entry.clock_id),
        signal=names.signal(entry.si_signo),
        id=entry.it_id,
    )


def _us(seconds: int, microseconds: int) -> int:
    return int(seconds * 1_000_000 + microseconds)


def rlimits_of(entries: Any) -> list[Rlimit]:
    """Limits by name; the position in the image is the number of the resource."""
    return [
        Rlimit(names.rlimit(number), _limit(entry.cur), _limit(entry.max))
        for number, entry in enumerate(entries)
    ]


def _limit(value: int) -> int | Literal["unlimited"]:
    return "unlimited" if value == INFINITY else value
