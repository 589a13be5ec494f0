"""Files behind mappings: found in the archive or a root file system, verified, and never outside of it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from core_samples import FILE, PAGE, elf_file, files, image, process, segments, vma, words, write
from hypothesis import given
from hypothesis import strategies as st

from cryoscope.errors import UsageError
from cryoscope.examine.coredump import RootFolder
from cryoscope.examine.coredump.build_id import build_id

BASE, PRESENT, ID = 0x10000000, 4, b"\x01\x02\x03" * 6 + b"\xfe\xff"
LIBRARY = elf_file(ID, pages=3)
NAME = "/usr/lib/libmade.so"


def mapped(*, file: dict[str, Any] | None = None, pages: int = 3, pgoff: int = 0, **more: bytes) -> Any:
    """A process with a library mapped, of whose pages the second one was dumped."""
    described = {"id": 7, "name": NAME.encode(), "size": len(LIBRARY), "build_id": words(ID)} | (file or {})
    described = {key: value for key, value in described.items() if value is not None}
    mapping = vma(BASE, BASE + pages * PAGE, FILE, shmid=7, pgoff=pgoff, prot=5)
    more.setdefault("files_img", files(described))
    return process([mapping], [(BASE + PAGE, 1, PRESENT)], b"#" * PAGE, **more)


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "usr/lib").mkdir(parents=True)
    (root / "usr/lib/libmade.so").write_bytes(LIBRARY)
    return root


def contents(data: bytes) -> bytes:
    [(_, offset, start, filled, size)] = segments(data)
    assert (start, filled) == (BASE, size)
    return data[offset : offset + filled]


def test_clean_pages_come_from_the_root_file_system(tmp_path: Path, rootfs: Path) -> None:
    record, data, _ = write(mapped(), tmp_path / "core", rootfs=rootfs)
    assert contents(data) == LIBRARY[:PAGE] + b"#" * PAGE + LIBRARY[2 * PAGE :]
    assert record.missing == []
    [filled] = record.filled
    assert (filled.bytes, filled.origin, filled.checked) == (2 * PAGE, str(rootfs), "build-id")


def test_a_mapping_begins_anywhere_in_its_file(tmp_path: Path, rootfs: Path) -> None:
    found = mapped(pages=1, pgoff=2 * PAGE)
    _, data, _ = write(found, tmp_path / "core", rootfs=rootfs)
    assert contents(data) == LIBRARY[2 * PAGE :]


def test_without_the_file_its_pages_are_missing(tmp_path: Path) -> None:
    record, data, _ = write(mapped(), tmp_path / "core")
    assert [row[2:] for row in segments(data)] == [(BASE + PAGE, PAGE, PAGE)]
    assert [(missing.code, missing.bytes, missing.path) for missing in record.missing] == [
        ("no-file", 2 * PAGE, NAME)
    ]


def test_another_build_is_another_file(tmp_path: Path, rootfs: Path) -> None:
    (rootfs / "usr/lib/libmade.so").write_bytes(elf_file(bytes(20), pages=3))
    record, data, _ = write(mapped(), tmp_path / "core", rootfs=rootfs)
    assert len(segments(data)) == 1
    [missing] = record.missing
    assert missing.code == "build-id"
    assert ID.hex() in missing.reason
    assert bytes(20).hex() in missing.reason


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ({"build_id": None}, None),
        ({"build_id": None, "size": 5}, "size"),
        ({"build_id": None, "size": None}, "unchecked"),
        ({"build_id": words(b"\x09" * 20)}, "build-id"),
        ({"name": b"/usr/lib/other.so"}, "no-file"),
        ({"id": 8}, "unknown-file"),
    ],
)
def test_what_tells_a_file(tmp_path: Path, rootfs: Path, file: dict[str, Any], code: str | None) -> None:
    record, _, _ = write(mapped(file=file), tmp_path / "core", rootfs=rootfs)
    assert [missing.code for missing in record.missing] == ([code] if code else [])
    assert [filled.checked for filled in record.filled] == ([] if code else ["size"])


def test_a_build_id_that_only_memory_has_counts(tmp_path: Path, rootfs: Path) -> None:
    described = files({"id": 7, "name": NAME.encode(), "size": len(LIBRARY)})
    mapping = vma(BASE, BASE + 3 * PAGE, FILE, shmid=7)
    found = process([mapping], [(BASE, 1, PRESENT)], LIBRARY[:PAGE], files_img=described)
    record, data, _ = write(found, tmp_path / "core", rootfs=rootfs)
    assert [filled.checked for filled in record.filled] == ["build-id"]
    assert contents(data) == LIBRARY
    (rootfs / "usr/lib/libmade.so").write_bytes(elf_file(bytes(20), pages=3))
    record, _, _ = write(found, tmp_path / "core", rootfs=rootfs)
    assert [missing.code for missing in record.missing] == ["build-id"]


def test_a_mapping_may_be_longer_than_its_file(tmp_path: Path, rootfs: Path) -> None:
    short = LIBRARY[: 2 * PAGE + 100]
    (rootfs / "usr/lib/libmade.so").write_bytes(short)
    record, data, _ = write(mapped(pages=5), tmp_path / "core", rootfs=rootfs)
    assert contents(data) == LIBRARY[:PAGE] + b"#" * PAGE + short[2 * PAGE :].ljust(PAGE, b"\0")
    assert [(missing.code, missing.bytes) for missing in record.missing] == [("behind-file", 2 * PAGE)]


def layer(name: str, data: bytes) -> bytes:
    from built_samples import tar

    return tar({name.lstrip("/"): data})


def test_a_changed_file_is_in_the_archive_itself(tmp_path: Path) -> None:
    found = mapped(**{"rootfs-diff.tar": layer(NAME, LIBRARY)})
    record, data, _ = write(found, tmp_path / "core")
    assert contents(data)[2 * PAGE :] == LIBRARY[2 * PAGE :]
    assert [filled.origin for filled in record.filled] == ["rootfs-diff.tar"]


def test_the_file_of_before_the_change_is_in_the_image(tmp_path: Path, rootfs: Path) -> None:
    found = mapped(**{"rootfs-diff.tar": layer(NAME, elf_file(bytes(20)))})
    record, _, _ = write(found, tmp_path / "core", rootfs=rootfs)
    assert [filled.origin for filled in record.filled] == [str(rootfs)]


def test_of_a_changed_file_without_build_id_the_image_says_nothing(tmp_path: Path, rootfs: Path) -> None:
    found = mapped(file={"build_id": None}, **{"rootfs-diff.tar": layer(NAME, b"short")})
    record, _, _ = write(found, tmp_path / "core", rootfs=rootfs)
    assert [missing.code for missing in record.missing] == ["size"]


def test_shared_memory_of_the_engines_archive(tmp_path: Path) -> None:
    described = files({"id": 7, "name": b"/dev/shm/posix", "size": PAGE})
    mapping = vma(BASE, BASE + PAGE, 0x81, shmid=7, flags=1)
    more = {"files_img": described, "devshm-checkpoint.tar": layer("posix", b"S" * PAGE)}
    _, data, _ = write(process([mapping], [], b"", **more), tmp_path / "core")
    assert contents(data) == b"S" * PAGE


def test_a_deleted_file_is_read_from_its_ghost(tmp_path: Path) -> None:
    ghost = image("GHOST_FILE", {"uid": 0, "gid": 0, "mode": 0o100755})
    remap = image("REMAP_FPATH", {"orig_id": 7, "remap_id": 1, "remap_type": 1})
    found = mapped(remap__fpath_img=remap, ghost__file__1_img=ghost + LIBRARY)
    record, data, _ = write(found, tmp_path / "core")
    assert contents(data)[2 * PAGE :] == LIBRARY[2 * PAGE :]
    assert [filled.checked for filled in record.filled] == ["the file itself"]


# --- a root file system is never left -----------------------------------------------------------
SECRET = b"of this machine"


OUTSIDE = ["root-of/outside", "root/../outside", "none", "real/file/x", "a\0b", "x" * 5000, "folder/.."]


@pytest.fixture
def trap(tmp_path: Path) -> RootFolder:
    (tmp_path / "outside").write_bytes(SECRET)
    root = tmp_path / "trap"
    (root / "real/deep").mkdir(parents=True)
    (root / "real/file").write_bytes(b"inside")
    links = {
        "up": "../outside",
        "upper": "../../../../../../.." + str(tmp_path / "outside"),
        "absolute": str(tmp_path / "outside"),
        "in": "/real/file",
        "folder": "real",
        "real/deep/back": "../file",
        "loop": "loop",
        "loop2": "loop3/x",
        "loop3": "loop2/y",
        "root": "/",
        "root-of": "..",
    }
    for name, target in links.items():
        os.symlink(target, root / name)
    os.mkfifo(root / "fifo")
    return RootFolder(str(root))


@pytest.mark.parametrize(
    "name",
    [
        "up",
        "upper",
        "absolute",
        "../outside",
        "real/../../outside",
        "loop",
        "loop2",
        "fifo",
        "",
        "/",
        "real",
        *OUTSIDE,
    ],
)
def test_nothing_outside_is_read(trap: RootFolder, name: str) -> None:
    assert trap.size(name.encode()) is None
    assert trap.read_at(name.encode(), 0, 100) == b""
    assert trap.real(name.encode()) is None


@pytest.mark.parametrize(
    "name",
    ["in", "/in", "folder/file", "real/deep/back", "../../real/./deep/../file", "root/in", "root-of/in"],
)
def test_links_lead_where_they_led_in_the_container(trap: RootFolder, name: str) -> None:
    assert trap.read_at(name.encode(), 0, 100) == b"inside"
    assert trap.real(name.encode()) == os.path.join(trap.path, "real/file")


def test_a_rootfs_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="root file system"):
        RootFolder(str(tmp_path / "none"))


def test_many_files_are_open_for_a_while_only(tmp_path: Path) -> None:
    for index in range(200):
        (tmp_path / str(index)).write_bytes(b"%d" % index)
    root = RootFolder(str(tmp_path))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(2):
        assert [root.read_at(b"%d" % index, 0, 9) for index in range(200)] == [b"%d" % n for n in range(200)]
    assert len(os.listdir("/proc/self/fd")) < before + 70
    root.close()


# --- build-ids -----------------------------------------------------------------------------------
def read_of(data: bytes) -> Any:
    return lambda offset, length: data[offset : offset + length]


@pytest.mark.skipif(shutil.which("readelf") is None, reason="readelf is not here")
def test_the_build_id_of_a_real_file() -> None:
    import subprocess

    said = subprocess.run(["readelf", "-n", "/bin/sh"], capture_output=True, text=True, check=False).stdout
    expected = next((line.split()[-1] for line in said.splitlines() if "Build ID" in line), None)
    found = build_id(read_of(Path("/bin/sh").read_bytes()))
    assert (found.hex() if found else None) == expected


@given(st.binary(max_size=300), st.integers(0, 199), st.binary(max_size=8))
def test_no_bytes_bring_the_reader_of_build_ids_down(data: bytes, at: int, change: bytes) -> None:
    build_id(read_of(data))
    build_id(read_of(LIBRARY[:at] + change + LIBRARY[at + len(change) :]))


def test_a_build_id_in_a_file_of_32_bits() -> None:
    import struct

    note = struct.pack("<III", 4, 4, 3) + b"GNU\0" + b"\x0a\x0b\x0c\x0d"
    head = b"\x7fELF\x01\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIIIIIHHHHHH", 3, 3, 1, 0, 52, 0, 0, 52, 32, 1, 0, 0, 0
    )
    data = head + struct.pack("<8I", 4, 84, 0, 0, len(note), 0, 4, 4) + note
    assert build_id(read_of(data)) == b"\x0a\x0b\x0c\x0d"
