"""Writes the fields that rules can ask for into docs/rules.md, from the records.

python scripts/rules_fields.py            write them; a test fails where they are not as they should be
"""

from __future__ import annotations

from pathlib import Path

from cryoscope.examine.findings.rules import SUBJECTS, described

PATH = Path(__file__).resolve().parent.parent / "docs" / "rules.md"
BEGIN, END = "### `process`\n", "## Detectors in Python\n"


def section(name: str) -> str:
    """What rules for one kind of records can ask."""
    subject = SUBJECTS[name]
    lines = [f"### `{name}`\n", f"Of {subject.about}.\n"]
    if subject.extras:
        lines.append("".join(f"- `{extra}`: {said.about}\n" for extra, said in subject.extras.items()))
    kinds: dict[str, list[str]] = {}
    for field, kind in described(subject):
        kinds.setdefault(kind, []).append(f"`{field}`")
    lines += [f"{kind.capitalize()}: {', '.join(fields)}.\n" for kind, fields in kinds.items()]
    return "\n".join(lines)


def main() -> None:
    """Replace what stands between the two headings."""
    text = PATH.read_text()
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    PATH.write_text(before + "\n".join(section(name) for name in SUBJECTS) + "\n" + END + after)


if __name__ == "__main__":
    main()
