"""docs/kubernetes.md: its commands can be given, its files are there, its codes are those of the source."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from cryoscope.cli import cryoscope, kubectl
from cryoscope.engines import collect

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/kubernetes.md").read_text()
LINES = [line[2:] for line in TEXT.splitlines() if re.match(r"\$ (kubectl )?cryoscope ", line)]
CODE = re.compile(r"`(collect\.[a-z-]+)`")


@pytest.mark.parametrize("line", LINES)
def test_a_command_can_be_given(line):
    words = shlex.split(line)
    group, arguments = (kubectl.plugin, words[2:]) if words[0] == "kubectl" else (cryoscope, words[1:])
    name, command, rest = group.resolve_command(click.Context(group), arguments)
    assert command is not None
    command.make_context(name, rest)


def test_there_are_commands():
    assert len(LINES) >= 5


def test_files_that_are_named_are_there():
    named = {*re.findall(r"`(deploy/[a-z/.-]+)`", TEXT)}
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_code_is_explained_and_none_is_invented():
    folder = Path(collect.__file__).parent
    source = "\n".join(path.read_text() for path in folder.glob("*.py") if path.name != "errors.py")
    usage = {"collect.remove", "collect.way", "collect.reader-namespace"}
    raised = {*re.findall(r'code="(collect\.[a-z-]+)"', source)} - usage
    raised |= {
        f"collect.{name}" for name in ("missing", "unsafe", "unreadable", "changed", "image-tools", "broken")
    }
    listed = {*re.findall(r"collect\.[a-z-]+", folder.joinpath("errors.py").read_text())} - {"collect.failed"}
    assert {*CODE.findall(TEXT)} == raised == listed
