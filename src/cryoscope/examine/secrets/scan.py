"""The search for secrets: one pass over the bytes, then judgement, then one finding a value."""

from __future__ import annotations

import base64
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.memory import Address
from cryoscope.errors import Damaged
from cryoscope.examine.search.engine import Engine
from cryoscope.examine.search.hits import Hit, Owner, SearchResult
from cryoscope.examine.search.patterns import Pattern
from cryoscope.examine.search.scan import Progress
from cryoscope.examine.search.search import search
from cryoscope.examine.search.tapped import StreamScan
from cryoscope.examine.search.where import Where
from cryoscope.examine.secrets.folding import Folder
from cryoscope.examine.secrets.records import Known, Place, Rule, SecretsResult, Verdict, Who
from cryoscope.examine.secrets.rules import RULES
from cryoscope.examine.secrets.rules.named import VARIABLES
from cryoscope.examine.secrets.spans import matches_from
from cryoscope.examine.secrets.structured import Text, texts

PAGE = 4096


def patterns(rules: Sequence[Rule]) -> list[Pattern]:
    """What the search engine is asked for: each pattern named by its rule and number."""
    return [Pattern(f"{rule.id}#{n}", found) for rule in rules for n, found in enumerate(rule.patterns)]


def secret_scan(rules: Sequence[Rule] = RULES) -> StreamScan:
    """What to open an archive with, so that one that is compressed is unpacked only once."""
    return StreamScan(patterns(rules))


def find_secrets(
    checkpoint: Checkpoint,
    *,
    rules: Sequence[Rule] = RULES,
    pids: Sequence[int] = (),
    tap: StreamScan | None = None,
    hits: Sequence[Hit] | None = None,
    damaged: list[Damaged] | None = None,
    progress: Progress | None = None,
) -> SecretsResult:
    """The secrets in a checkpoint by `rules`, of some processes if `pids` are given.

    `tap` is the `secret_scan` of the same rules that the archive was opened with; or `hits` are those of a
    search for their `patterns`.  What could not be read is appended to `damaged`.  Raises UsageError for a
    pid that is not there.
    """
    for pid in pids:
        checkpoint.process(pid)
    damaged = damaged if damaged is not None else []
    tap = tap or secret_scan(rules)
    asked = _Asked(rules, Known(_time(checkpoint)), tap.engine)
    for found in texts(checkpoint, pids, damaged):
        asked.texts(found)
    if hits is None:
        where = Where(pids=tuple(pids))
        result = search(checkpoint, [], where=where, tap=tap, damaged=damaged, progress=progress)
    else:
        result = SearchResult([*hits], {})
    for hit in result.hits:
        asked.hit(hit)
    notes = [*result.notes, *asked.notes()]
    return SecretsResult(asked.folder.findings(notes), notes, result.complete)


def _time(checkpoint: Checkpoint) -> float | None:
    """When the checkpoint was made, in seconds since 1970, if somebody says so."""
    try:
        return datetime.fromisoformat(checkpoint.container.checkpointed or "").timestamp()
    except (ValueError, OverflowError):
        return None


class _Asked:
    """Judges matches, each distinct one once."""

    def __init__(self, rules: Sequence[Rule], known: Known, engine: Engine) -> None:
        self.engine = engine
        self.scan = engine.scanner()  # making one takes as long as scanning megabytes
        self.known = known
        self.rules = {rule.id: rule for rule in rules}
        self.folder = Folder(rules)
        self._judged: dict[str, dict[bytes, tuple[Verdict, ...]]] = {rule.id: {} for rule in rules}
        self._full: dict[str, int] = {}

    def notes(self) -> Iterator[str]:
        """Which rules had more matches than are judged."""
        for rule, count in self._full.items():
            yield f"{rule}: {count} matches more were not judged"

    def _verdicts(self, rule: Rule, data: bytes) -> tuple[Verdict, ...]:
        judged = self._judged[rule.id]
        if data not in judged:
            if len(judged) >= rule.most:
                self._full[rule.id] = self._full.get(rule.id, 0) + 1
                return ()
            judged[data] = tuple(rule.judge(data, self.known))
        return judged[data]

    def hit(self, hit: Hit) -> None:
        """A match in memory, in a buffer or in a file."""
        rule = self.rules[hit.pattern.partition("#")[0]]
        data = base64.b64decode(hit.match_base64) if hit.match_base64 else hit.match.encode("utf-8")
        for verdict in self._verdicts(rule, data):
            self.folder.add(rule, verdict, _place(hit, verdict.at), _who(hit))

    def texts(self, found: list[Text]) -> None:
        """Variables and arguments of one process."""
        for text in found:
            if text.place != "cmdline" and VARIABLES.id in self.rules:
                self._text(VARIABLES, text.data, text)
        starts, data = _joined(found)
        for index, low, high in self.scan(data):
            program = self.engine.programs[index]
            for match in matches_from(program.regex, data, low, high):
                text = found[max(0, bisect_right(starts, match.start()) - 1)]
                self._text(self.rules[program.pattern.name.partition("#")[0]], match[0], text)

    def _text(self, rule: Rule, data: bytes, text: Text) -> None:
        for verdict in self._verdicts(rule, data):
            place = Place(place=text.place, name=text.name)
            self.folder.add(rule, verdict, place, [text.who] if text.who else [])


def _joined(found: list[Text]) -> tuple[list[int], bytes]:
    """The texts behind each other, each ended as C does, and where each begins."""
    starts, at = [], 0
    for text in found:
        starts.append(at)
        at += len(text.data) + 1
    return starts, b"".join(text.data + b"\0" for text in found)


def _who(hit: Hit) -> list[Who]:
    owners = [Who(owner.pid, owner.comm) for owner in hit.processes]
    return owners + [Who(holder.pid, holder.comm) for holder in hit.holders]


def _place(hit: Hit, at: int) -> Place:
    """Where the secret stands, `at` bytes behind the beginning of its match.

    The next page may lie anywhere in the archive, so beyond a page's end the offset is not told.
    """
    same_page = hit.offset is None or hit.offset // PAGE == (hit.offset + at) // PAGE
    return Place(
        place=hit.place,
        address=None if hit.address is None else Address(hit.address + at),
        vma=hit.vma,
        processes=[_moved(owner, at) for owner in hit.processes],
        holders=hit.holders,
        object=hit.object,
        path=hit.path,
        member=hit.member,
        offset=None if hit.offset is None or not same_page else hit.offset + at,
    )


def _moved(owner: Owner, at: int) -> Owner:
    return Owner(owner.pid, owner.comm, Address(owner.address + at), owner.vma) if at else owner
