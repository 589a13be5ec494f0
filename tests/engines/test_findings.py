"""A container attacked on purpose yields every expected finding; decent ones yield none of severity high.

What is expected is a closed table: each trace that the intruder tells of (lab/programs/intruder.py) with the
detector that must name it, the process, the path and, in memory, the address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from attacked import COMMAND, Attack, Attacked, attack
from cryoscope.examine.findings import Evidence, FindingsResult, find_findings
from cryoscope.examine.secrets import Place, find_secrets
from cryoscope.workflows.open import open_checkpoint
from lab import workloads
from lab.engines import Engine, Refused
from lab.workloads import Workload
from taken import Take

DROPPER = "/tmp/.x/dropper"
HOOK = "/tmp/.x/libhook.so"


class Expected(NamedTuple):
    """What a detector must say of a trace: whose it is, where, and how bad."""

    detector: str
    severity: str
    trace: str | None = None
    path: str | None = None
    address: bool = False
    text: str | None = None


RUNNING = (
    Expected("reverse-shell", "high", "shell", text=":4444, ESTABLISHED"),
    Expected("interactive-shell", "medium", "shell"),
    Expected("temporary-executable", "high", "dropper", DROPPER),
    Expected("memfd-executable", "high", "memfd", "/memfd:x"),
    Expected("kernel-thread", "high", "memfd", text="[kworker/0:1]"),
    Expected("deleted-executable", "high", "deleted", "/var/tmp/updated"),
    Expected("held-executable", "medium", "deleted", "/var/tmp/updated"),
    Expected("elf-in-memory", "high", "elf", address=True),
    Expected("writable-code", "medium", "elf", address=True),
    Expected("criu-inside", "medium", "command", address=True, text=COMMAND[:14]),
    Expected("service-account-token", "info", "token", address=True, text="shop/cart"),
    Expected("preload", "high", "preload", HOOK),
    Expected("temporary-library", "high", "preload", HOOK),
    Expected("miner", "high", "miner", text="stratum+tcp://pool.example:3333"),
)
"""What a process shows, in the checkpoint of every engine."""
ACROSS = (Expected("outbound-connection", "medium", "shell", text=":4444"),)
"""What the network shows, where the intruder is not on the same machine."""
LEFT = (
    Expected("account-files", "high", path="/etc/passwd", text="toor::0:0::/root:/bin/bash"),
    Expected("cron-entry", "high", path="/etc/cron.d/sysupdate", text=DROPPER),
    Expected("preload-file", "high", path="/etc/ld.so.preload", text=HOOK),
    Expected("setuid-file", "high", path="/usr/bin/su-helper", text="-rwsr-xr-x"),
    Expected("ssh-access", "medium", path="/root/.ssh/authorized_keys", text="intruder"),
    Expected("new-executable", "medium", path=DROPPER),
    Expected("hidden-name", "medium", path="/tmp/.x"),
)
"""What files show, where the checkpoint holds them."""


@pytest.fixture(scope="session")
def attacked(engine_of: Callable[[str], Engine]) -> Attack:
    """The checkpoint of a container that was broken into, taken once a run for each engine."""
    found: dict[str, Attacked | Refused] = {}

    def of(name: str) -> Attacked:
        if name not in found:
            try:
                found[name] = attack(engine_of(name))
            except Refused as reason:
                found[name] = reason
        result = found[name]
        if isinstance(result, Refused):
            pytest.skip(f"{name} refuses the attack: {result}")
        return result

    return of


Scan = Callable[[str], FindingsResult]


@pytest.fixture(scope="session")
def scan(attacked: Attack) -> Scan:
    """What is found in the attacked container, scanned once a run for each engine."""
    found: dict[str, FindingsResult] = {}

    def of(name: str) -> FindingsResult:
        if name not in found:
            found[name] = scanned(str(attacked(name).path))
        return found[name]

    return of


def scanned(path: str) -> FindingsResult:
    """The findings of a checkpoint, of which nothing was damaged or left out."""
    with open_checkpoint(path, stacks=True) as checkpoint:
        result = find_findings(checkpoint)
        assert checkpoint.damaged == []
    assert result.complete
    assert result.notes == []
    return result


def expected(attacked: Attacked) -> tuple[Expected, ...]:
    """Everything that must be found with what this engine's checkpoint holds."""
    across = ACROSS if attacked.intruder != "127.0.0.1" else ()
    return RUNNING + across + (LEFT if attacked.files else ())


