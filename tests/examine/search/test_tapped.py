"""Scanning while an archive streams by: every block is seen, once, and the answer is the same."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from cryoscope.checkpoint.archive import Archive, BytesSource, PipeSource, open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.examine.search import StreamScan, literal, search
from tests.examine.search.search_samples import Made, find, owned, page


def test_a_tap_sees_all_blocks_of_a_compressed_archive(data: Path) -> None:
    packed = (data / "podman-looper-crun.tar.gz").read_bytes()
    seen = []

    def tap(_archive: Archive, blocks: Iterator[bytes]) -> Iterator[bytes]:
        for block in blocks:
            seen.append(block)
            yield block

    with open_archive(BytesSource(packed, "x"), tap=tap) as archive:
        assert archive.members
    assert gzip.decompress(packed).startswith(b"".join(seen))
    assert sum(map(len, seen)) >= max(member.offset + member.size for member in archive.members.values())


@pytest.mark.parametrize("pages", [1, 300, 1200])
def test_streams_plain_archives_and_pipes_agree(pages: int) -> None:
    made = Made()
    made.process(1, {place: page(b"needle-42", (place * 37) % 4000) for place in range(pages)})
    data, patterns = made.tar(), literal("needle-42")
    plain = find(data, patterns)
    assert len(plain.hits) == pages
    assert owned(find(gzip.compress(data, 1), patterns)) == owned(plain)
    tap = StreamScan(patterns)
    with open_archive(PipeSource(io.BytesIO(data), "pipe"), tap=tap) as archive:
        assert owned(search(Checkpoint(archive), patterns, tap=tap)) == owned(plain)


def test_an_interrupt_leaves_what_was_found() -> None:
    made = Made()
    made.process(1, {place: page(b"needle-42") for place in range(1200)})
    patterns = literal("needle-42")
    tap = StreamScan(patterns)

    class Interrupting(BytesSource):
        def read_at(self, offset: int, length: int) -> bytes:
            if offset > 1 << 20:
                raise KeyboardInterrupt
            return super().read_at(offset, length)

    source = Interrupting(made.tar(), "pipe")
    source.size = None  # type: ignore[assignment]
    with open_archive(source, tap=tap) as archive:
        found = search(Checkpoint(archive), patterns, tap=tap)
    assert not found.complete
    assert 0 < len(found.hits) < 1200
