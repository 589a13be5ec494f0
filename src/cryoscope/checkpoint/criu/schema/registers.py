"""Registers of every architecture that CRIU runs on.

Defined by CRIU, in the files of images/ named below; how to read a line: `schema/__init__.py`.
"""

TABLE = """
# from images/core-x86.proto
enum user_x86_regs_mode NATIVE=1 COMPAT=2

message user_x86_regs_entry
   1 ! r15     uint64
   2 ! r14     uint64
   3 ! r13     uint64
   4 ! r12     uint64
   5 ! bp      uint64
   6 ! bx      uint64
   7 ! r11     uint64
   8 ! r10     uint64
   9 ! r9      uint64
  10 ! r8      uint64
  11 ! ax      uint64
  12 ! cx      uint64
  13 ! dx      uint64
  14 ! si      uint64
  15 ! di      uint64
  16 ! orig_ax uint64                           # the system call it was in
  17 ! ip      uint64                           # where it was stopped
  18 ! cs      uint64
  19 ! flags   uint64
  20 ! sp      uint64                           # top of the stack
  21 ! ss      uint64
  22 ! fs_base uint64                           # thread-local storage
  23 ! gs_base uint64
  24 ! ds      uint64
  25 ! es      uint64
  26 ! fs      uint64
  27 ! gs      uint64
  28 ? mode    user_x86_regs_mode =NATIVE

message user_x86_cet_entry
   1 ! cet uint64 hex
   2 ! ssp uint64 hex                           # shadow stack pointer

message user_x86_xsave_entry
   1 ! xstate_bv    uint64
   2 * ymmh_space   uint32
   3 * bndreg_state uint64
   4 * bndcsr_state uint64
   5 * opmask_reg   uint64
   6 * zmm_upper    uint64
   7 * hi16_zmm     uint64
   8 * pkru         uint32                      # rights of the protection keys
   9 ? cet          user_x86_cet_entry

message user_x86_fpregs_entry
   1 ! cwd        uint32
   2 ! swd        uint32
   3 ! twd        uint32
   4 ! fop        uint32
   5 ! rip        uint64
   6 ! rdp        uint64
   7 ! mxcsr      uint32
   8 ! mxcsr_mask uint32
   9 * st_space   uint32
  10 * xmm_space  uint32
  11 * padding    uint32
  13 ? xsave      user_x86_xsave_entry

message user_desc_t
   1 ! entry_number    uint32
   2 ! base_addr       uint32
   3 ! limit           uint32
   4 ! seg_32bit       bool
   5 ! contents_h      bool
   6 ! contents_l      bool
   7 ! read_exec_only  bool   =true
   8 ! limit_in_pages  bool
   9 ! seg_not_present bool   =true
  10 ! usable          bool

message thread_info_x86
   1 ! clear_tid_addr uint64   hex
   2 ! gpregs         user_x86_regs_entry hex
   3 ! fpregs         user_x86_fpregs_entry
   4 * tls            user_desc_t

# from images/core-arm.proto
message user_arm_regs_entry
   1 ! r0      uint32
   2 ! r1      uint32
   3 ! r2      uint32
   4 ! r3      uint32
   5 ! r4      uint32
   6 ! r5      uint32
   7 ! r6      uint32
   8 ! r7      uint32
   9 ! r8      uint32
  10 ! r9      uint32
  11 ! r10     uint32
  12 ! fp      uint32
  13 ! ip      uint32
  14 ! sp      uint32
  15 ! lr      uint32
  16 ! pc      uint32
  17 ! cpsr    uint32
  18 ! orig_r0 uint32

message user_arm_vfpstate_entry
   1 * vfp_regs uint64
   2 ! fpscr    uint32
   3 ! fpexc    uint32
   4 ! fpinst   uint32
   5 ! fpinst2  uint32

message thread_info_arm
   1 ! clear_tid_addr uint64   hex
   2 ! tls            uint32
   3 ! gpregs         user_arm_regs_entry hex
   4 ! fpstate        user_arm_vfpstate_entry

# from images/core-aarch64.proto
message user_aarch64_regs_entry
   1 * regs   uint64
   2 ! sp     uint64
   3 ! pc     uint64
   4 ! pstate uint64

message user_aarch64_fpsimd_context_entry
   1 * vregs uint64
   2 ! fpsr  uint32
   3 ! fpcr  uint32

message pac_address_keys
   1 ! apiakey_lo      uint64
   2 ! apiakey_hi      uint64
   3 ! apibkey_lo      uint64
   4 ! apibkey_hi      uint64
   5 ! apdakey_lo      uint64
   6 ! apdakey_hi      uint64
   7 ! apdbkey_lo      uint64
   8 ! apdbkey_hi      uint64
   9 ! pac_enabled_key uint64

message pac_generic_keys
   1 ! apgakey_lo uint64
   2 ! apgakey_hi uint64

message pac_keys
   6 ? pac_address_keys pac_address_keys
   7 ? pac_generic_keys pac_generic_keys

message thread_info_aarch64
   1 ! clear_tid_addr uint64   hex
   2 ! tls            uint64
   3 ! gpregs         user_aarch64_regs_entry hex
   4 ! fpsimd         user_aarch64_fpsimd_context_entry
   5 ? pac_keys       pac_keys

# from images/core-ppc64.proto
message user_ppc64_regs_entry
   1 * gpr       uint64
   2 ! nip       uint64
   3 ! msr       uint64
   4 ! orig_gpr3 uint64
   5 ! ctr       uint64
   6 ! link      uint64
   7 ! xer       uint64
   8 ! ccr       uint64
   9 ! trap      uint64
  10 ? texasr    uint64
  11 ? tfhar     uint64
  12 ? tfiar     uint64

message user_ppc64_fpstate_entry
   1 * fpregs uint64

message user_ppc64_vrstate_entry
   1 * vrregs uint64
   2 ! vrsave uint32

message user_ppc64_vsxstate_entry
   1 * vsxregs uint64

message user_ppc64_tm_regs_entry
   1 ! gpregs   user_ppc64_regs_entry
   2 ? fpstate  user_ppc64_fpstate_entry
   3 ? vrstate  user_ppc64_vrstate_entry
   4 ? vsxstate user_ppc64_vsxstate_entry

message thread_info_ppc64
   1 ! clear_tid_addr uint64   hex
   2 ! gpregs         user_ppc64_regs_entry hex
   3 ? fpstate        user_ppc64_fpstate_entry
   4 ? vrstate        user_ppc64_vrstate_entry
   5 ? vsxstate       user_ppc64_vsxstate_entry
   6 ? tmstate        user_ppc64_tm_regs_entry

# from images/core-s390.proto
message user_s390_regs_entry
   1 ! psw_mask    uint64
   2 ! psw_addr    uint64
   3 * gprs        uint64
   4 * acrs        uint32
   5 ! orig_gpr2   uint64
   6 ! system_call uint32

message user_s390_vxrs_low_entry
   1 * regs uint64

message user_s390_vxrs_high_entry
   1 * regs uint64

message user_s390_fpregs_entry
   1 ! fpc  uint32
   2 * fprs uint64

message user_s390_gs_cb_entry
   1 * regs uint64

message user_s390_ri_entry
   1 ! ri_on uint32
   2 * regs  uint64

message thread_info_s390
   1 ! clear_tid_addr uint64   hex
   2 ! gpregs         user_s390_regs_entry hex
   3 ! fpregs         user_s390_fpregs_entry hex
   4 ? vxrs_low       user_s390_vxrs_low_entry hex
   5 ? vxrs_high      user_s390_vxrs_high_entry hex
   6 ? gs_cb          user_s390_gs_cb_entry hex
   7 ? gs_bc          user_s390_gs_cb_entry hex
   8 ? ri_cb          user_s390_ri_entry hex

# from images/core-mips.proto
message user_mips_regs_entry
   1 ! r0           uint64
   2 ! r1           uint64
   3 ! r2           uint64
   4 ! r3           uint64
   5 ! r4           uint64
   6 ! r5           uint64
   7 ! r6           uint64
   8 ! r7           uint64
   9 ! r8           uint64
  10 ! r9           uint64
  11 ! r10          uint64
  12 ! r11          uint64
  13 ! r12          uint64
  14 ! r13          uint64
  15 ! r14          uint64
  16 ! r15          uint64
  17 ! r16          uint64
  18 ! r17          uint64
  19 ! r18          uint64
  20 ! r19          uint64
  21 ! r20          uint64
  22 ! r21          uint64
  23 ! r22          uint64
  24 ! r23          uint64
  25 ! r24          uint64
  26 ! r25          uint64
  27 ! r26          uint64
  28 ! r27          uint64
  29 ! r28          uint64
  30 ! r29          uint64
  31 ! r30          uint64
  32 ! r31          uint64
  33 ! lo           uint64
  34 ! hi           uint64
  35 ! cp0_epc      uint64
  36 ! cp0_badvaddr uint64
  37 ! cp0_status   uint64
  38 ! cp0_cause    uint64

message user_mips_fpregs_entry
   1 ! r0        uint64
   2 ! r1        uint64
   3 ! r2        uint64
   4 ! r3        uint64
   5 ! r4        uint64
   6 ! r5        uint64
   7 ! r6        uint64
   8 ! r7        uint64
   9 ! r8        uint64
  10 ! r9        uint64
  11 ! r10       uint64
  12 ! r11       uint64
  13 ! r12       uint64
  14 ! r13       uint64
  15 ! r14       uint64
  16 ! r15       uint64
  17 ! r16       uint64
  18 ! r17       uint64
  19 ! r18       uint64
  20 ! r19       uint64
  21 ! r20       uint64
  22 ! r21       uint64
  23 ! r22       uint64
  24 ! r23       uint64
  25 ! r24       uint64
  26 ! r25       uint64
  27 ! r26       uint64
  28 ! r27       uint64
  29 ! r28       uint64
  30 ! r29       uint64
  31 ! r30       uint64
  32 ! r31       uint64
  33 ! lo        uint64
  34 ! hi        uint64
  35 ! fpu_fcr31 uint32
  36 ! fpu_id    uint32

message thread_info_mips
   1 ! clear_tid_addr uint64   hex
   2 ! tls            uint64
   3 ! gpregs         user_mips_regs_entry hex
   4 ! fpregs         user_mips_fpregs_entry hex

# from images/core-loongarch64.proto
message user_loongarch64_gpregs_entry
   1 * regs uint64
   2 ! pc   uint64

message user_loongarch64_fpregs_entry
   1 * regs uint64
   2 ! fcc  uint64
   3 ! fcsr uint32

message thread_info_loongarch64
   1 ! clear_tid_addr uint64   hex
   2 ! tls            uint64
   3 ! gpregs         user_loongarch64_gpregs_entry hex
   4 ! fpregs         user_loongarch64_fpregs_entry hex

# from images/core-riscv64.proto
message user_riscv64_regs_entry
   1 ! pc  uint64
   2 ! ra  uint64
   3 ! sp  uint64
   4 ! gp  uint64
   5 ! tp  uint64
   6 ! t0  uint64
   7 ! t1  uint64
   8 ! t2  uint64
   9 ! s0  uint64
  10 ! s1  uint64
  11 ! a0  uint64
  12 ! a1  uint64
  13 ! a2  uint64
  14 ! a3  uint64
  15 ! a4  uint64
  16 ! a5  uint64
  17 ! a6  uint64
  18 ! a7  uint64
  19 ! s2  uint64
  20 ! s3  uint64
  21 ! s4  uint64
  22 ! s5  uint64
  23 ! s6  uint64
  24 ! s7  uint64
  25 ! s8  uint64
  26 ! s9  uint64
  27 ! s10 uint64
  28 ! s11 uint64
  29 ! t3  uint64
  30 ! t4  uint64
  31 ! t5  uint64
  32 ! t6  uint64

message user_riscv64_d_ext_entry
   1 * f    uint64
   2 ! fcsr uint32

message thread_info_riscv64
   1 ! clear_tid_addr uint64   hex
   2 ! tls            uint64
   3 ! gpregs         user_riscv64_regs_entry hex
   4 ! fpsimd         user_riscv64_d_ext_entry

# from images/cpuinfo.proto
enum cpuinfo_x86_entry.vendor UNKNOWN=0 INTEL=1 AMD=2
message cpuinfo_x86_entry
   1 ! vendor_id      cpuinfo_x86_entry.vendor
   2 ! cpu_family     uint32
   3 ! model          uint32
   4 ! stepping       uint32
   5 ! capability_ver uint32
   6 * capability     uint32
   7 ? model_id       string
   8 ? xfeatures_mask uint64
   9 ? xsave_size     uint32
  10 ? xsave_size_max uint32

enum cpuinfo_ppc64_entry.endianness BIGENDIAN=0 LITTLEENDIAN=1
message cpuinfo_ppc64_entry
   1 ! endian cpuinfo_ppc64_entry.endianness
   2 * hwcap  uint64

message cpuinfo_s390_entry
   2 * hwcap uint64

message cpuinfo_entry
   1 * x86_entry   cpuinfo_x86_entry
   2 * ppc64_entry cpuinfo_ppc64_entry
   3 * s390_entry  cpuinfo_s390_entry
"""
