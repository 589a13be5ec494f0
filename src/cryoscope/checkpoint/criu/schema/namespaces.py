"""Namespaces: mounts, network devices, System V IPC, names, clocks, ids.

Defined by CRIU, in the files of images/ named below; how to read a line: `schema/__init__.py`.
"""

TABLE = """
# from images/mnt.proto
enum fstype UNSUPPORTED=0 PROC=1 SYSFS=2 DEVTMPFS=3 BINFMT_MISC=4 TMPFS=5 DEVPTS=6 SIMFS=7 PSTORE=8
  SECURITYFS=9 FUSECTL=10 DEBUGFS=11 CGROUP=12 AUFS=13 MQUEUE=14 FUSE=15 AUTO=16 OVERLAYFS=17 AUTOFS=18
  TRACEFS=19 CGROUP2=23

message mnt_entry
   1 ! fstype           uint32                  # enum fstype, declared as a number
   2 ! mnt_id           uint32
   3 ! root_dev         uint32 dev
   4 ! parent_mnt_id    uint32                  # itself: the root
   5 ! flags            uint32 hex
   6 ! root             string                  # path inside the mounted file system
   7 ! mountpoint       string
   8 ! source           string
   9 ! options          string
  10 ? shared_id        uint32
  11 ? master_id        uint32
  12 ? with_plugin      bool
  13 ? ext_mount        bool
  14 ? fsname           string
  15 ? internal_sharing bool
  16 ? deleted          bool
  17 ? sb_flags         uint32 hex
  18 ? ext_key          string                  # mounted from outside, named by the caller

# from images/netdev.proto
enum nd_type LOOPBACK=1 VETH=2 TUN=3 EXTLINK=4 VENET=5 BRIDGE=6 MACVLAN=7 SIT=8

message net_device_entry
   1 ! type         nd_type
   2 ! ifindex      uint32
   3 ! mtu          uint32
   4 ! flags        uint32   hex                # IFF_*
   5 ! name         string
   6 ? tun          tun_link_entry
   7 ? address      bytes                       # hardware address
   8 * conf         int32
   9 * conf4        sysctl_entry
  10 * conf6        sysctl_entry
  11 ? macvlan      macvlan_link_entry
  12 ? peer_ifindex uint32                      # the other end of a veth
  13 ? peer_nsid    uint32
  14 ? master       uint32
  15 ? sit          sit_entry

message netns_id
   1 ! target_ns_id  uint32
   2 ! netnsid_value int32

message netns_entry
   1 * def_conf    int32
   2 * all_conf    int32
   3 * def_conf4   sysctl_entry
   4 * all_conf4   sysctl_entry
   5 * def_conf6   sysctl_entry
   6 * all_conf6   sysctl_entry
   7 * nsids       netns_id
   8 ? ext_key     string
   9 * unix_conf   sysctl_entry
  10 * ipv4_sysctl sysctl_entry

# from images/macvlan.proto
message macvlan_link_entry
   1 ! mode  uint32
   2 ? flags uint32

# from images/sit.proto
message sit_entry
   1 ? link            uint32
   2 * local           uint32 ip
   3 * remote          uint32 ip
   4 ? ttl             uint32
   5 ? tos             uint32
   6 ? pmtudisc        bool
   7 ? proto           uint32
   8 ? flags           uint32
   9 ? encap_type      uint32
  10 ? encap_flags     uint32
  11 ? encap_sport     uint32
  12 ? encap_dport     uint32
  13 ? rd_prefixlen    uint32
  14 * rd_prefix       uint32 ip
  15 ? relay_prefixlen uint32
  16 * relay_prefix    uint32 ip

# from images/sysctl.proto
enum SysctlType CTL_STR=5 CTL_32=6

message sysctl_entry
   1 ! type SysctlType
   2 ? iarg int32
   3 ? sarg string

# from images/utsns.proto
message utsns_entry
   1 ! nodename   string
   2 ! domainname string

# from images/timens.proto
message timespec
   1 ! tv_sec  uint64
   2 ! tv_nsec uint64

message timens_entry
   1 ! monotonic timespec                       # offset of the clock
   2 ! boottime  timespec

# from images/pidns.proto
message pidns_entry
   1 ? ext_key string

# from images/userns.proto
message uid_gid_extent
   1 ! first       uint32                       # inside the namespace
   2 ! lower_first uint32                       # outside
   3 ! count       uint32

message userns_entry
   1 * uid_map uid_gid_extent
   2 * gid_map uid_gid_extent

# from images/ipc-desc.proto
message ipc_desc_entry
   1 ! key  uint32
   2 ! uid  uint32
   3 ! gid  uint32
   4 ! cuid uint32
   5 ! cgid uint32
   6 ! mode uint32
   7 ! id   uint32

# from images/ipc-msg.proto
message ipc_msg
   1 ! mtype uint64
   2 ! msize uint32

message ipc_msg_entry
   1 ! desc   ipc_desc_entry
   2 ! qbytes uint32
   3 ! qnum   uint32                            # so many messages follow

# from images/ipc-sem.proto
message ipc_sem_entry
   1 ! desc  ipc_desc_entry
   2 ! nsems uint32                             # so many 16-bit values follow

# from images/ipc-shm.proto
message ipc_shm_entry
   1 ! desc         ipc_desc_entry
   2 ! size         uint64
   3 ? in_pagemaps  bool                        # true since CRIU 3.0: bytes in pagemap-shmem-<id>.img
   4 ? hugetlb_flag uint32

# from images/ipc-var.proto
message ipc_var_entry
   1 * sem_ctls           uint32
   2 ! msg_ctlmax         uint32
   3 ! msg_ctlmnb         uint32
   4 ! msg_ctlmni         uint32
   5 ! auto_msgmni        uint32
   6 ! shm_ctlmax         uint64
   7 ! shm_ctlall         uint64
   8 ! shm_ctlmni         uint32
   9 ! shm_rmid_forced    uint32
  10 ! mq_queues_max      uint32
  11 ! mq_msg_max         uint32
  12 ! mq_msgsize_max     uint32
  13 ? mq_msg_default     uint32
  14 ? mq_msgsize_default uint32
  15 ? msg_next_id        uint32
  16 ? sem_next_id        uint32
  17 ? shm_next_id        uint32

# from images/autofs.proto
message autofs_entry
   1 ! fd       int32
   2 ! pgrp     int32
   3 ! timeout  int32
   4 ! minproto int32
   5 ! maxproto int32
   6 ! mode     int32
   7 ? uid      int32
   8 ? gid      int32
   9 ? read_fd  int32

# from images/binfmt-misc.proto
message binfmt_misc_entry
   1 ! name        string
   2 ! enabled     bool
   3 ! interpreter string
   4 ? flags       string
   5 ? extension   string
   6 ? magic       string
   7 ? mask        string
   8 ? offset      int32
"""
