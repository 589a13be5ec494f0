"""Whatever is wrong with an archive: what can be read is read, the rest is named."""

from __future__ import annotations

import random
import tarfile
from contextlib import suppress

import pytest
from archive_samples import Samples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive, BytesSource, open_archive
from cryoscope.errors import ArchiveError, MemberMissing, MemberTooLarge

FILES = {
    "config.dump": b"{}",
    "checkpoint/pages-1.img": bytes(range(256)) * 9,
    "empty": b"",
    "last": b"z" * 700,
}


def read_all(archive: Archive) -> dict[str, bytes]:
    """Everything that can be read, damaged or not."""
    found = {}
    for name, member in archive.members.items():
        if member.type == "file":
            with suppress(ArchiveError):
                found[name] = archive.read(name, limit=1 << 20, partial=True)
    return found


def test_cut_at_every_block(samples: Samples) -> None:
    data = samples.tar(FILES)
    for end in range(512, len(data), 512):
        with samples.open(data[:end]) as archive:
            for name, content in read_all(archive).items():
                assert FILES[name].startswith(content)
                if content != FILES[name]:
                    assert archive.damaged[-1].part == name
                    assert archive.damaged[-1].code == "archive.truncated"
                    with pytest.raises(ArchiveError) as caught:
                        archive.read(name)
                    assert caught.value.code == "archive.truncated"
            ends = end >= data.index(b"z" * 700) + 1024 + 512
            assert bool(archive.damaged) != ends


def test_cut_at_every_byte_of_two_headers(samples: Samples) -> None:
    data = samples.tar({"a": b"1", "b": b"2"})
    for end in range(1, 2048, 7):
        archive = samples.attempt(data[:end])
        if isinstance(archive, ArchiveError):
            assert end < 512
            continue
        with archive:
            assert archive.damaged
            assert archive.members


def test_cut_compressed(samples: Samples, form: str) -> None:
    noise = random.Random(1).randbytes(40_000)
    packed = samples.packers[form](samples.tar({**FILES, "noise": noise}))
    last = len(packed) - (11_000 if form == "tar" else 30)  # padding may be missing
    for end in [*range(1, 200, 13), *range(200, last, 971)]:
        archive = samples.attempt(packed[:end])
        if isinstance(archive, ArchiveError):
            assert archive.message.count("\n") == 0
            continue
        with archive:
            assert archive.damaged
            for name, content in read_all(archive).items():
                assert {**FILES, "noise": noise}[name].startswith(content)


