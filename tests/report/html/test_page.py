"""The page of a report, without a browser: what is in it, what may run in it, and what may not."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cryoscope import limits
from cryoscope.checkpoint.process.sockets import Socket
from cryoscope.errors import CryoscopeError
from cryoscope.examine.search import literal
from cryoscope.report.html import page
from cryoscope.report.html import page as make_page
from cryoscope.report.html.data import holders_of, safe_json
from cryoscope.report.html.network import graph
from cryoscope.report.html.tree import DEEPEST
from cryoscope.report.markdown import code, markdown, plain
from cryoscope.text import UNSAFE
from cryoscope.workflows.examine import Asking
from cryoscope.workflows.report import ReportPart, Wanted, report_of
from hostile_archives import EVIL
from page_samples import BREAKS, crowd, evil

SIZE_OF_200 = 5 * 1000 * 1000
"""Bytes that the page of 200 processes may have."""


def report(path: Path | str, **wanted: Any) -> tuple[ReportPart, Sequence[Any]]:
    found = report_of(str(path), Wanted(**wanted), Asking(reveal=False))
    assert found.failures == []
    return found.document.archives[0], found.document.damaged


def html(path: Path | str, **wanted: Any) -> str:
    return page(*report(path, **wanted))


@pytest.fixture(scope="module")
def kitchen() -> str:
    return html(Path(__file__).parents[2] / "data" / "podman-kitchen-sink.tar.zst", texts=literal("root"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[ReportPart, Sequence[Any]]:
    path = tmp_path_factory.mktemp("evil") / "<b>evil<img src=x onerror=pwned=1>.tar"
    path.write_bytes(evil())
    return report(path, title=BREAKS, note=EVIL, case=BREAKS)


class Elements(HTMLParser):
    """Every element with its attributes, and the text of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.blocks: list[tuple[str, str]] = []
        self.words: list[str] = []
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._open = tag if tag in ("script", "style") else ""

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self.blocks.append((self._open, data))
        else:
            self.words.append(data)


