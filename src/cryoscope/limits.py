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

ZSTD_FRAMES = 4_194_304
"""Frames in the seek table of a zstd file, 24 bytes each: DECOMPRESSED in frames of 4 MiB."""

ZSTD_FRAME, ZSTD_KEPT = 32 * MIB, 32 * MIB
"""Plain bytes of one frame that is read by a seek table, and of those kept: writers make 2 to 16 MiB."""

ZSTD_EMPTY = 16
"""Skippable frames named in a seek table: whoever writes one has a note or two."""

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

ANNOTATION = 4 * KIB
"""One value of an annotation that is written: the longest, runtime.version of crun, has 200 bytes."""

# --- evidence in its forms --------------------------------------------------------------------
AGE_HEADER = 256 * KIB
"""The header of a file that age encrypted: 110 bytes a recipient, 1.6 KiB a post-quantum one."""

AGE_RECIPIENTS = 1000
"""Recipients of one file, each tried with each key: a millisecond for ten keys."""

AGE_IDENTITIES = 64 * KIB
"""A file of private keys: age-keygen writes 200 bytes for each."""

EVIDENCE_MEMBERS = 24 * MIB
"""Names and digests of members in one manifest, 150 bytes each: the largest checkpoint had 6,000."""

EVIDENCE_DAMAGED = 1000
"""Damaged parts of an archive that its manifest names: a mutated one can give a million."""

EVIDENCE_HOLES = 64 * GIB
"""Zeros in the holes of one archive's sparse members that are hashed with them, a minute's work."""

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

COMPLETE_UNPACKED = 16 * MIB
"""A compressed layer up to this size is unpacked to see whether it ends: a tenth of a second at most."""

# --- changed files --------------------------------------------------------------------------
FILES = 250_000
"""Changed files of one checkpoint, 1 KB each: the largest layer seen had 60,000."""

FILE_HOLDERS = 1000
"""Uses of one file that are named: all processes of a container map its libc."""

FILE_DEPTH = 64
"""Folders in folders that a tree of changed files draws: a path could hold two thousand."""

DIFF_FILE = 4 * MIB
"""A text file whose lines are compared: a large configuration has one MiB."""

DIFF_WORK = 1_000_000
"""Pairs of lines that differ in place, a tenth of a second: past it a stretch counts as replaced."""

DIFF_LINES, DIFF_LINES_TOTAL = 20_000, 200_000
"""Lines shown of one such comparison, and of all together."""

EXTRACT_COPIES = 16 * GIB
"""Bytes of hard links that are written out as files of their own: a million of them can share one."""

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

# --- findings -------------------------------------------------------------------------------
FINDINGS = 2000
"""Findings of one checkpoint: an attacked one has some tens."""

FINDING_EVIDENCE = 50
"""Facts named with one finding; the others are counted."""

FINDING_SUSPICIONS = 20_000
"""What one detector may see before it is stopped: a rule of a user's can be true of every file."""

FINDING_ANCESTORS = 100
"""Ancestors of one process that are asked about: real trees are under thirty deep."""

FINDING_TEXT = 512
"""Characters shown of bytes or words that are evidence: command lines go on for megabytes."""

FINDING_FILE = 1 * MIB
"""Bytes of a file of settings, a script or a page that are looked into: accounts of thousands fit."""

FINDING_COMMANDS = 64 * KIB
"""Bytes of a command line or script that are compared with known commands: real ones have some KiB."""

FINDING_PACKAGES = 64 * MIB
"""Bytes of package databases that are read: that of a full Debian has 10 MiB with its digests."""

FINDING_HASHED = 256 * MIB
"""Bytes of changed files that one question hashes, half a second: programs have some tens of MiB."""

FINDING_FILES = 20_000
"""Changed files whose first bytes one detector reads."""

# --- rules of users ---------------------------------------------------------------------------
RULES_FILE = 256 * KIB
"""Characters of one file of rules: a hundred rules take 50 KiB, and its parser reads 0.2 MB a second."""

RULES_DEPTH = 32
"""Levels of lists and mappings in it: a rule of three levels of conditions takes nine."""

RULES_NODES = 50_000
"""Values of one file of rules."""

RULES = 1000
"""Rules of one scan, from however many files; each walks through all the records of its kind."""

RULE_CONDITIONS = 500
"""Conditions of one rule."""

RULE_VALUES = 10_000
"""Values that one condition compares with: lists of addresses are longer than lists of names."""

RULE_WORDS = 4096
"""Characters of one text of a rule: a sentence, or a value to compare with."""

RULE_EXPRESSION = 1000
"""Characters of one regular expression of a rule."""

RULE_PROGRAM = 2000
"""Instructions that such an expression may become: `{50}` writes what it repeats fifty times."""

