"""All units of a checkpoint: scanned by as many processes as there are processors, then put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.errors import Damaged
from cryoscope.examine.search import Where, scan_regions
from cryoscope.examine.search.hits import PLACES
from cryoscope.examine.yara import workers
from cryoscope.examine.yara.matching import Matcher, Partial
from cryoscope.examine.yara.records import YaraHit, YaraResult, YaraString
from cryoscope.examine.yara.rules import RuleSet
from cryoscope.examine.yara.units import units

ALONE = 24 * limits.MIB
"""Bytes of an archive below which a second process costs more than it saves."""

Progress = Callable[[int, int | None], None]
"""Called with the bytes scanned, and those to scan if that is known."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Where to scan, how much at once, how long (seconds a unit), and what to tell.

    Only rules with one of `tags` are told, if there are any; of each string the first `matches`.
    """

    where: Where = Where()
    per_process: bool = False
    seconds: int = 60
    matches: int = 20
    tags: frozenset[str] = frozenset()
    processes: int | None = None


class Scanned(msgspec.Struct, frozen=True):
    """What one process has to say of one window: `unit` and `window` are numbers."""

    unit: int
    window: int
    hits: list[Partial]
    damaged: list[Damaged]
    size: int


def scan(
    checkpoint: Checkpoint,
    rules: RuleSet,
    options: Options,
    *,
    damaged: list[Damaged] | None = None,
    progress: Progress | None = None,
) -> YaraResult:
    """The rules that match in a checkpoint; what could not be read or scanned is added to `damaged`."""
    count = options.processes or _processes(checkpoint)

    def work(claim: workers.Claim) -> Iterator[Scanned]:
        return _work(checkpoint, rules, options, claim)

    _ = checkpoint.processes, checkpoint.files  # read once, before processes part
    found: list[Scanned] = []
    room, done = limits.YARA_HITS, 0
    for scanned in workers.spread(work, count) if count > 1 else work(lambda _number: True):
        if room and scanned.hits:
            found.append(msgspec.structs.replace(scanned, hits=scanned.hits[:room]))
        room, done = max(0, room - len(scanned.hits)), done + scanned.size
        if damaged is not None:
            damaged += scanned.damaged
        if progress is not None:
            progress(done, None)
    notes = [] if room else [f"more than {limits.YARA_HITS} hits: the others are left out"]
    return YaraResult(_ordered(_together(_whole(found, options.matches))), notes)


def _processes(checkpoint: Checkpoint) -> int:
    """A compressed archive is read forward, by one; a small one is done before a second has started."""
    archive = checkpoint.archive
    here = archive.seekable and sum(m.size for m in archive.members.values()) > ALONE
    return workers.processors() if here else 1


def _work(
    checkpoint: Checkpoint, rules: RuleSet, options: Options, claim: workers.Claim
) -> Iterator[Scanned]:
    damaged: list[Damaged] = []
    matcher = Matcher(checkpoint, rules.compiled, seconds=options.seconds, matches=options.matches)
    regions = scan_regions(checkpoint, options.where, damaged)
    windows = (
        (number, window)
        for number, unit in enumerate(units(regions, per_process=options.per_process))
        for window in unit.windows()
    )
    for claimed, (number, window) in enumerate(windows):
        if claim(claimed):
            hits = [part for part in matcher.hits(window) if _wanted(part.hit, options.tags)]
            size = window.high - window.start
            yield Scanned(number, window.number, hits, [*damaged, *matcher.damaged], size)
            damaged.clear()
            matcher.damaged.clear()
    yield Scanned(0, 0, [], damaged, 0)


def _wanted(hit: YaraHit, tags: frozenset[str]) -> bool:
    return not tags or not tags.isdisjoint(hit.tags)


# --- one record each ---------------------------------------------------------------------------
def _whole(found: list[Scanned], matches: int) -> list[YaraHit]:
    """One hit for all windows of a unit."""
    hits: dict[tuple[int, str, str], YaraHit] = {}
    for scanned in sorted(found, key=lambda scanned: (scanned.unit, scanned.window)):
        for hit, repeated in scanned.hits:
            key = scanned.unit, hit.namespace, hit.rule
            known = hits.get(key)
            hits[key] = hit if known is None else _joined(known, hit, repeated, matches)
    return list(hits.values())


def _joined(known: YaraHit, more: YaraHit, repeated: dict[str, int], matches: int) -> YaraHit:
    """A hit with the matches of the next window."""
    strings = {string.identifier: string for string in known.strings}
    for string in more.strings:
        name = string.identifier
        old = strings.get(name)
        if old is not None:
            shown = list(
                {(m.address, m.member, m.offset, m.size): m for m in [*old.matches, *string.matches]}.values()
            )
            count = old.count + string.count - repeated.get(name, 0)
            string = YaraString(name, count, shown[:matches], old.more or string.more)
        strings[name] = string
    return msgspec.structs.replace(known, strings=list(strings.values()))


def _together(hits: list[YaraHit]) -> list[YaraHit]:
    """One hit for all processes in which the same bytes match at the same addresses: a fork left them."""
    found: dict[Any, YaraHit] = {}
    for hit in hits:
        key = _key(hit) if hit.place == "memory" else id(hit)
        known = found.get(key)
        if known is None:
            found[key] = hit
        else:
            found[key] = msgspec.structs.replace(known, processes=[*known.processes, *hit.processes])
    return list(found.values())


def _key(hit: YaraHit) -> Any:
    matches = tuple(
        (
            string.identifier,
            string.count,
            *((m.address, m.size, m.match, m.match_base64) for m in string.matches),
        )
        for string in hit.strings
    )
    return hit.namespace, hit.rule, hit.address, matches or hit.scanned


def _ordered(hits: list[YaraHit]) -> list[YaraHit]:
    order = list(PLACES)
    for hit in hits:
        hit.processes.sort(key=lambda owner: owner.pid)
    return sorted(
        hits,
        key=lambda hit: (
            hit.namespace,
            hit.rule,
            order.index(hit.place),
            hit.processes[0].pid if hit.processes else 0,
            hit.address or 0,
            hit.path or "",
            hit.member or "",
            hit.offset or 0,
        ),
    )
