"""Plugins: objects that installed packages offer under an entry point, behind a versioned protocol.

A package offers one in its metadata (Python Packaging User Guide, "Entry points specification"):

    [project.entry-points."cryoscope.detectors"]
    mine = "mine.detectors"

The object it names, a module as a rule, says with `PROTOCOL` which protocol it was written for.  Nothing is
ever loaded from a path: whoever can install packages can run code already.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any, NamedTuple

from cryoscope.text import readable


class Plugin(NamedTuple):
    """A plugin: its name, the distribution it came with, and the object."""

    name: str
    distribution: str
    object: Any


def load(group: str, protocol: int) -> tuple[list[Plugin], list[str]]:
    """The plugins of a group that speak `protocol`, by name, and a note for each that was left out."""
    found: list[Plugin] = []
    notes: list[str] = []
    for point in sorted(entry_points(group=group), key=lambda point: (point.name, point.value)):
        loaded = _load(point, protocol)
        if isinstance(loaded, Plugin):
            found.append(loaded)
        else:
            notes.append(f"plugin {point.name} of {_distribution(point)} is left out: {loaded}")
    return found, notes


def _load(point: EntryPoint, protocol: int) -> Plugin | str:
    try:
        offered = point.load()
        spoken = getattr(offered, "PROTOCOL", None)
    except Exception as error:  # whatever happens in somebody else's package, the scan goes on
        return f"it cannot be loaded ({type(error).__name__}: {readable(str(error))[:200]})"
    if spoken != protocol or isinstance(spoken, bool):
        said = "names no protocol" if spoken is None else f"speaks protocol {str(spoken)[:20]}"
        return f"it {said}, this release speaks {protocol}"
    return Plugin(point.name, _distribution(point), offered)


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "an unknown package"


def objects(plugin: Plugin, attribute: str, kind: type, notes: list[str]) -> Iterator[Any]:
    """What a plugin offers as a list named `attribute`; what is no `kind` becomes a note."""
    offered = getattr(plugin.object, attribute, None)
    if not isinstance(offered, list | tuple):
        notes.append(f"plugin {plugin.name} of {plugin.distribution} is left out: it has no {attribute}")
        return
    for one in offered:
        if isinstance(one, kind):
            yield one
        else:
            notes.append(f"plugin {plugin.name} of {plugin.distribution}: one of its {attribute} is none")
