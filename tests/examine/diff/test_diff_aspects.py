"""Each aspect: what changed is told, what a restore gives anew is not, and damage is never a change."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import pytest
from diff_samples import BASE, PLACES, checkpoint, process, told

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.errors import UsageError
from cryoscope.examine.diff import Compared, Wanted, compare
from tests.checkpoint.built_samples import PAGE, image, vma

ELSEWHERE = PLACES | {"mm_start_stack": 0x7FFE2000}
Told = set[tuple[str, str, str, str | None]]


def changes(old: dict[str, bytes], new: dict[str, bytes]) -> Told:
    return told(compare(checkpoint(old), checkpoint(new)))


# --- who is who ---------------------------------------------------------------------------------
def matched(old: Checkpoint, new: Checkpoint) -> list[tuple[int, int, str]]:
    return [(one.pid_before, one.pid, one.by) for one in compare(old, new).diff.matched]


def test_a_process_that_was_started_anew_with_its_pid_is_gone_and_new() -> None:
    stays = process(1)
    old = checkpoint(stays | process(7, comm=b"web"), (1, 0), (7, 1))
    new = checkpoint(stays | process(7, comm=b"web", places=ELSEWHERE), (1, 0), (7, 1))
    found = compare(old, new)
    assert [(one.pid, one.by) for one in found.diff.matched] == [(1, "start")]
    assert [(d.change, d.pid) for d in found.diff.differences] == [("added", 7), ("removed", 7)]


def test_a_new_name_and_a_new_parent_are_changes_of_one_process() -> None:
    family = process(1) | process(5, places=ELSEWHERE)
    old = checkpoint(family | process(7, comm=b"web", places={"mm_start_stack": 5}), (1, 0), (5, 1), (7, 5))
    new = checkpoint(family | process(7, comm=b"miner", places={"mm_start_stack": 5}), (1, 0), (5, 1), (7, 1))
    found = compare(old, new)
    assert {(d.pid, d.field, d.old, d.new) for d in found.diff.differences} == {
        (7, "comm", "web", "miner"),
        (7, "ppid", "5", "1"),
    }


def test_other_pids_at_the_same_places() -> None:
    """As where the container's processes were moved into another pid namespace."""
    old = checkpoint(process(1) | process(2, places=ELSEWHERE), (1, 0), (2, 1))
    new = checkpoint(process(31) | process(32, places=ELSEWHERE), (31, 0), (32, 31))
    assert matched(old, new) == [(1, 31, "addresses"), (2, 32, "addresses")]
    assert {d.field for d in compare(old, new).diff.differences} <= {"pgid", "sid"}


def test_where_nothing_lies_where_it_lay_names_decide_and_memory_is_not_compared() -> None:
    old = checkpoint(process(comm=b"web", pages={0: b"a" * PAGE}))
    new = checkpoint(process(comm=b"web", places=ELSEWHERE, pages={0: b"b" * PAGE}))
    found = compare(old, new).diff
    assert [(one.pid, one.by) for one in found.matched] == [(1, "command")]
    assert found.memory is not None
    assert found.memory.processes == []
    assert any("other addresses" in note for note in found.notes)


def test_zombies_are_matched_without_memory() -> None:
    dead = {"core-3.img": process(3, comm=b"gone", task_state=6)["core-3.img"]}
    pair = checkpoint(process() | dead, (1, 0), (3, 1)), checkpoint(process() | dead, (1, 0), (3, 1))
    assert matched(*pair) == [(1, 1, "start"), (3, 3, "zombie")]
    assert told(compare(*pair)) == set()


def test_without_address_randomisation_another_program_is_another_process() -> None:
    fixed = int("40000", 10)  # CRIU takes the hexadecimal digits of 0x0040000 for decimal ones

    def running(name: bytes) -> Checkpoint:
        files = image("FILES", {"type": 1, "id": 5, "reg": reg(5, name)})
        mm = process(places=PLACES | {"exe_file_id": 5}, personality=fixed)
        return checkpoint(mm | {"files.img": files})

    def reg(number: int, name: bytes) -> dict[str, Any]:
        fown = {"uid": 0, "euid": 0, "signum": 0, "pid_type": 0, "pid": 0}
        return {"id": number, "flags": 0, "pos": 0, "fown": fown, "name": name}

    assert matched(running(b"/bin/a"), running(b"/bin/a")) == [(1, 1, "start")]
    assert ("1", "start") not in {
        (str(one[1]), one[2]) for one in matched(running(b"/bin/a"), running(b"/bin/b"))
    }


def test_asked_for_one_process() -> None:
    old = checkpoint(process(1, comm=b"a") | process(2, comm=b"b", places=ELSEWHERE), (1, 0), (2, 1))
    new = checkpoint(process(1, comm=b"A") | process(2, comm=b"B", places=ELSEWHERE), (1, 0), (2, 1))
    found = compare(old, new, Wanted(pids=[2])).diff
    assert [(d.pid, d.new) for d in found.differences] == [(2, "B")]
    with pytest.raises(UsageError, match="no process 9"):
        compare(old, new, Wanted(pids=[9]))


