"""The custody log of a case: a chain of signed entries, and the witness that finds it rolled back.

Each entry holds the SHA-256 of the one before, so that none can be altered, removed or swapped alone.
Whoever can write the store can still put back an older log whole: a witness kept elsewhere finds that.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, unquote

import msgspec

from cryoscope import limits
from cryoscope.errors import UsageError
from cryoscope.evidence import clock as times
from cryoscope.evidence import dsse
from cryoscope.evidence.clock import Clock
from cryoscope.evidence.ports import Sign, Signer, Trust
from cryoscope.evidence.records import Draft, Entry, Head, Problem, Record, SignedEntry, canonical

ENTRY_MEDIA = "application/vnd.cryoscope.custody+json"
HEAD_MEDIA = "application/vnd.cryoscope.custody-head"
FIRST = "0" * 64
WITNESS = re.compile(
    r"cryoscope-head/1 case=(\S{1,1000}) number=(\d{1,15}) time=(\S{1,40}) hash=([0-9a-f]{64})"
    r" key=([0-9a-f]{64}) signature=([A-Za-z0-9+/]{86}==)",
    re.ASCII,
)


class Witness(Record, frozen=True, kw_only=True):
    """The newest entry of a case at some time, signed; kept where nobody who can write the store can."""

    case: str
    number: int
    time: str
    hash: str
    key_id: str
    signature: str


def sign_next(draft: Draft, case: str, signer: Signer, clock: Clock) -> Sign:
    """What makes a draft the next entry behind a head.

    Its time is never before the head's; where the clock stands before it, `details.clock` says what it said.
    """

    def sign(head: Head) -> SignedEntry:
        read = clock()
        time = max(read, head.time)
        details = draft.details if time == read else draft.details | {"clock": read}
        entry = Entry(
            case=case,
            number=head.number + 1,
            time=time,
            action=draft.action,
            operator=draft.operator,
            host=draft.host,
            reason=draft.reason,
            piece=draft.piece,
            details=details,
            previous=head.hash,
        )
        return signed(entry, signer)

    return sign


def signed(entry: Entry, signer: Signer) -> SignedEntry:
    """An entry as it is kept."""
    body = canonical(entry)
    return SignedEntry(
        body=body,
        hash=hashlib.sha256(body).hexdigest(),
        key_id=signer.key_id,
        signature=signer.sign(ENTRY_MEDIA, body),
    )


def read_entry(body: bytes) -> Entry | None:
    """The entry of its JSON; None if it is none, or not written in the one way that entries are."""
    try:
        entry = msgspec.json.decode(body, type=Entry)
    except (msgspec.MsgspecError, UnicodeError):
        return None
    return entry if canonical(entry) == body else None


def head_of(entry: SignedEntry, body: Entry) -> Head:
    """The head of a log that ends in an entry."""
    return Head(case=body.case, number=body.number, time=body.time, hash=entry.hash)


def witness(head: Head, signer: Signer) -> str:
    """One line of text to be kept elsewhere."""
    return _line(head) + f" key={signer.key_id} signature={signer.sign(HEAD_MEDIA, _line(head).encode())}"


def read_witness(text: str) -> Witness:
    """The witness of a line; raises `UsageError` (`custody.witness`) for any other text."""
    found = WITNESS.fullmatch(text.strip())
    if found is None:
        raise UsageError(
            "this is no witness of a custody log",
            hint="`cryoscope case head` prints one: a line that begins with cryoscope-head/1",
            code="custody.witness",
        )
    case, number, time, digest, key, signature = found.groups()
    return Witness(
        case=unquote(case), number=int(number), time=time, hash=digest, key_id=key, signature=signature
    )


def _line(head: Head | Witness) -> str:
    case = quote(head.case, safe="")
    return f"cryoscope-head/1 case={case} number={head.number} time={head.time} hash={head.hash}"


def check(
    entries: Iterable[SignedEntry],
    trust: Trust,
    *,
    expect: Witness | None = None,
    now: str,
    case: str | None = None,
) -> list[Problem]:
    """Everything that is wrong with a log; `now` is the time that no entry may be behind.

    Codes: `custody.chain`, `.missing`, `.order`, `.signature`, `.signer-unknown`, `.future`,
    `.rolled-back`, `.forked`.  `case` is whose log it should be; without it, the first entry's.
    """
    log = _Log(trust, times.later(now, limits.CLOCK_AHEAD), case)
    for place, entry in enumerate(entries, 1):
        log.add(place, entry)
    return [*log.problems(), *(log.against(expect) if expect else [])][: limits.PROBLEMS]


class _Log:
    """A log while it is read: hashes by number, and what was wrong so far."""

    def __init__(self, trust: Trust, latest: str, case: str | None) -> None:
        self._trust, self._latest, self._case = trust, latest, case
        self._hashes: dict[int, str] = {}
        self._altered: dict[int, str] = {}
        self._previous: list[tuple[int, str]] = []
        self._problems: list[Problem] = []
        self._unknown: dict[str, list[int]] = {}
        self._highest, self._time = 0, ""

    def add(self, place: int, entry: SignedEntry) -> None:
        """The next entry as the catalogue has them; `place` counts them."""
        body = read_entry(entry.body)
        self._signature(body.number if body else place, entry)
        digest = hashlib.sha256(entry.body).hexdigest()
        if body is None:
            self._add("chain", place, "its text is no entry of a log: it was altered")
            self._unread(entry.hash)
            return
        if digest != entry.hash:
            self._add("chain", body.number, "its text does not have its hash: one of both was altered")
            self._altered[body.number] = entry.hash
        if self._case is None:
            self._case = body.case
        if body.case != self._case:
            self._add("chain", body.number, "it belongs to the log of another case")
        self._number(body, digest)
        self._when(body)

    def _signature(self, number: int, entry: SignedEntry) -> None:
        verdict = self._trust.verify(entry.key_id, entry.signature, ENTRY_MEDIA, entry.body)
        if verdict == dsse.UNKNOWN:
            self._unknown.setdefault(entry.key_id, []).append(number)
        elif verdict is not None:
            self._add("signature", number, "its signature does not hold: text or signature was altered")

    def _unread(self, digest: str) -> None:
        """What cannot be read is taken to be the entry that comes next."""
        self._highest += 1
        self._hashes[self._highest] = self._altered[self._highest] = digest

    def _number(self, body: Entry, digest: str) -> None:
        if body.number in self._hashes:
            self._add("order", body.number, "the log has two entries of that number")
            return
        if body.number < 1:
            self._add("order", body.number, "entries are counted from 1")
            return
        if body.number < self._highest:
            self._add("order", body.number, f"it stands behind entry {self._highest}: they were swapped")
        self._highest = max(self._highest, body.number)
        self._hashes[body.number] = digest
        self._previous.append((body.number, body.previous))

    def _when(self, body: Entry) -> None:
        if not times.valid(body.time):
            self._add("order", body.number, "its time is no time")
            return
        if body.time > self._latest:
            self._add("future", body.number, f"its time, {body.time}, is still to come")
        if body.time < self._time and body.number == self._highest:
            self._add("order", body.number, f"its time, {body.time}, is before that of the entry before")
        self._time = max(self._time, body.time)

    def problems(self) -> Iterator[Problem]:
        """What is wrong with the log by itself."""
        yield from self._problems
        for first, last in _gaps(self._hashes):
            yield _problem("missing", first, "the log does not have it any more", last)
        for number, previous in self._previous:
            expected = FIRST if number == 1 else self._hashes.get(number - 1)
            if expected not in (None, previous) and self._altered.get(number - 1) != previous:
                yield _problem(
                    "chain", number, "it does not follow the entry before: one of both was altered"
                )
        for key, places in self._unknown.items():
            for first, last in _runs(set(places)):
                yield _problem(
                    "signer-unknown", first, f"signed by a key that is not trusted: {key[:64]}", last
                )

    def against(self, expect: Witness) -> Iterator[Problem]:
        """What is wrong with it in the face of a witness."""
        verdict = self._trust.verify(expect.key_id, expect.signature, HEAD_MEDIA, _line(expect).encode())
        if verdict == dsse.UNKNOWN:
            yield _witness("signer-unknown", f"signed by a key that is not trusted: {expect.key_id}")
        elif verdict is not None:
            yield _witness("signature", "its signature does not hold: the line was altered")
        if self._case is not None and expect.case != self._case:
            yield _witness("forked", f"it is of the case {expect.case!r}")
        elif expect.number > self._highest:
            yield _witness(
                "rolled-back",
                f"it has seen entry {expect.number} of {expect.time}, the log ends at {self._highest}: "
                "an older log was put back, or its end was taken away",
            )
        elif expect.number and self._hashes.get(expect.number) not in (None, expect.hash):
            yield _witness(
                "forked", f"entry {expect.number} is another one than it has seen: the log was written anew"
            )

    def _add(self, code: str, number: int, what: str) -> None:
        if len(self._problems) < limits.PROBLEMS:
            self._problems.append(_problem(code, number, what))


def _gaps(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """First and last of each stretch that is not among numbers from 1 on."""
    before = 0
    for number in sorted(numbers):
        if number > before + 1:
            yield before + 1, number - 1
        before = number


def _runs(numbers: set[int]) -> Iterator[tuple[int, int]]:
    """First and last of each stretch of numbers."""
    first = last = 0
    for number in sorted(numbers):
        if first and number == last + 1:
            last = number
            continue
        if first:
            yield first, last
        first = last = number
    if first:
        yield first, last


CURES = {
    "signer-unknown": "name the key with --trusted-key if it is one of yours; else somebody else wrote this",
    "future": "was the clock of the host wrong, or is this one's?",
    "rolled-back": "look for the newer store: what was added since then is not in this one",
}
BACKUP = "compare with a backup or an export: this log is not what was written"


def _problem(code: str, number: int, what: str, last: int | None = None) -> Problem:
    where = f"log entry {number}" if last in (None, number) else f"log entries {number} to {last}"
    return Problem(code=f"custody.{code}", where=where, what=what, cure=CURES.get(code, BACKUP))


def _witness(code: str, what: str) -> Problem:
    return Problem(code=f"custody.{code}", where="the witness", what=what, cure=CURES.get(code, BACKUP))
