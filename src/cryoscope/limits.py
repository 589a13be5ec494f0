"""Every bound on hostile input, each with its reason.

Sizes are bytes, depths and counts are plain numbers.  A bound is far above anything seen in a
real checkpoint and far below what would hurt the machine that reads it.
"""

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

# --- archives -------------------------------------------------------------------------------
MEMBERS = 1_000_000
"""Members of one archive: the largest seen (a rootfs diff) had 60,000; an index entry costs 600 bytes."""

NAME = 4096
"""A member's name: PATH_MAX of the kernel.  GNU and PAX headers could claim gigabytes."""

PAX_HEADER = 1 * MIB
"""One PAX or GNU long-name header: real ones are under 64 KiB even with many xattrs."""

SPARSE_RUNS = 1_000_000
"""Data runs of one sparse member: 16 bytes each in the index."""

NESTING = 4
"""Archives in archives (an OCI layout in a tar, its layer, a rootfs diff in that): a bomb nests deeper."""

DECOMPRESSED = 16 * 1024 * GIB
"""Bytes out of one compressed archive before reading stops: a bomb goes on for ever."""

RATIO = 2000
"""Bytes out per byte in, looked at past RATIO_FLOOR: zero pages in zstd reach about 1000."""

RATIO_FLOOR = 4 * GIB
"""Below this many decompressed bytes no ratio is suspicious: an empty heap packs well."""

WINDOW = 128 * MIB
"""Memory that a decompressor may ask for (zstd window, xz dictionary): `zstd --ultra -22` needs 128 MiB."""

KEPT_MEMBER = 4 * MIB
"""A member of a compressed archive up to this size is kept while it streams by: all images but pages."""

KEPT_TOTAL = 48 * MIB
"""All that is kept of one compressed archive: with the interpreter it stays under 120 MB."""

KEPT_FROM_PIPE = 512 * MIB
"""All that is kept of a pipe, which cannot be read again."""

PARENTS = 64
"""Links in a chain of `parent` folders: one a pre-dump; a cycle has no end."""

FOLDER_DEPTH = 16
"""Folders in folders of a checkpoint on disk."""

DAMAGED = 10_000
"""Damaged records kept of one archive: a mutated one can give a million, and nobody reads more."""

INDEX_EXTRAS = 256 * MIB
"""Long names, extended attributes and sparse maps of one archive together: PAX headers compress well."""

RESYNC = 256 * MIB
"""Bytes searched for the next header behind a broken one: a twentieth of a second from the page cache."""

TRAILING = 16 * MIB
"""Bytes looked at behind the end of a tar for what does not belong there: padding is 10 KiB."""

IMAGE_PARTS = 1024
"""Manifests, layers and nested indexes of one OCI image: engines stop at 127 layers."""

IMAGE_ANNOTATIONS = 10_000
"""Annotations of one OCI image: real ones have under fifty."""

# --- CRIU images ----------------------------------------------------------------------------
IMAGE = 256 * MIB
"""One image read whole: the largest, a pagemap of ten million entries, has 200 MB."""

ENTRY = 16 * MIB
"""One protobuf entry: mm-*.img of a process with 65,530 mappings has 4 MB.  Decoded it takes up to 50
times as much."""

ENTRIES = 1_500_000
"""Entries of one image that become objects, 0.65 KB each: files.img of a million descriptors."""

EXTRA = 128 * MIB
"""Raw payload behind one entry: a socket queue or ghost file; CRIU refuses ghosts over 1 MiB unless told."""

JSON_DOCUMENT = 64 * MIB
"""A config.dump, spec.dump or status: real ones are under 1 MiB."""

# --- processes and memory -------------------------------------------------------------------
PROCESSES = 100_000
"""Processes of one checkpoint that become records, 3.3 KB each: a node allows 32,768 pids by default,
and a container's pids cgroup far fewer."""

TASKS = 4_194_304
"""Tasks of one checkpoint: the kernel's own PID_MAX_LIMIT."""

ARGUMENTS = 6 * MIB
"""Command line or environment of a process: the kernel allows 3/4 of an 8 MiB stack."""

ENVIRONMENT = 100_000
"""Variables of one process: 6 MiB of two-letter names would be more."""

PAGEMAP_ENTRIES = 20_000_000
"""Entries of one pagemap as columns: 24 bytes each."""

MEMORY_READ = 256 * MIB
"""Bytes of memory returned by one read call: larger ranges are iterated."""

PAGE_SIZES = (4096, 16384, 65536)
"""Page sizes of the kernels that CRIU runs on."""

LOG = 4 * MIB
"""A container's log or dump.log shown at once: the end of it; `cat` gives all."""

DUMP_LOG = 16 * MIB
"""CRIU's dump.log looked through for versions and problems: 0.1 MB at -v2, 10 MB at -v4 with 1000 tasks."""
