"""The copy that an engine gets: the same bytes where nothing was wrong, written by this project alone."""

from __future__ import annotations

import gzip
import io
import json
import resource
import tarfile
from pathlib import Path

import pytest
from vetting_archives import (
    CONTAINERD,
    CRIO,
    DOCKER,
    ENGINE,
    NOTED,
    PODMAN,
    device,
    entry,
    files,
    opened,
    sized,
    tar,
)

from cryoscope.checkpoint.archive import FileSource, TarWriter, open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.engines.port import Edits
from cryoscope.engines.vetting import Policy, clean_copy, merged, vet
from cryoscope.engines.vetting.edits import of_json
from cryoscope.errors import CryoscopeError, Refused

BASES = (PODMAN, CONTAINERD, CRIO, DOCKER)


def copied(data: bytes, edits: Edits) -> bytes:
    out = io.BytesIO()
    clean_copy(opened(data).archive, edits, out)
    return out.getvalue()


def listed(data: bytes) -> list[tuple[str, bytes, int, int, str, tuple[int, int], bytes]]:
    """What tarfile sees, without the slashes and dots that names begin with."""
    found = []
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for one in archive:
            content = archive.extractfile(one).read() if one.isreg() else b""  # type: ignore[union-attr]
            name = one.name.removeprefix("./")
            found.append(
                (name, one.type, one.mode, one.uid, one.linkname, (one.devmajor, one.devminor), content)
            )
    return found


@pytest.mark.parametrize("base", BASES)
def test_a_copy_without_edits_has_every_member_in_its_order(base: str) -> None:
    data = tar(files(base))
    assert listed(copied(data, Edits())) == listed(data)


@pytest.mark.parametrize("base", BASES)
def test_the_vetted_copy_has_the_same_files_in_its_trees(base: str) -> None:
    members = files(base)
    verdict = vet(opened(tar(members)), Policy(engine=ENGINE[base]))
    copy = {one[0]: one[-1] for one in listed(copied(tar(members), verdict.edits))}
    assert copy.keys() == members.keys() - {"bind.mounts"}
    for name in verdict.edits.keep:
        assert copy[name][:2] == members[name][:2] or not members[name].startswith(b"\x1f\x8b")
        assert listed(copy[name]) == listed(members[name])
    untouched = members.keys() - verdict.edits.keep.keys() - verdict.edits.change.keys() - {"bind.mounts"}
    assert all(copy[name] == members[name] for name in untouched)


def test_the_same_archive_gives_the_same_bytes() -> None:
    data = tar(files(CONTAINERD))
    edits = vet(opened(data), Policy(engine="cri")).edits
    assert copied(data, edits) == copied(data, edits)


def test_edits_change_drop_add_rename_and_put_in_front() -> None:
    edits = Edits(
        change={"config.dump": [of_json(lambda d: d.update(a=1)), of_json(lambda d: d.update(b=d["a"] + 1))]},
        drop=["deleted.files"],
        add={"new": b"bytes", "network.status": b"{}"},
        before={"rootfs-diff.tar": b"front"},
        rename={"ctr.log": "renamed.log"},
    )
    members = files(PODMAN)
    copy = {one[0]: one[-1] for one in listed(copied(tar(members), edits))}
    assert json.loads(copy["config.dump"])["b"] == 2
    assert (copy["new"], copy["network.status"]) == (b"bytes", b"{}")
    assert copy["rootfs-diff.tar"] == b"front" + members["rootfs-diff.tar"]
    assert copy["renamed.log"] == members["ctr.log"]
    assert not {"deleted.files", "ctr.log"} & copy.keys()


def test_entries_in_front_of_a_tree_that_is_written_anew_are_its_first() -> None:
    front = tar({"placeholder": b""})[:512]
    edits = Edits(before={"rootfs-diff.tar": front}, keep={"rootfs-diff.tar": [lambda m: m.name != "log"]})
    copy = {one[0]: one[-1] for one in listed(copied(tar(files(CRIO)), edits))}
    assert [one[0] for one in listed(copy["rootfs-diff.tar"])][:2] == ["placeholder", "data/count"]


