"""Calls of the C library that Python does not have."""

import ctypes
import os

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.shmat.restype = ctypes.c_void_p
LIBC.mmap.restype = ctypes.c_void_p

PR_SET_KEEPCAPS, PR_SET_NAME, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 8, 15, 24, 38, 22
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def call(name: str, *arguments: object) -> int:
    """Call a function; raises `OSError` when it returns -1."""
    result = getattr(LIBC, name)(*arguments)
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def prctl(option: int, value: object = 0, more: object = 0) -> int:
    """prctl(2)."""
    return call("prctl", option, value, more, 0, 0)