RULE_STATES = 20_000
"""Steps between states of one expression that are remembered, 300 bytes each; then they are forgotten."""

RULE_WORK = 20_000_000
"""Instructions that the expressions of one rule may try in one checkpoint: five seconds at worst."""

RULE_TEXT = 64 * KIB
"""Characters of one value that expressions look at: command lines can be megabytes."""

RULE_CONTENT = 64 * KIB
"""Bytes of a file that rules look into: scripts and configurations are shorter."""

# --- timeline -------------------------------------------------------------------------------
TIMELINE_EVENTS, TIMELINE_SPARE = 250_000, 50_000
"""Events of one checkpoint, 1 KB each until they are printed: the last ones are kept; and how many more
there may be before they are sorted out."""

TIMELINE_LINES = 100_000
"""Lines of the container's log that become events, and of all other logs: they must not drown the rest."""

TIMELINE_TEXT = 1000
"""Characters that an event's text has of a stranger's: lines of logs are shorter."""

TIMELINE_LOG = 16 * MIB
"""The end of a log that is read: 150,000 lines of a usual length."""

TIMELINE_LOGS = 256 * MIB
"""Bytes of all logs among the changed files that are read."""

TIMELINE_LOG_FILES = 1000
"""Logs among the changed files that are read."""

TIMELINE_TRIED = 500_000
"""Lines at the end of a log that are looked at: 32 bytes each fill what is read, and a time takes twenty."""

TIMELINE_LINE = 64 * KIB
"""Bytes of one line of a log: the time is at its beginning."""

TIMELINE_ZONES = 1000
"""Processes whose environments are asked for the zone they keep."""

# --- the report -----------------------------------------------------------------------------
REPORT_HASHED = 1 << 42
"""Bytes of an archive that a report hashes: hours of reading; a sparse file may say that it has far more."""

REPORT_HASHED_FILES = 10_000
"""Files of a folder whose digests a report names: a checkpoint of a thousand processes has 6,000."""

REPORT_PROCESSES = 5000
"""Processes drawn in a page: 3 KB each with descriptors, and browsers slow down past 10,000 rows."""

REPORT_DESCRIPTORS = 200
"""Descriptors of one process in a page: a server's 60,000 connections are in the table of sockets."""

REPORT_VARIABLES = 500
"""Variables of one process in a page: Kubernetes gives a few for each service of the namespace."""

REPORT_TEXT = 2000
"""Characters of one argument list, variable or path in a page: command lines go on for megabytes."""

REPORT_SOCKETS = 10_000
"""Sockets in a page, 100 bytes each."""

REPORT_HOLDERS = 500
"""Holders of one socket in a page: a server's workers share what it listens on."""

REPORT_LINKS = 100_000
"""Pairs of a process and another end that the graph of sockets is drawn from: forks may share both ends."""

REPORT_MAPPINGS, REPORT_MAPPINGS_EACH = 120_000, 5000
"""Mappings in a page, of all processes and of one, 25 bytes each: a process may have 65,530."""

REPORT_FILES = 200_000
"""Changed files in a page, 100 bytes each: the largest layer seen had 60,000."""

REPORT_EVENTS = 250_000
"""Moments in a page, 40 bytes each beside the files that they are about."""

REPORT_HITS = 2000
"""Places of texts that were searched for, in a page."""

# --- two checkpoints beside each other ----------------------------------------------------------
DIFF_RUNS = 1000
"""Rows of differing pages named with one mapping: every other page of a large heap may have changed."""

DIFF_BYTES = 1 * MIB
"""Bytes of differing lines that are dumped of two checkpoints: four million characters on a screen."""

# --- indicators of compromise -----------------------------------------------------------------
IOCS = 100_000
"""Indicators of one checkpoint: a browser's memory has some ten thousand addresses of sites."""

IOC_SIGHTINGS = 16
"""Places told of one indicator; all are counted."""

IOC_FILES = 5000
"""Changed programs that are hashed: installing a compiler changes two thousand."""

IOC_TEXT = 256 * KIB
"""Bytes of a script that are looked through for addresses: installers are as long as that."""

IOC_HEADS = 50_000
"""Changed files whose first bytes tell whether they are programs, two seconds: most layers have far fewer."""

IOC_SAMPLE = 8 * MIB
"""Bytes of a program that its signature is taken from."""

HASHED_MEMFD = 1 * GIB
"""A memfd up to this size is hashed: it takes a second."""

HASHED_MEMFDS = 8 * GIB
"""Bytes of all memfds with programs that are hashed: pages that were not written cost an archive nothing."""

