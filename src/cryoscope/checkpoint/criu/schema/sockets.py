"""Sockets of every family, their options and queues.

Defined by CRIU, in the files of images/ named below; how to read a line: `schema/__init__.py`.
"""

TABLE = """
# from images/sk-opts.proto
enum sk_shutdown NONE=0 READ=1 WRITE=2 BOTH=3

message sk_opts_entry
   1 ! so_sndbuf       uint32
   2 ! so_rcvbuf       uint32
   3 ! so_snd_tmo_sec  uint64
   4 ! so_snd_tmo_usec uint64
   5 ! so_rcv_tmo_sec  uint64
   6 ! so_rcv_tmo_usec uint64
   7 ? reuseaddr       bool
   8 ? so_priority     uint32
   9 ? so_rcvlowat     uint32
  10 ? so_mark         uint32
  11 ? so_passcred     bool
  12 ? so_passsec      bool
  13 ? so_dontroute    bool
  14 ? so_no_check     bool
  15 ? so_bound_dev    string
  16 * so_filter       fixed64                  # classic BPF, 8 bytes an instruction
  17 ? so_reuseport    bool
  18 ? so_broadcast    bool
  19 ? so_keepalive    bool
  20 ? tcp_keepcnt     uint32
  21 ? tcp_keepidle    uint32
  22 ? tcp_keepintvl   uint32
  23 ? so_oobinline    uint32
  24 ? so_linger       uint32
  25 ? so_buf_lock     uint32

# from images/sk-unix.proto
message file_perms_entry
   1 ! mode uint32
   2 ! uid  uint32
   3 ! gid  uint32

message unix_sk_entry
   1 ! id         uint32
   2 ! ino        uint32
   3 ! type       uint32   dict:sk
   4 ! state      uint32   dict:sk
   5 ! flags      uint32   hex
   6 ! uflags     uint32   hex
   7 ! backlog    uint32
   8 ! peer       uint32                        # ino of the other end; 0: none
   9 ! fown       fown_entry
  10 ! opts       sk_opts_entry
  11 ! name       bytes    conv:unix_name       # sun_path; a first NUL: abstract
  12 ? shutdown   sk_shutdown
  13 ? file_perms file_perms_entry
  14 ? name_dir   string
  15 ? deleted    bool
  16 ? ns_id      uint32
  17 ? mnt_id     sint32   =-1

# from images/sk-inet.proto
message ip_opts_raw_entry
   1 ? hdrincl      bool
   2 ? nodefrag     bool
   3 ? checksum     bool
   4 * icmpv_filter uint32

message ip_opts_entry
   1 ? freebind bool
   4 ? raw      ip_opts_raw_entry
   5 ? pktinfo  bool
   6 ? tos      uint32
   7 ? ttl      uint32

message inet_sk_entry
   1 ! id       uint32
   2 ! ino      uint32
   3 ! family   uint32   dict:sk
   4 ! type     uint32   dict:sk
   5 ! proto    uint32   dict:sk
   6 ! state    uint32   dict:sk                # TCP_*
   7 ! src_port uint32
   8 ! dst_port uint32
   9 ! flags    uint32   hex
  10 ! backlog  uint32
  11 * src_addr uint32   ip                     # one word v4, four v6, network byte order
  12 * dst_addr uint32   ip
  13 ! fown     fown_entry
  14 ! opts     sk_opts_entry
  15 ? v6only   bool
  16 ? ip_opts  ip_opts_entry
  17 ? ifname   string
  18 ? ns_id    uint32
  19 ? shutdown sk_shutdown
  20 ? tcp_opts tcp_opts_entry

# from images/tcp-stream.proto
message tcp_opts_entry
   1 ? cork      bool
   2 ? nodelay   bool
   3 ? keepcnt   uint32
   4 ? keepidle  uint32
   5 ? keepintvl uint32

message tcp_stream_entry
   1 ! inq_len    uint32                        # received, not read: bytes follow
   2 ! inq_seq    uint32
   3 ! outq_len   uint32                        # sent or not, not acknowledged: bytes follow
   4 ! outq_seq   uint32
   5 ! opt_mask   uint32 hex
   6 ! snd_wscale uint32
   7 ! mss_clamp  uint32
   8 ? rcv_wscale uint32
   9 ? timestamp  uint32
  10 ? cork       bool
  11 ? nodelay    bool
  12 ? unsq_len   uint32                        # the part of outq never sent
  13 ? snd_wl1    uint32
  14 ? snd_wnd    uint32
  15 ? max_window uint32
  16 ? rcv_wnd    uint32
  17 ? rcv_wup    uint32

# from images/packet-sock.proto
message packet_mclist
   1 ! index uint32
   2 ! type  uint32
   3 ! addr  bytes

message packet_ring
   1 ! block_size  uint32
   2 ! block_nr    uint32
   3 ! frame_size  uint32
   4 ! frame_nr    uint32
   5 ! retire_tmo  uint32
   6 ! sizeof_priv uint32
   7 ! features    uint32

message packet_sock_entry
   1 ! id          uint32
   2 ! type        uint32
   3 ! protocol    uint32
   4 ! flags       uint32   hex
   5 ! ifindex     uint32
   6 ! fown        fown_entry
   7 ! opts        sk_opts_entry
   8 ! version     uint32
   9 ! reserve     uint32
  10 ! aux_data    bool
  11 ! orig_dev    bool
  12 ! vnet_hdr    bool
  13 ! loss        bool
  14 ! timestamp   uint32
  15 ! copy_thresh uint32
  16 * mclist      packet_mclist
  17 ? fanout      uint32   =4294967295
  18 ? rx_ring     packet_ring
  19 ? tx_ring     packet_ring
  20 ? ns_id       uint32

# from images/sk-netlink.proto
message netlink_sk_entry
   1 ! id         uint32
   2 ! ino        uint32
   3 ! protocol   uint32                        # NETLINK_*
   4 ! state      uint32
   6 ! flags      uint32   hex
   7 ! portid     uint32
   8 * groups     uint32
   9 ! dst_portid uint32
  10 ! dst_group  uint32
  11 ! fown       fown_entry
  12 ! opts       sk_opts_entry
  13 ? ns_id      uint32

# from images/sk-packet.proto
message scm_entry
   1 ! type   uint32
   2 * rights uint32                            # descriptors in flight, ids in files.img

message sk_packet_entry
   1 ! id_for uint32                            # id of the socket in files.img
   2 ! length uint32                            # how many bytes follow
   4 * scm    scm_entry
"""
