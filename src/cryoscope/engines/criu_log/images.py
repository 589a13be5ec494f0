"""CRIU's errors about its images, and those that could come from anywhere."""

from __future__ import annotations

from cryoscope.engines.criu_log.row import row

ROWS = (
    row(
        "no-memory",
        "there is not enough memory",
        "free memory, or raise the memory limit of the copy",
        r"Cannot allocate memory|[Oo]ut of memory|Not enough memory|\bOOM\b",
    ),
    row(
        "image-parent",
        "the images of the dump before this one are missing",
        "give the archive of the previous step too",
        r"No parent image|No parent for snapshot|in parent pagemap|not found in parent",
        r"parent image director",
    ),
    row(
        "image-missing",
        "an image is missing",
        "the checkpoint is not complete: capture it again, or use another copy",
        r"Unable to open \S*\.img|Can't open (?:image|core data)|image dir|No cpuinfo image",
        r"Can't open dir",
    ),
    row(
        "image-corrupt",
        "an image cannot be read: it is damaged, incomplete or was changed",
        "verify the archive and use another copy",
        r"[Mm]agic doesn't match|[Cc]orrupt|Unexpected EOF|Img trimmed|truncated|Can't read img",
        r"data missed|not sorted in the image|No (?:entry|file|mount|IDS) for|Can't find regfile",
        r"pages data|Reached EOF",
    ),
    row(
        "image-write",
        "the images cannot be written",
        "give a folder that can be written, on a disk that works",
        r"Can't write img|Img trimmed|Can't push pipe|Unable to spl?ice|Read-only file system",
    ),
    row(
        "parasite",
        "CRIU's code could not run inside the process",
        "see what forbids it: seccomp, SELinux, or a limit of memory; then try again",
        r"parasite|[Rr]estorer (?:fail|abnormal|stack)|inject syscall|remote mmap|memfd in victim",
    ),
    row(
        "permission",
        "CRIU was not allowed to do it",
        "run it as root with CAP_SYS_ADMIN, CAP_SYS_PTRACE and CAP_CHECKPOINT_RESTORE",
        r"You need to be root|Operation not permitted|Permission denied",
    ),
)
