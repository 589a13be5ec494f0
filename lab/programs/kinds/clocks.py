"""Timers, events and signals.  No timer fires within hours, but their remaining times move."""

import ctypes
import os
import select
import signal
import time

from libc import LIBC, call
from parts import keep, part

SIGEV_SIGNAL = 0
HOUR = 3600


class SignalEvent(ctypes.Structure):
    """struct sigevent of timer_create(2)."""

    _fields_ = [
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("_", ctypes.c_char * 48),
    ]


def _ignore(*_: object) -> None:
    """A handler, so that the signal counts as handled."""


@part()
def timerfd() -> object:
    made = os.timerfd_create(time.CLOCK_MONOTONIC)
    os.timerfd_settime(made, initial=10 * HOUR, interval=60)
    return {"fd": made, "clock": time.CLOCK_MONOTONIC, "value": 10 * HOUR, "interval": 60}


@part()
def itimers() -> object:
    """All three; the two that count processor time stand still with the process."""
    which = {"real": signal.ITIMER_REAL, "virtual": signal.ITIMER_VIRTUAL, "prof": signal.ITIMER_PROF}
    for number, timer in enumerate(which.values(), 1):
        signal.setitimer(timer, (20 + number) * HOUR, 90 + number)
    return {name: {"value": (20 + n) * HOUR, "interval": 90 + n} for n, name in enumerate(which, 1)}


@part()
def posix_timers() -> object:
    return [
        _posix_timer(time.CLOCK_MONOTONIC, 50 * HOUR, 50),
        _posix_timer(time.CLOCK_REALTIME, 60 * HOUR, 0),
    ]


def _posix_timer(clock: int, value: int, interval: int) -> object:
    event, number = SignalEvent(None, signal.SIGUSR2, SIGEV_SIGNAL), ctypes.c_void_p()
    call("timer_create", clock, ctypes.byref(event), ctypes.byref(number))
    call("timer_settime", number, 0, ctypes.byref((ctypes.c_long * 4)(interval, 0, value, 0)), None)
    return {"clock": clock, "signal": int(signal.SIGUSR2), "value": value, "interval": interval}


@part()
def eventfd() -> object:
    return {"fd": os.eventfd(12345), "value": 12345, "semaphore": os.eventfd(3, os.EFD_SEMAPHORE)}


@part()
def signals() -> object:
    """One blocked and pending twice with a value, one handled, one ignored, and a descriptor."""
    signal.signal(signal.SIGUSR2, _ignore)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    blocked = {signal.SIGUSR1, signal.SIGRTMIN + 3}
    signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    mask = (ctypes.c_ulong * 16)(sum(1 << number - 1 for number in blocked))
    descriptor = LIBC.signalfd(-1, mask, 0)
    os.kill(os.getpid(), signal.SIGUSR1)
    for value in (111, 222):
        call("sigqueue", os.getpid(), signal.SIGRTMIN + 3, ctypes.c_void_p(value))
    told = {"fd": descriptor, "blocked": sorted(map(int, blocked)), "queued": [111, 222]}
    return told | {"handled": int(signal.SIGUSR2), "ignored": int(signal.SIGHUP)}


@part()
def epoll() -> object:
    """Watches descriptors of its own; user data is theirs, as select.epoll has it."""
    made, pair = keep(select.epoll()), os.pipe()
    event = os.eventfd(0)
    made.register(pair[0], select.EPOLLIN)
    made.register(event, select.EPOLLIN | select.EPOLLET)
    return {"fd": made.fileno(), "targets": [pair[0], event]}
