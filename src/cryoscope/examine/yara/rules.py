"""Rule files, compiled: each in a namespace of its own where there are several."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.errors import CryoscopeError, UsageError
from cryoscope.text import readable

ENDINGS = (".yar", ".yara")
CURE = "pip install 'cryoscope[yara]'"

Value = str | int | float | bool


class RuleSet(msgspec.Struct, frozen=True):
    """Compiled rules, how many, and what the compiler warns of."""

    compiled: Any
    count: int
    warnings: list[str] = []


def library() -> Any:
    """yara-x; raises CryoscopeError with the cure where it is not installed."""
    try:
        import yara_x
    except ImportError:
        raise CryoscopeError("yara-x is not installed", hint=CURE, code="yara.not-installed") from None
    return yara_x


def compile_rules(paths: Sequence[str], variables: Mapping[str, Value] | None = None) -> RuleSet:
    """The rules of files and folders; raises UsageError, which names file and line of a mistake.

    `variables` are external variables by name, with their values.
    """
    yara = library()
    compiler = yara.Compiler()
    for name, value in (variables or {}).items():
        _define(compiler, name, value)
    found = [pair for path in paths for pair in _files(path)]
    if not found:
        raise UsageError(
            "there are no rules", hint=f"rules are files in {', '.join(ENDINGS)}", code="yara.rules"
        )
    for path, namespace in found:
        if len(found) > 1:
            compiler.new_namespace(namespace)
        _add(yara, compiler, path)
    warnings = [_said(warning, "") for warning in compiler.warnings()]
    try:
        rules = compiler.build()
    except yara.CompileError as error:
        raise UsageError(str(error).partition("\n")[0], code="yara.rules") from None
    return RuleSet(rules, sum(1 for _ in rules), warnings)


def _define(compiler: Any, name: str, value: Value) -> None:
    try:
        compiler.define_global(name, value)
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"variable {name}: {error}", hint="such as -d limit=3", code="yara.variable"
        ) from None


def variable(text: str) -> tuple[str, Value]:
    """`name=value`: a number, true or false, else a text; raises UsageError."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"{text} is no variable", hint="such as -d limit=3", code="yara.variable")
    if value in ("true", "false"):
        return name, value == "true"
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, value


# --- files -------------------------------------------------------------------------------------
def _files(path: str) -> Iterator[tuple[str, str]]:
    """The rule files at `path`, each with its namespace: the way below the folder, without ending."""
    if not os.path.isdir(path):
        yield path, _namespace(os.path.basename(path))
        return
    count = 0
    for folder, below, names in os.walk(path):
        below.sort()
        for name in sorted(names):
            if name.endswith(ENDINGS):
                count += 1
                if count > limits.YARA_FILES:
                    raise UsageError(
                        f"{path} has more than {limits.YARA_FILES} rule files", code="yara.rules"
                    )
                whole = os.path.join(folder, name)
                yield whole, _namespace(os.path.relpath(whole, path))


def _namespace(name: str) -> str:
    return readable(os.path.splitext(name)[0])


def _add(yara: Any, compiler: Any, path: str) -> None:
    compiler.add_include_dir(os.path.dirname(path) or ".")
    known = len(compiler.errors())
    try:
        compiler.add_source(_text(path), origin=readable(path))
    except yara.CompileError as error:
        told = compiler.errors()[known:]
        message = _said(told[0], path) if told else f"{path}: {str(error).partition(chr(10))[0]}"
        raise UsageError(message, hint=_hint(told), code="yara.rules") from None


def _said(told: Any, path: str) -> str:
    """An error or warning of the compiler as `file:line:column: what`."""
    label: dict[str, Any] = next(iter(told.get("labels") or []), {})
    place = label.get("code_origin") or path
    return f"{place}:{told.get('line', 0)}:{told.get('column', 0)}: {told.get('title', '')}"


def _hint(told: Sequence[Any]) -> str:
    labels = [label for label in (told[0].get("labels") or []) if label.get("text")] if told else []
    return str(labels[0]["text"]) if labels else ""


def _text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read(limits.YARA_FILE + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", code="yara.rules") from None
    if len(data) > limits.YARA_FILE:
        raise UsageError(f"{path} is larger than {limits.YARA_FILE} bytes", code="yara.rules")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{path}:{line}: is not UTF-8", hint="write bytes as \\xff", code="yara.rules"
        ) from None
