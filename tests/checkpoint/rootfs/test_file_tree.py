"""All the files that an archive has of a container, and who uses them."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from built_samples import core, image, made, mm, tree, vma
from conftest_types import Load

from cryoscope import limits
from cryoscope.checkpoint.rootfs import FileEntry, FileTree
from cryoscope.errors import CryoscopeError
from cryoscope.workflows.open import open_checkpoint

FOWN = {"uid": 0, "euid": 0, "signum": 0, "pid_type": 0, "pid": 0}


def layer(*members: tuple[tarfile.TarInfo, bytes], form: Any = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as made_tar:
        for member, data in members:
            member.size = len(data)
            made_tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def info(name: str, kind: bytes = tarfile.REGTYPE, **fields: Any) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    for field, value in fields.items():
        setattr(member, field, value)
    return member


def reg(number: int, name: bytes, mount: int = -1) -> dict[str, Any]:
    entry = {"id": number, "flags": 0, "pos": 0, "fown": FOWN, "name": name, "mnt_id": mount}
    return {"type": 1, "id": number, "reg": entry}


def mount(number: int, at: bytes, device: int, fsname: str = "tmpfs", root: str = "/") -> dict[str, Any]:
    return {
        "fstype": 0,
        "mnt_id": number,
        "root_dev": device,
        "parent_mnt_id": 1,
        "flags": 0,
        "root": root.encode(),
        "mountpoint": at,
        "source": b"tmpfs",
        "options": b"",
        "fsname": fsname.encode(),
    }


def paths(tree_: FileTree, **fields: Any) -> list[str]:
    wanted = [e for e in tree_.entries if all(getattr(e, name) == value for name, value in fields.items())]
    return [entry.path for entry in wanted]


MOUNTS = image(
    "MNTS",
    mount(10, b"./", 5, "overlay"),
    mount(11, b"./run/my\xffdir", 70),
    mount(12, b"./dev/shm", 71, root="/elsewhere"),
)


def test_each_tar_has_its_files_where_they_were_mounted() -> None:
    volumes = b'[{"volumeName": "data", "dest": "/srv/data/"}]'
    config = b'{"namedVolumes": %b, "rootfsImageID": "x", "staticDir": "y"}' % volumes
    checkpoint = made(
        {
            "mountpoints-9.img": MOUNTS,
            "tmpfs-dev-70.tar.gz.img": gzip.compress(layer((info("./"), b""), (info("./a"), b"in tmpfs"))),
            "tmpfs-dev-99.tar.gz.img": gzip.compress(layer((info("./b"), b"nowhere"))),
            "tmpfs-11.tar.gz.img": gzip.compress(layer((info("./c"), b"by mount"))),
            "devshm-checkpoint.tar": layer((info("shm"), b"in shm")),
            "volumes/data.tar": layer((info("v"), b"in volume")),
            "volumes/other.tar": layer((info("w"), b"somewhere")),
            "rootfs-diff.tar": layer((info("r"), b"in root")),
            "config.dump": config,
        }
    )
    found = checkpoint.filesystem
    assert {(entry.path, entry.origin) for entry in found.entries} == {
        ("/run/my\\xffdir/a", "tmpfs"),
        ("/run/my\\xffdir/c", "tmpfs"),
        ("/(tmpfs-dev-99)/b", "tmpfs"),
        ("/dev/shm/shm", "devshm"),
        ("/srv/data/v", "volume"),
        ("/(other)/w", "volume"),
        ("/r", "rootfs"),
    }
    contents = {entry.path: b"".join(found.blocks(entry)) for entry in found.entries}
    assert contents["/run/my\\xffdir/a"] == b"in tmpfs"
    assert contents["/srv/data/v"] == b"in volume"
    assert found.find("/run/my\\xffdir/a").raw_path == b"/run/my\xffdir/a"  # type: ignore[union-attr]
    assert checkpoint.damaged == []


def test_the_root_file_system_comes_before_others_and_nothing_is_lost() -> None:
    checkpoint = made(
        {
            "mountpoints-9.img": image("MNTS", mount(10, b"./", 5), mount(11, b"./tmp", 70)),
            "tmpfs-dev-70.tar.gz.img": gzip.compress(layer((info("a"), b"seen"))),
            "rootfs-diff.tar": layer((info("tmp/a"), b"hidden below")),
        }
    )
    assert [(e.path, e.origin) for e in checkpoint.filesystem.entries] == [
        ("/tmp/a", "rootfs"),
        ("/tmp/a", "tmpfs"),
    ]
    found = checkpoint.filesystem.find("/tmp/a")
    assert found is not None
    assert checkpoint.filesystem.read(found, 6) == b"hidden"
    assert checkpoint.filesystem.find("/nothing") is None


def test_who_uses_a_file_is_told_by_path_and_mount() -> None:
    """The same path lies on two file systems; the program, a mapping and a folder count as uses."""
    files = [reg(1, b"/bin/x", 10), reg(2, b"/tmp/a", 11), reg(3, b"/tmp/a", 10), reg(4, b"/lib/l.so")]
    files += [reg(5, b"/work", 10), reg(6, b"/", 10)]
    checkpoint = made(
        {
            "pstree.img": tree((1, 0)),
            "core-1.img": core(b"prog"),
            "mm-1.img": mm([vma(0x1000, 0x2000, status=0x41, shmid=4)] * 1, exe_file_id=1),
            "fs-1.img": image("FS", {"cwd_id": 5, "root_id": 6}),
            "ids-1.img": image("IDS", dict.fromkeys(("vm_id", "files_id", "fs_id", "sighand_id"), 1)),
            "fdinfo-1.img": image(
                "FDINFO", {"id": 2, "flags": 0, "type": 1, "fd": 7}, {"id": 2, "flags": 0, "type": 1, "fd": 9}
            ),
            "files.img": image("FILES", *files),
            "mountpoints-9.img": image("MNTS", mount(10, b"./", 5), mount(11, b"./tmp", 70)),
            "tmpfs-dev-70.tar.gz.img": gzip.compress(layer((info("a"), b""))),
            "rootfs-diff.tar": layer(
                *((info(name), b"") for name in ("tmp/a", "bin/x", "lib/l.so")),
                (info("work", tarfile.DIRTYPE), b""),
            ),
        }
    )
    used = {
        (e.path, e.origin): [(u.comm, u.how, u.fd) for u in e.open_in] for e in checkpoint.filesystem.entries
    }
    assert used == {
        ("/bin/x", "rootfs"): [("prog", "exe", None)],
        ("/lib/l.so", "rootfs"): [("prog", "map", None)],
        ("/tmp/a", "rootfs"): [],
        ("/tmp/a", "tmpfs"): [("prog", "fd", 7), ("prog", "fd", 9)],
        ("/work", "rootfs"): [("prog", "cwd", None)],
    }


def test_links_devices_and_attributes() -> None:
    members = [
        (info("d/file", uid=1000, gid=7, uname="me", gname="us", mode=0o4755), b"contents"),
        (info("d/hard", tarfile.LNKTYPE, linkname="d/file"), b""),
        (info("d/soft", tarfile.SYMTYPE, linkname="../x\x1b"), b""),
        (info("dev", tarfile.CHRTYPE, devmajor=8, devminor=1), b""),
    ]
    attributes = {
        "SCHILY.xattr.security.capability": "\x01\x00",
        "SCHILY.xattr.user.note": "plain",
        "SCHILY.xattr.user.odd": "base64:x",
    }
    members[0][0].pax_headers = attributes
    checkpoint = made({"rootfs-diff.tar": layer(*members)})
    file, hard, soft, device = (
        checkpoint.filesystem.find(path) for path in ("/d/file", "/d/hard", "/d/soft", "/dev")
    )
    assert file is not None
    assert hard is not None
    assert soft is not None
    assert device is not None
    assert (file.mode, file.uname, file.gname, file.size) == ("-rwsr-xr-x", "me", "us", 8)
    assert file.xattrs == {
        "security.capability": "base64:AQA=",
        "user.note": "plain",
        "user.odd": "base64:YmFzZTY0Ong=",
    }
    assert (hard.type, hard.link, hard.size, hard.offset) == ("hardlink", "/d/file", 8, file.offset)
    assert b"".join(checkpoint.filesystem.blocks(hard)) == b"contents"
    assert (soft.link, soft.size, device.device, device.mode) == ("../x\x1b", None, "8:1", "crw-r--r--")
    for entry in (soft, device):
        with pytest.raises(CryoscopeError) as raised:
            list(checkpoint.filesystem.blocks(entry))
        assert raised.value.code == "fs.no-contents"


def test_white_outs_and_what_took_their_place() -> None:
    checkpoint = made(
        {
            "rootfs-diff.tar": layer(
                (info("now-a-folder", tarfile.DIRTYPE), b""),
                (info(".wh.now-a-folder"), b""),
                (info("emptied", tarfile.DIRTYPE), b""),
                (info("emptied/.wh..wh..opq"), b""),
                (info("emptied/.wh..wh.aufs"), b""),
                (info(".wh.gone"), b""),
            ),
            "deleted.files": b'["/gone", "/../../etc/passwd", "also"]',
        }
    )
    assert [(entry.path, entry.change) for entry in checkpoint.filesystem.entries] == [
        ("/../../etc/passwd", "deleted"),
        ("/also", "deleted"),
        ("/emptied", "replaced"),
        ("/gone", "deleted"),
        ("/now-a-folder", "replaced"),
    ]


def sparse(size: int) -> bytes:
    """A file that is one hole, as GNU tar writes it in PAX form 1.0."""
    member = info("GNUSparseFile.0/hole")
    member.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "hole",
        "GNU.sparse.realsize": str(size),
    }
    return layer((member, f"1\n{size}\n0\n".encode().ljust(512, b"\0")))


def test_holes_read_as_zeros_and_too_many_are_an_error() -> None:
    checkpoint = made({"rootfs-diff.tar": sparse(3_000_000)})
    (entry,) = checkpoint.filesystem.entries
    assert (entry.size, entry.offset) == (3_000_000, None)
    (hashed,) = checkpoint.filesystem.hashes([entry])
    assert hashed.sha256 == hashlib.sha256(bytes(3_000_000)).hexdigest()
    huge = made({"rootfs-diff.tar": sparse(limits.HASHED_HOLES + 1)})
    (hashed,) = huge.filesystem.hashes(huge.filesystem.entries)
    assert hashed.sha256 is None
    assert [damaged.code for damaged in huge.damaged] == ["limit.hole"]


def test_a_file_that_is_cut_short() -> None:
    whole = layer((info("a"), b"a" * 600), (info("b"), b"b" * 3000))
    checkpoint = made({"rootfs-diff.tar": whole[:4000]})
    found = {entry.path: entry for entry in checkpoint.filesystem.hashes(checkpoint.filesystem.entries)}
    assert found["/a"].sha256 == hashlib.sha256(b"a" * 600).hexdigest()
    assert found["/b"].sha256 is None
    assert "archive.truncated" in {damaged.code for damaged in checkpoint.damaged}
    assert checkpoint.filesystem.read(found["/b"], 10) == b"b" * 10


def test_a_file_under_other_names_is_held_without_contents() -> None:
    checkpoint = made(
        {
            "files.img": image("FILES", reg(4, b"/tmp/gone")),
            "remap-fpath.img": image("REMAP_FPATH", {"orig_id": 4, "remap_id": 10, "remap_type": 0}),
        }
    )
    (entry,) = checkpoint.filesystem.entries
    assert (entry.path, entry.change, entry.origin, entry.has_contents) == (
        "/tmp/gone",
        "held",
        "ghost",
        False,
    )


def test_too_many_files_are_cut_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FILES", 3)
    checkpoint = made({"rootfs-diff.tar": layer(*((info(f"f{n}"), b"") for n in range(9)))})
    assert len(checkpoint.filesystem.entries) == 3
    assert {damaged.code for damaged in checkpoint.damaged} == {"limit.files"}


# --- real archives ------------------------------------------------------------------------------
def test_every_byte_of_a_real_layer(data: Path) -> None:
    """Against Python's own reader."""
    with tarfile.open(data / "crio-counter.tar") as outer:
        held = outer.extractfile("rootfs-diff.tar")
        assert held is not None
        with tarfile.open(fileobj=held) as diff:
            theirs = {}
            for member in diff.getmembers():
                opened = diff.extractfile(member) if member.isreg() else None
                if opened is not None:
                    theirs["/" + member.name] = opened.read()
    with open_checkpoint(str(data / "crio-counter.tar")) as checkpoint:
        files = [e for e in checkpoint.filesystem.entries if e.origin == "rootfs" and e.has_contents]
        assert {e.path: b"".join(checkpoint.filesystem.blocks(e)) for e in files} == theirs
        hashed = {e.path: e.sha256 for e in checkpoint.filesystem.hashes(files)}
        assert hashed == {path: hashlib.sha256(held).hexdigest() for path, held in theirs.items()}


