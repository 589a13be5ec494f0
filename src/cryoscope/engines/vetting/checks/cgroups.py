"""cgroup.img: control groups that CRIU makes on the host, and properties that it writes (criu/cgroup.c)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cryoscope.engines.port import HARD, NOTE, SOFT
from cryoscope.engines.vetting.case import Case, shown
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.checks.mounts import climbs
from cryoscope.engines.vetting.edits import of_image
from cryoscope.engines.vetting.records import Fix, Found
from cryoscope.engines.vetting.trees import DEVICES, PTS
from cryoscope.text import readable

IMAGE = "cgroup.img"
PROPERTIES = re.compile(
    r"(?:cpu|cpuset|cpuacct|memory|blkio|io|pids|hugetlb|net_cls|net_prio|rdma|misc)\.[\w.-]+"
    r"|cgroup\.(?:clone_children|procs|subtree_control|max\.descendants|max\.depth|freeze|type|threads)"
    r"|notify_on_release|tasks|freezer\.state|devices\.list"
)
"""What CRIU dumps (criu/cgroup-props.c); release_agent, devices.allow and others it never does."""

ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
"""An id of a container, as every engine makes them."""

RULE = re.compile(r"(?P<type>[abc]) (?P<major>\d+|\*):(?P<minor>\d+|\*) (?P<access>[rwm]+)")


def look(case: Case) -> Iterator[Found]:
    """The groups of each set, and the properties of each folder."""
    entry = case.images.first(IMAGE)
    member = case.images.member(IMAGE)
    if entry is None or member is None:
        return
    seen = set()
    for group in [one for each in entry.sets for one in each.ctls]:
        path = readable(bytes(group.path))
        if climbs(path) or not path.startswith("/"):
            yield case.found(
                "criu.cgroup-path", f"is in the control group {shown(path)}", member, weight=HARD
            )
        elif not _is_own(case, path) and path not in seen:
            seen.add(path)
            what = f"is in the control group {shown(path)}, which is not the container's"
            yield case.found("criu.cgroup-foreign", what, member, weight=_weight(case))
    for number in sorted({each.id for each in entry.sets if not _is_held(case, each)}):
        what = f"has processes in no control group of the container (set {number}): no limit holds them"
        yield case.found("criu.cgroup-foreign", what, f"{member} set {number}", weight=_weight(case))
    fix = Fix(member, change=of_image(IMAGE, _cleaned))
    for path, name, value, fault in _faults(entry):
        what = f"has CRIU write {shown(value)} to {shown(name)}" if fault == "criu.cgroup-property" else path
        cleaned = [fix] if fault == "criu.cgroup-property" else []
        yield case.found(fault, what, f"{member}: {path}", *cleaned, weight=HARD)


def _is_own(case: Case, path: str) -> bool:
    """Whether a group is named after the container; a hierarchy that runtimes do not use has it in `/`."""
    return path == "/" or _is_named(case, path)


def _is_named(case: Case, path: str) -> bool:
    """Whether a group has the container's id in its name; of an unknown id that it is one."""
    return case.id in path if case.id else ID.search(path) is not None


def _is_held(case: Case, each: Any) -> bool:
    """Whether a set of groups that processes are in has one of the container's in it.

    The groups of CRIU itself, whoever took the checkpoint, are a set too, in which nobody is restored.
    """
    inventory = case.images.inventory
    if not each.ctls or (inventory is not None and each.id == inventory.root_cg_set):
        return True
    return any(_is_named(case, readable(bytes(group.path))) for group in each.ctls)


def _weight(case: Case) -> str:
    """What is no engine's container has no group of one: bare CRIU, and images that ctr made."""
    bare = case.policy.engine == "criu" or (case.policy.engine == "cri" and not case.config)
    return NOTE if bare else SOFT


def _faults(entry: Any) -> Iterator[tuple[str, str, str, str]]:
    """(folder, property, value, code) of what no dump of CRIU's has."""
    for controller in entry.controllers:
        for folder, path in _folders(controller.dirs, ""):
            if climbs(path) or path.startswith("/"):
                yield path, "", "", "criu.cgroup-path"
            for each in folder.properties:
                if not good(readable(bytes(each.name)), readable(bytes(each.value))):
                    name, value = readable(bytes(each.name)), readable(bytes(each.value))
                    yield path, name, value, "criu.cgroup-property"


def _folders(folders: Any, above: str) -> Iterator[tuple[Any, str]]:
    """Every folder with its path; protobuf itself nests no deeper than a hundred."""
    for folder in folders:
        name = readable(bytes(folder.dir_name))
        path = f"{above}/{name}" if above else name
        yield folder, path
        yield from _folders(folder.children, path)


def good(name: str, value: str) -> bool:
    """Whether a property is one that CRIU dumps, with a value that lets nothing out."""
    if not PROPERTIES.fullmatch(name):
        return False
    if name == "notify_on_release":
        return value.strip() in ("0", "")
    if name == "devices.list":
        return all(_lets_nothing(rule) for rule in value.splitlines())
    return True


def _lets_nothing(rule: str) -> bool:
    """Whether a rule is one of those that runtimes make: mknod of anything, use of harmless devices."""
    found = RULE.fullmatch(rule.strip())
    if found is None:
        return not rule.strip()
    if found["access"] == "m":
        return True
    numbers = (found["major"], found["minor"])
    if found["type"] != "c" or "*" in numbers[:1]:
        return False
    if int(numbers[0]) in PTS:
        return True
    return numbers[1] != "*" and (int(numbers[0]), int(numbers[1])) in DEVICES


def _cleaned(entry: Any) -> None:
    for controller in entry.controllers:
        for folder, _ in _folders(controller.dirs, ""):
            kept = [one for one in folder.properties if good(_text(one.name), _text(one.value))]
            copies = [type(one).FromString(one.SerializePartialToString()) for one in kept]
            del folder.properties[:]
            folder.properties.extend(copies)


def _text(data: Any) -> str:
    return readable(bytes(data))


CHECK = Check("control groups in CRIU's images", look)
