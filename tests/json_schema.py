"""As much of JSON Schema as msgspec generates, to check documents by without another package."""

from __future__ import annotations

import re
from typing import Any

TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}
KNOWN = {
    "$schema", "title", "description", "default", "$defs", "$ref", "type", "enum", "anyOf", "items",
    "properties", "required", "additionalProperties", "pattern", "minimum", "maximum", "contentEncoding",
}  # fmt: skip


def problems(value: Any, schema: dict[str, Any]) -> list[str]:
    """What of `value` does not fit `schema`; unlike the standard, properties it does not name count."""
    return _Validator(schema.get("$defs", {})).check(value, schema, "$")


class _Validator:
    def __init__(self, defs: dict[str, Any]) -> None:
        self.defs = defs

    def check(self, value: Any, schema: dict[str, Any], at: str) -> list[str]:
        unknown = set(schema) - KNOWN
        assert not unknown, f"{at}: {unknown} is not understood here"
        if "$ref" in schema:
            return self.check(value, self.defs[schema["$ref"].removeprefix("#/$defs/")], at)
        if "anyOf" in schema:
            tried = [self.check(value, choice, at) for choice in schema["anyOf"]]
            return [] if [] in tried else min(tried, key=len)
        if "enum" in schema and value not in schema["enum"]:
            return [f"{at}: {value!r} is none of {schema['enum']}"]
        return self._typed(value, schema, at)

    def _typed(self, value: Any, schema: dict[str, Any], at: str) -> list[str]:
        kind = schema.get("type")
        if kind and (not isinstance(value, TYPES[kind]) or (kind != "boolean" and isinstance(value, bool))):
            return [f"{at}: {value!r} is no {kind}"]
        if isinstance(value, dict):
            return self._object(value, schema, at)
        if isinstance(value, list):
            items = schema.get("items", {})
            return [p for i, item in enumerate(value) for p in self.check(item, items, f"{at}[{i}]")]
        if "pattern" in schema and not re.search(schema["pattern"], value):
            return [f"{at}: {value!r} does not look like {schema['pattern']}"]
        return []

    def _object(self, value: dict[str, Any], schema: dict[str, Any], at: str) -> list[str]:
        named, other = (
            schema.get("properties", {}),
            schema.get("additionalProperties", not schema.get("type")),
        )
        found = [f"{at}: {name} is missing" for name in schema.get("required", []) if name not in value]
        for name, item in value.items():
            if name in named:
                found += self.check(item, named[name], f"{at}.{name}")
            elif isinstance(other, dict):
                found += self.check(item, other, f"{at}.{name}")
            elif not other and "properties" in schema:
                found.append(f"{at}: {name} is not in the schema")
        return found