def read(found: FileTree, path: str) -> tuple[FileEntry, bytes]:
    entry = found.find(path)
    assert entry is not None
    return entry, b"".join(found.blocks(entry))


def test_the_kitchen_sink(load: Load) -> None:
    found = load("podman-kitchen-sink/checkpoint.tar.zst").filesystem
    shm, _ = read(found, "/dev/shm/posix-shm")
    assert (shm.origin, {(user.how, user.fd) for user in shm.open_in}) == (
        "devshm",
        {("fd", 12), ("fd", 13), ("map", None)},
    )
    ghost, held = read(found, "/data/ghost.bin")
    assert (ghost.change, ghost.mode, len(held), {user.fd for user in ghost.open_in}) == (
        "held",
        "-rw-r-----",
        ghost.size,
        {6},
    )
    null = found.find("/dev/null")
    assert null is not None
    assert (null.device, null.by_engine, null.origin) == ("1:3", True, "tmpfs")
    fifo = found.find("/data/fifo")
    assert fifo is not None
    assert {user.fd for user in fifo.open_in} == {7}


def test_what_the_engine_made_is_told_apart(load: Load) -> None:
    """All that is left of a container that did little is what it did."""
    found = load("containerd-looper/checkpoint.tar").filesystem
    own = [entry.path for entry in found.entries if not entry.by_engine]
    assert own == ["/bin", "/bin/nc", "/etc", "/log", "/newfile"]


