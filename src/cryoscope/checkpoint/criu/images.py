"""Every type of CRIU image, one row each: the only place where a type is named.

Magics from criu/include/magic.h, file names from criu/image-desc.c, messages and payloads from the
dump functions in criu/*.c (CRIU).  A new type is a row here, and its messages in `schema`.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

import msgspec

COMMON_MAGIC, SERVICE_MAGIC = 0x54564319, 0x55105940
HEADS = {"common": COMMON_MAGIC, "service": SERVICE_MAGIC, "bare": None}
"""What stands before an image's own magic: since images v1.1 one of these two, nothing before."""


class ImageType(msgspec.Struct, frozen=True):
    """One type of image: `pattern` is its files' names without `.img`, in shell wildcards.

    `message` is what each entry holds; where `then` is given, only the first does and `then` is what
    the others hold.  `extra` names the codec (`extras.py`) of the raw bytes behind an entry.
    """

    name: str
    magic: int
    pattern: str
    message: str
    extra: str = ""
    then: str = ""
    head: str = "common"

    def message_at(self, index: int) -> str:
        return self.then if index and self.then else self.message


class RawImage(NamedTuple):
    """A file beside the images that has no magic: what it is and what reads it."""

    pattern: str
    what: str
    read_with: str


# fmt: off
IMAGE_TYPES: tuple[ImageType, ...] = (
    ImageType("INVENTORY", 0x58313116, "inventory", "inventory_entry", head="bare"),
    ImageType("PSTREE", 0x50273030, "pstree", "pstree_entry"),
    ImageType("FDINFO", 0x56213732, "fdinfo-*", "fdinfo_entry"),
    ImageType("PAGEMAP", 0x56084025, "pagemap-*", "pagemap_head", then="pagemap_entry"),
    ImageType("CORE", 0x55053847, "core-*", "core_entry"),
    ImageType("IDS", 0x54432030, "ids-*", "task_kobj_ids_entry"),
    ImageType("VMAS", 0x54123737, "vmas-*", "vma_entry"),
    ImageType("PIPES", 0x56513555, "pipes", "pipe_entry"),
    ImageType("PIPES_DATA", 0x56453709, "pipes-data", "pipe_data_entry", extra="pipe"),
    ImageType("FIFO", 0x58364939, "fifo", "fifo_entry"),
    ImageType("FIFO_DATA", 0x59333054, "fifo-data", "pipe_data_entry", extra="pipe"),
    ImageType("SIGACT", 0x55344201, "sigacts-*", "sa_entry"),
    ImageType("UNIXSK", 0x54373943, "unixsk", "unix_sk_entry"),
    ImageType("INETSK", 0x56443851, "inetsk", "inet_sk_entry"),
    ImageType("PACKETSK", 0x60454618, "packetsk", "packet_sock_entry"),
    ImageType("ITIMERS", 0x57464056, "itimers-*", "itimer_entry"),
    ImageType("POSIX_TIMERS", 0x52603957, "posix-timers-*", "posix_timer_entry"),
    ImageType("SK_QUEUES", 0x56264026, "sk-queues", "sk_packet_entry", extra="packet"),
    ImageType("UTSNS", 0x54473203, "utsns-*", "utsns_entry"),
    ImageType("CREDS", 0x54023547, "creds-*", "creds_entry"),
    ImageType("IPC_VAR", 0x53115007, "ipcns-var-*", "ipc_var_entry"),
    ImageType("IPCNS_SHM", 0x46283044, "ipcns-shm-*", "ipc_shm_entry", extra="shm"),
    ImageType("IPCNS_MSG", 0x55453737, "ipcns-msg-*", "ipc_msg_entry", extra="messages"),
    ImageType("IPCNS_SEM", 0x59573019, "ipcns-sem-*", "ipc_sem_entry", extra="semaphores"),
    ImageType("REG_FILES", 0x50363636, "reg-files", "reg_file_entry"),
    ImageType("EXT_FILES", 0x59255641, "ext-files", "ext_file_entry"),
    ImageType("FS", 0x51403912, "fs-*", "fs_entry"),
    ImageType("MM", 0x57492820, "mm-*", "mm_entry"),
    ImageType("REMAP_FPATH", 0x59133954, "remap-fpath", "remap_file_path_entry"),
    ImageType("GHOST_FILE", 0x52583605, "ghost-file-*", "ghost_file_entry",
              extra="ghost", then="ghost_chunk_entry"),
    ImageType("TCP_STREAM", 0x51465506, "tcp-stream-*", "tcp_stream_entry", extra="tcp"),
    ImageType("EVENTFD_FILE", 0x44523722, "eventfd", "eventfd_file_entry"),
    ImageType("EVENTPOLL_FILE", 0x45023858, "eventpoll", "eventpoll_file_entry"),
    ImageType("EVENTPOLL_TFD", 0x44433746, "eventpoll-tfd", "eventpoll_tfd_entry"),
    ImageType("SIGNALFD", 0x57323820, "signalfd", "signalfd_entry"),
    ImageType("INOTIFY_FILE", 0x48424431, "inotify", "inotify_file_entry"),
    ImageType("INOTIFY_WD", 0x54562009, "inotify-wd", "inotify_wd_entry"),
    ImageType("MNTS", 0x55563928, "mountpoints-*", "mnt_entry"),
    ImageType("NETDEV", 0x57373951, "netdev-*", "net_device_entry"),
    ImageType("NETNS", 0x55933752, "netns-*", "netns_entry"),
    ImageType("TTY_FILES", 0x59433025, "tty", "tty_file_entry"),
    ImageType("TTY_INFO", 0x59453036, "tty-info", "tty_info_entry"),
    ImageType("TTY_DATA", 0x59413026, "tty-data", "tty_data_entry"),
    ImageType("FILE_LOCKS", 0x54323616, "filelocks", "file_lock_entry"),
    ImageType("RLIMIT", 0x57113925, "rlimit-*", "rlimit_entry"),
    ImageType("FANOTIFY_FILE", 0x55096122, "fanotify", "fanotify_file_entry"),
    ImageType("FANOTIFY_MARK", 0x56506035, "fanotify-mark", "fanotify_mark_entry"),
    ImageType("SIGNAL", 0x59255647, "signal-[sp]-*", "siginfo_entry"),
    ImageType("NETLINK_SK", 0x58005614, "netlinksk", "netlink_sk_entry"),
    ImageType("NS_FILES", 0x61394011, "ns-files", "ns_file_entry"),
    ImageType("TUNFILE", 0x57143751, "tunfile", "tunfile_entry"),
    ImageType("CGROUP", 0x59383330, "cgroup", "cgroup_entry"),
    ImageType("TIMERFD", 0x50493712, "timerfd", "timerfd_entry"),
    ImageType("CPUINFO", 0x61404013, "cpuinfo", "cpuinfo_entry"),
    ImageType("USERNS", 0x55474906, "userns-*", "userns_entry"),
    ImageType("SECCOMP", 0x64413049, "seccomp", "seccomp_entry"),
    ImageType("BINFMT_MISC", 0x67343323, "binfmt-misc*", "binfmt_misc_entry"),
    ImageType("AUTOFS", 0x49353943, "autofs-*", "autofs_entry"),
    ImageType("FILES", 0x56303138, "files", "file_entry"),
    ImageType("MEMFD_INODE", 0x48453499, "memfd", "memfd_inode_entry"),
    ImageType("TIMENS", 0x43114433, "timens-*", "timens_entry"),
    ImageType("PIDNS", 0x61157326, "pidns-*", "pidns_entry"),
    ImageType("BPFMAP_FILE", 0x57506142, "bpfmap-file", "bpfmap_file_entry"),
    ImageType("BPFMAP_DATA", 0x64324033, "bpfmap-data", "bpfmap_data_entry", extra="bpfmap"),
    ImageType("APPARMOR", 0x59423047, "apparmor", "apparmor_entry"),
    ImageType("PIDFD", 0x54435556, "pidfd", "pidfd_entry"),
    ImageType("STATS", 0x57093306, "stats-*", "stats_entry", head="service"),
    ImageType("IRMAP_CACHE", 0x57004059, "irmap-cache", "irmap_cache_entry", head="service"),
)
# fmt: on

