"""`fs` against the engines' own word and against the files themselves: a container that does all to files.

What the engine says (`podman diff`, `docker diff`) and the overlay's upper directory, byte for byte, are the
truth.  What an archive cannot carry is in `CANNOT`, with the reason.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from cryoscope.checkpoint.archive import FileSource, TarWriter, open_archive
from cryoscope.checkpoint.archive.oci import DOCKER
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.rootfs import FileEntry
from cryoscope.examine.changes import compared
from cryoscope.workflows.fs import opened_base
from cryoscope.workflows.open import open_checkpoint
from lab.engines import Engine, Running
from lab.workloads import IMAGES
from writer import GHOST, WRITER

CANNOT = {
    "podman": {
        "changed folders": "containers/common puts new paths and changed files into the tar; a folder of the "
        "image only comes with new contents, so that its mode, owner and time are lost",
        "a folder that became a file": "such a change is called one of a folder, and left out as those are",
        "a file that became a folder": "containers/storage cannot compute that: there is no checkpoint",
    },
    "containerd": {
        "files as they were": "containerd compares with the image and leaves out what is as it was there",
        "user attributes": "of extended attributes a layer of containerd has security.capability only",
        "volumes and /dev/shm": "mounts from outside of the container are not checkpointed",
    },
    "docker": {
        "the root file system": "a checkpoint of Docker is CRIU's images: take the layer with docker commit",
        "volumes": "mounts from outside of the container are not checkpointed",
    },
    "every engine": {
        "fractions of seconds": "tars have whole seconds; of deleted files CRIU keeps microseconds",
        "sockets": "a tar cannot hold them",
    },
}
"""Engine, what is lost, why: docs/commands.md has the same."""

SAVED = "/var/lib/lab/writer-image.tar"
OWN = {b"/etc/hosts", b"/etc/hostname", b"/etc/mtab", b"/run", b"/run/.containerenv"}
"""What Podman makes in every container, and leaves out."""

EMPTIED = b"/var/log/nginx"
UNCHANGED = "/opt/lab/src/registers.c"
SECOND = 1_000_000_000
ENGINES = ("podman-crun", "podman-runc", "containerd", "docker")


@dataclass(frozen=True)
class Real:
    """A file of the upper directory as lstat(2) sees it; `inode` is that of hard links."""

    type: str
    mode: str
    uid: int
    gid: int
    size: int | None
    mtime: int
    link: str | None
    sha256: str | None
    xattrs: dict[str, bytes]
    inode: int


@dataclass(frozen=True)
class Written:
    """The checkpoint of the writer, its upper directory, and what the engine says changed (or None)."""

    kind: str
    path: Path
    base: Path
    files: dict[bytes, Real]
    deleted: set[bytes]
    opaque: set[bytes]
    said: dict[str, str] | None


KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo"}


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in ENGINES]
)
def written(request: pytest.FixtureRequest) -> Iterator[Written]:
    kind, _, runtime = request.param.partition("-")
    found = request.getfixturevalue(kind)
    engine: Engine = found(runtime) if runtime else found
    running = engine.start(WRITER.given("no-folder-for-a-file") if kind == "podman" else WRITER)
    try:
        # CRIU makes a folder in the container's /tmp for a moment, which leaves a copy of /tmp there.
        truth = walked(upper_of(engine, running))
        said = said_by(engine, running, kind)
        if kind == "docker":
            commit(engine, running)
        path = engine.checkpoint(running)
        if kind == "docker":
            path = with_committed_layer(engine, path)
        base = engine.node.outside(IMAGES["workloads"].archive)
        yield Written(kind, path, base, *truth, said)
    finally:
        engine.remove(running)


def upper_of(engine: Engine, running: Running) -> Path:
    info = Path(f"/proc/{running.pid}/mountinfo").read_text()
    found = re.search(r" / / .*\bupperdir=([^,\s]*)", info)
    assert found is not None, info
    return engine.node.outside(found[1])


def said_by(engine: Engine, running: Running, kind: str) -> dict[str, str] | None:
    """Paths that the engine says were added (A), changed (C) and deleted (D)."""
    if kind == "podman":
        found = json.loads(engine.node.run("podman", "diff", "--format", "json", running.id).stdout)
        words = {"added": "A", "changed": "C", "deleted": "D"}
        return {path: words[word] for word, paths in found.items() for path in paths or ()}
    if kind == "docker":
        lines = docker(engine, "diff", running.id).splitlines()
        return {line[2:]: line[0] for line in lines}
    return None


def docker(engine: Engine, *arguments: str) -> str:
    return str(engine.node.run("docker", "--host", "unix:///run/docker.sock", *arguments).stdout)


def commit(engine: Engine, running: Running) -> None:
    """Make an image of the container, whose last layer is what it wrote."""
    docker(engine, "commit", "--pause=false", running.id, "writer:lab")
    engine.node.run("mkdir", "-p", "/var/lib/lab")
    docker(engine, "save", "-o", SAVED, "writer:lab")


def with_committed_layer(engine: Engine, folder: Path) -> Path:
    """CRIU's images and the layer of that image as one archive."""
    out = folder.parent / f"{folder.name}-with-layer.tar"
    with (
        open_archive(FileSource(engine.node.outside(SAVED)), nesting=1) as image,
        out.open("wb") as file,
        TarWriter(file) as tar,
    ):
        top = json.loads(image.read(DOCKER))[0]["Layers"][-1]
        tar.add("rootfs-diff.tar", image.read(top))
        for one in sorted(folder.iterdir()):
            tar.add(f"checkpoint/{one.name}", one.read_bytes())
    return out