def test_a_reader_of_a_cut_member_is_told(samples: Samples, form: str) -> None:
    noise = random.Random(2).randbytes(3_000_000)
    packed = samples.packers[form](samples.tar({"small": b"s", "noise": noise}))
    with samples.open(packed[: len(packed) // 2]) as archive:
        part = archive.read("noise", partial=True)
        assert 100_000 < len(part) < len(noise)
        assert noise.startswith(part)
        with archive.open("noise") as file:
            assert file.read(1000) == noise[:1000]
            with pytest.raises(ArchiveError) as caught:
                file.read()
        assert caught.value.code == "archive.truncated"
        assert archive.read("small") == b"s"


def test_a_broken_header_is_named_and_passed(samples: Samples) -> None:
    data = bytearray(samples.tar(FILES))
    second = 1024
    data[second + 3] ^= 0xFF
    with samples.open(bytes(data)) as archive:
        assert archive.names() == ["config.dump", "empty", "last"]
        assert [(one.code, one.offset) for one in archive.damaged] == [("archive.header", second)]


def test_a_broken_first_header(samples: Samples) -> None:
    data = bytearray(samples.tar(FILES))
    data[0] ^= 0xFF
    with samples.open(bytes(data)) as archive:
        assert archive.names() == list(FILES)[1:]


def test_resynchronising_is_bounded(samples: Samples, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RESYNC", 4096)
    data = bytearray(samples.tar({"a": b"1", "b": bytes(100_000), "c": b"3"}))
    data[1024] ^= 0xFF
    with samples.open(samples.packers[form](bytes(data))) as archive:
        assert archive.names() == ["a"]
        assert [one.code for one in archive.damaged] == ["archive.header"] * 2


def test_negative_and_absurd_sizes(samples: Samples) -> None:
    for size in (b"\xff" * 12, b"\x80" + b"\x7f" * 11, b"12x45678901\0"):
        data = bytearray(samples.tar(FILES))
        data[1024 + 124 : 1024 + 136] = size
        data[1024 + 148 : 1024 + 156] = b" " * 8
        data[1024 + 148 : 1024 + 156] = b"%06o\0 " % sum(data[1024:1536])
        with samples.open(bytes(data)) as archive:
            assert archive.names() == ["config.dump", "empty", "last"]
            assert archive.damaged[0].code == "archive.header"


def test_a_size_beyond_the_end(samples: Samples) -> None:
    info = tarfile.TarInfo("large")
    info.size = 5 << 30
    data = samples.tar({"a": b"1"})[:1024] + info.tobuf() + b"begin"
    with samples.open(data) as archive:
        assert archive.damaged[0].part == "large"
        assert archive.read_at("large", 0, 100) == b"begin"
        with pytest.raises(MemberTooLarge):
            archive.read("large")


def test_garbage_behind_the_end(samples: Samples, form: str) -> None:
    data = samples.tar(FILES)
    with samples.open(samples.packers[form](data + b"garbage")) as archive:
        assert [(one.code, one.offset) for one in archive.damaged] == [("archive.trailing", len(data))]


@pytest.mark.parametrize("packer", ["tar+gzip", "tar+zstd", "tar+xz", "tar+bzip2"])
def test_garbage_behind_the_compressed_stream(samples: Samples, packer: str) -> None:
    packed = samples.packers[packer](samples.tar(FILES))
    with samples.open(packed + bytes(1024)) as archive:
        assert archive.damaged == []
    with samples.open(packed + bytes(8) + b"garbage") as archive:
        assert [(one.code, one.offset) for one in archive.damaged] == [("archive.trailing", len(packed) + 8)]
        assert read_all(archive) == FILES


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"hello world, this is text\n" * 40, "begins with the text 'hello world"),
        (b"\x7fELF" + bytes(2000), "ELF"),
        (b"PK\x03\x04" + bytes(2000), "zip"),
        (b"\x16\x31\x31\x58rest", "CRIU inventory"),
        (b"\x19\x43\x56\x54\x13\x32\x21\x56", "single CRIU image"),
        (random.Random(3).randbytes(5000), "it begins with"),
        (b"\x1f\x8b\x08\0", "cut short"),
        (b"\x28\xb5\x2f\xfd" + b"\xff" * 600, "zstd"),
        (b"short", "begins with the text 'short'"),
    ],
)
def test_no_archive(data: bytes, message: str) -> None:
    with pytest.raises(ArchiveError, match=message) as caught:
        open_archive(BytesSource(data, "thing"))
    assert caught.value.hint
    assert "\n" not in caught.value.message


def test_compressed_text_is_no_archive(samples: Samples) -> None:
    for form, packer in samples.packers.items():
        if form != "tar":
            with pytest.raises(ArchiveError, match=r"no archive|is empty"):
                samples.open(packer(b"some text " * 100))
            with pytest.raises(ArchiveError, match="empty"):
                samples.open(packer(b""))


def test_an_empty_tar_is_an_archive(samples: Samples, form: str) -> None:
    with samples.open(samples.packers[form](samples.tar({}))) as archive:
        assert archive.names() == []
        assert archive.damaged == []


def test_what_is_no_file_is_not_read(samples: Samples) -> None:
    info = tarfile.TarInfo("link")
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/shadow"
    with samples.open(samples.tarfile([(info, b"")])) as archive:
        with pytest.raises(ArchiveError, match="symbolic link"):
            archive.read("link")
        with pytest.raises(MemberMissing):
            archive.read("absent")


