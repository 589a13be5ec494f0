"""Indicators in the formats of others: read back by the libraries that define or use them."""

from __future__ import annotations

import csv as reader
import io
import re
import uuid
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.examine.iocs import Ioc, Sighting, find_iocs
from cryoscope.report.cells import FORMULA
from cryoscope.report.iocs import csv, sigma, stix, table, yara
from cryoscope.text import UNSAFE
from cryoscope.workflows.iocs import IocsPart, huntable
from cryoscope.workflows.masking import MASK
from tests.examine.iocs.ioc_samples import DROPPER, FAR, FAR6, HEAP, MINER, ROOTFS, attacked, memfd

SEEN = "2026-11-22T00:48:26.319873Z"


def part_of(checkpoint: Checkpoint, **how: Any) -> IocsPart:
    result = find_iocs(checkpoint, **how)
    return IocsPart(archive="a.tar", seen=SEEN, container="made", iocs=result.iocs, notes=result.notes)


@pytest.fixture(scope="module")
def part() -> IocsPart:
    return part_of(attacked())


def one(kind: str, value: str, **facts: Any) -> IocsPart:
    facts = {"confidence": "medium", "why": "w", "count": 1} | facts
    return IocsPart(archive="a.tar", seen=SEEN, iocs=[Ioc(kind=kind, value=value, **facts)])


HOSTILE = [
    "=cmd|' /C calc'!A0",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\uff1d1",
    "a\"b'c\\d",
    "a' OR url:value = 'b",
    "${x}\n  condition: true }",
    "\x1b[31m\u202e\x00",
    "*?\\*",
    "- a: [b]\n---\n",
    "\ud800",
    "\U0001d54f\U0001f480",
]
PATHS = [f"/tmp/{text}" for text in HOSTILE]


# --- tables and CSV ----------------------------------------------------------------------------
def test_a_row_an_indicator(part: IocsPart) -> None:
    lines = table.iocs(part, None)
    assert len(lines) == 1 + len(part.iocs)
    assert lines[1].startswith("high")
    assert "7/miner" in lines[1]
    assert table.iocs(one("ip", FAR), 40)


def test_csv_is_read_back(part: IocsPart) -> None:
    rows = list(reader.DictReader(io.StringIO(csv.iocs([part, part]))))
    assert len(rows) == 2 * len(part.iocs)
    first = next(row for row in rows if row["value"] == FAR)
    assert (first["kind"], first["pid"], first["port"], first["seen"]) == ("ip", "7", "4444", SEEN)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_cell_is_never_a_formula_nor_a_control(value: str) -> None:
    text = csv.iocs([one("path", value)])
    (row,) = reader.DictReader(io.StringIO(text))
    assert not row["value"].lstrip(" ").startswith(FORMULA)
    assert not UNSAFE.search(text.replace("\n", ""))


def test_masked_indicators_are_not_hunted() -> None:
    assert huntable([one("url", f"http://a:{MASK}@b.net/")])[0].iocs == []


# --- STIX --------------------------------------------------------------------------------------
stix2: Any = pytest.importorskip("stix2", reason="the STIX library is a dependency of the tests")


def parsed(bundle: dict[str, Any]) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return {thing["id"]: thing for thing in stix2.parse(bundle, version="2.1")["objects"]}


def test_the_bundle_is_what_the_standard_says(part: IocsPart) -> None:
    things = parsed(stix.bundle([part]))
    kinds = Counter(thing["type"] for thing in things.values())
    count = len(part.iocs)
    assert (kinds["identity"], kinds["indicator"], kinds["observed-data"]) == (1, count, count)
    assert kinds["relationship"] == count
    assert kinds["network-traffic"] == 1
    for thing in things.values():
        for name in ("source_ref", "target_ref", "created_by_ref", "dst_ref", "parent_directory_ref"):
            assert thing.get(name, thing["id"]) in things, "every reference is in the bundle"
        assert all(ref in things for ref in thing.get("object_refs", []))


OBSERVED = (
    "file",
    "directory",
    "ipv4-addr",
    "ipv6-addr",
    "domain-name",
    "url",
    "email-addr",
    "network-traffic",
)


