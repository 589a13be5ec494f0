"""The rows of the table: what is measured against what, and the target that was set for it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.answers import Check, any_answer, changed, names_all, prints, processes, shows
from bench.changed import changed_copy
from bench.data import ROOT, Data
from bench.measure import Command
from bench.peers import Peers
from bench.secrets import LITERAL, PATTERNS, bare_patterns, pages_of

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE / "programs"
KITCHEN_SINK = ROOT / "tests" / "data" / "podman-kitchen-sink.tar.zst"
MAGICS = (b"\x19CVT", b"\x40\x59\x10\x55", b"\x16\x31\x31\x58")  # image, service image, inventory
SAFELY: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # not in 3.11.2
OPENED = frozenset({0, 3})  # 3: opened, with damage reported


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two things compared; `why` says why there is no command."""

    name: str
    command: Command | None
    check: Check = any_answer
    why: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A measurement. `figure` decides: wall or cpu seconds, or rss in MB; `target` is a ratio to the
    other side where there is one, else an absolute value. No target: for orientation."""

    title: str
    of: str
    ours: Side
    other: Side | None = None
    target: float | None = None
    figure: str = "wall"
    limit: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Bench:
    """Where everything is that the rows need."""

    data: Data
    peers: Peers
    small: str
    large: str

    def cryoscope(self, *arguments: str | Path, check: Check = any_answer, name: str = "") -> Side:
        """Ours: the installed script beside this Python, else `python -m cryoscope`."""
        script = Path(sys.executable).parent / "cryoscope"
        start = (str(script),) if script.exists() else (sys.executable, "-m", "cryoscope")
        environment = {"XDG_CACHE_HOME": str(self.data.folder / "cache")}
        argv = (*start, *map(str, arguments))
        shown = name or "cryoscope " + " ".join(a for a in map(str, arguments) if "/" not in a)
        return Side(shown, Command(argv, None, environment, OPENED), check)

    def python(self, program: str, *arguments: str | Path, check: Check = any_answer, name: str = "") -> Side:
        """A program of bench/programs by this Python."""
        argv = (sys.executable, str(PROGRAMS / program), *map(str, arguments))
        return Side(name or program, Command(argv), check)

    def peer(self, name: str, *arguments: str | Path, check: Check = any_answer, label: str = "") -> Side:
        """A peer, or the reason why it is missing."""
        command = self.peers.command(name, *arguments)
        shown = label or f"{name} " + " ".join(a for a in arguments if isinstance(a, str))
        return Side(shown, command, check, self.peers.missing.get(name, ""))

    def host(self, *argv: str) -> Side:
        """A program of the host."""
        return Side(" ".join(argv[:2]), Command(argv) if shutil.which(argv[0]) else None, why="not on PATH")


def start_rows(bench: Bench) -> Iterator[Row]:
    """What nobody should wait for."""
    for option in ("--help", "--version"):
        ours = bench.cryoscope(option)
        yield Row(f"start: {option}", "one process", ours, None, 0.120, "cpu", "Python's own start and click")


def pagemap_rows(bench: Bench) -> Iterator[Row]:
    """A million pagemap entries, in both layouts."""
    limit = "numpy varint pass; whole process, numpy's import included"
    for kind, layout in (("old", "before CRIU 4.2"), ("new", "CRIU 4.2")):
        path = bench.data.pagemap(kind)
        ours = bench.python("pagemap_columns.py", path, name="pagemap.columns")
        of = f"1,000,000 entries, {path.stat().st_size / 1e6:.0f} MB"
        title = f"pagemap into columns ({layout})"
        yield Row(title, of, ours, None, 1.0, "wall", limit)
        if kind == "new":
            yield Row(f"{title}: memory", of, ours, None, 200.0, "rss", "four int64 columns are 32 MB")


def _unpacked(archive: Path, target: Path) -> list[str]:
    """The kitchen sink as crit wants it: a folder. Returns the images that have a CRIU magic."""
    if not target.exists():
        part = target.with_name(target.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        plain = subprocess.run(["zstd", "-dqc", str(archive)], capture_output=True, check=True).stdout
        plain_path = part / "archive.tar"
        plain_path.write_bytes(plain)
        with tarfile.open(plain_path) as opened:
            opened.extractall(part, **SAFELY)
        plain_path.unlink()
        part.rename(target)
    images = sorted((target / "checkpoint").glob("*.img"))
    return [path.name for path in images if path.read_bytes()[:4] in MAGICS]


CRIT_LOOP = 'folder=$1; shift; for name; do crit show "$folder/$name" >/dev/null || exit 1; done'


def decode_rows(bench: Bench) -> Iterator[Row]:
    """All images of a checkpoint that holds every kind of kernel object, to JSON."""
    if not KITCHEN_SINK.exists():
        missing = Side("cryoscope decode", None, why=f"{KITCHEN_SINK.name} is not in tests/data")
        yield Row("decode every image", "-", missing)
        return
    target = bench.data.folder / "kitchen-sink"
    names = _unpacked(KITCHEN_SINK, target)
    images = target / "checkpoint"
    of, limit = f"{len(names)} images", "Python's start, then 2 us a message"
    note = "crit before 4.2 does not know CRIU 4.2's page counts: it does the work but reads them as 0"
    if not bench.peers.found.get("crit", "").startswith("4.1"):
        note = ""
    ours = bench.cryoscope("decode", KITCHEN_SINK, check=names_all(names))
    crit = _crit_side(bench, images, names)
    yield Row("decode every image", of, ours, crit, 1 / 20, "wall", limit, note)
    indented = bench.cryoscope("decode", "--pretty", KITCHEN_SINK, check=names_all(names))
    pycriu = _pycriu_side(bench, "indented", images, names)
    yield Row("decode every image, indented", of, indented, pycriu, 1 / 1.5, "wall", limit, note)
    folder = bench.cryoscope("decode", images, check=names_all(names))
    pycriu = _pycriu_side(bench, "compact", images, names)
    yield Row("decode every image, compact, both from a folder", of, folder, pycriu, None, "wall", limit)


def _crit_side(bench: Bench, images: Path, names: list[str]) -> Side:
    command = bench.peers.command("crit", images, *names)
    if command is None:
        return Side("crit show, each image", None, why=bench.peers.missing.get("crit", ""))
    loop = ("sh", "-c", CRIT_LOOP, "sh", *command.argv[1:])
    return Side("crit show, each image", Command(loop, command.root, command.environment))


def _pycriu_side(bench: Bench, style: str, images: Path, names: list[str]) -> Side:
    program = PROGRAMS / "pycriu_loop.py"
    return bench.peer("pycriu", program, style, images, *names, label=f"pycriu, one process, {style}")


def index_rows(bench: Bench) -> Iterator[Row]:
    """An index of many small members."""
    many = bench.data.members()
    ours = bench.python("our_index.py", many, check=prints(50_000), name="our index")
    theirs = bench.python("tarfile_index.py", many, check=prints(50_000), name="tarfile")
    yield Row("index of a tar", "50,000 members", ours, theirs, None, "wall", "one 512-byte header a member")


def _bytes(path: Path) -> str:
    return f"{path.stat().st_size:,} B"


def plain_rows(bench: Bench) -> Iterator[Row]:
    """Opening and examining a plain tar."""
    small, truth = bench.data.archive(bench.small)
    of, seen = _bytes(small), shows("bench", "localhost/busybox:lab", "Podman")
    ours = bench.cryoscope("show", "--no-cache", small, check=shows("bench"))
    theirs = bench.peer("checkpointctl", "show", small, check=seen)
    limit = "tar headers only; no page is read"
    yield Row(f"show, {bench.small} plain", of, ours, theirs, 1 / 4, "wall", limit)
    right = processes(truth)
    options = ("--all", "--format", "json")
    ours = bench.cryoscope("inspect", "--no-cache", "--reveal", *options, small, check=right)
    theirs = bench.peer("checkpointctl", "inspect", *options, small, check=right)
    limit = "one stack page a process is read; the peer unpacks all pages to /tmp"
    yield Row(f"inspect --all, {bench.small} plain", of, ours, theirs, 1 / 4, "wall", limit)
    yield Row(f"show, {bench.small} plain", of, bench.cryoscope("show", "--no-cache", small),
              bench.host("tar", "tf", str(small)), None, "wall", "GNU tar also only seeks")  # fmt: skip


def zstd_rows(bench: Bench) -> Iterator[Row]:
    """Opening a compressed archive, the first and the second time."""
    small, _ = bench.data.archive(bench.small)
    packed, _ = bench.data.archive(bench.small, "zstd")
    of, named = f"{_bytes(packed)} zstd of {_bytes(small)}", shows("bench")
    title = f"show, {bench.small} zstd"
    cold = bench.cryoscope("show", "--no-cache", packed, check=named)
    whole = prints(small.stat().st_size)
    least = bench.python("decompress.py", packed, check=whole, name="decompression alone")
    yield Row(f"{title}, no cache", of, cold, least, 1.25, "wall", "one zstd stream is one core's work")
    theirs = bench.peer("checkpointctl", "show", packed, check=named)
    yield Row(f"{title}, no cache", of, cold, theirs, 1 / 2, "wall", "the peer decompresses it three times")
    warm = bench.cryoscope("show", packed, check=named, name="cryoscope show zstd, 2nd")
    plain = bench.cryoscope("show", small, check=named, name="cryoscope show plain, 2nd")
    limit = "the cached index; nothing is decompressed"
    yield Row(f"{title}, second time", of, warm, plain, 1.2, "wall", limit)


def large_rows(bench: Bench) -> Iterator[Row]:
    """The same on eight times the pages (four times with --quick)."""
    small, _ = bench.data.archive(bench.small)
    large, truth = bench.data.archive(bench.large)
    of, limit = _bytes(large), "tar headers only: the cost is the members', not the bytes'"
    named, show = shows("bench"), ("show", "--no-cache")
    ours = bench.cryoscope(*show, large, check=named, name=f"cryoscope show {bench.large}")
    other = bench.cryoscope(*show, small, check=named, name=f"cryoscope show {bench.small}")
    yield Row(f"show, {bench.large} plain", of, ours, other, 1.2, "wall", limit)
    tar = bench.host("tar", "tf", str(large))
    yield Row(f"show, {bench.large} plain", of, ours, tar, None, "wall", "GNU tar also only seeks")
    options = ("--no-cache", "--reveal", "--all", "--format", "json")
    inspect = bench.cryoscope("inspect", *options, large, check=processes(truth))
    yield Row(f"inspect --all, {bench.large}: memory", of, inspect, None, 120.0, "rss", "pagemap columns")


def search_rows(bench: Bench) -> Iterator[Row]:
    """One text and 26 patterns of secrets over all pages."""
    small, _ = bench.data.archive(bench.small)
    packed, _ = bench.data.archive(bench.small, "zstd")
    pages, bare = pages_of(small), bare_patterns(bench.data.folder)
    of, plain = _bytes(small), ("search", "--no-cache")
    one = bench.cryoscope(*plain, LITERAL, small, check=shows(LITERAL), name="cryoscope search TEXT")
    limit = "reading from the page cache; start-up is half of it"
    yield Row(f"search, one text, {bench.small} plain", of, one, None, 0.69, "wall", limit)
    grep = bench.host("grep", "-c", LITERAL, str(pages))
    yield Row(f"search, one text, {bench.small} plain", of, one, grep, 1.0, "wall", limit)
    yield Row(f"search, one text, {bench.small}: memory", of, one, None, 120.0, "rss", "blocks of 1 MiB")
    memparse = bench.peer("checkpointctl", "memparse", "--pid=12", f"--search={LITERAL}", small)
    yield Row("search, one text, one process of eight", of, one, memparse, None, "wall", "the peer does one")
    many = bench.cryoscope(*plain, "-c", "-P", PATTERNS, small, name="cryoscope search, 26 patterns")
    flags = ("-c", "--text", "--no-unicode", "-j1", "-f", bare, pages)
    ripgrep = bench.peer("rg", *flags, label="rg, 26 patterns, 1 core")
    if many.command is not None and shutil.which("taskset"):
        single = Command(("taskset", "-c", "0", *many.command.argv), None, many.command.environment, OPENED)
        alone = Side("the same on one core", single)
        title = f"search, 26 patterns, {bench.small}, one core"
        yield Row(title, of, alone, ripgrep, 1 / 3, "wall", "Vectorscan")
        title = f"search, 26 patterns, {bench.small}, two cores"
        yield Row(title, of, many, ripgrep, 1 / (3 * 1.6), "wall", "compiling the patterns, start-up")
        yield Row(title, of, many, alone, 1 / 1.6, "wall", "compiling the patterns, start-up")
    zipped = bench.cryoscope(*plain, "-c", "-P", PATTERNS, packed, name="cryoscope search zstd, 26 patterns")
    whole = prints(small.stat().st_size)
    least = bench.python("decompress.py", packed, check=whole, name="decompression alone")
    title = f"search, 26 patterns, {bench.small} zstd"
    yield Row(
        title, f"{_bytes(packed)} zstd", zipped, least, 1.3, "wall", "one zstd stream is one core's work"
    )
    large, _ = bench.data.archive(bench.large)
    all_of = bench.cryoscope(*plain, "-c", "-P", PATTERNS, large, name="cryoscope search, 26 patterns, large")
    yield Row(f"search, 26 patterns, {bench.large}: memory", _bytes(large), all_of, None, 300.0, "rss", "")


QUIETLY = ("sh", "-c", 'exec "$@" >/dev/null', "sh")
"""For output that is too large to be kept and looked at."""


def _quietly(side: Side) -> Side:
    if side.command is None:
        return side
    command = Command((*QUIETLY, *side.command.argv), side.command.root, side.command.environment, OPENED)
    return Side(side.name, command, why=side.why)


def strings_rows(bench: Bench) -> Iterator[Row]:
    """Every string of six characters, with its address; tests hold both to the same strings."""
    small, _ = bench.data.archive(bench.small)
    of, title = _bytes(small), f"strings of {bench.small}"
    asked = ("strings", "--no-cache", "-n", "6", "-e")
    ours = _quietly(bench.cryoscope(*asked, "ascii", small, name="cryoscope strings -e ascii"))
    host = bench.host("strings", "-a", "-n", "6", str(pages_of(small)))
    limit = "numpy's passes over each byte, Python's and its start"
    yield Row(title, of, ours, _quietly(host), 1 / 5, "wall", limit, "the peer gives no addresses")
    both = _quietly(bench.cryoscope(*asked, "all", small, name="cryoscope strings, ASCII and UTF-16"))
    yield Row(f"{title}, two encodings", of, both, _quietly(host), None, "wall", limit)
    yield Row(f"{title}: memory", of, ours, None, 150.0, "rss", "a few batches of 4 MiB")


def diff_rows(bench: Bench) -> Iterator[Row]:
    """Two plain checkpoints beside each other, page by page, beside reading both."""
    first, _ = bench.data.archive("1G")
    second, pages = changed_copy(first)
    of = f"{_bytes(first)}, {pages:,} pages changed"
    ours = bench.cryoscope("diff", "--no-cache", "-f", "json", first, second, check=changed(pages))
    both = Side("cat A B", Command((*QUIETLY, "cat", str(first), str(second))))
    limit = "reading from the page cache; start-up is half of it"
    yield Row("diff, 1G plain", of, ours, both, 2.0, "wall", limit)
    yield Row("diff, 1G: memory", of, ours, None, 150.0, "rss", "blocks of 1 MiB, a byte a page")
    packed, _ = bench.data.archive(bench.small, "zstd")
    plain, _ = bench.data.archive(bench.small)
    ours = bench.cryoscope("diff", "--no-cache", "-f", "json", plain, packed, check=changed(0))
    whole = prints(plain.stat().st_size)
    least = bench.python("decompress.py", packed, check=whole, name="decompression alone")
    limit = "one zstd stream is one core's work; hashing its pages"
    yield Row(f"diff, {bench.small} plain and zstd", _bytes(packed), ours, least, None, "wall", limit)


def core_rows(bench: Bench) -> Iterator[Row]:
    """All processes as core files, beside copying the archive that their pages are in."""
    small, _ = bench.data.archive(bench.small)
    cores, copy = bench.data.folder / "cores", bench.data.folder / "copy.tar"
    ours = bench.cryoscope("core", "--no-cache", "--all", "--force", "-o", cores, small)
    copied = Side("cp", Command(("cp", str(small), str(copy))))
    of, limit = _bytes(small), "every page is read and written once"
    title = f"core --all, {bench.small}"
    yield Row(title, of, ours, copied, 2.5, "wall", limit)
    yield Row(
        f"{title}: memory", of, ours, None, 150.0, "rss", "the list of segments, and one piece of memory"
    )
    shutil.rmtree(cores, ignore_errors=True)
    copy.unlink(missing_ok=True)


GROUPS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "start": start_rows,
    "pagemap": pagemap_rows,
    "decode": decode_rows,
    "plain": plain_rows,
    "zstd": zstd_rows,
    "large": large_rows,
    "strings": strings_rows,
    "core": core_rows,
    "diff": diff_rows,
    "index": index_rows,
    "search": search_rows,
}
"""What can be asked for alone; files are generated when their group is reached."""
