"""Whether a program's answer is right: a row counts only where both sides gave the right one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

Check = Callable[[bytes], str | None]
"""Standard output in; None if it is right, else in a few words what is wrong."""


def any_answer(_output: bytes) -> str | None:
    """For programs whose exit code says it all."""
    return None


def shows(*words: str) -> Check:
    """The output holds all of the words."""

    def check(output: bytes) -> str | None:
        text = output.decode(errors="replace")
        absent = [word for word in words if word not in text]
        return f"does not say {absent[0]!r}" if absent else None

    return check


def prints(number: int) -> Check:
    """The output is that number."""

    def check(output: bytes) -> str | None:
        text = output.decode(errors="replace").strip()
        return None if text == str(number) else f"says {text[:40]!r}, not {number}"

    return check


def _records(document: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON document, however deep: the tools nest their trees differently."""
    if isinstance(document, dict):
        yield document
        for value in document.values():
            yield from _records(value)
    elif isinstance(document, list):
        for value in document:
            yield from _records(value)


def _command_line(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value).strip()


def _variables(value: Any) -> set[str]:
    """An environment as a set of NAME=value, from an object or from a list of name and value."""
    if isinstance(value, dict):
        return {f"{name}={text}" for name, text in value.items()}
    return {f"{item.get('name')}={item.get('value')}" for item in value or () if isinstance(item, dict)}


def names_all(names: list[str]) -> Check:
    """JSON that has an object or a key for each of the names."""

    def check(output: bytes) -> str | None:
        try:
            json.loads(output)
        except ValueError:
            return "not JSON"
        text = output.decode(errors="replace")
        absent = [name for name in names if f'{name}"' not in text]
        return f"{len(absent)} images absent, {absent[0]}" if absent else None

    return check


def processes(truth: dict[str, Any]) -> Check:
    """Whether the JSON of `inspect --all` names every process with its command line and its environment."""

    def check(output: bytes) -> str | None:
        try:
            document = json.loads(output)
        except ValueError:
            return "not JSON"
        lines: dict[int, str] = {}
        variables: dict[int, set[str]] = {}
        for record in _records(document):
            pid = record.get("pid")
            if isinstance(pid, int) and record.get("cmdline") is not None:
                lines[pid] = _command_line(record["cmdline"])
                variables[pid] = _variables(record.get("environment_variables") or record.get("env"))
        for process in truth["processes"]:
            pid = process["pid"]
            if lines.get(pid) != process["cmdline"]:
                return f"pid {pid}: {lines.get(pid)!r}"
            if not set(process["env"]) <= variables[pid]:
                return f"pid {pid}: environment"
        return None

    return check


def changed(pages: int) -> Check:
    """The JSON of `diff` counts that many changed pages, and no page that is new, gone or unknown."""

    def check(output: bytes) -> str | None:
        total: dict[str, int] = json.loads(output)["archives"][0]["memory"]["total"]
        odd = {name: count for name, count in total.items() if name in ("new", "gone", "unknown")}
        found = total.get("changed", 0)
        return None if found == pages and not odd else f"says {found} changed, {odd}, not {pages}"

    return check