def walked(upper: Path) -> tuple[dict[bytes, Real], set[bytes], set[bytes]]:
    """Files, deleted paths and emptied folders of an upper directory of overlayfs."""
    root = os.fsencode(upper)
    files: dict[bytes, Real] = {}
    deleted, opaque = set[bytes](), set[bytes]()
    for folder, folders, names in os.walk(root):
        for name in folders + names:
            place = os.path.join(folder, name)
            path = place.removeprefix(root)
            status = os.lstat(place)
            if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
                deleted.add(path)
                continue
            files[path] = real(place, status)
            if files[path].xattrs.get("trusted.overlay.opaque") == b"y":
                opaque.add(path)
    return files, deleted, opaque


def real(place: bytes, status: os.stat_result) -> Real:
    kind = KINDS[stat.S_IFMT(status.st_mode)]
    names = os.listxattr(place, follow_symlinks=False)
    return Real(
        type=kind,
        mode=stat.filemode(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        size=status.st_size if kind == "file" else None,
        mtime=status.st_mtime_ns // SECOND,
        link=os.fsdecode(os.readlink(place)) if kind == "symlink" else None,
        sha256=hashlib.sha256(Path(os.fsdecode(place)).read_bytes()).hexdigest() if kind == "file" else None,
        xattrs={name: os.getxattr(place, name, follow_symlinks=False) for name in names},
        inode=status.st_ino,
    )


@pytest.fixture(scope="module")
def opened(written: Written) -> Iterator[Checkpoint]:
    with open_checkpoint(str(written.path)) as checkpoint:
        yield checkpoint


@pytest.fixture(scope="module")
def entries(opened: Checkpoint) -> dict[bytes, FileEntry]:
    """The files of the root file system, with digests."""
    tree = opened.filesystem
    found = tree.hashes(entry for entry in tree.entries if entry.origin == "rootfs")
    return {entry.raw_path: entry for entry in found}


def in_archive(written: Written) -> dict[bytes, Real]:
    """The files of the upper directory that an archive of this engine can hold."""
    if written.kind == "podman":
        lost = {path for path, file in written.files.items() if of_the_image(written, path, file)}
        return {path: file for path, file in written.files.items() if path not in lost | OWN | {EMPTIED}}
    if written.kind == "containerd":  # "files as they were"
        return {path: file for path, file in written.files.items() if path != UNCHANGED.encode()}
    return written.files


def of_the_image(written: Written, path: bytes, file: Real) -> bool:
    """Whether it is one of the "changed folders"."""
    return file.type == "directory" and ("trusted.overlay.origin" in file.xattrs or path in written.opaque)


def test_every_file_of_the_upper_directory_byte_for_byte(
    written: Written, entries: dict[bytes, FileEntry]
) -> None:
    wanted = in_archive(written)
    there = {path: entry for path, entry in entries.items() if entry.type is not None}
    assert there.keys() == wanted.keys()
    for path, file in wanted.items():
        entry = there[path]
        kind = "file" if entry.type == "hardlink" else entry.type
        facts = (kind, entry.mode, entry.uid, entry.gid, entry.size, entry.sha256)
        assert facts == (file.type, file.mode, file.uid, file.gid, file.size, file.sha256), path
        assert (entry.mtime_ns or 0) // SECOND == file.mtime, path
        assert (entry.link if kind == "symlink" else None) == file.link


def test_hard_links_and_attributes(written: Written, entries: dict[bytes, FileEntry]) -> None:
    linked = [entries[path] for path in (b"/new/plain", b"/new/hard")]
    assert sorted(str(entry.type) for entry in linked) == ["file", "hardlink"]
    assert linked[0].offset == linked[1].offset
    assert written.files[b"/new/plain"].inode == written.files[b"/new/hard"].inode
    found = entries[b"/new/attributes"].xattrs
    assert found["security.capability"].startswith("base64:AQAAAg")
    if written.kind == "containerd":  # "user attributes"
        assert "user.lab" not in found
    elif "user.lab" in written.files[b"/new/attributes"].xattrs and written.kind == "podman":
        assert found["user.lab"] == "said"


def test_what_was_deleted(written: Written, entries: dict[bytes, FileEntry]) -> None:
    """containerd names what an emptied folder held; the others say that it was emptied."""
    gone = {path for path, entry in entries.items() if entry.change == "deleted"}
    replaced = {path for path, entry in entries.items() if entry.change == "replaced"}
    below = {path for path in gone if any(path.startswith(folder + b"/") for folder in written.opaque)}
    assert gone - below == written.deleted
    assert replaced <= written.opaque
    if written.kind == "containerd":
        assert b"/opt/lab/bin/kinds/__main__.py" in below
    else:
        assert b"/opt/lab/bin/kinds" in replaced or below


def test_it_is_what_the_engine_says(written: Written, opened: Checkpoint) -> None:
    """Added, changed and deleted as `podman diff` and `docker diff` have them, told by the image as base."""
    if written.said is None:
        pytest.skip("containerd has no command that says what changed")
    with ExitStack() as stack:
        base = opened_base(str(written.base), stack, [])
        tree = opened.filesystem
        found = list(compared(tree, [e for e in tree.entries if e.origin == "rootfs"], base, []))
    if written.kind == "podman":  # it names the emptied folder, not what was in it
        found = [entry for entry in found if tree.find(entry.path) is not None]
    else:  # docker compares with the image
        found = [entry for entry in found if entry.change != "same"]
    engines = {entry.path for entry in found if entry.by_engine}
    ours = {entry.raw_path.decode("utf-8", "replace"): word(entry) for entry in found if is_told(entry)}
    folders = {os.fsdecode(path) for path, file in written.files.items() if file.type == "directory"}
    theirs = {path: letter for path, letter in written.said.items() if path not in engines}
    theirs = {path: letter for path, letter in theirs.items() if letter != "C" or path not in folders}
    if written.kind == "podman":  # "a folder that became a file"
        assert theirs.pop(EMPTIED.decode()) == "C"
    assert ours == theirs


def is_told(entry: FileEntry) -> bool:
    """Whether it is a change of a file, or of more than the time of a folder."""
    folder = entry.type == "directory" and entry.change != "added"
    return not entry.by_engine and not folder


def word(entry: FileEntry) -> str:
    """The letter that engines have for a change; a folder that was emptied is gone for Podman."""
    if entry.change == "added":
        return "A"
    if entry.change == "deleted" or (entry.change == "replaced" and entry.type is None):
        return "D"
    return "C"


def test_changes_that_only_the_base_tells(written: Written, opened: Checkpoint) -> None:
    with ExitStack() as stack:
        base = opened_base(str(written.base), stack, [])
        found = {e.path: e for e in compared(opened.filesystem, opened.filesystem.entries, base, [])}
    assert (found["/etc/passwd"].change, found["/etc/passwd"].differs) == ("changed", ["content", "mtime"])
    assert (found["/opt/lab/src/heap.c"].change, found["/opt/lab/src/heap.c"].differs) == (
        "metadata",
        ["mode"],
    )
    assert found["/opt/lab/src/threads.c"].differs == ["owner"]
    assert found["/opt/lab/src/locals.c"].differs == ["mtime"]
    assert found["/new/plain"].change == "added"
    if written.kind != "containerd":
        assert found[UNCHANGED].change == "same"
    if written.kind != "podman":
        assert found[EMPTIED.decode()].differs[0] == "type"
    gone = found["/opt/lab/src/dlopened.c"]
    assert gone.before is not None
    assert gone.before.type == "file"


def test_what_lies_elsewhere_and_who_uses_it(written: Written, opened: Checkpoint) -> None:
    tree = opened.filesystem
    ghost = next(entry for entry in tree.entries if entry.origin == "ghost")
    assert (ghost.path, ghost.change, b"".join(tree.blocks(ghost))) == ("/new/ghost", "held", GHOST)
    uses = {path: sorted({user.how for user in tree.find(path).open_in}) for path in USED}  # type: ignore[union-attr]
    assert uses == USED
    places = {(entry.path, entry.origin) for entry in tree.entries}
    assert (("/scratch/sub/file", "tmpfs") in places) == (written.kind != "containerd")
    assert (("/kept/sub/file", "volume") in places) == (written.kind == "podman")
    shm = {"podman": "devshm", "docker": "tmpfs"}.get(written.kind)
    assert (("/dev/shm/shared", shm) in places) == (shm is not None)
    assert opened.damaged == []


USED = {
    "/new/plain": ["fd"],
    "/new/hard": ["fd"],
    "/new/deep/binary": ["fd", "map"],
    "/new/deep": ["cwd"],
    "/new/empty": [],
}


def test_a_checkpoint_of_docker_has_no_root_file_system(written: Written) -> None:
    if written.kind != "docker":
        pytest.skip("other engines save it")
    folder = Path(str(written.path).removesuffix("-with-layer.tar"))
    with open_checkpoint(str(folder)) as checkpoint:
        assert {entry.origin for entry in checkpoint.filesystem.entries} == {"tmpfs", "ghost"}


def test_what_is_extracted_is_what_was_there(written: Written, tmp_path: Path) -> None:
    import sys

    command = [sys.executable, "-m", "cryoscope", "fs", "extract", "--no-cache", "-f", "json"]
    done = subprocess.run(
        [*command, str(written.path), "--origin", "rootfs", "-o", str(tmp_path / "out")],
        capture_output=True,
        check=True,
    )
    files = json.loads(done.stdout)["archives"][0]["files"]
    wanted = {path: file for path, file in in_archive(written).items() if file.type == "file" and file.size}
    for file in files:
        path = os.fsencode(file["path"]) if "path_base64" not in file else b"/new/od\xffd \x1b[31m"
        if path in wanted:
            data = (tmp_path / "out" / file["file"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == wanted.pop(path).sha256
    assert not wanted


def test_the_table_of_what_is_lost_is_documented() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs/commands.md").read_text()
    rows = re.findall(r"^\| (podman|containerd|docker|every engine) \| ([^|]*) \|", text, re.MULTILINE)
    assert sorted(rows) == sorted((engine, what) for engine, lost in CANNOT.items() for what in lost)
