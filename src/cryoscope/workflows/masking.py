"""The one rule by which secrets are masked in what is shown; `--reveal` turns it off.

A value is masked where its name tells (`DB_PASSWORD=…`, `--token …`, `{"name": "API_KEY",
"value": …}`), where it stands in a URL (`scheme://user:password@`), and where it is a private
key.  The library itself never masks: records hold what the checkpoint holds.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import UNSET

from cryoscope.checkpoint.container import Container
from cryoscope.checkpoint.container.container import SpecMount
from cryoscope.checkpoint.process import Mount, Process, Variable

MASK = "********"

DEEPEST = 60
"""Levels of JSON that are looked into: engines write under ten."""

TELLING = re.compile(
    r"(?i)pass(?:word|wd|phrase)?|pwd|secret|token|credential|api[-_]?key|access[-_]?key|private[-_]?key"
    r"|auth(?:orization)?|session[-_]?key|signing[-_]?key|encryption[-_]?key|connection[-_]?string|dsn"
)
HARMLESS = re.compile(r"(?i)(?:_file|_path|_dir|_ttl|_type|_name|_url|_length|_len|_size|_version|_enabled)$")
"""Names that tell of a secret but hold where it is or how long it lives."""

# A text can be megabytes of what a stranger chose, so each pattern here takes time linear in it: it can
# begin only at the edge of a name or of a quotation, and what it has taken it does not give back (`++`).
NAME = r"[A-Za-z0-9_.-]"
WHOLE_NAME = re.compile(rf"{NAME}++\Z")
FLAG = re.compile(rf"--?+{NAME}++\Z")
ASSIGNED = re.compile(rf"(?<!{NAME})({NAME}++)=((?:\"[^\"]*+\"?+|'[^']*+'?+|[^\s;&|'\"]++)++)")
OPEN = r'(?<!\\)(?:\\*+)"'
PLAIN = r'(?:[^"\\]++|\\.)++'
NESTED = r'(?:[^"\\]++|\\\\\\"|\\[^"])++'
"""The inside of a JSON string: in JSON itself, and in JSON inside a JSON string."""

IN_JSON = re.compile(
    rf'({OPEN}(?i:name)\\*+"\s*+:\s*+\\*+"({NAME}++)\\*+"\s*+,\s*+{OPEN}(?i:value)\\*+"\s*+:\s*+)'
    rf'(?:(")({PLAIN})|(\\++")({NESTED}))',
    re.DOTALL,
)
KEY_IN_JSON = re.compile(rf'({OPEN}({NAME}++)\\*+"\s*+:\s*+)(?:(")({PLAIN})|(\\++")({NESTED}))', re.DOTALL)
IN_URL = re.compile(
    r"((?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{1,20}+://[^\s/:@]{0,256}+:)([^\s/@]{1,1024}+)(@)"
)
KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]{0,40}?PRIVATE KEY-----")
KEY_ENDS = "-----END"


def tells(name: str) -> bool:
    """Whether a name says that its value is secret."""
    return bool(WHOLE_NAME.match(name) and TELLING.search(name) and not HARMLESS.search(name))


class Masker:
    """Masks records; `count` is how many values it has masked so far."""

    def __init__(self) -> None:
        self.count = 0

    def value(self, name: str, value: str) -> str:
        """`value`, or the mask if `name` tells that it is secret."""
        if value and tells(name):
            self.count += 1
            return MASK
        return self.text(value)

    def text(self, text: str) -> str:
        """`text` with the secrets in it masked."""
        if "=" in text:
            text = ASSIGNED.sub(self._assigned, text)
        if "://" in text:
            text = IN_URL.sub(self._in_url, text)
        if '"' in text:
            text = KEY_IN_JSON.sub(self._in_json, IN_JSON.sub(self._in_json, text))
        return self._keys(text) if "PRIVATE KEY" in text else text

    def _assigned(self, match: re.Match[str]) -> str:
        if match[2] == MASK or not tells(match[1]):
            return match[0]
        self.count += 1
        return f"{match[1]}={MASK}"

    def _in_url(self, match: re.Match[str]) -> str:
        self.count += 1
        return f"{match[1]}{MASK}{match[3]}"

    def _in_json(self, match: re.Match[str]) -> str:
        value = match[4] or match[6]
        if value == MASK or not tells(match[2]):
            return match[0]
        self.count += 1
        return match[1] + (match[3] or match[5]) + MASK

    def _keys(self, text: str) -> str:
        """Private keys in their usual armour, to its end or, if that is missing, to the end of all."""
        parts, done = [], 0
        while begin := KEY_BEGINS.search(text, done):
            end = text.find(KEY_ENDS, begin.end())
            self.count += 1
            parts += [text[done : begin.end()], MASK]
            done = end if end >= 0 else len(text)
        return "".join([*parts, text[done:]])

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

    def arguments(self, arguments: list[str]) -> list[str]:
        return arguments

    def container(self, container: Container) -> Container:
        return container