def matching(result: FindingsResult, asked: Expected, attacked: Attacked) -> list[Evidence]:
    """The evidence of a detector that names the trace."""
    fact = attacked.facts[asked.trace] if asked.trace else None
    return [
        evidence
        for finding in result.findings
        if (finding.detector, finding.severity) == (asked.detector, asked.severity)
        for evidence in finding.evidence
        if (fact is None or evidence.pid == fact.pid)
        and (not asked.address or fact is None or _at(evidence, fact.address))
        and (asked.path is None or evidence.path == asked.path)
        and (asked.text is None or asked.text in (evidence.text or ""))
    ]


def _at(evidence: Evidence, address: int) -> bool:
    return evidence.address is not None and int(evidence.address) == address


def test_every_trace_is_found_where_the_intruder_left_it(
    engine_name: str, attacked: Attack, scan: Scan
) -> None:
    taken, result = attacked(engine_name), scan(engine_name)
    missed = [asked for asked in expected(taken) if not matching(result, asked, taken)]
    assert missed == [], [(each.detector, each.severity, each.evidence) for each in result.findings]


def test_nothing_else_is_severe(engine_name: str, attacked: Attack, scan: Scan) -> None:
    taken, result = attacked(engine_name), scan(engine_name)
    severe = [finding for finding in result.findings if finding.severity == "high"]
    assert {finding.detector for finding in severe} == {
        asked.detector for asked in expected(taken) if asked.severity == "high"
    }
    own = {fact.pid for fact in taken.facts.values()}
    paths = {asked.path for asked in expected(taken)} | {DROPPER, HOOK}
    for finding in severe:
        for evidence in finding.evidence:
            assert evidence.pid in own or (evidence.pid is None and evidence.path in paths), evidence


def test_every_finding_says_what_to_do(engine_name: str, scan: Scan) -> None:
    for finding in scan(engine_name).findings:
        assert all((finding.why, finding.next, finding.techniques)), finding.detector
        assert finding.evidence
        assert all(evidence.what for evidence in finding.evidence)


def test_the_shell_is_connected_to_the_intruder(engine_name: str, attacked: Attack, scan: Scan) -> None:
    taken = attacked(engine_name)
    (found,) = [each for each in scan(engine_name).findings if each.detector == "reverse-shell"]
    streams = [each for each in found.evidence if each.fd is not None]
    assert [each.fd for each in streams] == [0, 1, 2]
    assert all(f" to {taken.intruder}:4444," in (each.text or "") for each in streams)


def test_the_secrets_are_found_where_they_lie(engine_name: str, attacked: Attack) -> None:
    taken = attacked(engine_name)
    with open_checkpoint(str(taken.path)) as checkpoint:
        found = find_secrets(checkpoint).findings
    for trace, rule in (("key", "private-key-pem"), ("token", "kubernetes-token")):
        where = {place for each in found if each.rule == rule for place in places(each.places)}
        assert taken.facts[trace] in where, trace


def places(found: list[Place]) -> Iterator[tuple[int, int]]:
    """Processes and addresses of a secret."""
    return ((owner.pid, int(owner.address)) for place in found for owner in place.processes)


@pytest.mark.parametrize(
    "workload", [w for w in workloads.ALL if w is not workloads.TCP_CLIENT], ids=lambda w: str(w.name)
)
def test_decent_workloads_yield_nothing_severe(engine_name: str, workload: Workload, take: Take) -> None:
    result = scanned(str(take(engine_name, workload).path))
    assert [finding for finding in result.findings if finding.severity == "high"] == []
