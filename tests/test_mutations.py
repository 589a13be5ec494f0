"""Every archive, damaged at random places: an error or named damage, never another exception, never a hang.

Each damage is made from a seed that the failure names, so it can be made again:
`mutated(original(name), seed)`.
"""

from __future__ import annotations

import gzip
import io
import random
import signal
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from asked import everything

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DATA = Path(__file__).parent / "data"
CORPUS = Path(__file__).parents[2] / "shared" / "corpus"
SECONDS = 20
"""Wall time that one damaged archive may take."""

FEW, ALL, CHUNKS = 20, 1000, 4
BLOCK = 512


def names() -> list[str]:
    """The archives of tests/data, and where there is a corpus those of it that differ."""
    found = [str(path) for path in sorted(DATA.iterdir()) if path.suffix in (".tar", ".zst", ".gz")]
    more = [*CORPUS.glob("kubelet/*redis.tar"), *CORPUS.glob("podman-*/checkpoint.tar.zst")]
    kitchen = [path for path in more if "kitchen" not in str(path)]
    return [*found, str(DATA / "docker-looper"), *map(str, sorted(kitchen))]


@cache
def original(name: str) -> bytes:
    """An archive's bytes; of a folder, a tar of it."""
    path = Path(name)
    if path.is_file():
        return path.read_bytes()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for file in sorted(path.iterdir()):
            tar.add(file, file.name)
    return buffer.getvalue()


def mutated(data: bytes, seed: int) -> bytes:
    """`data` damaged in one to eight places; of a compressed archive, every second time inside."""
    rng = random.Random(seed)
    codec = _codec(data)
    if codec is None or rng.random() < 0.5:
        return _damaged(data, rng)
    unpack, pack = codec
    return pack(_damaged(unpack(data), rng))


def _codec(data: bytes) -> Any:
    if data.startswith(b"\x1f\x8b"):
        return gzip.decompress, lambda tar: gzip.compress(tar, 1)
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return zstd.decompress, lambda tar: zstd.compress(tar, 1)
    return None


def _damaged(data: bytes, rng: random.Random) -> bytes:
    content = bytearray(data)
    places = _places(data)
    for _ in range(rng.choice([1, 1, 2, 4, 8])):
        low, high = rng.choice(places)
        at = rng.randrange(low, max(high, low + 1))
        rng.choice(DAMAGES)(content, min(at, len(content)), rng)
    return bytes(content)


@cache
def _places(data: bytes) -> list[tuple[int, int]]:
    """Where damage tells most: anywhere, in headers, in small members, three times as often as in pages."""
    found = [(0, len(data))]
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            for member in tar:
                head = (member.offset, member.offset_data)
                body = (member.offset_data, member.offset_data + min(member.size, 4096))
                found += [head, body, body]
    except tarfile.TarError:
        pass
    return found


def _flip(content: bytearray, at: int, rng: random.Random) -> None:
    if at < len(content):
        content[at] ^= 1 << rng.randrange(8)


def _random(content: bytearray, at: int, rng: random.Random) -> None:
    length = min(rng.choice([1, 2, 4, 8, 64]), len(content) - at)
    content[at : at + length] = rng.randbytes(length)


def _extreme(content: bytearray, at: int, rng: random.Random) -> None:
    value = rng.choice(
        [b"\xff" * 4, b"\xff" * 9 + b"\x01", b"\0" * 4, b"\x7f\xff\xff\xff", b"\x80" * 9 + b"\1"]
    )
    content[at : at + len(value)] = value


def _zero(content: bytearray, at: int, rng: random.Random) -> None:
    length = min(rng.choice([16, BLOCK, 8 * BLOCK]), len(content) - at)
    content[at : at + length] = bytes(length)


def _cut(content: bytearray, at: int, rng: random.Random) -> None:
    del content[at if rng.random() < 0.3 else max(at, len(content) * 3 // 4) :]


def _remove(content: bytearray, at: int, rng: random.Random) -> None:
    del content[at : at + rng.choice([1, 4, BLOCK])]


def _insert(content: bytearray, at: int, rng: random.Random) -> None:
    content[at:at] = rng.randbytes(rng.choice([1, 4, BLOCK]))


def _swap(content: bytearray, at: int, rng: random.Random) -> None:
    first = at // BLOCK * BLOCK
    second = rng.randrange(0, max(len(content), 1)) // BLOCK * BLOCK
    one, two = bytes(content[first : first + BLOCK]), bytes(content[second : second + BLOCK])
    content[first : first + BLOCK], content[second : second + BLOCK] = two, one


DAMAGES = (_flip, _flip, _random, _random, _extreme, _extreme, _zero, _cut, _remove, _insert, _swap)


@contextmanager
def deadline(seconds: int) -> Iterator[None]:
    """An exception, with the place in its traceback, if the block takes longer."""

    def late(_signal: int, _frame: object) -> None:
        raise TimeoutError(f"still busy after {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def survive(name: str, seeds: range, *, turns: bool = True) -> None:
    """Ask `name` damaged by each seed everything, or every seed its turn of the questions."""
    data = original(name)
    for seed in seeds:
        try:
            with deadline(SECONDS):
                everything(mutated(data, seed), seed if turns else None)
        except Exception as error:
            error.add_note(f"mutated(original({name!r}), {seed})")
            raise


@pytest.mark.parametrize("name", names(), ids=lambda name: "-".join(Path(name).parts[-2:]))
def test_damage_is_named(name: str) -> None:
    survive(name, range(FEW))


@pytest.mark.long
@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("name", names(), ids=lambda name: "-".join(Path(name).parts[-2:]))
def test_a_thousand_times(name: str, chunk: int) -> None:
    size = ALL // CHUNKS
    survive(name, range(FEW + chunk * size, FEW + (chunk + 1) * size))


FOUND = {
    "docker-looper": [141],
    "containerd-looper.tar": [279],
    "podman-looper-criu41.tar": [354],
}
"""Seeds that once ended in another exception."""


@pytest.mark.parametrize("name", FOUND)
def test_whatever_was_found_before_stays_fixed(name: str) -> None:
    for seed in FOUND[name]:
        survive(str(DATA / name), range(seed, seed + 1), turns=False)


def test_the_undamaged_answer_without_a_word() -> None:
    for name in names():
        codes = everything(original(name))
        assert "truncated" in name or codes == [], (name, codes)
