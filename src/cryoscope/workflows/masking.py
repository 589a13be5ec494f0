"""The one rule by which secrets are masked in what is shown; `--reveal` turns it off.

A value is masked where its name tells (`DB_PASSWORD=…`, `--token …`, `{"name": "API_KEY",
"value": …}`), where it stands in a URL (`scheme://user:password@`), and where it is a private
key.  The library itself never masks: records hold what the checkpoint holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

from cryoscope.checkpoint.container import Container
from cryoscope.checkpoint.container.container import SpecMount
from cryoscope.checkpoint.process import Mount, Process, Variable

if TYPE_CHECKING:
    from cryoscope.examine.search.hits import Hit

MASK = "********"

DEEPEST = 60
"""Levels of JSON that are looked into: engines write under ten."""

TELLING = re.compile(
    r"(?i)pass(?:word|wd|phrase|code|key)|secret|token|credential|authorization|connection[-_.]?string"
    r"|(?:api|access|private|session|signing|encryption|auth)[-_.]?key|(?:pass|pwd|auth|dsn)(?![A-Za-z])"
)
HARMLESS = re.compile(r"(?i)[-_.](?:file|path|dir|sock|ttl|type|name|url|length|len|size|version|enabled)$")
"""Names that tell of a secret but hold where it is or how long it lives."""

DIRECTORY = re.compile(r"(?:OLD)?PWD=[\\\"']*+/")
"""What shells keep under a name that elsewhere holds passwords."""

# A text can be megabytes of what a stranger chose, so each pattern here takes time linear in it: it can
# begin only at the edge of a name or of a quotation, and what it has taken it does not give back (`++`).
# Groups end without `++`: Python before 3.11.5 takes too much or too little there when their parts look
# ahead; nothing comes behind them, so nothing can make them give back.
# A name that does not tell is passed over without its value: there may be another name in it.
NAME = r"[A-Za-z0-9_.-]"
FLAG = re.compile(rf"--?+{NAME}++\Z")
ASSIGNED = re.compile(rf"(?<!{NAME})(?P<name>{NAME}++)=")
WORD = r"(?:[^\s;&|'\"\\]++|\\++(?!\"))+"
CLOSING = r"(?=[\s,:;)}}\]]|\Z)"
SHELL_VALUE = re.compile(
    rf"(?P<secret>(?:\\*+\"[^\"]*+\"?+|'[^']*+'?+|{WORD})"
    rf"(?:{WORD}|\"(?!{CLOSING})[^\"]*+\"?+|'(?!{CLOSING})[^']*+'?+)*)"
)
"""A word of a shell, quotations and all; a quote that closes what stands around the word ends it."""

OPEN = r'(?<!\\)\\*+"'
KEY_IN_JSON = re.compile(rf'{OPEN}(?P<name>{NAME}++)\\*+"\s*+:\s*+')
PAIR_IN_JSON = re.compile(
    rf'{OPEN}(?i:name)\\*+"\s*+:\s*+\\*+"(?P<name>{NAME}++)\\*+"\s*+,\s*+{OPEN}(?i:value)\\*+"\s*+:\s*+'
)
PLAIN = re.compile(r'"(?P<secret>(?:[^"\\]++|\\.)+)', re.DOTALL)
NESTED = re.compile(r'\\++"(?P<secret>(?:[^"\\]++|\\\\\\"|\\[^"])+)', re.DOTALL)
"""The inside of a JSON string: in JSON itself, and in JSON inside a JSON string."""

IN_URL = re.compile(
    r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{1,20}+://[^\s/:@]{0,256}+:(?P<secret>[^\s/\"'<>]{1,1024})@"
)
KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]{0,40}?PRIVATE KEY-----")
KEY_ENDED = re.compile(r"-----END [A-Z ]{0,40}?PRIVATE KEY-----")
KEY_ENDS = "-----END"
KEY_LINES = 256
"""Lines of a key whose end does not come: one of 16384 bits has 200; what follows is not hidden by it."""


def tells(name: str) -> bool:
    """Whether a name says that its value is secret."""
    return bool(TELLING.search(name) and not HARMLESS.search(name))


def _values(text: str, names: re.Pattern[str], values: re.Pattern[str]) -> Iterator[re.Match[str]]:
    at = 0
    while named := names.search(text, at):
        at = named.end()
        telling = tells(named["name"]) and not DIRECTORY.match(text, named.start("name"))
        value = values.match(text, at) if telling else None
        if value is not None:
            at = value.end()
            yield value


class KeyLines:
    """Follows the lines of a text that come one by one through the private keys in it."""

    def __init__(self) -> None:
        self.left = 0

    def taken(self, line: str) -> int:
        """How many characters of the next line, from its start, belong to a key that began before it."""
        inside, ends = self.left > 0, line.rfind(KEY_ENDS)
        taken = 0 if not inside else line.find(KEY_ENDS) if ends >= 0 else len(line)
        begins = max((found.start() for found in KEY_BEGINS.finditer(line)), default=-1)
        if begins > ends:
            self.left = KEY_LINES
        else:
            self.left = 0 if ends >= 0 else max(0, self.left - 1)
        return taken


class Masker:
    """Masks records; `count` is how many values it has masked so far."""

    def __init__(self) -> None:
        self.count = 0

    def value(self, name: str, value: str) -> str:
        """`value`, or the mask if `name` tells that it is secret."""
        if value and tells(name) and not DIRECTORY.match(f"{name}={value[:8]}"):
            self.count += value != MASK
            return MASK
        return self.text(value)

    def text(self, text: str) -> str:
        """`text` with the secrets in it masked."""
        if "=" in text:
            text = self._named(text, ASSIGNED, SHELL_VALUE)
        if "://" in text:
            text = self._replaced(text, IN_URL.finditer(text))
        if '"' in text:
            for names in (PAIR_IN_JSON, KEY_IN_JSON):
                for values in (PLAIN, NESTED):
                    text = self._named(text, names, values)
        return self._keys(text) if "PRIVATE KEY" in text else text

    def _named(self, text: str, names: re.Pattern[str], values: re.Pattern[str]) -> str:
        """`text` with the `values` masked that follow `names` that tell."""
        return self._replaced(text, _values(text, names, values))

    def _replaced(self, text: str, found: Iterable[re.Match[str]]) -> str:
        parts, done = [], 0
        for match in found:
            self.count += match["secret"] != MASK
            parts += [text[done : match.start("secret")], MASK]
            done = match.end("secret")
        return "".join([*parts, text[done:]])

    def _keys(self, text: str) -> str:
        """Private keys in their usual armour, to its end or, if that is missing, to the end of all."""
        parts, done = [], 0
        while begin := KEY_BEGINS.search(text, done):
            found = text.find(KEY_ENDS, begin.end())
            end = found if found >= 0 else len(text)
            self.count += text[begin.end() : end] != MASK
            parts += [text[done : begin.end()], MASK]
            done = end
        return "".join([*parts, text[done:]])

    def line(self, line: str, taken: int, kept: int = 0) -> str:
        """A line, `taken` characters of which are inside a key (see `KeyLines`) but for the first `kept`."""
        if taken <= kept:
            return self.text(line)
        self.count += 1
        return line[:kept] + MASK + self.text(line[taken:])

    def hit(self, hit: Hit) -> Hit:
        """What a search found, without what is around it."""
        text = self.text(hit.match)
        told = {} if text == hit.match else {"match": text, "match_base64": None}
        return msgspec.structs.replace(hit, context=None, **told)

    def arguments(self, arguments: list[str]) -> list[str]:
        """A command line: `--token VALUE` is masked as `--token=VALUE` is."""
        masked, telling = [], False
        for argument in arguments:
            if telling and not argument.startswith("-"):
                self.count += 1
                masked.append(MASK)
            else:
                masked.append(self.text(argument))
            telling = bool(FLAG.match(argument)) and tells(argument)
        return masked

    def variables(self, variables: list[Variable]) -> list[Variable]:
        """An environment."""
        return [self._variable(variable) for variable in variables]

    def _variable(self, variable: Variable) -> Variable:
        if variable.value is None:
            return variable
        value = self.value(variable.name, variable.value)
        if value == variable.value:
            return variable
        return msgspec.structs.replace(variable, value=value, value_base64=None)

    def process(self, process: Process) -> Process:
        """A process: its command line and, if it is there, its environment."""
        changes: dict[str, Any] = {}
        if process.cmdline:
            masked = self.arguments(process.cmdline)
            if masked != process.cmdline:
                changes |= {"cmdline": masked, "cmdline_base64": None}
        if process.env is not UNSET:
            changes["env"] = self.variables(process.env)
        return msgspec.structs.replace(process, **changes) if changes else process

    def mount(self, mount: Mount) -> Mount:
        """A mount: network file systems take their passwords as options."""
        options = ",".join(self.text(option) for option in mount.options.split(","))
        return msgspec.structs.replace(mount, options=options, source=self.text(mount.source))

    def container(self, container: Container) -> Container:
        """A container: what it was created to run, its annotations and its engine's facts."""
        process = container.process
        if process is not None:
            args, env = self.arguments(process.args), [self._entry(entry) for entry in process.env]
            process = msgspec.structs.replace(process, args=args, env=env)
        return msgspec.structs.replace(
            container,
            process=process,
            annotations={key: self.value(key, value) for key, value in container.annotations.items()},
            labels={key: self.value(key, value) for key, value in container.labels.items()},
            mounts=[self._spec_mount(mount) for mount in container.mounts],
            facts=self.tree(container.facts),
        )

    def _spec_mount(self, mount: SpecMount) -> SpecMount:
        options = [self.text(option) for option in mount.options]
        return msgspec.structs.replace(mount, options=options)

    def _entry(self, entry: str) -> str:
        name, equals, value = entry.partition("=")
        return f"{name}={self.value(name, value)}" if equals else entry

    def tree(self, value: Any, name: str = "", depth: int = 0) -> Any:
        """Any JSON value, by the names of its members."""
        if isinstance(value, str):
            return self.value(name, value)
        if not isinstance(value, dict | list):
            return value
        if depth > DEEPEST:
            return "(nested too deeply to be shown)"
        if isinstance(value, dict):
            return {key: self.tree(item, str(key), depth + 1) for key, item in value.items()}
        if not tells(name) and all(isinstance(item, str) for item in value):
            return self.arguments(value)
        return [self.tree(item, name, depth + 1) for item in value]


class Revealing(Masker):
    """Masks nothing: the user asked to see everything."""

    def value(self, name: str, value: str) -> str:
        return value

    def text(self, text: str) -> str:
        return text

    def line(self, line: str, taken: int, kept: int = 0) -> str:
        return line

    def hit(self, hit: Hit) -> Hit:
        return hit

    def arguments(self, arguments: list[str]) -> list[str]:
        return arguments

    def container(self, container: Container) -> Container:
        return container
