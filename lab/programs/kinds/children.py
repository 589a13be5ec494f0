"""Processes below the first one, and its threads, which come last: with threads one should not fork."""

import ctypes
import os
import resource
import signal
import struct
import threading
import time
from collections.abc import Callable

from libc import (
    PR_CAPBSET_DROP,
    PR_SET_KEEPCAPS,
    PR_SET_NAME,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    PR_SET_SECCOMP,
    prctl,
)
from memory import SHARED
from parts import keep, part

CAP_MKNOD, CAP_AUDIT_WRITE = 27, 29
SECCOMP_MODE_FILTER = 2
THREADS = ("reader", "writer", "a-very-long-name")


def child(name: str, prepare: Callable[[], object]) -> int:
    """A child of this name that does something and then waits for ever; returns when it waits.

    Raises what it was not permitted to do.
    """
    reads, writes = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reads)
        _live(name, prepare, writes)
    os.close(writes)
    failure = os.read(reads, 1)  # nothing: the child has closed its end
    os.close(reads)
    if failure:
        os.waitpid(pid, 0)
        raise OSError(failure[0], os.strerror(failure[0]))
    return pid


def _live(name: str, prepare: Callable[[], object], writes: int) -> None:
    """The life of a child, which never returns."""
    try:
        prctl(PR_SET_NAME, name.encode())
        prepare()
    except OSError as error:
        os.write(writes, bytes([error.errno or 255]))
        os._exit(1)
    os.close(writes)
    while True:
        signal.pause()


@part()
def sharing() -> object:
    """Writes where its parent reads; has memory of its own too."""

    def prepare() -> None:
        SHARED[4096:4121] = b"WRITTEN-BY-A-CHILD-SECRET"
        keep(bytearray(b"CHILD-ONLY-SECRET"))

    return {"pid": child("sharing", prepare), "text": "WRITTEN-BY-A-CHILD-SECRET", "own": "CHILD-ONLY-SECRET"}


@part()
def session() -> object:
    return {"pid": child("session", os.setsid), "comm": "session"}


@part()
def group() -> object:
    return {"pid": child("group", lambda: os.setpgid(0, 0)), "comm": "group"}


@part()
def zombies() -> object:
    """Nobody asks for their ends: one by itself, one by a signal."""
    exited = os.fork()
    if not exited:
        os._exit(7)
    killed = child("killed", lambda: None)
    os.kill(killed, signal.SIGKILL)
    for pid in (exited, killed):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return {"exited": exited, "code": 7, "killed": killed, "signal": int(signal.SIGKILL)}


@part(optional=True)
def stopped() -> object:
    """Optional: under cgroup v1 CRIU waits for ever for one that its engine has frozen as well."""
    pid = child("stopped", lambda: None)
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
    return {"pid": pid, "comm": "stopped"}


@part()
def executed() -> object:
    pid = os.posix_spawnp("sleep", ["sleep", "1000000"], {"INHERITED": "ENVIRONMENT-OF-SLEEP-SECRET"})
    while os.readlink(f"/proc/{pid}/exe") == os.readlink("/proc/self/exe"):
        time.sleep(0.01)
    return {"pid": pid, "environment": {"INHERITED": "ENVIRONMENT-OF-SLEEP-SECRET"}}


@part()
def elsewhere() -> object:
    """With a root, working folder, mask and limit of its own."""
    os.makedirs("jail/inside", exist_ok=True)

    def prepare() -> None:
        os.umask(0o077)
        resource.setrlimit(resource.RLIMIT_NPROC, (500, 600))
        os.chroot("jail")
        os.chdir("/inside")

    root = os.path.abspath("jail")
    return {"pid": child("elsewhere", prepare), "root": root, "cwd": "/inside", "umask": 0o077}


@part()
def bounded() -> object:
    """With fewer rights than its parent, for good."""

    def prepare() -> None:
        for number in (CAP_MKNOD, CAP_AUDIT_WRITE):
            prctl(PR_CAPBSET_DROP, number)
        prctl(PR_SET_KEEPCAPS, 1)
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    return {"pid": child("bounded", prepare), "dropped": [CAP_MKNOD, CAP_AUDIT_WRITE], "no_new_privs": 1}


@part()
def filtered() -> object:
    """Behind a seccomp filter of its own, which allows everything."""

    def prepare() -> None:
        allow = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000))
        program = ctypes.create_string_buffer(struct.pack("H6xQ", 1, ctypes.addressof(allow)))
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program)

    return {"pid": child("filtered", prepare), "filters": 1}


@part()
def threads() -> object:
    """Blocked on locks that nobody will open; Python gives the kernel their names."""
    for number, name in enumerate(THREADS):
        held = keep(threading.Event())
        keep(bytearray(b"THREAD-%d-SECRET" % number))
        threading.Thread(target=held.wait, name=name, daemon=True).start()
    _all_named()
    return {"names": list(THREADS)}


def _all_named() -> None:
    """Wait until every thread has taken its name, of which the kernel keeps 15 bytes."""
    wanted = {name[:15] for name in THREADS}
    while not wanted <= {_comm(tid) for tid in os.listdir("/proc/self/task")}:
        time.sleep(0.01)


def _comm(tid: str) -> str:
    with open(f"/proc/self/task/{tid}/comm") as file:
        return file.read().strip()
