"""Open files: regular, appended to, deleted, pipes, terminals, watches, locks."""

import fcntl
import os
import pty
import struct
import time

from libc import call
from parts import part

IN_MOVED_FROM, IN_DELETE = 0x40, 0x200
"""Not IN_CREATE: other parts make files there, and CRIU drops events that nobody has read."""


@part()
def folder() -> object:
    """A working folder: the image's, or one below /tmp where the root is read-only."""
    place = "/data" if os.access("/data", os.W_OK) else f"/tmp/data-{os.getpid()}"
    os.makedirs(place, exist_ok=True)
    os.chdir(place)
    return {"path": place, "fd": os.open(place, os.O_RDONLY | os.O_DIRECTORY)}


@part()
def regular() -> object:
    file = os.open("regular.txt", os.O_RDWR | os.O_CREAT, 0o640)
    os.write(file, b"regular file content 0123456789\n" * 4)
    os.lseek(file, 10, os.SEEK_SET)
    return {"fd": file, "path": os.path.abspath("regular.txt"), "position": 10, "twin": os.dup(file)}


@part()
def append() -> object:
    file = os.open("append.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(file, b"line 1\n")
    return {"fd": file, "path": os.path.abspath("append.log")}


@part()
def path_only() -> object:
    return {"fd": os.open("/etc/passwd", os.O_PATH), "path": "/etc/passwd"}


@part()
def ghost() -> object:
    """Deleted but open: its content is nowhere but in the checkpoint."""
    file = os.open("ghost.bin", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(file, b"GHOST-FILE-SECRET" + bytes(4096))
    os.unlink("ghost.bin")
    return {"fd": file, "path": os.path.abspath("ghost.bin"), "size": 4113, "text": "GHOST-FILE-SECRET"}


@part()
def tree() -> object:
    """Files that nobody holds open: they travel with the root filesystem, not with CRIU."""
    with open("created.txt", "w") as file:
        file.write("created before the checkpoint\n")
    os.symlink("created.txt", "link")
    os.link("created.txt", "second-name")
    return {
        "files": ["created.txt"],
        "links": {"link": "created.txt"},
        "hard": ["created.txt", "second-name"],
    }


@part()
def fifo() -> object:
    os.mkfifo("fifo")
    file = os.open("fifo", os.O_RDWR | os.O_NONBLOCK)
    os.write(file, b"FIFO-SECRET")
    return {"fd": file, "path": os.path.abspath("fifo"), "queued": "FIFO-SECRET"}


@part()
def pipe() -> object:
    reads, writes = os.pipe()
    fcntl.fcntl(reads, fcntl.F_SETPIPE_SZ, 16384)
    os.write(writes, b"PIPE-SECRET")
    return {"reads": reads, "writes": writes, "queued": "PIPE-SECRET", "size": 16384}


@part()
def terminal() -> object:
    """A terminal at which something was typed that no line ends yet, and the echo of it."""
    master, slave = pty.openpty()
    os.write(master, b"TYPED-SECRET")
    time.sleep(0.05)  # the line discipline works in a queue of its own
    fcntl.ioctl(slave, 0x5414, struct.pack("HHHH", 33, 101, 0, 0))  # TIOCSWINSZ
    return {"master": master, "slave": slave, "name": os.ttyname(slave), "rows": 33, "columns": 101}


@part()
def inotify() -> object:
    """On tmpfs: CRIU cannot dump a watch on overlayfs (`fsnotify: Can't dump that handle`)."""
    file = call("inotify_init1", os.O_NONBLOCK)
    watch = call("inotify_add_watch", file, b"/dev/shm", IN_MOVED_FROM | IN_DELETE)
    return {"fd": file, "watch": watch, "path": "/dev/shm", "mask": IN_MOVED_FROM | IN_DELETE}


@part(optional=True)
def locks() -> object:
    """Optional: engines refuse them without --file-locks."""
    with_flock, with_lockf = (os.open(name, os.O_WRONLY | os.O_CREAT) for name in ("flock", "lockf"))
    fcntl.flock(with_flock, fcntl.LOCK_EX)
    fcntl.lockf(with_lockf, fcntl.LOCK_EX, 10, 5)
    return {"flock": with_flock, "posix": with_lockf, "start": 5, "length": 10}