# --- engines: CRIU's logs and images ----------------------------------------------------------
CRIU_LOG = 4 * MIB
"""The end of a log of CRIU that is searched for its cause: that of 1000 processes has 10 MB."""

CRIU_LOG_LINE = 2000
"""One line of it: CRIU's own buffer is 2048 bytes (criu/log.c)."""

# --- Kubernetes -------------------------------------------------------------------------------
KUBECONFIG = 4 * MIB
"""One kubeconfig, or a plugin's answer: with the certificates of a hundred clusters it has 600 KiB."""

KUBE_TOKEN = 64 * KIB
"""A bearer token: a service account's has 1 KiB, one with many groups 8 KiB."""

KUBE_ANSWER = 64 * MIB
"""One answer of the API server: 250 of the largest objects that etcd takes (1.5 MiB) never come at once."""

KUBE_PAGE = 250
"""Objects a page, as kubectl has half of it: a page stays below 10 MiB."""

KUBE_OBJECTS = 200_000
"""Pods or nodes read of one cluster: Kubernetes is tested to 150,000 pods."""

KUBE_FRAME, KUBE_FRAMES = 256 * KIB, 64
"""A message of a stream from a container (the kubelet sends up to 32 KiB) and how many may wait: 16 MiB."""

KUBE_ERRORS = 64 * KIB
"""What is kept of a command's standard error."""

KUBELET_ANSWER = 256 * KIB
"""An answer of a kubelet to a checkpoint: a path, or up to 5 KiB of a runtime's log."""

# --- vetting ----------------------------------------------------------------------------------
VETTING_CLAIMS = 50
"""Claims of one kind that are told one by one: a tar can have a million entries that lead outside."""

VETTING_ENTRIES = 1_000_000
"""Entries of the tars in one archive that are judged, 120 bytes each: the largest layer seen had 60,000."""

VETTING_INNER = 64 * GIB
"""Bytes of one file in a tar of the archive that are copied: a sparse one can claim exabytes of zeros."""

# --- engines: Docker --------------------------------------------------------------------------
ENGINE_ANSWER = 64 * KIB
"""What is read of an answer that says why not: dockerd quotes at most a few lines of a runtime."""

DOCKER_ENTRIES = 1_000_000
"""Changed files of one container, and files of one volume: 200 bytes each in the list of changes."""

DOCKER_LOG_LINE = 64 * KIB
"""One piece of a container's log: docker cuts lines at 16 KiB."""

CRIU_ANSWER = 1 * MIB
"""What a question to criu may answer: `criu check --all` prints a few kilobytes."""

HOST_DESCRIPTORS = 100_000
"""Descriptors of one process that are looked at before a dump: a second's work."""

HOST_SOCKETS = 64 * MIB
"""One table of /proc/net: 400,000 connections."""

OPEN_FILE = 64 * MIB
"""A file that a dumped process has open for writing, saved beside its images while it stands still."""

OPEN_FILES = 256 * MIB
"""All of them: the process stands still while they are copied, for a second at most."""

# --- the container runtime interface ----------------------------------------------------------
CRI_ANSWER = 16 * MIB
"""One answer of a runtime: what a kubelet takes; a verbose status with its spec has 100 KiB."""

CRI_ERROR = 256 * KIB
"""What a runtime says of a failure: CRI-O quotes 4 KiB of CRIU's log."""

CRI_CONTAINERS = 100_000
"""Containers of one runtime: a node has a few hundred, those that ended included."""

CRI_MOUNTS = 1000
"""Mounts that are declared for one container: a pod with every kind of volume has thirty."""

CRIO_FILES, CRIO_FILE = 100, 1 * MIB
"""Files of CRI-O's settings and what is read of each: real ones are a few KiB."""

NETWORK_LINKS = 1000
"""Links of one network namespace: a pod has two or three."""

# --- Podman -----------------------------------------------------------------------------------
PODMAN_ANSWER = 64 * MIB
"""One answer of a service: 10,000 containers listed take 20 MiB."""

PODMAN_ERROR = 64 * KIB
"""An error's body: a line of the runtime's, 1 KiB."""

PODMAN_CONTAINERS = 100_000
"""Containers listed: libpod's locks end at 2048 unless somebody asks for more."""

SANDBOX_LOG = 64 * MIB
"""What a sandbox may print before its log begins anew: what goes on in it is not trusted with a disk."""

SANDBOX_PROCESSES = 100_000
"""Processes of one sandbox that are looked at: more than any bound that a restore gives it."""

SANDBOX_SHM = 1 * GIB
"""The size of /dev/shm in a sandbox at most; its pages count against the sandbox's memory."""

# --- running containers -----------------------------------------------------------------------
LIVE_DESCRIPTORS = 100_000
"""Open descriptors of one running process that are looked at: `nofile` is under that nearly everywhere."""

