"""What is kept is the archive: its digests, and the identical bytes out of what was written."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import random
import tarfile
import threading
from pathlib import Path

import pytest
from forms_samples import DATA, FILES, PAGES, Blob, Counting, again, identity, kept, stored, tar, whole
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoscope import limits
from cryoscope.checkpoint.archive import BytesSource, FileSource, PipeSource, open_archive
from cryoscope.checkpoint.archive.frames import zstd
from cryoscope.errors import ArchiveError, CryoscopeError
from cryoscope.evidence.forms import index_cache, keep, original, packed
from cryoscope.evidence.records import AGE, FRAMES

KEY = identity(1)
TAR = tar()
GIVEN = {
    "tar": TAR,
    "tar+gzip": gzip.compress(TAR, 1),
    "tar+zstd": zstd().compress(TAR),
    "tar+xz": lzma.compress(TAR, preset=0),
    "tar+bzip2": bz2.compress(TAR, 1),
}
ARCHIVES = [
    "podman-looper-crun.tar",
    "podman-looper-crun.tar.gz",
    "podman-kitchen-sink.tar.zst",
    "containerd-looper.tar",
    "podman-image.oci.tar",
    "truncated-by-full-disk.tar",
]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# --- what was given comes back --------------------------------------------------------------
@pytest.mark.parametrize("recipients", [[], [KEY.recipient]], ids=["open", "encrypted"])
@pytest.mark.parametrize("frames", [None, False], ids=["frames", "as-given"])
@pytest.mark.parametrize("form", GIVEN)
def test_the_original_is_identical_and_its_digests_are_right(
    form: str, frames: bool | None, recipients: list[str]
) -> None:
    said, data = kept(GIVEN[form], frames=frames, recipients=recipients)
    assert (said.size, said.sha256, said.format) == (len(GIVEN[form]), sha256(GIVEN[form]), form)
    assert (said.stored_size, said.stored_sha256) == (len(data), sha256(data))
    framed = form == "tar" and frames is None
    assert said.forms == [FRAMES] * framed + [AGE] * bool(recipients)
    assert whole(again(said, data, KEY)) == GIVEN[form]
    assert {m.name: m.sha256 for m in said.members} == {name: sha256(text) for name, text in FILES.items()}
    assert said.damaged == []
    if not said.forms:
        assert data == GIVEN[form]


@pytest.mark.parametrize("name", ARCHIVES)
def test_real_archives_come_back_and_each_member_has_the_digest_of_what_is_read(name: str) -> None:
    raw = (DATA / name).read_bytes()
    said, data = kept(raw, recipients=[KEY.recipient])
    assert whole(again(said, data, KEY)) == raw
    with open_archive(BytesSource(raw, name), nesting=1) as archive:
        assert [member.name for member in said.members] == list(archive.members)
        for member in said.members:
            entry = archive.members[member.name]
            assert (member.type, member.size) == (entry.type, entry.size)
            if member.sha256 is not None:
                assert member.sha256 == sha256(archive.read(member.name))
            elif member.type == "file":
                assert any(member.name in line for line in said.damaged)
    with open_archive(BytesSource(raw, name)) as opened:
        assert said.format == opened.form


@given(st.integers(0, len(TAR) + 10), st.integers(0, 3 << 20))
@settings(max_examples=60, deadline=None)
def test_any_range_of_encrypted_frames_equals_the_original(offset: int, length: int) -> None:
    assert ENCRYPTED.read_at(offset, length) == TAR[offset : offset + length]


ENCRYPTED = again(*kept(TAR, recipients=[KEY.recipient], frame=1 << 19), KEY)


def test_a_member_is_read_out_of_encrypted_frames_without_the_pages() -> None:
    said, data = kept(TAR, recipients=[KEY.recipient])
    source = Counting(data)
    with open_archive(original(stored(said), source, identities=[KEY])) as archive:
        assert (archive.form, list(archive.members)) == ("tar", list(FILES))
        assert archive.read("config.dump") == b"{}"
        assert source.count < 4 * 65_552 + 4096 < len(data) / 10


def test_what_was_compressed_is_listed_by_its_index_alone() -> None:
    said, data = kept(GIVEN["tar+gzip"], recipients=[KEY.recipient])
    assert said.index is not None
    assert b"iiiiiiii" not in said.index
    source = Counting(data)
    cache = index_cache(stored(said), said.index)
    with open_archive(original(stored(said), source, identities=[KEY]), cache=cache) as archive:
        assert {m.name: m.size for m in archive.members.values()} == {n: len(t) for n, t in FILES.items()}
        assert source.count < 4 * 65_552 + 4096
        assert archive.read("checkpoint/pages-1.img") == PAGES


def test_an_index_of_other_evidence_is_not_believed() -> None:
    said, data = kept(GIVEN["tar+gzip"])
    other, _ = kept(gzip.compress(tar({"other": b"o"})))
    assert other.index is not None
    cache = index_cache(stored(said), other.index)
    with open_archive(again(said, data), cache=cache) as archive:
        assert list(archive.members) == list(FILES)


def test_a_plain_tar_needs_no_index() -> None:
    assert kept(TAR)[0].index is None


# --- members --------------------------------------------------------------------------------
def linked() -> bytes:
    """A tar with a folder, a link of either kind, and a name that is there twice."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind, data in [
            ("folder", tarfile.DIRTYPE, b""),
            ("twice", tarfile.REGTYPE, b"first"),
            ("hard", tarfile.LNKTYPE, b""),
            ("soft", tarfile.SYMTYPE, b""),
            ("twice", tarfile.REGTYPE, b"second"),
            ("caf\udce9", tarfile.REGTYPE, b"name"),
        ]:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, len(data), "twice"
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def test_links_folders_and_names_that_are_there_twice() -> None:
    said, _ = kept(linked())
    found = {member.name: (member.type, member.sha256) for member in said.members}
    assert found == {
        "folder": ("directory", None),
        "hard": ("hardlink", sha256(b"first")),
        "soft": ("symlink", None),
        "twice": ("file", sha256(b"second")),
        "caf\\xe9": ("file", sha256(b"name")),
    }
    assert any("more than once" in line for line in said.damaged)


