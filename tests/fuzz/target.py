"""Fuzzing of opening archives, parsing images and asking a checkpoint everything.

    python tests/fuzz/target.py SECONDS       guided by coverage, where atheris is installed

The first byte of an input chooses what the rest is: one kind of image, a tar, a compressed archive, or the
members of a checkpoint to be replaced.  Only exceptions that Cryoscope does not raise on purpose count.
The corpus grows in .fuzz/corpus; an input that crashes is kept in .fuzz/crashes, and the exit code is 1.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

DATA = ROOT / "tests" / "data"
PLACE = ROOT / ".fuzz"
BASE = "podman-looper-crun.tar"
LARGEST = 1 << 18

TAR, PACKED, MEMBERS = 0xFF, 0xFE, 0xFD
"""First bytes that say: an archive as it is, the same compressed, members of a checkpoint; else an image."""


def one_input(data: bytes) -> None:
    """Run one input; raises only what must not be raised."""
    if not data:
        return
    kind, rest = data[0], data[1:]
    if kind == TAR:
        _everything(rest)
    elif kind == PACKED:
        import gzip

        _everything(gzip.compress(rest, 1))
    elif kind == MEMBERS:
        _everything(checkpoint_with(rest))
    else:
        _image(kind, rest)


def _everything(data: bytes) -> None:
    from asked import everything

    everything(data)


def _image(kind: int, data: bytes) -> None:
    """Parse, show and encode an image of one type; then what reads it in a checkpoint."""
    from cryoscope.checkpoint.criu.framing import head_bytes, parse
    from cryoscope.checkpoint.criu.images import IMAGE_TYPES
    from cryoscope.checkpoint.criu.json import dumps, from_json
    from cryoscope.errors import CryoscopeError

    row = IMAGE_TYPES[kind % len(IMAGE_TYPES)]
    whole = head_bytes(row, row.head) + data
    name = row.pattern.replace("*", "1")
    try:
        import msgspec

        text = dumps(parse(whole, name=name))
        assert from_json(msgspec.json.decode(text)) == whole, "another image came back"
    except CryoscopeError:
        return


# --- a checkpoint with some members replaced ------------------------------------------------
@cache
def base() -> dict[str, bytes]:
    """The members of a small checkpoint."""
    with tarfile.open(DATA / BASE) as tar:
        found = {m.name: tar.extractfile(m) for m in tar if m.isfile()}
        return {name: file.read() for name, file in found.items() if file is not None}


def checkpoint_with(data: bytes) -> bytes:
    """A tar of the small checkpoint with members replaced: one byte which, two bytes how long, its bytes."""
    files = dict(base())
    names = sorted(files)
    at = 0
    while at + 3 <= len(data):
        which, length = struct.unpack_from("<BH", data, at)
        files[names[which % len(names)]] = data[at + 3 : at + 3 + length]
        at += 3 + length
    return tar_of(files)


def tar_of(files: dict[str, bytes]) -> bytes:
    from hostile_archives import header

    parts = [
        header(name.encode(), len(body)) + body + bytes(-len(body) % 512) for name, body in files.items()
    ]
    return b"".join(parts) + bytes(1024)


# --- seeds ----------------------------------------------------------------------------------
def seeds() -> Iterator[bytes]:
    """Inputs to begin with: every image of the test data by its type, small archives, single members."""
    from cryoscope.checkpoint.criu.framing import read_head
    from cryoscope.checkpoint.criu.images import IMAGE_TYPES
    from cryoscope.errors import CryoscopeError

    kinds = {row.name: number for number, row in enumerate(IMAGE_TYPES)}
    names = sorted(base())
    for name, body in _members():
        try:
            kind, _, start = read_head(body, name)
            yield bytes([kinds[kind.name] % TAR]) + body[start:]
        except CryoscopeError:
            pass
    for number, name in enumerate(names):
        body = base()[name][:60_000]
        yield bytes([MEMBERS]) + struct.pack("<BH", number, len(body)) + body
    yield bytes([TAR]) + (DATA / BASE).read_bytes()[:LARGEST]
    yield bytes([PACKED]) + tar_of({k: v for k, v in base().items() if len(v) < 5000})


def _members() -> Iterator[tuple[str, bytes]]:
    for path in sorted((DATA / "docker-looper").iterdir()):
        yield path.name, path.read_bytes()[:60_000]
    for path in sorted(DATA.glob("*.tar")):
        if "truncated" not in path.name:
            yield from _of_tar(path)


def _of_tar(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isfile() else None
            if file is not None:
                yield os.path.basename(member.name), file.read(60_000)


# --- atheris --------------------------------------------------------------------------------
def instrumented(arguments: list[str]) -> None:
    """The fuzzer itself: never comes back."""
    import atheris

    with atheris.instrument_imports(include=["cryoscope"]):
        import asked  # noqa: F401 - with all that it imports
        import cryoscope.checkpoint.criu.json  # noqa: F401

    base()
    atheris.Setup(arguments, one_input)
    atheris.Fuzz()


def main(seconds: int) -> int:
    """Fuzz for some time in a process of its own, and say how it went."""
    corpus, crashes = PLACE / "corpus", PLACE / "crashes"
    corpus.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(exist_ok=True)
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number:04}").write_bytes(seed)
    options = [
        f"-max_total_time={seconds}",
        f"-artifact_prefix={crashes}/",
        f"-max_len={LARGEST}",
        "-timeout=20",
        "-rss_limit_mb=1500",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    started = time.monotonic()
    command = [sys.executable, __file__, "--instrumented", *options, str(corpus)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    executions = [line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line]
    count = executions[0] if executions else "an unknown number of"
    print(
        f"{count} executions in {time.monotonic() - started:.0f} s, {len(list(corpus.iterdir()))} inputs kept"
    )
    if done.returncode:
        print(done.stderr[-4000:], f"the input is in {crashes}", sep="\n")
    return 1 if done.returncode else 0


if __name__ == "__main__":
    if "--instrumented" in sys.argv:
        sys.argv.remove("--instrumented")
        instrumented(sys.argv)
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 60))
