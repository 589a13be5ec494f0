"""The list of parts that the program is made of, and what they tell."""

import json
from collections.abc import Callable
from typing import TypeVar

Kept = TypeVar("Kept")

PARTS: dict[str, Callable[[], object]] = {}
OPTIONAL: set[str] = set()
KEPT: list[object] = []
"""What must not be collected: a collected socket is a closed one."""


def part(*, optional: bool = False) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """Register a function as a part of its own name; what it returns is told as the fact of that name."""

    def register(function: Callable[[], object]) -> Callable[[], object]:
        name = function.__name__.replace("_", "-")
        PARTS[name] = function
        if optional:
            OPTIONAL.add(name)
        return function

    return register


def keep(thing: Kept) -> Kept:
    """Hold something until the process ends."""
    KEPT.append(thing)
    return thing


def run(arguments: list[str]) -> None:
    """Make every part, but those that are optional and not named, and those named with `no-` before."""
    for argument in arguments:
        if argument.removeprefix("no-") not in PARTS:
            raise SystemExit(f"kinds: there is no part {argument}; there are {' '.join(PARTS)}")
    for name, make in PARTS.items():
        wanted = name in arguments if name in OPTIONAL else f"no-{name}" not in arguments
        if wanted:
            tell(name, make)


def tell(name: str, make: Callable[[], object]) -> None:
    """Make one part and print its fact; what this container may not do is left out and named."""
    try:
        print("fact", name, json.dumps(make()), flush=True)
    except PermissionError as error:
        print("without", name, error.strerror, flush=True)
