"""The checkpoint as a whole: inventory, statistics, control groups, security modules.

Defined by CRIU, in the files of images/ named below; how to read a line: `schema/__init__.py`.
"""

TABLE = """
# from images/inventory.proto
enum lsmtype NO_LSM=0 SELINUX=1 APPARMOR=2

message plugins_entry
  12 * plugins string

message inventory_entry
   1 ! img_version         uint32               # 1: no common magic, 2: with it
   2 ? fdinfo_per_id       bool
   3 ? root_ids            task_kobj_ids_entry  # the namespaces of CRIU itself
   4 ? ns_per_id           bool
   5 ? root_cg_set         uint32
   6 ? lsmtype             lsmtype
   8 ? dump_uptime         uint64               # microseconds since boot
   9 ? pre_dump_mode       uint32
  10 ? tcp_close           bool
  11 ? network_lock_method uint32
  12 ? plugins_entry       plugins_entry
  13 ? dump_criu_run_id    string
  14 ? allow_uprobes       bool

# from images/stats.proto
message dump_stats_entry
   1 ! freezing_time          uint32            # microseconds, as all times here
   2 ! frozen_time            uint32            # how long the container stood still
   3 ! memdump_time           uint32
   4 ! memwrite_time          uint32
   5 ! pages_scanned          uint64
   6 ! pages_skipped_parent   uint64
   7 ! pages_written          uint64
   8 ? irmap_resolve          uint32
   9 ! pages_lazy             uint64
  10 ? page_pipes             uint64
  11 ? page_pipe_bufs         uint64
  12 ? shpages_scanned        uint64
  13 ? shpages_skipped_parent uint64
  14 ? shpages_written        uint64

message restore_stats_entry
   1 ! pages_compared    uint64
   2 ! pages_skipped_cow uint64
   3 ! forking_time      uint32
   4 ! restore_time      uint32
   5 ? pages_restored    uint64

message stats_entry
   1 ? dump    dump_stats_entry
   2 ? restore restore_stats_entry

# from images/cgroup.proto
message cgroup_perms
   1 ! mode uint32
   2 ! uid  uint32
   3 ! gid  uint32

message cgroup_prop_entry
   1 ! name  string
   2 ! value string
   3 ? perms cgroup_perms

message cgroup_dir_entry
   1 ! dir_name   string                        # relative to the controller's root
   2 * children   cgroup_dir_entry
   3 * properties cgroup_prop_entry
   4 ? dir_perms  cgroup_perms

message cg_controller_entry
   1 * cnames      string                       # controllers mounted together
   2 * dirs        cgroup_dir_entry
   3 ? is_threaded bool

message cg_member_entry
   1 ! name        string
   2 ! path        string
   3 ? cgns_prefix uint32

message cg_set_entry
   1 ! id   uint32
   2 * ctls cg_member_entry

message cgroup_entry
   1 * sets        cg_set_entry
   2 * controllers cg_controller_entry

# from images/apparmor.proto
message aa_policy
   1 ! name string
   2 ! blob bytes                               # compiled profile

message aa_namespace
   1 ! name       string
   2 * policies   aa_policy
   3 * namespaces aa_namespace

message apparmor_entry
   1 * namespaces aa_namespace
"""