# --- descriptors and sockets --------------------------------------------------------------------
def with_files(*entries: dict[str, Any]) -> dict[str, bytes]:
    """A process whose descriptors are these, by number from 0."""
    table = [
        {"id": entry["id"], "flags": 0, "type": entry["type"], "fd": n} for n, entry in enumerate(entries)
    ]
    return process() | {"fdinfo-1.img": image("FDINFO", *table), "files.img": image("FILES", *entries)}


FOWN = {"uid": 0, "euid": 0, "signum": 0, "pid_type": 0, "pid": 0}


def regular(number: int, name: bytes, **more: Any) -> dict[str, Any]:
    fields = {"id": number, "flags": 1, "pos": 0, "fown": FOWN, "name": name} | more
    return {"type": 1, "id": number, "reg": fields}


def pipe(number: int, inode: int) -> dict[str, Any]:
    return {"type": 2, "id": number, "pipe": {"id": number, "pipe_id": inode, "flags": 0, "fown": FOWN}}


def listening(number: int, port: int, *, inode: int = 900, state: int = 10) -> dict[str, Any]:
    skopts = {"so_sndbuf": 1, "so_rcvbuf": 1, "so_snd_tmo_sec": 0, "so_snd_tmo_usec": 0}
    skopts |= {"so_rcv_tmo_sec": 0, "so_rcv_tmo_usec": 0}
    fields = {
        "id": number,
        "ino": inode,
        "family": 2,
        "type": 1,
        "proto": 6,
        "state": state,
        "src_port": port,
    }
    fields |= {"dst_port": 0, "flags": 0, "backlog": 5, "src_addr": [0x0100007F], "dst_addr": [0]}
    return {"type": 4, "id": number, "isk": fields | {"fown": FOWN, "opts": skopts}}


def test_descriptors_that_were_opened_closed_or_moved() -> None:
    old = with_files(regular(1, b"/log", pos=10), regular(2, b"/etc/passwd"), pipe(3, 50))
    new = with_files(regular(1, b"/log", pos=20), regular(2, b"/etc/shadow"))
    assert changes(old, new) == {
        ("descriptors", "changed", "fd 0", "offset"),
        ("descriptors", "changed", "fd 1", "target"),
        ("descriptors", "removed", "fd 2", None),
    }


def test_inodes_that_a_restore_gave_anew_are_no_change() -> None:
    old = with_files(pipe(1, 50), pipe(2, 51), listening(3, 80))
    assert changes(old, with_files(pipe(1, 70), pipe(2, 71), listening(3, 80, inode=77))) == set()


def test_two_ends_that_were_one_pipe_and_are_two() -> None:
    old = with_files(pipe(1, 50), pipe(2, 50))
    assert ("descriptors", "changed", "fd 1", "target") in changes(old, with_files(pipe(1, 70), pipe(2, 71)))


def test_sockets_by_what_they_are_bound_to() -> None:
    found = changes(with_files(listening(1, 80)), with_files(listening(1, 80, state=7), listening(2, 4444)))
    assert ("sockets", "added", "inet stream tcp 127.0.0.1:4444", None) in found
    assert ("sockets", "changed", "inet stream tcp 127.0.0.1:80", "state") in found
    assert not any(change == "removed" for _, change, *_ in found)


def test_descriptors_of_a_table_that_is_lost_are_unknown() -> None:
    whole = with_files(regular(1, b"/log"), listening(2, 80))
    broken = whole | {"fdinfo-1.img": b"nonsense"}
    assert {change for _, change, *_ in changes(whole, broken)} == {"unknown"}
    assert {change for _, change, *_ in changes(broken, whole)} == {"unknown"}
    assert not compare(checkpoint(whole), checkpoint(broken)).diff.different


# --- rights, mounts, mappings -------------------------------------------------------------------
def with_rights(**creds: Any) -> dict[str, bytes]:
    """A process with these credentials, root's without capabilities otherwise."""
    ids = dict.fromkeys(("uid", "gid", "euid", "egid", "suid", "sgid", "fsuid", "fsgid"), 0)
    caps = {name: [0xFF, 0] for name in ("cap_inh", "cap_prm", "cap_eff", "cap_bnd")}
    leader = {
        "futex_rla": 0,
        "futex_rla_len": 0,
        "sched_policy": 0,
        "creds": ids | caps | {"secbits": 0} | creds,
    }
    task = {"personality": 0, "exit_code": 0, "flags": 0, "blk_sigset": 0, "comm": b"made", "task_state": 1}
    return process() | {"core-1.img": image("CORE", {"mtype": 1, "tc": task, "thread_core": leader})}