def sparse(size: int, runs: list[tuple[int, bytes]]) -> bytes:
    """A tar with one sparse member as GNU tar's PAX format 1.0 has it."""
    numbers = f"{len(runs)}\n" + "".join(f"{start}\n{len(data)}\n" for start, data in runs)
    head = numbers.encode().ljust(-(-len(numbers) // 512) * 512, b"\0")
    info = tarfile.TarInfo("sparse")
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "sparse",
        "GNU.sparse.realsize": str(size),
    }
    body = head + b"".join(data for _, data in runs)
    info.size = len(body)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(body))
        last = tarfile.TarInfo("last")
        last.size = 3
        archive.addfile(last, io.BytesIO(b"end"))
    return buffer.getvalue()


def test_holes_are_zeros_in_the_digest() -> None:
    data = sparse(5_000_000, [(4096, b"a" * 512), (3_000_000, b"b" * 512)])
    said, _ = kept(data)
    with open_archive(BytesSource(data, "sparse")) as archive:
        whole_file = archive.read("sparse")
    assert len(whole_file) == 5_000_000
    assert {m.name: m.sha256 for m in said.members} == {"sparse": sha256(whole_file), "last": sha256(b"end")}


def test_a_hole_without_end_costs_no_digest_of_the_others() -> None:
    said, _ = kept(sparse(limits.EVIDENCE_HOLES + 5000, [(0, b"a" * 512)]))
    assert {m.name: m.sha256 for m in said.members} == {"sparse": None, "last": sha256(b"end")}
    assert any("sparse" in line for line in said.damaged)


def test_a_manifest_has_room_for_so_many_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "EVIDENCE_MEMBERS", 1000)
    said, _ = kept(tar({f"member-{number}": b"x" for number in range(20)}))
    assert [member.name for member in said.members] == [f"member-{number}" for number in range(6)]
    assert said.damaged == ["the digests of 14 members are left out"]


@given(st.integers(0, 1 << 32))
@settings(max_examples=25, deadline=None)
def test_members_of_any_size_have_their_digests(seed: int) -> None:
    chance = random.Random(seed)
    files = {
        f"f{number}": chance.randbytes(chance.choice([0, 1, 511, 512, 513, 1 << 20, (1 << 20) - 512, 70_000]))
        for number in range(chance.randrange(1, 8))
    }
    said, data = kept(tar(files), frame=1 << 19)
    assert {m.name: m.sha256 for m in said.members} == {name: sha256(text) for name, text in files.items()}
    assert whole(again(said, data)) == tar(files)


# --- what is wrong --------------------------------------------------------------------------
@pytest.mark.parametrize("form", GIVEN)
def test_an_archive_that_is_cut_short_is_kept_as_it_is_and_told(form: str) -> None:
    data = GIVEN[form][: len(GIVEN[form]) * 2 // 3]
    said, written = kept(data)
    assert whole(again(said, written)) == data
    assert said.sha256 == sha256(data)
    assert said.damaged


def test_bytes_behind_a_compressed_archive_are_kept() -> None:
    data = GIVEN["tar+gzip"] + b"something else" * 100_000
    said, written = kept(data)
    assert (said.sha256, written) == (sha256(data), data)


@pytest.mark.parametrize(
    "data", [b"", b"no archive" * 1000, gzip.compress(b"no archive")], ids=["empty", "plain", "gzip"]
)
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    with pytest.raises(ArchiveError):
        kept(data)
    assert quiet()


def test_a_pipe_is_kept_in_one_pass() -> None:
    blob = Blob()
    said = keep(PipeSource(io.BytesIO(TAR), "pipe"), blob)
    assert (said.sha256, whole(again(said, bytes(blob.data)))) == (sha256(TAR), TAR)


class Growing(BytesSource):
    """A file that is shorter than it said."""

    def __init__(self) -> None:
        super().__init__(TAR, "growing")
        self.size += 512


def test_a_source_that_is_not_as_long_as_it_said_is_refused() -> None:
    with pytest.raises(ArchiveError) as caught:
        keep(Growing(), Blob())
    assert caught.value.code == "archive.changed"


class Full:
    """A disk that is full after a while."""

    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, block: bytes | memoryview) -> None:
        self.room -= len(block)
        if self.room < 0:
            raise OSError(28, "No space left on device")


