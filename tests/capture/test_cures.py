"""Cures that name options name options that there are; reasons of usage have a code and a cure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

import cryoscope
from cryoscope.cli import cryoscope as program
from cryoscope.engines import collect, vetting
from cryoscope.engines.collect.settings import _plain, settings
from cryoscope.engines.criu.restoring import restore
from cryoscope.engines.port import RestoreOptions
from cryoscope.errors import CryoscopeError

SOURCES = Path(cryoscope.__file__).parent
OPTION = re.compile(r"(?<![\\w-])--[a-z][a-z0-9-]+")
OTHERS = {
    *("--time", "--runtime", "--all"),  # podman, crictl
    "--restart",  # docker
    "--subresource",  # kubectl
    "--root-dir",  # the kubelet
    "--create-image",
}
"""Options of other programs that cures name."""
CURES = {"_hard": 2, "_soft": 2, "row": 2}
"""Functions with a cure among their arguments, and which one it is."""


def own_options() -> set[str]:
    found: set[str] = set()
    groups: list[click.Command] = [program]
    while groups:
        command = groups.pop()
        found |= {word for each in command.params for word in [*each.opts, *each.secondary_opts]}
        if isinstance(command, click.Group):
            context = click.Context(command)
            groups += [
                each
                for name in command.list_commands(context)
                if (each := command.get_command(context, name))
            ]
    return found


def cures(tree: ast.AST) -> Iterator[str]:
    """The constant parts of every cure in a module."""
    for call in (each for each in ast.walk(tree) if isinstance(each, ast.Call)):
        given = [each.value for each in call.keywords if each.arg in ("cure", "hint")]
        place = CURES.get(getattr(call.func, "id", ""))
        given += call.args[place : place + 1] if place is not None else []
        for value in given:
            parts = (each.value for each in ast.walk(value) if isinstance(each, ast.Constant))
            yield from (each for each in parts if isinstance(each, str))


def test_options_that_cures_name_are_there() -> None:
    known = own_options() | OTHERS
    found = {
        (path.name, option)
        for path in SOURCES.rglob("*.py")
        for cure in cures(ast.parse(path.read_text()))
        for option in OPTION.findall(cure)
    }
    assert {option for _, option in found} >= {"--tcp", "--live", "--memory"}
    assert {each for each in found if each[1] not in known} == set()


WRONG = {
    "collect.way": lambda: collect.collect(None, "n", "/x", None, "magic"),  # type: ignore[arg-type]
    "collect.reader-namespace": lambda: settings(None, "No Name", None, "/x"),  # type: ignore[arg-type]
    "collect.name": lambda: _plain("../x"),
    "vetting.engine": lambda: vetting.vet(None, vetting.Policy(engine="lxc")),  # type: ignore[arg-type]
    "criu.name": lambda: restore(None, "", SimpleNamespace(), RestoreOptions(name="a/b")),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("code", WRONG)
def test_a_wish_that_makes_no_sense_has_a_code_and_a_cure(code: str) -> None:
    with pytest.raises(CryoscopeError) as raised:
        WRONG[code]()
    assert raised.value.code == code
    assert raised.value.hint
