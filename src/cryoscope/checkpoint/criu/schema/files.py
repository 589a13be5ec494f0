"""Open files that are no sockets, and what stands behind them.

Defined by CRIU, in the files of images/ named below; how to read a line: `schema/__init__.py`.
"""

TABLE = """
# from images/fdinfo.proto
enum fd_types UND=0 REG=1 PIPE=2 FIFO=3 INETSK=4 UNIXSK=5 EVENTFD=6 EVENTPOLL=7 INOTIFY=8 SIGNALFD=9
  PACKETSK=10 TTY=11 FANOTIFY=12 NETLINKSK=13 NS=14 TUNF=15 EXT=16 TIMERFD=17 MEMFD=18 BPFMAP=19 PIDFD=20
  CTL_TTY=65534 AUTOFS_PIPE=65535

message fdinfo_entry
   1 ! id                     uint32            # id in files.img
   2 ! flags                  uint32            # FD_CLOEXEC
   3 ! type                   fd_types
   4 ! fd                     uint32
   5 ? xattr_security_selinux string

message file_entry
   1 ! type  fd_types
   2 ! id    uint32
   3 ? reg   reg_file_entry
   4 ? isk   inet_sk_entry
   5 ? nsf   ns_file_entry
   6 ? psk   packet_sock_entry
   7 ? nlsk  netlink_sk_entry
   8 ? efd   eventfd_file_entry
   9 ? epfd  eventpoll_file_entry
  10 ? sgfd  signalfd_entry
  11 ? tunf  tunfile_entry
  12 ? tfd   timerfd_entry
  13 ? ify   inotify_file_entry
  14 ? ffy   fanotify_file_entry
  15 ? ext   ext_file_entry
  16 ? usk   unix_sk_entry
  17 ? fifo  fifo_entry
  18 ? pipe  pipe_entry
  19 ? tty   tty_file_entry
  20 ? memfd memfd_file_entry
  21 ? bpf   bpfmap_file_entry
  22 ? pidfd pidfd_entry

# from images/fown.proto
message fown_entry
   1 ! uid      uint32
   2 ! euid     uint32
   3 ! signum   uint32                          # F_SETSIG; 0 means SIGIO
   4 ! pid_type uint32
   5 ! pid      uint32

# from images/regfile.proto
message reg_file_entry
   1 ! id                 uint32
   2 ! flags              uint32   flags:rfile.flags  # O_*, x86 values
   3 ! pos                uint64
   5 ! fown               fown_entry
   6 ! name               string                # path inside the container
   7 ? mnt_id             sint32   =-1
   8 ? size               uint64                # when it was dumped, to be checked at restore
   9 ? ext                bool                  # opened outside the container
  10 ? mode               uint32
  11 * build_id           uint32
  12 ? checksum           uint32
  13 ? checksum_config    uint32
  14 ? checksum_parameter uint32

# from images/fs.proto
message fs_entry
   1 ! cwd_id  uint32                           # id in files.img
   2 ! root_id uint32
   3 ? umask   uint32

# from images/remap-file-path.proto
enum remap_type LINKED=0 GHOST=1 PROCFS=2

message remap_file_path_entry
   1 ! orig_id    uint32                        # id in files.img
   2 ! remap_id   uint32                        # which ghost-file or linked file
   3 ? remap_type remap_type

# from images/ghost-file.proto
message ghost_file_entry                 # a deleted file still open: its bytes follow
   1 ! uid           uint32
   2 ! gid           uint32
   3 ! mode          uint32
   4 ? dev           uint32  dev
   5 ? ino           uint64
   6 ? rdev          uint32  dev odev
   7 ? atim          timeval
   8 ? mtim          timeval
   9 ? chunks        bool                       # true: chunks with holes between; else one run
  10 ? size          uint64
  11 ? symlnk_target string

message ghost_chunk_entry
   1 ! len uint64
   2 ! off uint64

# from images/time.proto
message timeval
   1 ! tv_sec  uint64
   2 ! tv_usec uint64

# from images/pipe.proto
message pipe_entry
   1 ! id      uint32
   2 ! pipe_id uint32
   3 ! flags   uint32   hex
   4 ! fown    fown_entry

# from images/fifo.proto
message fifo_entry
   1 ! id      uint32
   2 ! pipe_id uint32
   3 ? regf_id uint32

# from images/pipe-data.proto
message pipe_data_entry
   1 ! pipe_id uint32
   2 ! bytes   uint32                           # how many bytes follow
   3 ? size    uint32                           # F_SETPIPE_SZ

# from images/eventfd.proto
message eventfd_file_entry
   1 ! id      uint32
   2 ! flags   uint32
   3 ! fown    fown_entry
   4 ! counter uint64

# from images/eventpoll.proto
message eventpoll_tfd_entry
   1 ! id     uint32
   2 ! tfd    uint32
   3 ! events uint32                            # EPOLL*
   4 ! data   uint64
   5 ? dev    uint32
   6 ? inode  uint64
   7 ? pos    uint64

message eventpoll_file_entry
   1 ! id    uint32
   2 ! flags uint32
   3 ! fown  fown_entry
   4 * tfd   eventpoll_tfd_entry

# from images/signalfd.proto
message signalfd_entry
   1 ! id      uint32
   2 ! flags   uint32   hex
   3 ! fown    fown_entry
   4 ! sigmask uint64   hex                     # the signals it reads: bit n-1 is signal n

# from images/timerfd.proto
message timerfd_entry
   1 ! id            uint32
   2 ! flags         uint32   hex
   3 ! fown          fown_entry
   4 ! clockid       uint32
   5 ! ticks         uint64
   6 ! settime_flags uint32   hex
   7 ! vsec          uint64
   8 ! vnsec         uint64
   9 ! isec          uint64
  10 ! insec         uint64

# from images/fh.proto
enum fh_entry_sizes min_entries=16

message fh_entry
   1 ! bytes  uint32
   2 ! type   uint32
   3 * handle uint64
   4 ? path   string
   5 ? mnt_id uint32

message irmap_cache_entry
   1 ! dev   uint32 dev odev
   2 ! inode uint64
   3 ! path  string

# from images/fsnotify.proto
enum mark_type INODE=1 MOUNT=2

message inotify_wd_entry
   1 ! id           uint32
   2 ! i_ino        uint64
   3 ! mask         uint32   hex                # IN_*
   4 ! ignored_mask uint32   hex
   5 ! s_dev        uint32   dev
   6 ! wd           uint32
   7 ! f_handle     fh_entry

message inotify_file_entry
   1 ! id    uint32
   2 ! flags uint32   hex
   4 ! fown  fown_entry
   5 * wd    inotify_wd_entry

message fanotify_inode_mark_entry
   1 ! i_ino    uint64
   2 ! f_handle fh_entry

message fanotify_mount_mark_entry
   1 ! mnt_id uint32
   2 ? path   string

message fanotify_mark_entry
   1 ! id           uint32
   2 ! type         mark_type
   3 ! mflags       uint32   hex
   4 ! mask         uint32   hex
   5 ! ignored_mask uint32   hex
   6 ! s_dev        uint32   dev
   7 ? ie           fanotify_inode_mark_entry
   8 ? me           fanotify_mount_mark_entry

message fanotify_file_entry
   1 ! id      uint32
   2 ! flags   uint32   hex
   3 ! fown    fown_entry
   4 ! faflags uint32   hex
   5 ! evflags uint32   hex
   6 * mark    fanotify_mark_entry

# from images/ext-file.proto
message ext_file_entry
   1 ! id   uint32
   5 ! fown fown_entry

# from images/ns.proto
message ns_file_entry
   1 ! id       uint32
   2 ! ns_id    uint32
   3 ! ns_cflag uint32                          # CLONE_NEW*
   4 ! flags    uint32

# from images/pidfd.proto
message pidfd_entry
   1 ! id    uint32
   2 ! ino   uint32
   3 ! flags uint32
   4 ! nspid int32
   5 ! fown  fown_entry

# from images/tty.proto
enum TtyType UNKNOWN=0 PTY=1 CONSOLE=2 VT=3 CTTY=4 EXT_TTY=5 SERIAL=6

message winsize_entry
   1 ! ws_row    uint32
   2 ! ws_col    uint32
   3 ! ws_xpixel uint32
   4 ! ws_ypixel uint32

message termios_entry
   1 ! c_iflag  uint32
   2 ! c_oflag  uint32
   3 ! c_cflag  uint32
   4 ! c_lflag  uint32
   5 ! c_line   uint32
   6 ! c_ispeed uint32
   7 ! c_ospeed uint32
   8 * c_cc     uint32

message tty_pty_entry
   1 ! index uint32

message tty_data_entry
   1 ! tty_id uint32
   2 ! data   bytes                             # typed, not read yet

message tty_info_entry
   1 ! id             uint32
   2 ! type           TtyType
   3 ! locked         bool
   4 ! exclusive      bool
   5 ! packet_mode    bool
   6 ! sid            uint32
   7 ! pgrp           uint32
   8 ! rdev           uint32                    # device number, the kernel's old form
   9 ? termios        termios_entry
  10 ? termios_locked termios_entry
  11 ? winsize        winsize_entry
  12 ? pty            tty_pty_entry
  13 ? dev            uint32
  14 ? uid            uint32
  15 ? gid            uint32

message tty_file_entry
   1 ! id          uint32
   2 ! tty_info_id uint32
   3 ! flags       uint32   hex
   4 ! fown        fown_entry
   6 ? regf_id     uint32

# from images/tun.proto
message tunfile_entry
   1 ! id       uint32
   2 ? netdev   string
   3 ? detached bool
   4 ? ns_id    uint32

message tun_link_entry
   1 ! flags   uint32 hex
   2 ! owner   int32
   3 ! group   int32
   4 ! vnethdr uint32
   5 ! sndbuf  uint32

# from images/file-lock.proto
message file_lock_entry
   1 ! flag  uint32                             # FL_POSIX 1, FL_FLOCK 2, FL_OFD 4, FL_LEASE 8
   2 ! type  uint32                             # F_RDLCK 0, F_WRLCK 1, F_UNLCK 2
   3 ! pid   int32
   4 ! fd    int32
   5 ! start int64
   6 ! len   int64
"""
