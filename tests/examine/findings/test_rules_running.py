"""Rules at work: every subject and operator on made-up containers and on real archives."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from cryoscope import limits
from cryoscope.checkpoint.archive import BytesSource, open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.errors import UsageError
from cryoscope.examine.findings import DETECTORS, Finding, find_findings
from cryoscope.examine.findings.rules import (
    SUBJECTS,
    described,
    detectors_of,
    load_rules,
    running,
    with_rules,
)
from cryoscope.examine.findings.rules.conditions import condition
from cryoscope.examine.findings.rules.expression import Budget
from cryoscope.examine.findings.rules.operators import address_in
from cryoscope.examine.findings.rules.subjects import Item
from cryoscope.examine.findings.rules.tree import parse
from cryoscope.workflows.rules import detectors_with, list_fields
from tests.examine.findings.scenes import FILE, Mapped, Proc, container, inet, regular

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "docs" / "examples" / "rules.yaml"


def judged(checkpoint: Checkpoint, text: str) -> tuple[list[Finding], list[str]]:
    rules = load_rules(text)
    result = with_rules(find_findings(checkpoint, detectors_of(rules)), rules)
    return result.findings, result.notes


def one(subject: str, when: str) -> str:
    return f"- {{name: it, title: It, severity: low, why: w, for: {subject}, when: {when}}}\n"


def holds(checkpoint: Checkpoint, subject: str, when: str) -> list[Any]:
    """The evidence of a rule."""
    findings, notes = judged(checkpoint, one(subject, when))
    assert notes == []
    return [evidence for finding in findings for evidence in finding.evidence]


SERVER = Proc(1, ["nginx", "-g", "daemon off;"], exe="/usr/sbin/nginx", env={"LANG": "C", "FLASK_DEBUG": "1"})
SHELL = Proc(
    7,
    ["sh", "-c", "id"],
    exe="/bin/dash",
    comm="sh",
    ppid=1,
    env={"HTTP_PROXY": "http://192.0.2.9:3128"},
    fds={0: inet(("169.254.169.254", 80)), 3: regular("/dev/sda1")},
    mapped=[Mapped(0x7000_0000, 4096, path="/root/lib.so", status=FILE)],
)
KEY = b"-----BEGIN OPENSSH PRIVATE KEY-----\n"
BAD = {"/srv/key": KEY, "/run/secrets/key": KEY}


def bad() -> Checkpoint:
    return container(SERVER, SHELL, rootfs=BAD)


def clean() -> Checkpoint:
    return container(Proc(1, ["nginx"], exe="/usr/sbin/nginx"), rootfs={"/srv/page": b"hello"})


# --- the example pack --------------------------------------------------------------------------
def test_the_example_finds_what_it_is_for() -> None:
    findings, notes = judged(bad(), EXAMPLE.read_text())
    assert notes == []
    named = {rule.name for rule in load_rules(EXAMPLE.read_text())}
    assert {finding.detector for finding in findings} == named - {"docker-socket"}
    by_name = {finding.detector: finding for finding in findings}
    assert [one.path for one in by_name["key-outside-its-place"].evidence] == ["/srv/key"]
    shell = by_name["web-server-starts-a-shell"].evidence[0]
    assert (shell.pid, shell.comm, shell.text) == (7, "sh", "sh -c id")
    assert by_name["holds-a-disk"].evidence[0].fd == 3
    assert by_name["library-from-a-home-folder"].evidence[0].vma is not None
    assert "web-server-starts-a-shell" in by_name["shell-of-a-root-user"].evidence[0].what
    order = [finding.severity for finding in findings]
    assert order == sorted(order, key=("high", "medium", "low", "info").index)


def test_the_example_finds_nothing_in_a_clean_container() -> None:
    findings, _ = judged(clean(), EXAMPLE.read_text())
    assert [finding.detector for finding in findings] == ["no-owner"]


def test_a_mount_of_the_engines_socket(data: Path) -> None:
    with open_archive(BytesSource((data / "crio-counter.tar").read_bytes(), "a.tar")) as archive:
        found = holds(Checkpoint(archive), "mount", "{mountpoint: {eq: /etc/hosts}}")
        assert [one.path for one in found] == ["/etc/hosts"]


# --- fields and operators ----------------------------------------------------------------------
TRUE = [
    ("process", "{pid: {eq: 7}}"),
    ("process", "{pid: {in: [7, 99]}, comm: {in: [sh]}}"),
    ("process", "{cmdline: {eq: id}}"),
    ("process", "{command: {startswith: [zsh, sh]}, pid: {gt: 6, lt: 8}}"),
    ("process", "{parent.cmdline: {contains: daemon}}"),
    ("process", "{parent.exe: {endswith: nginx}}"),
    ("process", "{env.HTTP_PROXY: {exists: true}}"),
    ("process", "{all: [{ppid: {eq: 1}}, {not: {pid: {eq: 1}}}, {exe_deleted: {eq: false}}]}"),
    ("process", "{credentials.uid: {eq: 0}, pid: {gt: 1.5}}"),
    ("process", "{namespaces.net: {exists: true}, comm: {matches: ^s}}"),
    ("process", "{threads.comm: {eq: sh}}"),
    ("descriptor", "{fd: {eq: 3}, process.comm: {eq: sh}}"),
    ("descriptor", "{socket.remote: {cidr: 169.254.0.0/16}}"),
    ("socket", "{remote_port: {eq: 80}, remote_address: {eq: 169.254.169.254}}"),
    ("socket", "{process.pid: {eq: 7}, listening: {eq: false}, socket.state: {eq: ESTABLISHED}}"),
    ("socket", "{holders.fd: {eq: 0}, local_port: {eq: 51234}}"),
    (
        "mapping",
        "{start: {eq: 0x70000000}, size: {eq: 4096}}",
    ),
    ("environment", "{value: {contains: '3128'}, process.pid: {eq: 7}}"),
    ("file", "{path: {eq: /srv/key}, name: {eq: key}, origin: {eq: rootfs}}"),
    ("file", "{content: {matches: '^-+BEGIN'}, path: {startswith: /srv}}"),
    ("file", "{sha256: {eq: '%s'}, path: {startswith: /srv}}"),
    ("container", "{engine: {exists: true}, pod.name: {exists: false}}"),
]


@pytest.mark.parametrize(("subject", "when"), TRUE)
def test_a_condition_holds_of_one_thing_and_not_the_other_way_round(subject: str, when: str) -> None:
    when = when.replace("%s", hashlib.sha256(KEY).hexdigest())
    found = holds(bad(), subject, when)
    assert len(found) == 1
    others = holds(bad(), subject, f"{{not: {when}}}")
    assert found[0] not in others
    assert bool(others) == (subject not in ("container", "socket"))


NEVER = [
    ("process", "{pid: {gt: 7}}"),
    ("process", "{env.NOWHERE: {matches: '.*'}}"),
    ("process", "{cmdline: {startswith: s, endswith: d}}"),  # one argument must pass both
    ("process", "{stop_signal: {exists: true}}"),
    ("socket", "{remote_address: {cidr: '::/0'}}"),
    ("file", "{content: {contains: nowhere}}"),
    ("mount", "{mountpoint: {exists: true}}"),
]


@pytest.mark.parametrize(("subject", "when"), NEVER)
def test_a_condition_does_not_hold(subject: str, when: str) -> None:
    assert holds(bad(), subject, when) == []


def test_every_field_can_be_asked_for() -> None:
    """No path that is listed is unknown to conditions, and asking for it breaks on nothing real."""
    checkpoint = bad()
    for name, subject in SUBJECTS.items():
        for path, _ in described(subject):
            asked = path.replace("KEY", "x.y").replace("FIELD", "pid")
            holds(checkpoint, name, f"{{'{asked}': {{exists: true}}}}")
            if subject.extras:
                condition(parse(f"{{'{asked}': {{exists: false}}}}"), subject)


ADDRESSES = {
    "10.1.2.3": "10.1.2.3",
    "10.1.2.3:80": "10.1.2.3",
    "[::1]:80": "::1",
    "::1": "::1",
    "::ffff:10.0.0.1": "10.0.0.1",
    "[::ffff:10.0.0.1]:80": "10.0.0.1",
    "10.1.2.3/24": "10.1.2.3",
    "fe80::1%eth0": "fe80::1",
    "/run/x.sock": None,
    "@name:1": None,
    "": None,
}


@pytest.mark.parametrize("text", ADDRESSES)
def test_the_address_in_an_endpoint(text: str) -> None:
    found = address_in(text)
    assert (None if found is None else str(found)) == ADDRESSES[text]


# --- bounds ------------------------------------------------------------------------------------
@pytest.mark.parametrize("subject", ["environment", "finding"])
def test_a_rule_that_works_too_much_is_stopped_and_says_so(
    subject: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "Budget", functools.partial(Budget, 3000))
    bits = format(3**400, "b").replace("0", "a").replace("1", "b")
    checkpoint = container(Proc(1, ["x"], env={"A": bits, "B": "abc"}))
    field = "value" if subject == "environment" else "evidence.text"
    hard = one(subject, f"{{{field}: {{matches: '(a|b)*a(a|b){{40}}c|^abc'}}}}")
    easy = one("environment", "{value: {contains: a}}").replace("name: it", "name: easy")
    findings, notes = judged(checkpoint, hard + easy)
    (note,) = notes
    assert note.startswith("it: ")
    assert "took more than" in note
    found = [finding.evidence[0].text for finding in findings if finding.detector == "it"]
    assert found == (["B=abc"] if subject == "environment" else []), "what was found before stays"
    assert "easy" in [finding.detector for finding in findings]


class _Variable:
    def __init__(self, name: str, value: str) -> None:
        self.name, self.value = name, value


def test_long_values_are_looked_at_from_their_beginning() -> None:
    long = "x" * limits.RULE_TEXT + "needle"
    checkpoint = container(Proc(1, ["a"], env={"V": "needle"}))
    assert holds(checkpoint, "environment", "{value: {matches: needle}}")
    test = condition(parse("{value: {matches: needle}}"), SUBJECTS["environment"]).test
    assert not test(Item(_Variable("V", long)), Budget())
    assert test(Item(_Variable("V", long[1000:])), Budget())


def test_slow_fields_are_asked_last() -> None:
    parts = "{content: {contains: x}, path: {eq: /nothing}}"
    test = condition(parse(parts), SUBJECTS["file"]).test
    assert not test(Item(_File("/elsewhere")), Budget())  # a file without contents would raise


class _File:
    def __init__(self, path: str) -> None:
        self.path = path


# --- with the detectors, from files ------------------------------------------------------------
def test_names_of_detectors_are_taken(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(one("process", "{pid: {eq: 1}}").replace("name: it", f"name: {DETECTORS[0].name}"))
    with pytest.raises(UsageError, match="another rule or detector has it"):
        detectors_with([str(mine)])


def test_two_files_share_one_space_of_names(tmp_path: Path) -> None:
    paths = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    for path in paths:
        path.write_text(one("process", "{pid: {eq: 1}}"))
    with pytest.raises(UsageError, match=r"b\.yaml: line 1: the name it is taken"):
        detectors_with([str(path) for path in paths])


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        detectors_with([str(tmp_path / "none.yaml")])
    (tmp_path / "latin.yaml").write_bytes(b"# a\n# \xff\n")
    with pytest.raises(UsageError, match="line 2: is not UTF-8"):
        detectors_with([str(tmp_path / "latin.yaml")])


def test_fields_of_one_subject() -> None:
    lines = list_fields("mount")
    assert {line.subject for line in lines} == {"mount"}
    assert len(list_fields()) > 200
    with pytest.raises(UsageError) as caught:
        list_fields("mounts")
    assert caught.value.hint == "did you mean mount?"


def test_the_command(cryoscope: Any, data: Path) -> None:
    archive = data / "podman-looper-crun.tar"
    ran = cryoscope("scan", "--rules", EXAMPLE, "-f", "json", archive)
    assert ran.returncode == 0, ran.stderr
    (part,) = json.loads(ran.stdout)["archives"]
    assert "no-owner" in {finding["detector"] for finding in part["findings"]}
    listed = cryoscope("scan", "--rules", EXAMPLE, "--list").stdout.decode()
    assert "shell-of-a-root-user" in listed
    fields = cryoscope("scan", "--fields", "-f", "jsonl").stdout.splitlines()
    assert json.loads(fields[0]) == {"subject": "process", "field": "pid", "type": "number"}
    only = cryoscope("scan", "--rules", EXAMPLE, "--detector", "no-owner", archive).stdout.decode()
    assert "1 info (1 detector)" in only


def test_a_mistake_comes_before_any_archive_is_opened(cryoscope: Any, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(EXAMPLE.read_text().replace("parent.comm", "parent.com"))
    ran = cryoscope("scan", "--rules", mine, tmp_path / "nothing.tar")
    assert ran.returncode == 2
    assert b"line 16: there is no field parent.com" in ran.stderr
    assert b"did you mean parent.comm?" in ran.stderr


def test_secrets_in_the_evidence_of_rules_are_masked(cryoscope: Any, data: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(one("environment", "{name: {eq: SECRET}}"))
    archive = data / "podman-looper-crun.tar"
    shown = cryoscope("scan", "--rules", mine, "--detector", "it", archive).stdout
    assert b"SECRET=********" in shown
    assert b"RANDOM_1432_KEY" not in shown
    revealed = cryoscope("scan", "--rules", mine, "--detector", "it", "--reveal", archive).stdout
    assert b"SECRET=RANDOM_1432_KEY" in revealed