def test_observables_have_the_identifiers_that_others_give_them(part: IocsPart) -> None:
    """The library makes the identifier anew from the contributing properties."""
    more = one("ip", FAR6, sightings=[Sighting(source="socket", protocol="udp", port=53)])
    odd = one("path", '/tmp/ü"\\\n')
    found = [thing for thing in stix.bundle([part, more, odd])["objects"] if thing["type"] in OBSERVED]
    assert {thing["type"] for thing in found} == set(OBSERVED)
    for thing in found:
        made = stix2.parse({key: value for key, value in thing.items() if key != "id"}, version="2.1")
        assert made["id"] == thing["id"]


def test_the_same_archive_gives_the_same_bundle(part: IocsPart) -> None:
    first, again = stix.bundle([part]), stix.bundle([part_of(attacked())])
    assert first == again
    ids = [thing["id"] for thing in first["objects"]]
    assert len(set(ids)) == len(ids)
    ours = [thing for thing in first["objects"] if thing["type"] not in OBSERVED]
    assert all(uuid.UUID(thing["id"].partition("--")[2]).version == 5 for thing in ours)


def unescaped(text: str) -> str:
    """A text of a pattern as the library gives it: still with its backslashes."""
    return re.sub(r"\\(.)", r"\1", text)


@pytest.mark.parametrize("value", [text for text in HOSTILE if text != "\ud800"])
@pytest.mark.parametrize("kind", ["path", "url", "domain", "email"])
def test_patterns_are_parsed_whatever_is_in_them(kind: str, value: str) -> None:
    things = parsed(stix.bundle([one(kind, f"/tmp/{value}" if kind == "path" else value)]))
    (indicator,) = (thing for thing in things.values() if thing["type"] == "indicator")
    asked = stix2.pattern_visitor.create_pattern_object(indicator["pattern"], version="2.1").operand
    first = asked.operands[0] if kind == "path" else asked
    name = value.rpartition("/")[2] if kind == "path" else value
    assert (first.operator, unescaped(first.rhs.value)) == ("=", name)


def test_patterns_say_what_is_looked_for() -> None:
    patterns = {
        ("ip", FAR): f"[ipv4-addr:value = '{FAR}']",
        ("ip", FAR6): f"[ipv6-addr:value = '{FAR6}']",
        ("path", "/a/b"): "[file:name = 'b' AND file:parent_directory_ref.path = '/a']",
        ("path", "/b"): "[file:name = 'b' AND file:parent_directory_ref.path = '/']",
        ("sha256", "0" * 64): f"[file:hashes.'SHA-256' = '{'0' * 64}']",
        ("url", "http://a'b/"): "[url:value = 'http://a\\'b/']",
    }
    for (kind, value), wanted in patterns.items():
        assert stix.pattern(one(kind, value).iocs[0]) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (SEEN, "2026-11-22T00:48:26.319Z"),
        ("2026-11-22T00:48:26.123456789Z", "2026-11-22T00:48:26.123Z"),
        ("2026-11-22T02:48:26+02:00", "2026-11-22T00:48:26.000Z"),
        ("2026-11-22T00:48:26", "2026-11-22T00:48:26.000Z"),
        ("yesterday", "1970-01-01T00:00:00.000Z"),
    ],
)
def test_times_are_in_utc_and_milliseconds(text: str, wanted: str) -> None:
    assert stix.timestamp(text) == wanted


# --- YARA --------------------------------------------------------------------------------------
yara_x: Any = pytest.importorskip("yara_x")


def matching(rules: str, data: bytes) -> list[str]:
    return [rule.identifier for rule in yara_x.compile(rules).scan(data).matching_rules]


def test_rules_find_the_samples_again(part: IocsPart) -> None:
    rules = yara.rules([part])
    for sample in (MINER, DROPPER, ROOTFS["/etc/cron.hourly/update"]):
        assert any(name.startswith("cryoscope_file_") for name in matching(rules, sample))
        inside = b"\0" * 777 + sample + b"more"
        assert any(name.startswith("cryoscope_file_") for name in matching(rules, inside))
    assert matching(rules, MINER[:6000] + bytes(6000)) == []
    assert any(name.startswith("cryoscope_low_") for name in matching(rules, HEAP))
    assert matching(rules, b"nothing of it") == []