def test_edits_are_merged_in_their_order() -> None:
    one = Edits(change={"a": [1]}, drop=["x"], add={"n": b"1"}, keep={"t": [2]}, before={"t": b"1"})
    two = Edits(change={"a": [3]}, drop=["x", "y"], add={"n": b"2"}, rename={"c": "d"}, before={"t": b"2"})
    assert merged(one, two) == Edits(
        change={"a": [1, 3]},
        drop=["x", "y"],
        add={"n": b"2"},
        keep={"t": [2]},
        before={"t": b"21"},
        rename={"c": "d"},
    )


def test_what_is_legitimate_in_a_tree_survives_it() -> None:
    """Fifos, devices of runtimes, links, white-outs, rights, owners, times, attributes, long names."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as made:
        made.addfile(entry(".", tarfile.DIRTYPE, mode=0o1777))
        made.addfile(entry("pipe", tarfile.FIFOTYPE))
        made.addfile(device("null", 1, 3))
        made.addfile(device("hidden", 0, 0))
        made.addfile(entry("mtab", tarfile.SYMTYPE, "/proc/mounts"))
        made.addfile(entry("x/.wh.gone"))
        plain = sized(entry("bin/ping", mode=0o4755), b"ping")
        plain.uid, plain.gid, plain.mtime = 1234, 5 << 30, 1.5
        plain.pax_headers = {"SCHILY.xattr.security.capability": "caps", "SCHILY.xattr.trusted.x": "y"}
        made.addfile(plain, io.BytesIO(b"ping"))
        made.addfile(entry("bin/" + "long" * 60, tarfile.LNKTYPE, "bin/ping"))
    data = tar(files(PODMAN) | {"rootfs-diff.tar": out.getvalue()})
    verdict = vet(opened(data), Policy(engine="podman"))
    assert {claim.code for claim in verdict.claims} - NOTED == {"tree.attribute", "tree.setuid"}
    edits = merged(verdict.edits, Edits(keep={"rootfs-diff.tar": []}))
    edits.keep["rootfs-diff.tar"][:] = [lambda _: True]
    copy = {one[0]: one[-1] for one in listed(copied(data, edits))}["rootfs-diff.tar"]
    assert listed(copy) == listed(out.getvalue())
    with tarfile.open(fileobj=io.BytesIO(copy)) as tree:
        ping = tree.getmember("bin/ping")
    assert (ping.uid, ping.gid, ping.mtime) == (1234, 5 << 30, 1.5)
    assert ping.pax_headers["SCHILY.xattr.security.capability"] == "caps"
    assert "SCHILY.xattr.trusted.x" not in ping.pax_headers


def test_the_root_of_a_tree_keeps_its_rights() -> None:
    members = files(PODMAN)
    copy = {
        one[0]: one[-1]
        for one in listed(copied(tar(members), vet(opened(tar(members)), Policy(engine="podman")).edits))
    }
    with tarfile.open(fileobj=io.BytesIO(copy["devshm-checkpoint.tar"])) as tree:
        assert [(one.name, one.mode) for one in tree] == [(".", 0o1777)]


def test_what_the_engine_itself_answers_counts_as_cleaned() -> None:
    members = files(PODMAN)
    spec = json.loads(members["spec.dump"])
    bind = {"destination": "/host", "type": "bind", "source": "/", "options": ["rbind"]}
    spec["mounts"].append(bind)
    data = tar(members | {"spec.dump": json.dumps(spec).encode()})
    given = Edits(change={"spec.dump": [of_json(lambda d: d["mounts"].remove(bind))]}, add={"new": b""})
    checkpoint = opened(data)
    assert [c.code for c in vet(checkpoint, Policy(engine="podman")).against()] == ["mount.host-path"]
    verdict = vet(checkpoint, Policy(engine="podman"), given)
    assert verdict.against() == []
    told = [(claim.code, claim.cleaned) for claim in verdict.claims if claim.code not in NOTED]
    assert told == [("mount.host-path", True)]
    copy = copied(data, verdict.edits)
    assert vet(opened(copy), Policy(engine="podman")).against() == []
    assert "new" in opened(copy).archive


def test_what_the_engine_brings_is_judged_too() -> None:
    given = Edits(change={"spec.dump": [of_json(lambda d: d.update(hooks={"prestart": [{"path": "/x"}]}))]})
    verdict = vet(opened(tar(files(PODMAN))), Policy(engine="podman"), given)
    told = [(claim.code, claim.cleaned) for claim in verdict.claims if claim.code not in NOTED]
    assert told == [("spec.hooks", True)]
    copy = opened(copied(tar(files(PODMAN)), verdict.edits))
    assert b"hooks" not in copy.archive.read("spec.dump")


def test_a_declared_mount_comes_from_where_it_was_declared() -> None:
    members = files(PODMAN)
    spec = json.loads(members["spec.dump"])
    spec["mounts"].append({"destination": "/data", "type": "bind", "source": "/etc", "options": ["bind"]})
    data = tar(members | {"spec.dump": json.dumps(spec).encode()})
    policy = Policy(engine="podman", mounts={"/data": "/srv/empty"})
    verdict = vet(opened(data), policy)
    assert verdict.against() == []
    made = json.loads(opened(copied(data, verdict.edits)).archive.read("spec.dump"))
    assert [mount["source"] for mount in made["mounts"] if mount["destination"] == "/data"] == ["/srv/empty"]


def test_an_archive_that_is_cut_short_gives_no_whole_copy() -> None:
    data = tar(files(PODMAN))[:200_000]
    out = io.BytesIO()
    with pytest.raises(CryoscopeError):
        clean_copy(opened(data).archive, Edits(), out)
    assert not out.getvalue().endswith(bytes(1024))


def test_an_edit_that_cannot_be_made_is_an_error_with_a_code() -> None:
    edits = Edits(change={"ctr.log": [of_json(lambda _: None)]})
    with pytest.raises(Refused) as caught:
        copied(tar(files(PODMAN)), edits)
    assert caught.value.code == "vetting.edit"


def test_a_tree_cut_short_is_refused() -> None:
    members = files(CONTAINERD)
    packed = gzip.compress(gzip.decompress(members["rootfs-diff.tar"])[:2048])
    verdict = vet(opened(tar(members | {"rootfs-diff.tar": packed})), Policy(engine="cri"))
    assert "tree.damaged" in {claim.code for claim in verdict.against(force=True)}


def test_a_sparse_member_is_refused_and_never_written() -> None:
    out = io.BytesIO(tar(files(PODMAN))[:-10240])
    out.seek(0, io.SEEK_END)
    record = b"GNU.sparse.major=1\nGNU.sparse.minor=0\n"
    sparse = tarfile.TarInfo("ctr.log")
    sparse.pax_headers = {
        **dict(line.decode().split("=") for line in record.splitlines()),
        "GNU.sparse.realsize": str(1 << 60),
    }
    map_ = b"1\n0\n1\n".ljust(512, b"\0") + b"x"
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as made:
        made.addfile(sized(sparse, map_), io.BytesIO(map_))
    verdict = vet(opened(out.getvalue()), Policy(engine="podman"))
    assert "member.sparse" in {claim.code for claim in verdict.against(force=True)}


def test_pages_are_not_read_to_be_vetted_and_copied_in_blocks(tmp_path: Path) -> None:
    """Whatever their size: what is read of the file is counted."""
    path, size = tmp_path / "big.tar", 1 << 28
    members = files(PODMAN)
    with open(path, "wb") as out, TarWriter(out) as made:
        for name, data in members.items():
            made.add(name, data)
        pages = tmp_path / "pages"
        with open(pages, "wb") as file:
            file.truncate(size)
        with open(pages, "rb") as file:
            made.add("checkpoint/pages-9.img", file)
    source = Counting(path)
    with Checkpoint(open_archive(source)) as checkpoint:
        verdict = vet(checkpoint, Policy(engine="podman"))
        assert source.read < 4 << 20
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        sink = Hashing()
        clean_copy(checkpoint.archive, verdict.edits, sink)  # type: ignore[arg-type]
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert sink.size > size
    assert grown < 64 * 1024


class Counting(FileSource):
    """A file that counts what is read of it."""

    read = 0

    def read_at(self, offset: int, length: int) -> bytes:
        data = super().read_at(offset, length)
        self.read += len(data)
        return data


class Hashing:
    """A file that keeps nothing."""

    def __init__(self) -> None:
        self.size = 0

    def write(self, data: bytes) -> int:
        self.size += len(data)
        return len(data)
