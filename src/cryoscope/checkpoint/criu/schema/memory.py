"""Address spaces: mappings, page maps, memory files, BPF maps.

Defined by CRIU, in the files of images/ named below; how to read a line: `schema/__init__.py`.
"""

TABLE = """
# from images/mm.proto
message aio_ring_entry
   1 ! id       uint64
   2 ! nr_req   uint32
   3 ! ring_len uint32

message mm_entry
   1 ! mm_start_code  uint64   hex
   2 ! mm_end_code    uint64   hex
   3 ! mm_start_data  uint64   hex
   4 ! mm_end_data    uint64   hex
   5 ! mm_start_stack uint64   hex
   6 ! mm_start_brk   uint64   hex
   7 ! mm_brk         uint64   hex
   8 ! mm_arg_start   uint64   hex              # command line, until mm_arg_end
   9 ! mm_arg_end     uint64   hex
  10 ! mm_env_start   uint64   hex              # environment, until mm_env_end
  11 ! mm_env_end     uint64   hex
  12 ! exe_file_id    uint32                    # id in files.img
  13 * mm_saved_auxv  uint64                    # type and value in turn
  14 * vmas           vma_entry
  15 ? dumpable       int32                     # PR_SET_DUMPABLE
  16 * aios           aio_ring_entry
  17 ? thp_disabled   bool

# from images/vma.proto
message vma_entry
   1 ! start   uint64 hex
   2 ! end     uint64 hex
   3 ! pgoff   uint64                           # bytes into the file
   4 ! shmid   uint64                           # id of the file or of the shared memory, by status
   5 ! prot    uint32 flags:mmap.prot
   6 ! flags   uint32 flags:mmap.flags
   7 ! status  uint32 flags:mmap.status
   8 ! fd      sint64                           # -1: none
   9 ? madv    uint64 hex                       # bit n: madvise(n) was called
  10 ? fdflags uint32 hex

# from images/pagemap.proto
message pagemap_head
   1 ! pages_id uint32                          # the bytes lie in pages-<pages_id>.img

message pagemap_entry
   1 ! vaddr           uint64 hex
   2 ! compat_nr_pages uint32                   # pages, until CRIU 4.1; 0 since
   3 ? in_parent       bool                     # before flags existed
   4 ? flags           uint32 flags:pmap.flags
   5 ? nr_pages        uint64                   # pages, since CRIU 4.2

# from images/memfd.proto
message memfd_file_entry
   1 ! id       uint32
   2 ! flags    uint32   flags:rfile.flags
   3 ! pos      uint64
   4 ! fown     fown_entry
   5 ! inode_id uint32

message memfd_inode_entry
   1 ! name         string
   2 ! uid          uint32
   3 ! gid          uint32
   4 ! size         uint64
   5 ! shmid        uint32                      # bytes lie in what pagemap-shmem-<shmid>.img describes
   6 ! seals        uint32 flags:seals.flags
   7 ! inode_id     uint64
   8 ? hugetlb_flag uint32
   9 ? mode         uint32

# from images/bpfmap-file.proto
message bpfmap_file_entry
   1 ! id          uint32
   2 ! flags       uint32   flags:rfile.flags
   3 ! pos         uint64
   4 ! fown        fown_entry
   5 ! map_type    uint32
   6 ! key_size    uint32
   7 ! value_size  uint32
   8 ! map_id      uint32
   9 ! max_entries uint32
  10 ! map_flags   uint32
  11 ! memlock     uint64
  12 ! frozen      bool     =false
  13 ! map_name    string
  14 ! ifindex     uint32   =0
  15 ? mnt_id      sint32   =-1
  16 ? map_extra   uint64

# from images/bpfmap-data.proto
message bpfmap_data_entry
   1 ! map_id       uint32
   2 ! keys_bytes   uint32                      # behind the entry: all keys, then all values
   3 ! values_bytes uint32
   4 ! count        uint32
"""
