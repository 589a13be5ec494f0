"""`cryoscope yara`: what matches, where it is, and what is said of mistakes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.errors import CryoscopeError, Damaged, UsageError
from cryoscope.examine.search import Where
from cryoscope.examine.yara import Options, YaraHit, compile_rules, scan
from cryoscope.examine.yara.rules import variable
from cryoscope.workflows.open import open_checkpoint

pytest.importorskip("yara_x")

Run = Callable[..., Any]
LOOPER = "podman-looper-crun.tar"


@pytest.fixture
def rules(tmp_path: Path) -> Callable[[str], str]:
    """Writes a file of rules."""

    def write(text: str, name: str = "r.yar") -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    return write


def hits(archive: Path, *paths: str, **options: Any) -> list[YaraHit]:
    """What a scan finds."""
    with open_checkpoint(str(archive)) as checkpoint:
        return scan(checkpoint, compile_rules(paths), Options(**options)).hits


def text(needle: str, name: str = "r") -> str:
    return f'rule {name} {{ strings: $a = "{needle}" condition: $a }}'


def places(found: list[YaraHit]) -> list[tuple[str, str | None]]:
    return sorted({(hit.place, hit.path) for hit in found}, key=str)


# --- where -------------------------------------------------------------------------------------
def test_the_bytes_are_where_a_match_says(data: Path, rules: Callable[[str], str]) -> None:
    with open_checkpoint(str(data / LOOPER)) as checkpoint:
        found = scan(checkpoint, compile_rules([rules(text("RANDOM_1432_KEY"))]), Options()).hits
        seen = [match for hit in found for string in hit.strings for match in string.matches]
        assert len(seen) == 5
        for hit in found:
            for match in hit.strings[0].matches:
                assert match.member is not None
                assert match.address is not None
                assert checkpoint.archive.read_at(match.member, match.offset or 0, 15) == b"RANDOM_1432_KEY"
                for owner in hit.processes:
                    space = checkpoint.memory(owner.pid)
                    assert space is not None
                    assert space.read(match.address, 15) == b"RANDOM_1432_KEY"


@pytest.mark.parametrize(
    ("archive", "needle", "place", "path"),
    [
        ("crio-counter.tar", "MARKER-deleted-open-file-5678", "ghost", "/tmp/dropper"),
        ("crio-counter.tar", "MARKER-file-in-rootfs-1234", "rootfs", "/data/written"),
        ("containerd-looper.tar", "CTRD_SECRET_99", "memory", None),
    ],
)
def test_places(
    data: Path, rules: Callable[[str], str], archive: str, needle: str, place: str, path: str | None
) -> None:
    found = hits(data / archive, rules(text(needle)))
    assert any(p == place and (path is None or file == path) for p, file in places(found)), places(found)
    for hit in found:
        assert all(match.match == needle for string in hit.strings for match in string.matches)


def test_queues_have_holders(data: Path, rules: Callable[[str], str]) -> None:
    rule = "rule every { condition: filesize > 0 }"
    found = hits(
        data / "podman-kitchen-sink.tar.zst", rules(rule), where=Where(places=("pipe", "socket", "tty"))
    )
    assert {hit.place for hit in found} == {"pipe", "socket", "tty"}
    assert all(hit.holders for hit in found if hit.place == "pipe")


def test_what_a_fork_left_is_one_hit(data: Path, rules: Callable[[str], str]) -> None:
    found = hits(
        data / "podman-kitchen-sink.tar.zst", rules(text("kitchen")), where=Where(places=("memory",))
    )
    several = [hit for hit in found if len(hit.processes) > 1]
    assert several
    for hit in several:
        assert len({owner.address for owner in hit.processes}) == 1
        assert [owner.pid for owner in hit.processes] == sorted({owner.pid for owner in hit.processes})


def test_a_condition_sees_a_whole_mapping_and_with_per_process_all(
    data: Path, rules: Callable[[str], str]
) -> None:
    both = 'rule b { strings: $a = "RANDOM_1432_KEY" $b = "TERM=xterm" condition: all of them }'
    apart = 'rule c { strings: $h = "export SECRET" $s = "PATH=/usr/local" condition: $h and $s }'
    path = rules(both + "\n" + apart)
    by_mapping = {hit.rule for hit in hits(data / LOOPER, path, where=Where(pids=(1,)))}
    by_process = {hit.rule for hit in hits(data / LOOPER, path, where=Where(pids=(1,)), per_process=True)}
    assert by_mapping <= by_process
    assert "c" in by_process


# --- the same in parts and by several processes -------------------------------------------------
def test_two_processes_find_what_one_does(data: Path, rules: Callable[[str], str]) -> None:
    path = rules(text("SECRET") + "\nrule every { condition: filesize > 0 }")
    for archive in (LOOPER, "crio-counter.tar", "docker-looper"):
        assert hits(data / archive, path, processes=2) == hits(data / archive, path, processes=1)


def test_parts_find_what_a_whole_does(
    data: Path, rules: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = rules(text("SECRET=RANDOM"))
    whole = hits(data / LOOPER, path)
    monkeypatch.setattr(limits, "YARA_SCAN", 1000)
    monkeypatch.setattr(limits, "YARA_OVERLAP", 200)
    assert hits(data / LOOPER, path) == whole
    assert hits(data / LOOPER, path, processes=2) == whole


def test_what_begins_in_a_gap_is_no_match(data: Path, rules: Callable[[str], str]) -> None:
    path = rules("rule z { strings: $z = { 00 00 00 00 00 00 00 00 } condition: $z }")
    with open_checkpoint(str(data / LOOPER)) as checkpoint:
        found = scan(checkpoint, compile_rules([path]), Options(where=Where(places=("memory",)))).hits
        for hit in found:
            for match in hit.strings[0].matches:
                space = checkpoint.memory(hit.processes[0].pid)
                assert space is not None
                assert match.address is not None
                assert space.read(match.address, 1) == b"\0"


def test_matches_are_bounded_and_say_so(
    data: Path, rules: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "YARA_MATCHES", 50)
    found = hits(data / LOOPER, rules("rule z { strings: $z = { 00 } condition: $z }"), matches=3)
    assert found
    assert all(len(string.matches) <= 3 for hit in found for string in hit.strings)
    assert any(string.more and string.count == 50 for hit in found for string in hit.strings)
    monkeypatch.setattr(limits, "YARA_HITS", 2)
    with open_checkpoint(str(data / LOOPER)) as checkpoint:
        result = scan(checkpoint, compile_rules([rules("rule every { condition: true }")]), Options())
    assert len(result.hits) == 2
    assert result.notes


# --- rules -------------------------------------------------------------------------------------
def test_folders_namespaces_tags_and_meta(data: Path, rules: Callable[..., str], tmp_path: Path) -> None:
    meta = 'rule same : red blue { meta: a = 1 b = "t" c = true d = 1.5 condition: true }'
    rules(meta, "rules/one.yar")
    rules('include "inc/more.txt"\nrule same : green { condition: true }', "rules/deep/two.yara")
    rules("rule included { condition: true }", "rules/deep/inc/more.txt")
    rules("no rule", "rules/readme.txt")
    found = hits(data / LOOPER, str(tmp_path / "rules"))
    assert {(hit.namespace, hit.rule) for hit in found} == {
        ("one", "same"),
        ("deep/two", "same"),
        ("deep/two", "included"),
    }
    [first] = {tuple(m.value for m in hit.meta) for hit in found if hit.namespace == "one"}
    assert first == (1, "t", True, 1.5)
    tagged = hits(data / LOOPER, str(tmp_path / "rules"), tags=frozenset({"blue"}))
    assert {hit.namespace for hit in tagged} == {"one"}


def test_external_variables(rules: Callable[[str], str]) -> None:
    path = rules('rule v { condition: n == 3 and s contains "x" and b and f > 0.1 }')
    given = dict(map(variable, ["n=3", "s=axb", "b=true", "f=0.5"]))
    assert given == {"n": 3, "s": "axb", "b": True, "f": 0.5}
    assert compile_rules([path], given).count == 1
    for bad in ("n", "=3"):
        with pytest.raises(UsageError):
            variable(bad)
    with pytest.raises(UsageError, match="9n"):
        compile_rules([path], {"9n": 1})


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("rule a {\n condition: nope }", b"r.yar:2:13: unknown identifier"),
        ("rule a { condition: true }\nrule a { condition: true }", b"r.yar:2:6: duplicate rule"),
        ("rule {", b"r.yar:1:6: syntax error"),
        ('include "missing.yar"', b"r.yar:1:1"),
    ],
)
def test_mistakes_name_file_and_line(
    cryoscope: Run, data: Path, rules: Callable[[str], str], source: str, said: bytes
) -> None:
    done = cryoscope("yara", rules(source), data / LOOPER)
    assert done.returncode == 2
    assert said in done.stderr
    assert b"Traceback" not in done.stderr


def test_rules_that_are_none(cryoscope: Run, data: Path, tmp_path: Path) -> None:
    (tmp_path / "latin.yar").write_bytes(b"\n\nrule caf\xe9")
    for rules, said in (
        (tmp_path / "none.yar", b"cannot be read"),
        (tmp_path / "latin.yar", b"latin.yar:3: is not UTF-8"),
        (data / "truth", b"there are no rules"),
    ):
        done = cryoscope("yara", rules, data / LOOPER)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_without_the_library(rules: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "yara_x", None)
    with pytest.raises(CryoscopeError) as raised:
        compile_rules([rules(text("a"))])
    assert raised.value.code == "yara.not-installed"
    assert "cryoscope[yara]" in raised.value.hint


# --- the command -------------------------------------------------------------------------------
def test_exit_codes_and_warnings(cryoscope: Run, data: Path, rules: Callable[..., str]) -> None:
    found, none = rules(text("SECRET"), "found.yar"), rules(text("nowhere at all"), "none.yar")
    assert cryoscope("yara", found, data / LOOPER).returncode == 0
    assert cryoscope("yara", "--exit-code", found, data / LOOPER).returncode == 10
    assert cryoscope("yara", "--exit-code", none, data / LOOPER).returncode == 0
    slow = rules(
        'rule s { strings: $a = "x" condition: $a and 3 == "x" or $a at 0 and not defined 2 }', "s.yar"
    )
    assert cryoscope("yara", slow, data / LOOPER).returncode == 2
    warned = rules("rule w { strings: $a = {00 [1-] 01} condition: $a and true }", "w.yar")
    assert b"warning: " in cryoscope("yara", "-r", warned, "-r", found, data / LOOPER).stderr


@pytest.mark.parametrize("form", ["table", "json", "jsonl"])
def test_forms_and_standard_input(cryoscope: Run, data: Path, rules: Callable[[str], str], form: str) -> None:
    path = rules(text("SECRET"))
    direct = cryoscope("yara", "-f", form, path, data / LOOPER)
    piped = cryoscope("yara", "-f", form, path, "-", stdin=(data / LOOPER).read_bytes())
    assert direct.returncode == piped.returncode == 0
    name = str(data / LOOPER).encode()
    assert direct.stdout.replace(name, b"-") == piped.stdout
    if form == "json":
        document = json.loads(direct.stdout)
        assert document["schema"] == "cryoscope.yara/1"
        assert document["archives"][0]["rules"] == 1


def test_a_scan_that_takes_too_long_is_damage(
    data: Path, rules: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import yara_x

    class Late:
        def __init__(self, _rules: Any) -> None:
            pass

        def set_timeout(self, _seconds: int) -> None:
            pass

        def max_matches_per_pattern(self, _matches: int) -> None:
            pass

        def scan(self, _data: bytes) -> Any:
            raise yara_x.TimeoutError("late")

    compiled = compile_rules([rules(text("a"))])
    monkeypatch.setattr(yara_x, "Scanner", Late)
    damaged: list[Damaged] = []
    with open_checkpoint(str(data / LOOPER)) as checkpoint:
        assert scan(checkpoint, compiled, Options(processes=1), damaged=damaged).hits == []
    assert {found.code for found in damaged} == {"yara.timeout"}


def test_a_process_that_dies_is_an_error(
    data: Path, rules: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    from cryoscope.examine.yara.matching import Matcher

    compiled = compile_rules([rules(text("a"))])
    monkeypatch.setattr(Matcher, "hits", lambda _self, _window: os._exit(9))
    with open_checkpoint(str(data / LOOPER)) as checkpoint, pytest.raises(CryoscopeError) as raised:
        scan(checkpoint, compiled, Options(processes=2))
    assert raised.value.code == "yara.died"


def test_damaged_archives_give_no_traceback(data: Path, rules: Callable[[str], str]) -> None:
    from cryoscope.checkpoint.archive import BytesSource, open_archive
    from cryoscope.report.yara import hits as draw
    from cryoscope.workflows.documents import encode
    from cryoscope.workflows.yara import YaraPart
    from test_mutations import mutated

    compiled = compile_rules([rules(text("SECRET") + "\nrule every { condition: filesize > 0 }")])
    for name in (LOOPER, "crio-counter.tar", "podman-kitchen-sink.tar.zst"):
        original = (data / name).read_bytes()
        for seed in range(25):
            try:
                with open_archive(BytesSource(mutated(original, seed), "a.tar")) as archive:
                    found = scan(Checkpoint(archive), compiled, Options(processes=1))
                    part = YaraPart(archive="a.tar", rules=2, hits=found.hits)
                    encode(part)
                    draw(part, 80)
            except CryoscopeError:
                continue
