"""Tasks and threads: state, registers' envelope, credentials, signals, timers, limits, seccomp.

Defined by CRIU, in the files of images/ named below; how to read a line: `schema/__init__.py`.
"""

TABLE = """
# from images/pstree.proto
message pstree_entry
   1 ! pid     uint32                           # inside the container's pid namespace, as all pids here
   2 ! ppid    uint32                           # 0: the root task
   3 ! pgid    uint32
   4 ! sid     uint32
   5 * threads uint32                           # every thread's id, the leader's among them

# from images/core.proto
enum seccomp_mode disabled=0 strict=1 filter=2

message task_core_entry
   1 ! task_state             uint32   dict:gen  # 1 alive, 2 dead (a zombie), 3 stopped, 6 never written
   2 ! exit_code              uint32            # as wait(2) gives it: status << 8 | signal
   3 ! personality            uint32            # hexadecimal digits, read as decimal ones
   4 ! flags                  uint32            # the kernel's PF_* bits
   5 ! blk_sigset             uint64   hex      # bit n-1 is signal n
   6 ! comm                   string            # at most 15 bytes
   7 ? timers                 task_timers_entry
   8 ? rlimits                task_rlimits_entry
   9 ? cg_set                 uint32            # the set of cgroup.img this task is in
  10 ? signals_s              signal_queue_entry  # queued for the process as a whole
  11 ? old_seccomp_mode       seccomp_mode
  12 ? old_seccomp_filter     uint32
  13 ? loginuid               uint32            # 4294967295: never logged in
  14 ? oom_score_adj          int32
  15 * sigactions             sa_entry          # signals 1 to 64 without KILL and STOP, in order
  18 ? child_subreaper        bool
  20 ? blk_sigset_extended    uint64   hex
  21 ? stop_signo             uint32            # the signal that stopped it
  22 ? membarrier_registration_mask uint32   hex

message task_kobj_ids_entry              # equal ids: shared objects
   1 ! vm_id        uint32                      # which mm-*.img
   2 ! files_id     uint32                      # which fdinfo-*.img
   3 ! fs_id        uint32
   4 ! sighand_id   uint32
   5 ? pid_ns_id    uint32
   6 ? net_ns_id    uint32
   7 ? ipc_ns_id    uint32
   8 ? uts_ns_id    uint32
   9 ? mnt_ns_id    uint32
  10 ? user_ns_id   uint32
  11 ? cgroup_ns_id uint32
  12 ? time_ns_id   uint32

message thread_sas_entry
   1 ! ss_sp    uint64
   2 ! ss_size  uint64
   3 ! ss_flags uint32

message thread_core_entry
   1 ! futex_rla           uint64               # address of the robust list
   2 ! futex_rla_len       uint32
   3 ? sched_nice          sint32
   4 ? sched_policy        uint32
   5 ? sched_prio          uint32
   6 ? blk_sigset          uint64
   7 ? sas                 thread_sas_entry     # alternative signal stack
   8 ? pdeath_sig          uint32               # the signal sent when the parent dies
   9 ? signals_p           signal_queue_entry   # queued for this thread
  10 ? creds               creds_entry
  11 ? seccomp_mode        seccomp_mode
  12 ? seccomp_filter      uint32               # which entry of seccomp.img was attached last
  13 ? comm                string
  14 ? blk_sigset_extended uint64
  15 ? rseq_entry          rseq_entry
  16 ? cg_set              uint32

message task_rlimits_entry
   1 * rlimits rlimit_entry                     # in the kernel's order: RLIMIT_CPU is 0

enum core_entry.march UNKNOWN=0 X86_64=1 ARM=2 AARCH64=3 PPC64=4 S390=5 MIPS=6 LOONGARCH64=7 RISCV64=8
message core_entry                       # one a thread; tc and ids only in the leader's
   1 ! mtype          core_entry.march
   2 ? thread_info    thread_info_x86           # x86; each architecture has its own field
   6 ? ti_arm         thread_info_arm
   8 ? ti_aarch64     thread_info_aarch64
   9 ? ti_ppc64       thread_info_ppc64
  10 ? ti_s390        thread_info_s390
  11 ? ti_mips        thread_info_mips
  12 ? ti_loongarch64 thread_info_loongarch64
  13 ? ti_riscv64     thread_info_riscv64
   3 ? tc             task_core_entry           # what the whole task shares
   4 ? ids            task_kobj_ids_entry
   5 ? thread_core    thread_core_entry

# from images/rlimit.proto
message rlimit_entry
   1 ! cur uint64                               # 2^64-1: unlimited
   2 ! max uint64

# from images/timer.proto
message itimer_entry                     # isec/iusec: interval, vsec/vusec: time left
   1 ! isec  uint64
   2 ! iusec uint64
   3 ! vsec  uint64
   4 ! vusec uint64

message posix_timer_entry
   1 ! it_id            uint32
   2 ! clock_id         uint32
   3 ! si_signo         uint32
   4 ! it_sigev_notify  uint32                  # SIGEV_*
   5 ! sival_ptr        uint64                  # what the handler is given
   6 ! overrun          uint32
   7 ! isec             uint64
   8 ! insec            uint64
   9 ! vsec             uint64
  10 ! vnsec            uint64
  11 ? notify_thread_id int32

message task_timers_entry
   1 ! real  itimer_entry
   2 ! virt  itimer_entry
   3 ! prof  itimer_entry
   4 * posix posix_timer_entry

# from images/creds.proto
message creds_entry
   1 ! uid            uint32
   2 ! gid            uint32
   3 ! euid           uint32
   4 ! egid           uint32
   5 ! suid           uint32
   6 ! sgid           uint32
   7 ! fsuid          uint32
   8 ! fsgid          uint32
   9 * cap_inh        uint32                    # two words of 32 bits, the low one first
  10 * cap_prm        uint32
  11 * cap_eff        uint32
  12 * cap_bnd        uint32
  13 ! secbits        uint32                    # SECBIT_*
  14 * groups         uint32
  15 ? lsm_profile    string                    # AppArmor profile or SELinux context
  16 ? lsm_sockcreate string
  17 ? apparmor_data  bytes
  18 ? no_new_privs   uint32
  19 * cap_amb        uint32

# from images/sa.proto
message sa_entry
   1 ! sigaction        uint64 hex              # address of the handler; 0 default, 1 ignore
   2 ! flags            uint64 hex
   3 ! restorer         uint64 hex
   4 ! mask             uint64 hex
   5 ? compat_sigaction bool
   6 ? mask_extended    uint64 hex

# from images/siginfo.proto
message siginfo_entry
   1 ! siginfo bytes                            # the kernel's siginfo_t, 128 bytes

message signal_queue_entry
   1 * signals siginfo_entry

# from images/rseq.proto
message rseq_entry
   1 ! rseq_abi_pointer uint64
   2 ! rseq_abi_size    uint32
   3 ! signature        uint32
   4 ? rseq_cs_pointer  uint64

# from images/seccomp.proto
message seccomp_filter
   1 ! filter bytes                             # struct sock_filter, 8 bytes an instruction
   2 ? prev   uint32                            # the filter attached before, by position
   3 ? flags  uint32

message seccomp_entry
   1 * seccomp_filters seccomp_filter
"""
