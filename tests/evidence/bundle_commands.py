"""The commands of a bundle's README, as somebody who has only the bundle runs them."""

from __future__ import annotations

import re
from pathlib import Path


def commands(bundle: Path) -> list[str]:
    """Every indented command of README.txt, in order, with lines that go on joined."""
    text = (bundle / "README.txt").read_text().partition("\nThe evidence\n")[0]
    text = re.sub(r"\\\n\s+", "", text)
    found = []
    for block in re.findall(r"(?:^    \S.*\n(?:^ {4,}.*\n)*)", text, re.MULTILINE):
        found += [line.strip() for line in block.splitlines() if not line.strip().startswith("#")]
    return found


def filled(bundle: Path, command: str, identity: str) -> list[str]:
    """A command for each key or manifest that stands in it as ID or M."""
    keys = [path.stem for path in (bundle / "keys").iterdir()]
    manifests = [path.name.removesuffix(".dsse.json") for path in (bundle / "manifests").glob("*.dsse.json")]
    command = command.replace("YOUR-KEY", identity)
    found = (
        [command.replace("keys/ID.pub", f"keys/{key}.pub") for key in keys] if "ID" in command else [command]
    )
    if re.search(r"\bM\b", command):
        found = [re.sub(r"\bM\b", name, one) for one in found for name in manifests]
    return found
