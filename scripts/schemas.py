"""Writes docs/schemas/<noun>.json, the JSON Schema of each kind of document, from the records.

    python scripts/schemas.py            write them; refused where a change breaks readers
    python scripts/schemas.py --check    only say whether they are as they should be

Readers break when a property goes, when one becomes required that was not, or when a type no longer
holds what it held.  Such a change needs a new number in the schema's name (`cryoscope.processes/2`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryoscope.workflows.schemas import NOUNS, json_schema

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "schemas"

Schema = dict[str, Any]


def text_of(schema: Schema) -> str:
    """A schema as it is committed."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def version(schema: Schema) -> int:
    """The number behind the slash of its title."""
    return int(schema["title"].rpartition("/")[2])


def breaks(old: Schema, new: Schema) -> list[str]:
    """What in `new` breaks those who read documents of `old`; nothing if its number was raised."""
    if version(new) > version(old):
        return []
    return [*_Compared(old, new).differences(old, new, "$")]


class _Compared:
    """Two schemas side by side; a pair of definitions is compared once, so that recursion ends."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self.old, self.new = old.get("$defs", {}), new.get("$defs", {})
        self.seen: set[tuple[str, str]] = set()

    def differences(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        pair = (old.get("$ref", ""), new.get("$ref", ""))
        if any(pair) and pair in self.seen:
            return
        self.seen.add(pair)
        before, after = self._choices(old, self.old), self._choices(new, self.new)
        yield from self._types(before, after, at)
        for kind, was in before.items():
            if kind in after:
                yield from self._inside(was, after[kind], at)

    def _choices(self, schema: Schema, defs: Schema) -> dict[str, Schema]:
        """What a value may be, by type."""
        if "$ref" in schema:
            return self._choices(defs[schema["$ref"].removeprefix("#/$defs/")], defs)
        found: dict[str, Schema] = {}
        for choice in schema.get("anyOf", [schema]):
            if choice is schema:
                found[str(schema.get("type", "any"))] = schema
            else:
                found |= self._choices(choice, defs)
        return found

    def _types(self, before: dict[str, Schema], after: dict[str, Schema], at: str) -> Iterator[str]:
        """A narrower type takes values away from who asks for them, a wider one gives what nobody expects."""
        if set(after) != set(before):
            yield f"{at}: was {_named(before)}, is {_named(after)}"

    def _inside(self, was: Schema, now: Schema, at: str) -> Iterator[str]:
        for keyword in ("enum", "pattern"):
            if was.get(keyword) != now.get(keyword):
                yield f"{at}: {keyword} was {was.get(keyword)}, is {now.get(keyword)}"
        yield from self._properties(was, now, at)
        for keyword in ("items", "additionalProperties"):
            if isinstance(was.get(keyword), dict) and isinstance(now.get(keyword), dict):
                yield from self.differences(was[keyword], now[keyword], f"{at}[]")

    def _properties(self, was: Schema, now: Schema, at: str) -> Iterator[str]:
        before, after = was.get("properties", {}), now.get("properties", {})
        yield from (f"{at}.{name}: is gone" for name in before if name not in after)
        required, promised = set(was.get("required", [])), set(now.get("required", []))
        yield from (f"{at}.{name}: is required now" for name in sorted(promised - required))
        yield from (f"{at}.{name}: may be absent now" for name in sorted((required & set(after)) - promised))
        for name in before.keys() & after.keys():
            yield from self.differences(before[name], after[name], f"{at}.{name}")


def _named(choices: dict[str, Schema]) -> str:
    return " or ".join(sorted(choices))


def main(arguments: list[str]) -> int:
    """Write or check all schemas; the exit code."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    code = 0
    for noun in NOUNS:
        path, new = FOLDER / f"{noun}.json", json_schema(noun)
        old = json.loads(path.read_text()) if path.exists() else new
        for problem in breaks(old, new):
            sys.stderr.write(f"{noun}: {problem}\n")
            code = 1
        if "--check" in arguments:
            code = max(code, int(not path.exists() or path.read_text() != text_of(new)))
        elif not code:
            path.write_text(text_of(new))
    if code:
        sys.stderr.write("schemas differ; a change that breaks readers needs a new number in the name\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
