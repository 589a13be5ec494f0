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
from cryoscope.checkpoint.process import Process, Variable

MASK = "********"

TELLING = (
    r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|credential|api[-_]?key|access[-_]?key|private[-_]?key"
    r"|auth(?:orization)?|session[-_]?key|signing[-_]?key|encryption[-_]?key|connection[-_]?string|dsn)"
)
NAME = rf"[A-Za-z0-9_.-]*{TELLING}[A-Za-z0-9_.-]*"
TELLING_NAME = re.compile(rf"(?i)^{NAME}$")
HARMLESS = re.compile(r"(?i)(?:_file|_path|_dir|_ttl|_type|_name|_url|_length|_len|_size|_version|_enabled)$")
"""Names that tell of a secret but hold where it is or how long it lives."""

ASSIGNED = re.compile(rf"(?i)(?<![A-Za-z0-9])(-{{0,2}}{NAME})(=)(\"[^\"]*\"|'[^']*'|[^\s;&|'\"]+)")
IN_JSON = re.compile(
    rf'(?i)(\\*"name\\*"\s*:\s*\\*"{NAME}\\*"\s*,\s*\\*"value\\*"\s*:\s*\\*")((?:[^"\\]|\\[^"])*)'
)
KEY_IN_JSON = re.compile(rf'(?i)(\\*"{NAME}\\*"\s*:\s*\\*")((?:[^"\\]|\\[^"])+)')
IN_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@]{0,256}:)([^\s/@]{1,1024})(@)")
PRIVATE_KEY = re.compile(r"(-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----).{0,16384}?(-----END|\Z)", re.DOTALL)
FLAG = re.compile(rf"(?i)^--?{NAME}$")


class Masker:
    """Masks records; `count` is how many values it has masked so far."""

    def __init__(self) -> None:
        self.count = 0

    def value(self, name: str, value: str) -> str:
        """`value`, or the mask if `name` tells that it is secret."""
        if value and TELLING_NAME.match(name) and not HARMLESS.search(name):
            self.count += 1
            return MASK
        return self.text(value)

    def text(self, text: str) -> str:
        """`text` with the secrets in it masked."""
        text = ASSIGNED.sub(self._assigned, text)
        text = IN_URL.sub(self._hide_middle, text)
        if '"' in text:
            text = KEY_IN_JSON.sub(self._hide_rest, IN_JSON.sub(self._hide_rest, text))
        return PRIVATE_KEY.sub(self._key, text) if "PRIVATE KEY" in text else text

    def _assigned(self, match: re.Match[str]) -> str:
        if HARMLESS.search(match[1]) or match[3] == MASK:
            return match[0]
        self.count += 1
        return f"{match[1]}={MASK}"

    def _hide_middle(self, match: re.Match[str]) -> str:
        self.count += 1
        return f"{match[1]}{MASK}{match[3]}"

    def _hide_rest(self, match: re.Match[str]) -> str:
        if match[2] == MASK or HARMLESS.search(match[1].rstrip('\\": ')):
            return match[0]
        self.count += 1
        return match[1] + MASK

    def _key(self, match: re.Match[str]) -> str:
        self.count += 1
        return f"{match[1]}{MASK}{match[2]}"

    def arguments(self, arguments: list[str]) -> list[str]:
        """A command line: `--token VALUE` is masked as `--token=VALUE` is."""
        masked, telling = [], False
        for argument in arguments:
            if telling and not argument.startswith("-"):
                self.count += 1
                masked.append(MASK)
            else:
                masked.append(self.text(argument))
            telling = bool(FLAG.match(argument)) and not HARMLESS.search(argument)
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
            facts=self.tree(container.facts),
        )

    def _entry(self, entry: str) -> str:
        name, equals, value = entry.partition("=")
        return f"{name}={self.value(name, value)}" if equals else entry

    def tree(self, value: Any, name: str = "") -> Any:
        """Any JSON value, by the names of its members."""
        if isinstance(value, str):
            return self.value(name, value)
        if isinstance(value, dict):
            return {key: self.tree(item, str(key)) for key, item in value.items()}
        if isinstance(value, list):
            if all(isinstance(item, str) for item in value):
                return self.arguments(value)
            return [self.tree(item, name) for item in value]
        return value


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
