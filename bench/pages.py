"""What the generated memory holds: a quarter each of random, text, zero and code-like pages.

Every MiB holds the four kinds in equal shares, in runs of 16 pages (64 KiB) in a seeded order: real
memory is not a checkerboard of single pages. Random bytes are fresh everywhere. Text and code come
round after round out of pools of 8 MiB each: a repeat is 32 MiB away, further than the windows of
the compressors used (zstd level 3: 2 MiB), so compressed sizes are as honest as without pools.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

PAGE = 4096
RUN = 16 * PAGE
BLOCK = 16 * RUN
POOL = 8 << 20
KINDS = ("random", "text", "zero", "code")

Bytes = NDArray[np.uint8]

_CONSONANTS = b"bcdfghklmnprstvw"
_VOWELS = b"aeiou"


class Memory:
    """An endless, seeded source of page contents: the same seed gives the same bytes anywhere."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.Generator(np.random.SFC64(seed))
        self._text = _text_pool(self._rng)
        self._code = _code_pool(self._rng)
        self._order = np.repeat(np.arange(4), 4)
        self._pool_at = {1: 0, 3: 0}

    def chunks(self, size: int) -> Iterator[memoryview]:
        """`size` bytes in pieces of at most 1 MiB; a piece is valid until the next one is asked for."""
        block = np.empty(BLOCK, np.uint8)
        while size > 0:
            self._fill(block)
            yield block.data[:size]
            size -= BLOCK

    def _fill(self, block: Bytes) -> None:
        self._rng.shuffle(self._order)
        noise = self._rng.integers(0, 1 << 64, BLOCK // 4 // 8, np.uint64, endpoint=False).view(np.uint8)
        noise_at = 0
        for slot, kind in enumerate(self._order.tolist()):
            target = block[slot * RUN : (slot + 1) * RUN]
            if kind == 0:
                target[:] = noise[noise_at : noise_at + RUN]
                noise_at += RUN
            elif kind == 2:
                target[:] = 0
            else:
                pool = self._text if kind == 1 else self._code
                start = self._pool_at[kind]
                target[:] = pool[start : start + RUN]
                self._pool_at[kind] = (start + RUN) % POOL


def _join(pieces: list[bytes], picks: NDArray[np.int64]) -> Bytes:
    """The picked pieces in a row, POOL bytes of them."""
    joined = b"".join([pieces[i] for i in picks.tolist()])
    if len(joined) < POOL:
        raise AssertionError(f"a pool of {len(joined)} bytes is too short")
    return np.frombuffer(joined[:POOL], np.uint8)


def _zipf(rng: np.random.Generator, kinds: int, count: int) -> NDArray[np.int64]:
    """`count` picks of `kinds` things, the n-th with a probability near 1/n, as words and opcodes have."""
    return np.minimum(kinds ** rng.random(count), kinds - 1).astype(np.int64)


def _text_pool(rng: np.random.Generator) -> Bytes:
    """Words of one to four syllables with spaces, line ends and numbers: compresses about as logs do."""
    words = []
    for syllables in rng.integers(1, 5, 20_000).tolist():
        pair = rng.integers(0, 80, syllables).tolist()
        words.append(b"".join(bytes((_CONSONANTS[p % 16], _VOWELS[p // 16])) for p in pair))
    tails = [b" ", b" ", b" ", b", ", b"=", b"\n", b": "]
    tail = rng.integers(0, len(tails), len(words)).tolist()
    pieces = [word + tails[t] for word, t in zip(words, tail, strict=True)]
    pieces += [b"%d " % n for n in rng.integers(0, 1 << 31, 4000).tolist()]
    return _join(pieces, _zipf(rng, len(pieces), 1_500_000))


def _code_pool(rng: np.random.Generator) -> Bytes:
    """Instruction-like byte strings: a skewed choice of short opcodes, some with 8- or 32-bit operands."""
    pieces = []
    for _ in range(30_000):
        opcode = bytes((rng.integers(0, 32, int(rng.integers(1, 5))) * 8 + 1).astype(np.uint8))
        pieces.append(opcode + rng.bytes((0, 0, 1, 1, 4)[int(rng.integers(0, 5))]))
    return _join(pieces, _zipf(rng, len(pieces), 2_500_000))
