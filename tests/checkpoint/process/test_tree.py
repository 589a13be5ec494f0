"""The process tree of any list of pids and parents: each process once, parents first, no end missed."""

from __future__ import annotations

from collections.abc import Sequence

from built_samples import core, made, tree
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoscope.checkpoint.process import Process
from cryoscope.checkpoint.process.tree import branches, broken_cycles, unique
from cryoscope.errors import Damaged

pids = st.integers(-2, 12)
lists = st.lists(st.tuples(pids, pids), max_size=30)


def processes(pairs: Sequence[tuple[int, int]]) -> list[Process]:
    return [
        Process(pid, ppid, pid, pid, f"p{index}", "alive", None) for index, (pid, ppid) in enumerate(pairs)
    ]


def in_cycle(parents: dict[int, int], pid: int) -> bool:
    """Whether the parents of `pid` lead back to it."""
    here = parents.get(pid)
    for _ in parents:
        if here == pid:
            return True
        here = parents.get(here) if here is not None else None
    return False


@given(lists)
def test_each_process_once(pairs: list[tuple[int, int]]) -> None:
    damaged: list[Damaged] = []
    found = unique(processes(pairs), damaged)
    assert [process.pid for process in found] == list(dict.fromkeys(pid for pid, _ in pairs))
    assert [process.comm for process in found] == [
        f"p{index}" for index, (pid, _) in enumerate(pairs) if pid not in {p for p, _ in pairs[:index]}
    ]
    assert len(damaged) == len(pairs) - len(found)
    assert {record.code for record in damaged} <= {"process.duplicate-pid"}


@given(lists)
def test_the_forest_is_whole_and_in_order(pairs: list[tuple[int, int]]) -> None:
    found = unique(processes(pairs), [])
    forest = branches(found)
    assert sorted(branch.process.pid for branch in forest) == sorted(process.pid for process in found)
    above: list[int] = []
    for branch in forest:
        del above[branch.depth :]
        assert len(above) == branch.depth
        if branch.depth:
            assert above[-1] == branch.process.ppid
        above.append(branch.process.pid)


@given(lists)
def test_siblings_by_pid_and_the_last_is_marked(pairs: list[tuple[int, int]]) -> None:
    forest = branches(unique(processes(pairs), []))
    siblings: dict[tuple[int, ...], list[tuple[int, bool]]] = {}
    path: list[int] = []
    for branch in forest:
        del path[branch.depth :]
        siblings.setdefault(tuple(path), []).append((branch.process.pid, branch.last))
        path.append(branch.process.pid)
    for group in siblings.values():
        assert group == sorted(group)
        assert [last for _, last in group] == [False] * (len(group) - 1) + [True]


@given(lists)
def test_roots(pairs: list[tuple[int, int]]) -> None:
    """Those whose parent is not there, and the lowest of each cycle."""
    parents = {process.pid: process.ppid for process in unique(processes(pairs), [])}
    roots = {branch.process.pid for branch in branches(unique(processes(pairs), [])) if not branch.depth}
    orphans = {pid for pid, ppid in parents.items() if ppid not in parents}
    assert roots == orphans | set(broken_cycles(parents))


@given(st.dictionaries(pids, pids, max_size=14))
def test_one_root_a_cycle(parents: dict[int, int]) -> None:
    broken = broken_cycles(parents)
    assert len(set(broken)) == len(broken)
    cyclic = {pid for pid in parents if in_cycle(parents, pid)}
    assert set(broken) <= cyclic
    for pid in broken:  # the lowest of its own cycle
        members, here = {pid}, parents[pid]
        while here != pid:
            members.add(here)
            here = parents[here]
        assert pid == min(members)
        cyclic -= members
    assert cyclic == set()


def test_a_long_chain_needs_no_stack() -> None:
    count = 50_000
    forest = branches(processes([(pid, pid - 1) for pid in range(1, count + 1)]))
    assert [branch.depth for branch in forest] == list(range(count))
    assert broken_cycles({pid: pid % count + 1 for pid in range(1, count + 1)}) == [1]


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_a_checkpoint_names_what_is_wrong_with_its_tree(pairs: list[tuple[int, int]]) -> None:
    cores = {f"core-{pid}.img": core() for pid, _ in pairs}
    checkpoint = made({"pstree.img": tree(*pairs), **cores})
    parents: dict[int, int] = {}
    for pid, ppid in pairs:
        parents.setdefault(pid, ppid)
    assert sorted(branch.process.pid for branch in checkpoint.tree) == sorted(parents)
    codes = [damaged.code for damaged in checkpoint.damaged]
    assert codes.count("process.cycle") == len(broken_cycles(parents))
    again = {pid for pid, _ in pairs if [other for other, _ in pairs].count(pid) > 1}
    assert codes.count("process.duplicate-pid") == len(again)  # the same record is kept once
    assert checkpoint.overview.processes == len(pairs)
