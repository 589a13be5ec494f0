"""The committed JSON Schemas are those of the records, and a change that breaks readers is refused."""

from __future__ import annotations

import copy
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cryoscope.workflows.schemas import NOUNS, json_schema

ROOT = Path(__file__).resolve().parent.parent
SPEC = importlib.util.spec_from_file_location("schemas_script", ROOT / "scripts" / "schemas.py")
assert SPEC is not None
assert SPEC.loader is not None
schemas = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(schemas)


@pytest.mark.parametrize("noun", NOUNS)
def test_the_committed_schema_is_the_generated_one(noun: str) -> None:
    path = ROOT / "docs" / "schemas" / f"{noun}.json"
    assert path.exists(), "run `make schemas`"
    assert path.read_text() == schemas.text_of(json_schema(noun)), "run `make schemas`"
    assert schemas.breaks(json.loads(path.read_text()), json_schema(noun)) == []


def test_no_schema_is_left_over() -> None:
    assert {path.stem for path in (ROOT / "docs" / "schemas").iterdir()} == set(NOUNS)


Change = Callable[[dict[str, Any]], object]

BREAKING: dict[str, Change] = {
    "a property goes": lambda d: d["Process"]["properties"].pop("cwd"),
    "a required property is new": lambda d: d["Process"]["required"].append("cwd"),
    "a property may be absent": lambda d: d["Process"]["required"].remove("pid"),
    "a type is another": lambda d: d["Process"]["properties"].update(pid={"type": "string"}),
    "null is no longer possible": lambda d: d["Process"]["properties"].update(cwd={"type": "string"}),
    "null is possible": lambda d: d["Process"]["properties"]["umask"]["anyOf"].append({"type": "integer"}),
    "what a list holds": lambda d: d["Thread"]["properties"]["blocked"].update(items={"type": "integer"}),
    "a pattern": lambda d: _anywhere(d, "pattern", "^[0-9]+$"),
    "far inside": lambda d: d["Credentials"]["properties"].pop("uid"),
}

HARMLESS: dict[str, Change] = {
    "a new property": lambda d: d["Process"]["properties"].update(new={"type": "string"}),
    "another description": lambda d: d["Process"].update(description="New words."),
    "a new definition": lambda d: d.update(New={"type": "object"}),
}


def _anywhere(node: Any, key: str, value: Any) -> None:
    for item in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _anywhere(item, key, value)
    if isinstance(node, dict) and key in node:
        node[key] = value


def changed(change: Change) -> dict[str, Any]:
    schema = copy.deepcopy(json_schema("processes"))
    change(schema["$defs"])
    return schema


@pytest.mark.parametrize("name", BREAKING)
def test_a_change_that_breaks_readers_is_refused(name: str) -> None:
    old, new = json_schema("processes"), changed(BREAKING[name])
    assert schemas.breaks(old, new)
    new["title"] = "cryoscope.processes/2"
    assert schemas.breaks(old, new) == []


@pytest.mark.parametrize("name", HARMLESS)
def test_an_addition_is_not(name: str) -> None:
    assert schemas.breaks(json_schema("processes"), changed(HARMLESS[name])) == []


def test_the_script_refuses_and_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas, "FOLDER", tmp_path)
    assert schemas.main([]) == 0
    assert schemas.main(["--check"]) == 0
    path = tmp_path / "processes.json"
    richer = json.loads(path.read_text())
    richer["$defs"]["Process"]["properties"]["gone"] = {"type": "string"}
    path.write_text(json.dumps(richer))
    assert schemas.main([]) == 1
    assert "gone" in path.read_text(), "the old schema stays until somebody decides"