@pytest.mark.parametrize("made", [attacked, lambda: memfd(DROPPER)], ids=["files", "memfd"])
def test_rules_find_the_samples_in_the_archive(made: Any, tmp_path: Path) -> None:
    from cryoscope.examine.yara import Options, compile_rules, scan

    checkpoint = made()
    path = tmp_path / "found.yar"
    path.write_text(yara.rules([part_of(checkpoint, kinds=["sha256"])]))
    rules = compile_rules([str(path)])
    assert rules.warnings == []
    found = {hit.rule for hit in scan(made(), rules, Options()).hits}
    wanted = {f"cryoscope_file_{ioc.value[:16]}" for ioc in find_iocs(made(), kinds=["sha256"]).iocs}
    assert found == wanted


@pytest.mark.parametrize("path", [path for path in PATHS if "\ud800" not in path])
def test_rules_compile_and_find_whatever_is_in_them(path: str) -> None:
    rules = yara.rules([one("path", path, why=path)])
    assert matching(rules, b"x" + path.encode() + b"x")
    assert matching(rules, path.encode("utf-8")[:-1]) == []
    assert rules.isascii()


@given(st.text(min_size=6, max_size=40))
def test_any_text_is_quoted(text: str) -> None:
    rules = yara.rules([one("path", text, why=text)])
    assert matching(rules, text.encode("utf-8", "backslashreplace"))


def test_short_texts_and_nothing_make_no_rules() -> None:
    assert yara.rules([one("path", "/a")]) == ""
    assert yara.rules([]) == ""


# --- Sigma -------------------------------------------------------------------------------------
def collected(text: str) -> Any:
    pytest.importorskip("sigma", reason="pySigma is a dependency of the tests")
    from sigma.collection import SigmaCollection

    found = SigmaCollection.from_yaml(text)
    assert found.errors == []
    assert all(rule.errors == [] for rule in found.rules)
    return found


def values(rule: Any) -> dict[str, list[str]]:
    return {
        item.field: [str(value) for value in item.value]
        for detection in rule.detection.detections.values()
        for item in detection.detection_items
    }


def test_rules_for_each_category(part: IocsPart) -> None:
    rules = {rule.logsource.category: rule for rule in collected(sigma.rules([part])).rules}
    assert set(rules) == {"process_creation", "file_event", "network_connection"}
    for rule in rules.values():
        assert rule.logsource.product == "linux"
        assert rule.detection.condition == ["1 of selection_*"]
        assert rule.detection.parsed_condition[0].parse() is not None
        assert (str(rule.status), str(rule.level), str(rule.date)) == ("experimental", "low", "2026-11-22")
        assert rule.id.version == 5
        assert len(rule.title) <= 256
    assert values(rules["process_creation"])["Image"] == ["/tmp/.x/miner"]
    assert len(values(rules["process_creation"])["Hashes"]) == 3
    assert "/etc/cron.hourly/update" in values(rules["file_event"])["TargetFilename"]
    network = values(rules["network_connection"])
    assert FAR in network["DestinationIp"]
    assert {"evil-c2.net", "*.evil-c2.net"} <= set(network["DestinationHostname"])


@pytest.mark.parametrize("path", PATHS)
def test_nothing_in_a_path_is_a_wildcard_or_yaml(path: str) -> None:
    from sigma.types import SigmaString

    text = sigma.rules([one("path", path)])
    assert text.isascii()
    if "\ud800" in path or "\x00" in path:
        return  # no YAML holds those; they come as text such as \x00 here
    (rule,) = collected(text).rules
    (item,) = (item for d in rule.detection.detections.values() for item in d.detection_items)
    (value,) = item.value
    assert isinstance(value, SigmaString)
    assert value.to_plain() is not None
    assert not value.contains_special()
    assert "".join(part for part in value.s if isinstance(part, str)) == path


def test_nothing_makes_no_rules() -> None:
    assert sigma.rules([one("url", "http://a.net/")]) == ""


def test_the_level_is_that_of_the_least_sure() -> None:
    parts = [one("ip", FAR, confidence="high"), one("ip", FAR6, confidence="medium")]
    assert [str(rule.level) for rule in collected(sigma.rules(parts)).rules] == ["medium"]
    assert [str(rule.level) for rule in collected(sigma.rules(parts[:1])).rules] == ["high"]
