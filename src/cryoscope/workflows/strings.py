"""`strings`: printable runs in memory, written while they are found.

There may be more of them than fit in memory, so that no document is made and encoded: lines are put
together in bulk (`report.strings`), in the shape of the records here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from cryoscope.checkpoint.memory import Address
from cryoscope.errors import CryoscopeError
from cryoscope.examine.memory.batches import batches
from cryoscope.examine.memory.reading import Reader
from cryoscope.examine.memory.regions import Region, Wanted, regions
from cryoscope.text import readable
from cryoscope.workflows.documents import DamagedIn, Document, Part, builtins, damage, document, encode
from cryoscope.workflows.examine import Answer, Asking, Failure, exit_code, failure
from cryoscope.workflows.open import open_checkpoint

if TYPE_CHECKING:
    from cryoscope.workflows.folding import Folded

Buffer = bytes | memoryview
Write = Callable[[Buffer], object]
SCHEMA = "cryoscope.strings/1"
ENCODINGS = ("ascii", "utf-16")


class StringRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One string; `vma` is the start of the mapping that it begins in.

    `pids` are all processes that map the shared object it lies in, where it lies in one.
    """

    pid: int
    comm: str
    vma: Address
    kind: str
    perms: str
    address: Address
    encoding: str
    text: str
    path: str | None = None
    path_base64: str | None = None
    pids: list[int] = []