def test_limits_have_names(samples: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    data = samples.tar({f"m{number}": b"" for number in range(20)})
    monkeypatch.setattr(limits, "MEMBERS", 10)
    with samples.open(data) as archive:
        assert len(archive.members) == 10
        assert archive.damaged[0].code == "limit.members"


def test_damage_is_bounded(samples: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DAMAGED", 5)
    data = samples.tarfile([(tarfile.TarInfo("same"), b"") for _ in range(50)])
    with samples.open(data) as archive:
        assert len(archive.damaged) == 5
        assert archive.damaged[-1].code == "limit.damaged"


def test_long_headers_are_bounded(samples: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PAX_HEADER", 2000)
    monkeypatch.setattr(limits, "NAME", 100)
    monkeypatch.setattr(limits, "INDEX_EXTRAS", 1000)
    long, longer = tarfile.TarInfo("n" * 300), tarfile.TarInfo("m" * 3000)
    data = samples.tarfile([(long, b"1"), (longer, b"2"), (tarfile.TarInfo("after"), b"3")])
    with samples.open(data) as archive:
        assert archive.names() == ["n" * 100, "m" * 100, "after"]
        assert {one.code for one in archive.damaged} == {"limit.name", "limit.pax-header"}


def test_attributes_are_bounded(samples: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "INDEX_EXTRAS", 1000)
    infos = [tarfile.TarInfo(f"m{number}") for number in range(5)]
    for info in infos:
        info.pax_headers = {"SCHILY.xattr.user.x": "v" * 400}
    with samples.open(samples.tarfile([(info, b"1") for info in infos], tarfile.PAX_FORMAT)) as archive:
        assert len(archive.members) == 5
        assert [one.code for one in archive.damaged] == ["limit.index-extras"] * 3


SEED = FILES | {"long" * 60: b"long", "x" * 40: b"y" * 1000}


def mutated(data: bytes, changes: list[tuple[int, int]]) -> bytes:
    copy = bytearray(data)
    for place, value in changes:
        copy[place % len(copy)] = value
    return bytes(copy)


CHANGES = st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=20)


def survives(data: bytes) -> None:
    """Opening and reading end in an archive or in a clean error."""
    archive = Samples.attempt(data)
    if isinstance(archive, ArchiveError):
        assert archive.message
        assert "\n" not in archive.message
        return
    with archive:
        read_all(archive)
        for prefix in ("", "checkpoint/"):
            archive.parent_of(prefix)


@settings(max_examples=300, deadline=None)
@given(CHANGES, st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
@example([(156, ord("S"))], tarfile.GNU_FORMAT)
def test_mutations(changes: list[tuple[int, int]], form: int) -> None:
    survives(mutated(MUTANTS[form], changes))


def seed(form: int) -> bytes:
    import io

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as writer:
        for name, data in SEED.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.pax_headers = (
                {"SCHILY.xattr.user.a": "b", "mtime": "1.5"} if form == tarfile.PAX_FORMAT else {}
            )
            writer.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


MUTANTS = {form: seed(form) for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)}


@pytest.mark.parametrize("rounds", [60, pytest.param(3000, marks=pytest.mark.long)])
def test_mutations_with_right_checksums(rounds: int) -> None:
    chance = random.Random(4)
    for _ in range(rounds):
        data = bytearray(MUTANTS[chance.choice(list(MUTANTS))])
        for _ in range(chance.randrange(1, 4)):
            block = chance.randrange(0, 8) * 512
            data[block + chance.choice([124, 125, 135, 156, 345, 386, 482, 483])] = chance.randrange(256)
            data[block + 148 : block + 156] = b" " * 8
            data[block + 148 : block + 156] = b"%06o\0 " % sum(data[block : block + 512])
        survives(bytes(data))


@pytest.mark.parametrize("rounds", [40, pytest.param(1500, marks=pytest.mark.long)])
def test_mutations_of_compressed(samples: Samples, form: str, rounds: int) -> None:
    chance = random.Random(5)
    packed = samples.packers[form](MUTANTS[tarfile.PAX_FORMAT])
    for _ in range(rounds):
        changes = [
            (chance.randrange(len(packed)), chance.randrange(256)) for _ in range(chance.randrange(1, 4))
        ]
        survives(mutated(packed, changes))


@pytest.mark.parametrize("kind", [b"1.0", b"0.1", b"S"])
def test_hostile_sparse_maps(samples: Samples, kind: bytes) -> None:
    headers = {"GNU.sparse.name": "holes", "GNU.sparse.realsize": "100000", "GNU.sparse.size": "100000"}
    maps = ["0,512,256,512", "5", "99999,512", "0,-5", "a,b", "0,99999999999999999999", "0,600", ""]
    for text in maps:
        info = tarfile.TarInfo("x")
        body = bytes(512)
        if kind == b"1.0":
            info.pax_headers = {**headers, "GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
            body = (f"{text.count(',') // 2 + 1}\n" + text.replace(",", "\n") + "\n").encode().ljust(
                512, b"\0"
            ) + body
        elif kind == b"0.1":
            info.pax_headers = {**headers, "GNU.sparse.map": text}
        data = samples.tarfile([(info, body), (tarfile.TarInfo("after"), b"1")], tarfile.PAX_FORMAT)
        if kind == b"S":
            changed = bytearray(data)
            changed[156] = ord("S")
            for at, field in zip(range(386, 482, 12), text.split(","), strict=False):
                changed[at : at + 12] = field.encode()[:12].ljust(12, b"\0")
            changed[483:495] = b"00000303240\0"
            changed[148:156] = b" " * 8
            changed[148:156] = b"%06o\0 " % sum(changed[:512])
            data = bytes(changed)
        with samples.open(data) as archive:
            read_all(archive)
            assert archive.read("after") == b"1"
            assert archive.damaged or kind == b"S" or text in ("", "0,512,256,512")