def data_of(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


# --- what may run ---------------------------------------------------------------------------
def test_the_policy_allows_exactly_the_blocks_of_the_page(kitchen: str) -> None:
    elements = Elements(kitchen)
    policy = next(
        a["content"] for tag, a in elements.found if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    scripts = [a for tag, a in elements.found if tag == "script"]
    running = [text for tag, text in elements.blocks if tag == "script" and not text.lstrip().startswith("{")]
    assert len(scripts) == 3
    assert len(running) == 2
    styles = [text for tag, text in elements.blocks if tag == "style"]
    for block in (*running, *styles):
        digest = base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_the_page_names_nothing_to_load_and_has_no_code_in_attributes(kitchen: str) -> None:
    for tag, attributes in Elements(kitchen).found:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form"), tag
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name not in ("style", "src", "srcset", "action"), (tag, name)
            if name in ("href", "xlink:href"):
                assert (value or "").startswith("#"), (tag, value)


def test_hostile_strings_make_no_element_and_no_control(hostile: tuple[ReportPart, Sequence[Any]]) -> None:
    text = page(*hostile)
    elements = Elements(text)
    assert len([tag for tag, _ in elements.found if tag == "script"]) == 3
    assert not any(tag == "img" for tag, _ in elements.found)
    assert all(not name.startswith("on") for _, attributes in elements.found for name in attributes)
    assert {c for c in UNSAFE.findall(text) if c != "\n"} == set()
    strings = data_of(text)["pool"]
    assert strings
    assert not any(UNSAFE.search(string) for string in strings)
    assert any("<script>" in string for string in strings), "what was in the archive is still told"


@pytest.mark.parametrize("words", ["</script><!--", "<!--<script>", "a & b", "\u2028\u2029"])
def test_data_ends_no_script_and_stays_itself(words: str) -> None:
    written = safe_json({"words": words})
    assert not re.search("[<>&\u2028\u2029]", written)
    assert json.loads(written) == {"words": words}


# --- what is in it --------------------------------------------------------------------------
def test_the_core_is_there_without_script(kitchen: str) -> None:
    words = " ".join(Elements(kitchen).words)
    for said in (
        "Container kitchen",
        "podman",
        "kitchen-child",
        "session-leader",
        "tcp LISTEN 127.0.0.1:7777",
    ):
        assert said in words
    assert "/data/created.txt" in words
    ids = {attributes.get("id") for _, attributes in Elements(kitchen).found}
    assert {"overview", "findings", "hits", "processes", "network", "memory", "files", "timeline"} <= ids
    assert {"p-1", "p-2", "p-3", "p-4", "p-5"} <= ids


def test_every_link_within_the_page_leads_somewhere(kitchen: str) -> None:
    found = Elements(kitchen).found
    ids = [attributes["id"] for _, attributes in found if attributes.get("id")]
    assert len(ids) == len(set(ids))
    assert {(a["href"] or "")[1:] for tag, a in found if tag == "a"} <= set(ids)


def test_the_data_says_what_the_report_says(data: Path) -> None:
    part, damaged = report(data / "podman-kitchen-sink.tar.zst")
    found = data_of(page(part, damaged))
    pool = found["pool"]
    assert [pool[n] for n in found["files"]["path"]["s"]] == [file.path for file in part.files]
    assert found["files"]["size"] == [file.size for file in part.files]
    assert list(found["timeline"]["at"]) == [event.time_ns // 1000 for event in part.timeline]
    paths, texts = (found["timeline"][name]["s"] for name in ("path", "text"))
    shown = [(pool[p] if p >= 0 else "") + pool[t] for p, t in zip(paths, texts, strict=True)]
    assert shown == [event.text for event in part.timeline]
    for one in part.memory.processes:
        flat, end = found["memory"][str(one.pid)], 0
        for at, vma in zip(range(0, len(flat), 6), one.vmas, strict=True):
            start = end + flat[at]
            end = start + flat[at + 1]
            assert (start * part.page_size, end * part.page_size) == (vma.start, vma.end)
            assert flat[at + 2] * part.page_size == vma.dumped + vma.parent


def test_places_found_are_hot(kitchen: str) -> None:
    found = data_of(kitchen)
    assert found["hot"]["n"] > 0
    assert {found["pool"][n] for n in found["hot"]["what"]["s"]} >= {"hit: root"}


def test_the_same_archive_gives_the_same_page(data: Path) -> None:
    path = data / "podman-looper-crun.tar.gz"
    assert html(path) == html(path)


def test_a_thousand_processes_and_fifty_thousand_files(tmp_path: Path) -> None:
    path = tmp_path / "crowd.tar"
    path.write_bytes(crowd(1000, 50_000))
    text = html(path)
    found = data_of(text)
    assert found["processes"]["n"] == 1000
    assert found["files"]["n"] >= 50_000
    assert text.count('<li id="p-') == 1000
    assert len(text) < 12_000_000


def test_two_hundred_processes_are_less_than_five_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "crowd.tar"
    path.write_bytes(crowd(200, 2000))
    assert len(html(path).encode()) < SIZE_OF_200


def test_a_chain_of_processes_has_no_endless_rails(tmp_path: Path) -> None:
    from hostile_archives import pstree, read, tar
    from page_samples import GOOD

    path = tmp_path / "deep.tar"
    path.write_bytes(tar(read(GOOD) | {"checkpoint/pstree.img": pstree({n: n - 1 for n in range(1, 2001)})}))
    text = html(path)
    deepest = max(row.count("rail ") for row in text.split("<li id=")[1:])
    assert deepest == DEEPEST


def test_what_there_is_no_room_for_is_told(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cryoscope import limits

    monkeypatch.setattr(limits, "REPORT_FILES", 3)
    monkeypatch.setattr(limits, "REPORT_PROCESSES", 2)
    monkeypatch.setattr(limits, "REPORT_MAPPINGS", 10)
    text = html(data / "podman-kitchen-sink.tar.zst")
    assert "of 42 files are not in this page" in text
    assert "of 5 processes are not in this page" in text
    assert "mappings are not in the memory map of this page" in text
    assert data_of(text)["files"]["n"] == 3


def test_damage_and_what_was_not_seen_are_told(data: Path) -> None:
    part, damaged = report(data / "truncated-by-full-disk.tar")
    assert damaged
    text = page(part, damaged)
    assert f"{len(damaged)} part" in text
    assert damaged[0].code in text
    assert "Not looked at" in text


def test_without_jinja_the_cure_is_told(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    import sys

    from cryoscope.report.html.page import environment

    part, damaged = report(data / "crio-counter.tar")
    environment.cache_clear()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(CryoscopeError) as error:
        make_page(part, damaged)
    assert error.value.code == "report.not-installed"
    assert "cryoscope[report]" in error.value.hint
    environment.cache_clear()


# --- the graph of sockets -------------------------------------------------------------------
def test_the_graph_has_listeners_processes_and_other_ends(data: Path) -> None:
    part, _ = report(data / "podman-kitchen-sink.tar.zst")
    drawn = graph(part.sockets)
    sides = [{node.title for node in drawn.nodes if node.side == side} for side in range(3)]
    assert "tcp 127.0.0.1:7777" in sides[0]
    assert sides[1] == {"1 python3", "2 kitchen-child", "3 session-leader"}
    assert "tcp 127.0.0.1:33542" in sides[2]
    assert len({(node.x, node.y) for node in drawn.nodes}) == len(drawn.nodes)
    assert all(node.y < drawn.height for node in drawn.nodes)


# --- Markdown -------------------------------------------------------------------------------
def test_markdown_says_the_same_core(data: Path) -> None:
    text = "\n".join(markdown(*report(data / "podman-kitchen-sink.tar.zst")))
    for said in ("# Container kitchen", "## Findings", "**kitchen-child**", "`/data/created.txt`", "SHA-256"):
        assert said in text


def test_markdown_of_hostile_strings_is_words(hostile: tuple[ReportPart, Sequence[Any]]) -> None:
    text = "\n".join(markdown(*hostile))
    assert {c for c in UNSAFE.findall(text) if c != "\n"} == set()
    outside = re.sub(r"(`+) ?.*? ?\1(?!`)", "", text)
    assert not re.search(r"(?<!\\)<[a-z/!]", outside)
    assert "\nFORGED-ROW" not in text


@pytest.mark.parametrize("words", ["`", "``a`", "a`b``c", "a|b", "plain"])
def test_code_in_markdown_ends_where_it_should(words: str) -> None:
    fence = re.match("`+", code(words))
    assert fence is not None
    assert fence[0] not in code(words)[len(fence[0]) : -len(fence[0])].split(" ") or words == "plain"
    assert "|" not in code(words)


def test_bare_words_become_no_link() -> None:
    assert "://" not in plain("see https://evil.example/")
    assert "@" not in plain("mail root@example.org")
    assert plain("<script>[a](b)") == r"\<script\>\[a\](b)"


def test_forks_that_share_a_socket_pair_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    holders = [SimpleNamespace(pid=number + 1, comm="fork", fd=3) for number in range(600)]
    sockets = [
        SimpleNamespace(socket=Socket(family="unix", type="stream", inode=one, peer=other), holders=holders)
        for one, other in ((7, 8), (8, 7))
    ]
    monkeypatch.setattr(limits, "REPORT_LINKS", 1000)
    drawn = graph(sockets)
    assert 0 < len(drawn.edges) <= 1000
    assert drawn.left > 500
    found = holders_of(sockets[0])
    assert (len(found), found[-1]) == (limits.REPORT_HOLDERS + 1, "and 100 more")
