"""CRIU's errors about open files, mapped files and descriptors of other kinds."""

from __future__ import annotations

from cryoscope.engines.criu_log.row import NEWER, OUTSIDE, row

ROWS = (
    row(
        "ghost-limit",
        "a deleted file that is still open ({0}, {1} bytes) is larger than CRIU takes along",
        "give the dump a higher ghost limit (ghost-limit in /etc/criu/runc.conf or default.conf)",
        r"Can't dump ghost file (\S+) of (\d+) size",
    ),
    row(
        "link-remap",
        "a file was renamed or deleted while it is open and has further links",
        "dump with link-remap, on a file system that takes new links",
        r"Can't create link remap|Can't link remap|Failed to cle\w+ \S+ link remap",
    ),
    row(
        "file-locks-foreign",
        "a file lock is held together with a process outside of it",
        OUTSIDE,
        r"Unresolved lock found",
    ),
    row(
        "file-locks",
        "it holds locks on files",
        "capture it with file locks (--file-locks)",
        r"Some file locks are hold|Dump file lock failed",
    ),
    row(
        "lock-taken",
        "a file lock that it had is held by somebody else here",
        "end the original first, or restore in the sandbox with files of its own",
        r"Can(?: not|'t) set (?:flock|posix lock|ofd lock|lease)|Conflicting lease|Can't break lease",
    ),
    row(
        "inotify-overlay",
        "it watches files (inotify) where CRIU cannot find them again, as on an overlay",
        "end the watching first, or keep what is watched on a tmpfs or a volume",
        r"Can't dump that handle|Can't find suitable path for handle|Unable to lookup a mount by dev",
        r"[Cc]an't add watch|fanotify|Failed to resolve [0-9a-f]+:",
    ),
    row(
        "io-uring",
        "it has a descriptor that cannot be handed over: io_uring, as a rule, which CRIU cannot dump",
        "start the program with io_uring switched off (for Node.js UV_USE_IO_URING=0)",
        r"io_uring|send_fds failed \(-22\)|Can't retrieve FDs from socket",
    ),
    row(
        "aio",
        "its asynchronous I/O (aio) cannot be dumped or restored in this state",
        "try again later, or raise fs.aio-max-nr where it is restored",
        r"\baio\b|Ring setup failed|Ring remap failed|Ring size is not aligned",
    ),
    row(
        "memfd-exec",
        "it runs a program that exists in memory only (memfd)",
        "CRIU cannot dump it; save its memory with a core dump instead",
        r"Can't open mapped \[/?memfd:|Strange file mapped at \S+ \[/?memfd:|EXE link.*memfd",
    ),
    row(
        "device-file",
        "descriptor {0} is an open device {1}",
        "close the device first; CRIU needs a plugin for each kind of device (amdgpu_plugin, cuda_plugin)",
        r"Can't dump file (\d+) of that type \[(?:2|6|02|06)\d{4}\] ?(.*)",
    ),
    row(
        "device-mapped",
        "the memory of a device is mapped",
        "end what uses the device, or install CRIU's plugin for it (amdgpu_plugin, cuda_plugin)",
        r"Can't handle non-regular mapping|handle_device_vma|\[[26]0\d{3}\] *\(/dev/",
    ),
    row(
        "plugin",
        "a plugin of CRIU is missing or failed",
        "install the same plugins as where it was dumped",
        r"[Pp]lugin|cuda-checkpoint|CUDA|(?:PAUSE|RESUME|CHECKPOINT)_DEVICES",
    ),
    row(
        "descriptor-kind",
        "it has an open descriptor of a kind that CRIU cannot dump",
        "close it in the process first, or use a newer CRIU",
        r"Can't dump file (\d+) of that type|Unknown shit|Unknown file type|bpf\w* map type",
        r"packetized mode|pidfd pid|PIDFD_THREAD|tunfile|tun device",
    ),
    row(
        "descriptor-outside",
        "it has {2} open (descriptor {1}), which lies in no mount of its own",
        "start it without inherited descriptors, or capture the container through its engine",
        r"Can't lookup mount=(\S+) for fd=(\d+) path=(\S+)",
    ),
    row(
        "file-hidden",
        "an open file cannot be reached by its name any more",
        "take away what is mounted or was put over it",
        r"overmounted mounts|Unaccessible path opened|The path \[.*\] is not supported",
    ),
    row(
        "epoll",
        "it polls a descriptor that it has closed or passed on",
        NEWER + "; if it stays, CRIU cannot dump this program",
        r"Escaped/closed fd descriptor|No epoll FD|Can't add event on",
    ),
    row(
        "file-changed",
        "{0} is not the file that it had open",
        "put the original file back: the same image and the same changed files",
        r"File (\S+) has bad (?:size|build-ID|mode)",
    ),
    row(
        "file-missing",
        "{0}, which it has open, does not exist here",
        "restore it with its files: the same image, changed files and volumes",
        r"(?:Can't open file|Can't get owner of link remap|Can't open original) (\S+).*No such file",
    ),
)