RAW_IMAGES = (
    RawImage("pages-*", "memory pages, placed by the pagemap that names them", "cryoscope memory"),
    RawImage("ifaddr-*", "network addresses, as `ip address save` writes them", "ip address showdump"),
    RawImage("route-*", "IPv4 routes, as `ip route save` writes them", "ip route showdump"),
    RawImage("route6-*", "IPv6 routes, as `ip -6 route save` writes them", "ip route showdump"),
    RawImage("rule-*", "routing rules, as `ip rule save` writes them", "ip rule restore"),
    RawImage("iptables-*", "IPv4 packet filter, text of iptables-save", "cryoscope cat"),
    RawImage("ip6tables-*", "IPv6 packet filter, text of ip6tables-save", "cryoscope cat"),
    RawImage("nftables-*", "packet filter, text of nft", "cryoscope cat"),
    RawImage("netns-ct-*", "connection tracking, netlink messages", "cryoscope cat"),
    RawImage("netns-exp-*", "expected connections, netlink messages", "cryoscope cat"),
    RawImage("tmpfs-*.tar.gz", "content of a tmpfs, a gzipped tar", "tar tzf"),
    RawImage("amdgpu-*", "GPU state of CRIU's amdgpu plugin, in the plugin's own format", "cryoscope cat"),
)
"""Files without a magic (criu/image-desc.c, plugins/amdgpu): CRIU passes them to other programs."""

_BY_MAGIC = {row.magic: row for row in IMAGE_TYPES}
_BY_NAME = {row.name: row for row in IMAGE_TYPES}


def image_type(magic: int) -> ImageType | None:
    """The type with this magic, or None."""
    return _BY_MAGIC.get(magic)


def by_name(name: str) -> ImageType | None:
    """The type that crit calls `name` (`CORE`), or None."""
    return _BY_NAME.get(name)


def by_file_name(filename: str) -> ImageType | None:
    """The type whose pattern a file's name (with or without folder and `.img`) fits, or None."""
    base = base_name(filename)
    return next((row for row in IMAGE_TYPES if fnmatchcase(base, row.pattern)), None)


def raw_image(filename: str) -> RawImage | None:
    """The row of RAW_IMAGES that a file's name fits, or None."""
    base = base_name(filename)
    return next((row for row in RAW_IMAGES if fnmatchcase(base, row.pattern)), None)


def is_raw(filename: str) -> str | None:
    """What a file without magic is, in one line; None if its name is no such file's."""
    row = raw_image(filename)
    return row.what if row else None


def base_name(filename: str) -> str:
    """A file's name without folders and without `.img`."""
    return filename.rpartition("/")[2].removesuffix(".img")
