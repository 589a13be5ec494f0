"""docs/commands.md says what the commands do: nothing is missing in it, and its examples are true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cryoscope.cli import COMMANDS, cryoscope

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "commands.md").read_text()
HEADING = r"^## (?=.*\n\n[^|\n])"
"""A heading of the page itself; those in an example's output stand over a table."""

SECTIONS = {part.partition("\n")[0]: part for part in re.split(HEADING, TEXT, flags=re.MULTILINE)[1:]}
EXAMPLES = re.findall(r"^```console\n\$ ([^\n]*)\n(.*?)\n?```$", TEXT, re.MULTILINE | re.DOTALL)
README = (ROOT / "README.md").read_text()
SHELL = f'cryoscope() {{ {sys.executable} -m cryoscope "$@"; }}; set -f;'


def commands(group: click.Group, before: str = "") -> list[tuple[str, click.Command]]:
    """Every command under its name, with those below it."""
    context = click.Context(group)
    found = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found.append((before + name, command))
        if isinstance(command, click.Group):
            found += commands(command, f"{before}{name} ")
    return found


def test_no_section_is_of_a_command_that_is_not() -> None:
    assert list(SECTIONS) == list(COMMANDS)


@pytest.mark.parametrize(("name", "command"), commands(cryoscope))
def test_every_command_and_option_is_documented(name: str, command: click.Command) -> None:
    section = SECTIONS[name.split()[0]]
    assert name in section
    for option in command.params:
        if isinstance(option, click.Option):
            for spelling in (*option.opts, *option.secondary_opts):
                assert f"`{spelling}`" in section, f"{name} {spelling} is not in docs/commands.md"
            assert option.help, f"{name} {option.name} has no help"


def test_every_command_has_an_example() -> None:
    for name, section in SECTIONS.items():
        assert re.search(rf"^\$ .*cryoscope {name}\b", section, re.MULTILINE), name


def test_the_readme_shows_evidence_and_images_as_they_are(tmp_path: Path) -> None:
    section = README.partition("## Evidence, and images\n")[2].partition("\n## ")[0]
    [*blocks] = re.findall(r"^```console\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    asked = "\n".join(re.findall(r"^\$ ([^\n]*)", "".join(blocks), re.MULTILINE))
    said = re.sub(r"^\$ [^\n]*\n", "", "".join(blocks), flags=re.MULTILINE)
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    places = {"CRYOSCOPE_HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    done = subprocess.run(
        ["bash", "-c", f"{SHELL}\n{asked}"],
        cwd=tmp_path,
        env=os.environ | places,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    wanted = re.sub(r"[0-9]+\\.[0-9]", "[0-9.]+", re.escape(said)).replace("…", "(?s:.*?)")
    assert re.fullmatch(wanted, done.stdout), done


@pytest.mark.parametrize(("line", "output"), EXAMPLES, ids=[line[:40] for line, _ in EXAMPLES])
def test_an_example_gives_what_is_written_there(line: str, output: str) -> None:
    done = subprocess.run(
        ["bash", "-c", SHELL + line], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.rstrip() == output