LIVE_FILE = 16 * MIB
"""One file of /proc: /proc/net/tcp has 150 bytes a socket."""

OPEN_FILE_COUNT = 10_000
"""Files that go back into a sandbox: more than a process may have open by default."""

COMPANION = 256 * GIB
"""One file saved next to an archive: images have some GiB; a hostile engine would send for ever."""

# --- the catalogue of evidence ------------------------------------------------------------------
CATALOGUE_TEXT = 400
"""Characters of one text in a row: indexes of PostgreSQL take 2704 bytes, engines' names are shorter."""

CASE_NAME, CASE_DESCRIPTION = 200, 64 * KIB
"""Characters of a case's name (it stands in indexes beside another text) and of what is said about it."""

CATALOGUE_NAMED = 1000
"""Pieces of one case that one name or beginning of a digest may mean before nobody looks further."""

CUSTODY_ENTRY = 1 * MIB
"""One entry of a custody log: one with a piece has 1 KiB; manifests are blobs."""

# --- blobs of evidence ------------------------------------------------------------------------
BLOB_KEY = 255
"""A blob's key: what a file system takes as one name; ours have some 80 letters."""

BLOB_POINTER = 4 * KIB
"""The small object of S3 that says where a blob lies: ours have under 200 bytes."""

BLOB_PART = 16 * MIB
"""One part of an upload to S3: S3 takes 10,000 of them, so a blob may have 156 GiB."""

BLOB_PARTS = 10_000
"""Parts of one upload: what S3 itself takes."""

RETENTION_RULES = 100
"""Rules of retention at once: each goes through all pieces."""

KUBELET_FOLDER = 1_000_000
"""Files of a kubelet's checkpoint folder: far more than there are inodes to spare on a node."""

# --- evidence: seals and custody logs ---------------------------------------------------------
KEY_FILE = 64 * KIB
"""A file of keys in PEM: a key has 200 bytes."""

ENVELOPE = 1 * GIB
"""A signed manifest: 200 bytes a member, a million members, and base64 on top."""

SIGNATURES = 16
"""Signatures of one envelope: one is ours, others may have signed it, too."""

CLOCK_AHEAD = 300
"""Seconds that another host's clock may be ahead of this one before its times are still to come."""

BUNDLE_FILES = 5_000_000
"""Files of one bundle: four a piece."""

PROBLEMS = 1000
"""Problems that are told of one log or piece: a store that was written anew has one for each entry."""

# --- registries and archives far away -----------------------------------------------------------
REMOTE_BLOCK = 64 * KIB
"""Bytes fetched where a few are asked for: a header costs as much time as these, and 160 are 10 MiB."""

REMOTE_REQUEST = 2 * MIB
"""Bytes of one request: a tenth of a second on a slow line, and little beside the way there on a fast one."""

REMOTE_AHEAD = 16 * MIB
"""Bytes fetched before they are asked for, of one who reads on: eight requests."""

REMOTE_CACHE = 32 * MIB
"""Bytes of one source kept in memory."""

REMOTE_REQUESTS = 8
"""Requests to one source at once: registries and stores take more from one client, and fear hundreds."""

REMOTE_READERS = 16
"""Places of one source that are read on from at once: the threads of a search, the walk over the headers."""

REMOTE_WHOLE = 16 * MIB
"""A compressed archive up to this size is read through without being asked to."""

REMOTE_TRIES = 5
"""Times that a request is made which was answered with "later", or not to its end."""

REMOTE_PATIENCE = 60
"""Seconds that an answer may ask to wait."""

REMOTE_REDIRECTS = 5
"""Redirects of one request: registries send to their store, once."""

REGISTRY_DOCUMENT = 4 * MIB
"""One manifest or index: what registries must take (distribution-spec 1.1, "Pushing Manifests")."""

REGISTRY_DOCUMENTS = 64
"""Manifests of one index that are read: images for every platform have fifteen."""

REGISTRY_ERROR = 64 * KIB
"""What is read of an answer that says why not."""

REGISTRY_TOKEN = 1 * MIB
"""An answer with a token: those of large clouds have 5 KiB."""

REGISTRY_TAGS, REGISTRY_PAGES = 100_000, 1000
"""Tags of one repository, and pages of them."""

REGISTRY_CHUNK, REGISTRY_CHUNK_MOST = 8 * MIB, 64 * MIB
"""Bytes of one chunk of an upload, kept until they have arrived; and what a registry may ask it to be."""

AUTH_FILE = 4 * MIB
"""A file of credentials: a cluster's pull secret has 10 KiB."""

AUTH_HELPER = 10
"""Seconds that a helper for credentials may take: some ask a cloud, none may ask a person."""