class UniqueString(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A string and how often it is there; the rest is about its first place."""

    count: int
    pid: int
    comm: str
    kind: str
    address: Address
    text: str
    path: str | None = None


class StringsPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `strings`; `unique` in place of `strings` where that was asked for."""

    strings: list[StringRecord] = []
    unique: list[UniqueString] = []

    def rows(self) -> list[Any]:
        return [*self.strings, *self.unique]


class Strings(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked: of which memory, in which encodings, of how many characters at least."""

    wanted: Wanted = Wanted()
    encodings: Sequence[str] = ENCODINGS
    minimum: int = 6
    unique: bool = False


class JsonStyle:
    """Lines of JSON: records as they stand in a document, or on their own with schema and archive."""

    def __init__(self, archive: str | None) -> None:
        self.own: dict[str, str] = {} if archive is None else {"schema": SCHEMA, "archive": archive}
        self.mark = b'"0x'
        self.end = b'"}\n' if self.own else b'"}'
        self._before: dict[Region, bytes] = {}

    def before(self, region: Region) -> bytes:
        """The record up to its address; a region may have many lines, or many batches one."""
        found = self._before.get(region)
        if found is None:
            head = encode(self.own | _about(region), indent=0)[:-1] + b',"address":'
            found = head if self.own else b",\n" + head
            if len(self._before) < 1000:
                self._before[region] = found
        return found

    def behind(self, _region: Region, encoding: str) -> bytes:
        return f'","encoding":"{encoding}","text":"'.encode()

    @staticmethod
    def escape(data: bytes) -> bytes:
        """The escapes that ASCII and tab need; newlines part the strings."""
        return data.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\t", b"\\t")


def _about(region: Region) -> dict[str, Any]:
    vma = region.vma
    found = {"pid": region.pid, "comm": region.comm, "vma": vma.start, "kind": vma.kind, "perms": vma.perms}
    if vma.path is not None:
        found["path"] = vma.path
    if vma.path_base64 is not None:
        found["path_base64"] = vma.path_base64
    return found | ({"pids": region.pids} if region.pids != (region.pid,) else {})


class Table:
    """Strings as lines for people, under a heading an archive."""

    def __init__(self, several: bool) -> None:
        self._several = several
        self._begun = False

    def begin(self) -> Iterator[Buffer]:
        return iter(())

    def part(self, archive: str, found: list[Region], asked: Strings, reader: Reader) -> Iterator[Buffer]:
        from cryoscope.report import strings as report

        if self._several:
            yield report.title(archive, first=not self._begun)
        self._begun = True
        if asked.unique:
            yield from report.unique(_folded(found, asked, reader))
            return
        style = report.TableStyle(found)
        yield style.heading
        yield from _lines(found, asked, reader, style)

    def finish(self, damaged: list[DamagedIn]) -> Iterator[Buffer]:
        return iter(())


class JsonLines:
    """Strings as JSON Lines."""

    def begin(self) -> Iterator[Buffer]:
        return iter(())

    def part(self, archive: str, found: list[Region], asked: Strings, reader: Reader) -> Iterator[Buffer]:
        if asked.unique:
            own = {"schema": SCHEMA, "archive": archive}
            for one in _folded(found, asked, reader):
                yield encode(own | builtins(_record(one)), indent=0) + b"\n"
        else:
            yield from _lines(found, asked, reader, JsonStyle(archive))

    def finish(self, damaged: list[DamagedIn]) -> Iterator[Buffer]:
        for line in document("strings", [], damaged).lines():
            yield encode(line, indent=0) + b"\n"


class Json:
    """Strings as one document, whole even where an archive gives out in the middle."""

    def __init__(self) -> None:
        self._between = b""
        self._end = b""

    def begin(self) -> Iterator[Buffer]:
        yield b'{"schema":"' + SCHEMA.encode() + b'","archives":['

    def part(self, archive: str, found: list[Region], asked: Strings, reader: Reader) -> Iterator[Buffer]:
        noun = b',"unique":[' if asked.unique else b',"strings":['
        yield self._end + self._between + b'\n{"archive":' + encode(archive, indent=0) + noun
        self._between, self._end = b",", b"\n]}"
        yield from _without_comma(_items(found, asked, reader))

    def finish(self, damaged: list[DamagedIn]) -> Iterator[Buffer]:
        yield self._end + b'\n],"damaged":' + encode(damaged, indent=0) + b"}\n"


Form = Table | JsonLines | Json


def _items(found: list[Region], asked: Strings, reader: Reader) -> Iterator[Buffer]:
    if asked.unique:
        return (b",\n" + encode(_record(one), indent=0) for one in _folded(found, asked, reader))
    return _lines(found, asked, reader, JsonStyle(None))


def _without_comma(parts: Iterable[Buffer]) -> Iterator[Buffer]:
    """Records that each begin with a comma, as a list."""
    first = True
    for part in parts:
        yield part[1:] if first and len(part) else part
        first = first and not len(part)


def _lines(found: list[Region], asked: Strings, reader: Reader, style: Any) -> Iterator[Buffer]:
    from cryoscope.examine.memory.strings import find, in_order
    from cryoscope.report.strings import lines

    return in_order(
        lambda batch: lines(find(batch, asked.encodings, asked.minimum), style), batches(found, reader)
    )


def _folded(found: list[Region], asked: Strings, reader: Reader) -> list[Folded]:
    from cryoscope.workflows.folding import fold

    return fold(batches(found, reader), asked.encodings, asked.minimum)


def _record(one: Folded) -> UniqueString:
    region = one.region
    return UniqueString(
        count=one.times,
        pid=region.pid,
        comm=region.comm,
        kind=region.vma.kind,
        address=Address(one.address),
        text=one.text.decode("ascii"),
        path=region.vma.path,
    )


def stream(targets: Sequence[str], asked: Strings, form: Form, asking: Asking, write: Write) -> Answer:
    """Write the strings of each archive; the answer has what could not be read, and no strings."""
    damaged: list[DamagedIn] = []
    failures: list[Failure] = []

    def put(parts: Iterable[Buffer]) -> None:
        for part in parts:
            write(part)

    put(form.begin())
    for target in targets:
        reader = Reader()
        try:
            with open_checkpoint(
                target,
                cache=asking.cache,
                access=asking.access,
                stacks=True,
                progress=asking.progress(target),
            ) as checkpoint:
                put(form.part(readable(target), regions(checkpoint, asked.wanted), asked, reader))
                damaged += damage(target, [*checkpoint.damaged, *reader.damaged])
        except CryoscopeError as error:
            failures.append((target, error))
    damaged += [failure(target, error) for target, error in failures]
    put(form.finish(damaged))
    return Answer(
        Document(schema=SCHEMA, archives=[], damaged=damaged), exit_code(failures, damaged), failures
    )


def form_of(name: str, several: bool) -> Form:
    """The form that `--format` names."""
    if name == "table":
        return Table(several)
    return Json() if name == "json" else JsonLines()
