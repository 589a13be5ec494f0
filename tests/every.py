"""Every command in every format, and what must be true of whatever any of them prints."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cryoscope.text import UNSAFE
from forked import Ran

TABLES = ("show", "ps", "env", "files", "sockets", "maps", "mounts", "log", "ls", "info")
SEARCHED = ("table", "json", "jsonl")

MEMORY = 400 * 1024
"""KiB that no run on any archive may need."""


def commands(*targets: str, everything: bool = True) -> list[list[str]]:
    """Command lines that ask everything of some archives; else each command in one format."""
    forms = dict.fromkeys(TABLES, ("table", "json", "jsonl")) | {"inspect": ("tree", "json", "jsonl")}
    forms["ps"] = ("table", "tree", "json", "jsonl")
    more = {"sockets": ["--queues"], "inspect": ["--all"]}
    found = [
        [name, *more.get(name, []), "-f", form, *targets]
        for name, choices in forms.items()
        for form in (choices if everything else choices[:1])
    ]
    found += [["log", "--criu", *targets], ["decode", *targets]]
    found += [["memory", "--vmas", "-f", form, *targets] for form in ("table", "json")[: 1 + everything]]
    found += [["strings", "-f", form, *targets] for form in ("jsonl", "table", "json")[: 1 + 2 * everything]]
    found += [["search", "-e", "(?i)secret.{0,40}", "-t", "root", "-f", form, *targets] for form in SEARCHED]
    for name in ("secrets", "indicators", "iocs", "bash-history", "scan"):
        found += [[name, "-f", form, *targets] for form in SEARCHED[: 1 + 2 * everything]]
    timelines = ("table", "json", "jsonl", "timesketch", "timesketch-csv", "bodyfile", "l2tcsv")
    found += [["timeline", "-f", form, *targets] for form in timelines[: 1 + 6 * everything]]
    for form in ("table", "json", "tree", "jsonl")[: 1 + 3 * everything]:
        found.append(["diff", "--hexdump", "-f", form, targets[0], *targets])
    for target in targets if len(targets) == 1 else ():  # these ask one archive
        pages = ("html", "markdown", "json", "jsonl")[: 1 + 3 * everything]
        found += [["report", "-f", form, target] for form in pages]
        found += [["fs", "hash", "--all", "-f", form, target] for form in SEARCHED[: 1 + 2 * everything]]
        found += [["fs", "tree", target], ["fs", "hash", "-f", "sums", target]]
        found += [["fs", "diff", "-f", form, target, "--base", "."] for form in ("json", "text")]
    if everything:
        found += [["decode", "-f", "jsonl", *targets], ["decode", "--pretty", *targets]]
    return found


def raw_controls(output: bytes) -> list[str]:
    """Characters in an output that a terminal would obey, but for the ends of lines and `env`'s tabs."""
    return sorted({c for c in UNSAFE.findall(output.decode("utf-8")) if c not in "\n\t"})


def check(ran: Ran, codes: Sequence[int] = (0, 1, 2, 3), memory: int = MEMORY) -> None:
    """No crash, no hang, no flood, nothing a terminal obeys, whatever was in the archive."""
    assert ran.code in codes, ran
    for said in (b"Traceback", b"internal error", b"Timeout ("):
        assert said not in ran.err, ran
    assert raw_controls(ran.out + ran.err) == [], ran
    assert ran.rss < memory, (ran.rss, ran)
    form = _form(ran.arguments)
    if form == "json" and ran.out:
        json.loads(ran.out)
    elif form == "jsonl":
        assert all(isinstance(json.loads(line), dict) for line in ran.out.splitlines()), ran


def _form(arguments: Sequence[str]) -> str | None:
    if "-f" in arguments:
        return arguments[arguments.index("-f") + 1]
    return "json" if arguments[0] == "decode" else None