@pytest.mark.parametrize("form", GIVEN)
@pytest.mark.parametrize("recipients", [[], [KEY.recipient]], ids=["open", "encrypted"])
@pytest.mark.parametrize("room", [0, 4_000_000])
def test_a_full_disk_is_an_error_and_ends_all_threads(form: str, recipients: list[str], room: int) -> None:
    with pytest.raises(OSError, match="No space"):
        keep(BytesSource(GIVEN[form], form), Full(room), recipients=recipients)
    assert quiet()


class Failing(BytesSource):
    """A disk with a bad sector."""

    def read_at(self, offset: int, length: int) -> bytes:
        if offset <= 3_000_000 < offset + length:
            raise ArchiveError("cannot be read at byte 3000000: Input/output error", code="archive.io")
        return super().read_at(offset, length)


@pytest.mark.parametrize("form", GIVEN)
def test_a_source_that_cannot_be_read_is_not_half_kept(form: str) -> None:
    with pytest.raises(ArchiveError, match="Input/output"):
        keep(Failing(GIVEN[form], form), Blob(), recipients=[KEY.recipient])
    assert quiet()


def quiet() -> bool:
    """Whether no thread of `keep` is left."""
    names = ("stored", "age", "frames", "original", "members")
    return not [thread for thread in threading.enumerate() if thread.name.startswith(names)]


def test_stored_bytes_of_another_length_are_refused_at_once() -> None:
    said, data = kept(TAR)
    with pytest.raises(CryoscopeError) as caught:
        again(said, data[:-1])
    assert caught.value.code == "evidence.stored-size"


def test_a_form_of_the_future_is_named() -> None:
    said, data = kept(TAR)
    from msgspec.structs import replace

    with pytest.raises(CryoscopeError, match="brotli") as caught:
        again(replace(said, forms=["brotli"]), data)
    assert caught.value.code == "evidence.form"


# --- progress, folders ----------------------------------------------------------------------
@pytest.mark.parametrize("form", GIVEN)
def test_progress_goes_up_to_the_end(form: str) -> None:
    told: list[tuple[int, int | None]] = []
    keep(BytesSource(GIVEN[form], form), Blob(), progress=lambda done, all_: told.append((done, all_)))
    assert told == sorted(told)
    assert told[-1] == (len(GIVEN[form]), len(GIVEN[form]))


def test_a_folder_is_kept_as_the_tar_of_it(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "pages-1.img").write_bytes(PAGES)
    (tmp_path / "config.json").write_bytes(b"{}")
    (tmp_path / "link").symlink_to("/etc/passwd")
    source = packed(tmp_path)
    data = whole(source)
    assert source.size == len(data)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert archive.getnames() == ["checkpoint", "checkpoint/pages-1.img", "config.json", "link"]
        file = archive.extractfile("checkpoint/pages-1.img")
        assert file is not None
        assert file.read() == PAGES
        assert archive.getmember("link").linkname == "/etc/passwd"
    assert whole(packed(tmp_path)) == data
    said, _ = kept(data)
    assert keep(source, Blob()) == said
    for offset in range(0, len(data), 333_333):
        assert source.read_at(offset, 1000) == data[offset : offset + 1000]


def test_the_real_folder_of_docker_is_a_checkpoint_when_it_is_packed() -> None:
    source = packed(DATA / "docker-looper")
    with open_archive(BytesSource(whole(source), "packed")) as archive:
        assert "inventory.img" in archive
        assert archive.damaged == []


def test_a_file_that_became_shorter_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "pages-1.img").write_bytes(PAGES)
    source = packed(tmp_path)
    (tmp_path / "pages-1.img").write_bytes(b"short")
    with pytest.raises(ArchiveError) as caught:
        keep(source, Blob())
    assert caught.value.code == "archive.changed"


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError) as caught:
        packed(tmp_path)
    assert caught.value.code == "archive.empty"


class Once(FileSource):
    """A file that counts the bytes read of it."""

    count = 0

    def read_at(self, offset: int, length: int) -> bytes:
        found = super().read_at(offset, length)
        self.count += len(found)
        return found


def test_a_file_on_disk_is_read_once_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    for form, data in GIVEN.items():
        path = tmp_path / form
        path.write_bytes(data)
        source = Once(path)
        keep(source, Blob())
        source.close()
        assert source.count <= len(data) + 512
