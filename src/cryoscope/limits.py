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

CORE_SEGMENTS = 500_000
"""Segments of one core file, 200 bytes each: 65,530 mappings, in pieces where pages miss."""

CORE_BYTES = 1024 * GIB
"""Bytes of memory written to one core file: many mappings may show the same pages."""

CORE_SIZE = 4096 * GIB
"""Size of a core file past which zeros are no longer holes in it: ext4 ends at 16 TiB."""

CORE_HOLE = 64 * MIB
"""A longer row of zeros is told by the segment's size, not by a hole: programs reserve terabytes."""

CORE_FILE_HOLE = 1024 * GIB
"""The same in mappings with a name: gdb takes what a segment leaves out of those from the file."""

ELF_SEGMENTS = 1024
"""Program headers looked through for a build-id: real files have under twenty."""

ELF_NOTES = 1 * MIB
"""Bytes of notes looked through for a build-id: CRIU looks at the first MiB of a file."""

PAGE_SIZES = (4096, 16384, 65536)
"""Page sizes of the kernels that CRIU runs on."""

LOG = 4 * MIB
"""A container's log or dump.log shown at once: the end of it; `cat` gives all."""

DUMP_LOG = 16 * MIB
"""CRIU's dump.log looked through for versions and problems: 0.1 MB at -v2, 10 MB at -v4 with 1000 tasks."""

# --- search ---------------------------------------------------------------------------------
SEARCH_SPAN = 16 * KIB
"""Bytes of the longest match: a private key in PEM has 3 KiB; `.*` could go through a whole heap."""

SEARCH_CANDIDATES = 20_000
"""Places a pattern may match in before it is left out: each costs about 600 bytes until it is confirmed."""

SEARCH_CANDIDATES_TOTAL = 150_000
"""The same of all patterns together: 90 MB."""

SEARCH_BLOCK_CANDIDATES = 50_000
"""Candidates of one block of 1 MiB before the densest pattern is left out: `.` matches everywhere."""

SEARCH_PATTERN = 64 * KIB
"""One regular expression: generated ones have a few KiB."""

SEARCH_PATTERNS = 10_000
"""Patterns of one search, whatever files they come from."""

# --- memory as strings, bytes and files -------------------------------------------------------
STRING = 4 * MIB
"""A string in one piece: a longer one, such as a log in memory, is given in several."""

UNIQUE_STRINGS = 512 * MIB
"""What distinct strings with their counts may take before `strings --unique` gives up."""

HEXDUMP_JSON = 16 * MIB
"""Bytes of memory in one JSON document: it takes twice that as text, six times while it is made."""

GAPS = 100_000
"""Ranges of one state in a row that a manifest or a dump names: page maps can alternate page by page."""

HASHED_HOLES = 64 * GIB
"""Holes of one extracted file that go into its digest, half a minute: address space is reserved in TiB."""

SEARCH_HOLDERS = 1000
"""Descriptors named with one hit in a pipe, socket or deleted file."""

SEARCH_AGAIN = 64 * MIB
"""Bytes of a compressed archive that are read again because hits cross from a parent's pages to others."""

SEARCH_BORDERS = 1_000_000
"""Borders between a parent's pages and others that are looked across in one checkpoint."""

# --- secrets, indicators, shell histories -----------------------------------------------------
SECRET_CANDIDATES = 5000
"""Different matches of one rule that are judged: most rules see fewer than ten in a container."""

SECRET_KEYS = 500
"""The same of rules that check the arithmetic of keys, which takes 10 ms each."""

SECRET_PLACES = 16
"""Places and processes named with one secret; all are counted."""

SECRET_FINDINGS = 10_000
"""Secrets of one checkpoint: more are no findings but somebody's data."""

# --- stacks ---------------------------------------------------------------------------------
STACK_FRAMES = 512
"""Frames of one thread: a recursion without end has millions."""

STACK_SECONDS = 120
"""Seconds that gdb or pystack may take for one process: gdb reads the symbols of Chromium in thirty."""

STACK_MEMORY = 8 * GIB
"""Address space of gdb or pystack: it maps the core and the files, whose sizes a stranger chose."""

STACK_ANSWER = 64 * MIB
"""What gdb or pystack may answer: a frame takes 200 bytes, one with its variables a hundred times that."""

STACK_MODULES = 1024
"""Files with code that one process maps: the largest seen had 400."""

STACK_FILE = 1 * GIB
"""One such file that is copied out of an archive: a browser's library has 250 MiB."""

STACK_SYMBOLS = 1_000_000
"""Symbols of one file, 24 bytes each."""

STACK_NAMES, STACK_NAME = 64 * MIB, 1024
"""Names of the symbols of one file together, and one of them: C++ writes whole types into names."""

# --- YARA -----------------------------------------------------------------------------------
YARA_SCAN, YARA_OVERLAP = 64 * MIB, 1 * MIB
"""Bytes scanned at once, and those scanned again with the next: a longer mapping is scanned in parts."""

YARA_MATCHES = 10_000
"""Matches of one string in one scan that are counted: `{00}` matches everywhere."""

YARA_HITS = 100_000
"""Rules that matched in all units of one checkpoint together, about 2 KB each."""

YARA_SHOWN = 256
"""Bytes shown of one match."""

YARA_FILES = 20_000
"""Rule files in one folder: public collections have 5,000."""

YARA_FILE = 64 * MIB
"""One rule file: collections in one file have 20 MiB."""

INDICATORS = 200_000
"""Different indicators of one checkpoint, 500 bytes each."""

INDICATOR_PROCESSES = 64
"""Processes named with one indicator."""

HISTORY_ENTRIES = 100_000
"""Commands of one checkpoint, and places of one process where there may be one: HISTSIZE is mostly 500."""

HISTORY_COMMAND = 64 * KIB
"""Bytes of one command, which must end before."""

HISTORY_FILE = 16 * MIB
"""Bytes of one history file."""