def test_rights_that_grew() -> None:
    old, new = with_rights(uid=1000), with_rights(uid=0, cap_eff=[0x2000FF, 0])
    found = compare(checkpoint(old), checkpoint(new)).diff.differences
    assert {(d.aspect, d.field) for d in found} == {("rights", "uid"), ("rights", "cap_effective")}
    effective = next(d for d in found if d.field == "cap_effective")
    assert set(effective.new or ()) - set(effective.old or ()) == {"CAP_SYS_ADMIN"}


def mounted(*mounts: tuple[int, bytes, bytes]) -> dict[str, bytes]:
    rows = [
        {"fstype": 0, "mnt_id": n, "root_dev": 1, "parent_mnt_id": 0, "flags": 0, "root": b"/",
         "mountpoint": at, "source": source, "options": b"", "fsname": b"ext4"}
        for n, at, source in mounts
    ]  # fmt: skip
    return process() | {"mountpoints-12.img": image("MNTS", *rows)}


def test_mounts_by_place_whatever_their_numbers() -> None:
    old = mounted((1, b"/", b"overlay"), (2, b"/proc", b"proc"), (3, b"/old", b"x"))
    new = mounted((11, b"/", b"overlay"), (12, b"/proc", b"other"), (13, b"/host", b"/dev/sda1"))
    assert changes(old, new) == {
        ("mounts", "changed", "/proc", "source"),
        ("mounts", "added", "/host", None),
        ("mounts", "removed", "/old", None),
    }


def test_no_mounts_on_one_side_are_not_compared() -> None:
    found = compare(checkpoint(process()), checkpoint(mounted((1, b"/", b"overlay"))))
    assert told(found) == set()
    assert any(note.startswith("mounts: the earlier") for note in found.diff.notes)


def test_a_mapping_that_became_executable() -> None:
    old = process(vmas=[vma(BASE, BASE + PAGE), vma(BASE + 4 * PAGE, BASE + 5 * PAGE)])
    new = process(vmas=[vma(BASE, BASE + PAGE, prot=7), vma(BASE + 8 * PAGE, BASE + 9 * PAGE)])
    found = compare(checkpoint(old), checkpoint(new)).diff.differences
    assert [(d.change, d.subject, d.field, d.new) for d in found] == [
        ("changed", "10000", "perms", "rwxp"),
        ("added", "18000", None, "18000-19000 rw-p [anon]"),
        ("removed", "14000", None, None),
    ]


# --- files and metadata -------------------------------------------------------------------------
def layer(**files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(data), 5, 0o755 if name.startswith("x") else 0o644
            made.addfile(member, io.BytesIO(data))
    return out.getvalue()


def podman(files: bytes | None, deleted: list[str] | None = None, **config: Any) -> Checkpoint:
    held = process() | {
        "config.dump": json.dumps(
            {"id": "1" * 64, "name": "web", "rootfsImageID": "2", "staticDir": "/"} | config
        ).encode()
    }
    held |= {"spec.dump": b"{}"} | ({"rootfs-diff.tar": files} if files is not None else {})
    return checkpoint(held | ({"deleted.files": json.dumps(deleted).encode()} if deleted else {}))


def files_of(found: Compared) -> Told:
    return {one for one in told(found) if one[0] == "files"}


def test_files_written_changed_and_deleted() -> None:
    old = podman(layer(stays=b"1", grew=b"1", turned=b"ab", back=b"1"), ["/bin/nc"])
    new = podman(layer(stays=b"1", grew=b"12", turned=b"ba", came=b"x"), ["/bin/wget"])
    assert files_of(compare(old, new)) == {
        ("files", "changed", "/grew", "size"),
        ("files", "changed", "/grew", "sha256"),
        ("files", "changed", "/turned", "sha256"),
        ("files", "added", "/came", None),
        ("files", "removed", "/back", None),
        ("files", "removed", "/bin/wget", None),
        ("files", "added", "/bin/nc", None),
    }


def test_a_container_that_wrote_nothing_before() -> None:
    assert files_of(compare(podman(None), podman(layer(xminer=b"x")))) == {
        ("files", "added", "/xminer", None)
    }


def test_files_of_an_engine_that_keeps_none_are_not_compared() -> None:
    found = compare(podman(layer(a=b"1")), checkpoint(process()))
    assert files_of(found) == set()
    assert any("later archive has none" in note for note in found.diff.notes)


def test_files_behind_a_broken_layer_are_unknown() -> None:
    whole = podman(layer(a=b"1", b=b"2"))
    broken = podman(layer(a=b"1", b=b"2")[:512] + b"\x01" * 2048)
    assert {change for _, change, *_ in files_of(compare(whole, broken))} <= {"unknown", "changed"}
    assert "removed" not in {change for _, change, *_ in files_of(compare(whole, broken))}


def test_metadata_but_not_when_it_was_dumped() -> None:
    old, new = podman(None, rootfsImageName="a"), podman(None, rootfsImageName="b")
    assert ("metadata", "changed", "image", "value") in told(compare(old, new))
    assert told(compare(old, old)) == set()