def test_a_volume_is_where_podman_mounted_it(load: Load) -> None:
    entry, held = read(load("podman-counter/checkpoint.tar.zst").filesystem, "/data/v.txt")
    assert (entry.origin, held.strip()) == ("volume", b"volume-file")


def test_a_ghost_whose_name_was_cut_off(data: Path) -> None:
    with open_checkpoint(str(data / "truncated-by-full-disk.tar")) as checkpoint:
        entry, held = read(checkpoint.filesystem, "/(ghost-file-1)")
        assert (entry.change, held.strip()) == ("held", b"MARKER-deleted-open-file-5678")


def test_holes_of_all_files_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HASHED_HOLES", 5_000_000)
    checkpoint = made({"rootfs-diff.tar": sparse(3_000_000), "volumes/v.tar": sparse(3_000_000)})
    for _ in range(2):
        found = checkpoint.filesystem.hashes(checkpoint.filesystem.entries)
        assert [entry.sha256 is None for entry in found].count(True) == 1
    assert "limit.hole" in {damaged.code for damaged in checkpoint.damaged}


def test_a_folder_that_podman_lists_as_deleted_and_fills_again() -> None:
    checkpoint = made(
        {"rootfs-diff.tar": layer((info("a/b/new"), b"")), "deleted.files": b'["/a/b", "/a/c", "/a/b/old"]'}
    )
    assert [(entry.path, entry.change) for entry in checkpoint.filesystem.entries] == [
        ("/a/b", "replaced"),
        ("/a/b/new", "written"),
        ("/a/b/old", "deleted"),
        ("/a/c", "deleted"),
    ]


def test_hard_links_to_a_sparse_file_are_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    links = [("one", "hole"), ("two", "hole"), ("three", "two")]
    headers = b"".join(info(name, tarfile.LNKTYPE, linkname=to).tobuf() for name, to in links)
    # what `layer` writes ends with zeros, in which an archive has no members
    tree = made({"rootfs-diff.tar": sparse(3_000_000)[: 4 * 512] + headers + bytes(1024)}).filesystem
    read: list[str] = []
    blocks = tree.blocks

    def counted(entry: FileEntry) -> Iterator[bytes]:
        read.append(entry.path)
        return blocks(entry)

    monkeypatch.setattr(tree, "blocks", counted)
    digests = {entry.path: entry.sha256 for entry in tree.hashes(tree.entries)}
    assert sorted(digests) == ["/hole", "/one", "/three", "/two"]
    assert set(digests.values()) == {hashlib.sha256(bytes(3_000_000)).hexdigest()}
    assert len(read) == 1
