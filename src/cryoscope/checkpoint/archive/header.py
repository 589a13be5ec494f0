"""One tar header block of 512 bytes.

ustar: POSIX.1-1988 (pax(1), "ustar Interchange Format"); GNU: the GNU tar manual, "Basic Tar
Format"; v7: the ustar fields up to and including the link name.  Numbers are octal text, or
base-256 (GNU) when the top bit of the first byte is set.
"""

from __future__ import annotations

from zlib import adler32

from cryoscope.checkpoint.archive.member import NO_XATTRS, Member, normalise
from cryoscope.checkpoint.archive.report import Report

BLOCK = 512
ZEROS = bytes(BLOCK)
MAGIC, POSIX = b"ustar", b"ustar\0"
LARGEST = (1 << 63) - 1

TYPES = {
    **dict.fromkeys(b"0\x007S", "file"),
    ord("1"): "hardlink",
    ord("2"): "symlink",
    ord("3"): "chardev",
    ord("4"): "blockdev",
    ord("5"): "directory",
    ord("6"): "fifo",
}
NO_DATA = frozenset(b"123456")
"""Types whose size field says nothing about bytes that follow (as in GNU tar, Go and Python)."""

Owner = tuple[int, int, int, str, str, int, int]

SECOND = 1_000_000_000

MEMO = 4096
"""Owners and checksums remembered: the same user, group and mode stand in most headers."""


def padded(size: int) -> int:
    """A size rounded up to whole blocks."""
    return -(-size // BLOCK) * BLOCK


def number(field: bytes) -> int:
    """A number field; ValueError if it is none, negative (base-256) numbers included as they are."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
        if field[0] & 0x40:
            value -= 1 << (8 * len(field) - 1)
        if not -LARGEST <= value <= LARGEST:
            raise ValueError("beyond 63 bits")
        return value
    digits = field.partition(b"\0")[0].strip(b" ")
    if digits and not digits.isdigit():
        raise ValueError("not octal")
    return int(digits or b"0", 8)


def text(field: bytes) -> str:
    """A text field up to its first NUL."""
    value = field.partition(b"\0")[0]
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("utf-8", "surrogateescape")


def expected(field: bytes) -> int:
    """What the low half of a header's Adler-32 is, if this is its checksum field; -1 if it is none.

    That half is one more than the sum of the bytes modulo 65521, and costs a tenth of `sum`; the
    checksum counts its own field as spaces.
    """
    try:
        return (int(field.strip(b"\0 "), 8) + sum(field) - 255) % 65521
    except ValueError:
        return -1


def valid(block: bytes) -> bool:
    """Whether the checksum is right, as the sum of unsigned or (old Suns) signed bytes."""
    want = expected(block[148:156])
    if want < 0 or adler32(block) & 0xFFFF == want:
        return want >= 0
    rest = block[:148] + block[156:]
    claimed = int(block[148:156].strip(b"\0 "), 8)
    return sum(rest) + 256 - claimed == 256 * sum(byte > 127 for byte in rest)


class HeaderReader:
    """Headers to members; what is wrong in a field goes to the report."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._owners: dict[bytes, Owner] = {}
        self._sums: dict[bytes, int] = {}

    def valid(self, block: bytes) -> bool:
        """As the function of that name, faster: few checksums occur, and they occur often."""
        field = block[148:156]
        want = self._sums.get(field)
        if want is None:
            want = expected(field)
            if len(self._sums) < MEMO:
                self._sums[field] = want
        return adler32(block) & 0xFFFF == want or valid(block)

    def read(self, block: bytes, offset: int) -> Member:
        """The member of a header whose data begin at `offset`.

        `size` is that of the bytes that follow (0 for types that have none).  Raises ValueError
        if the size is no number or negative: then nobody knows where the next header is.
        """
        name = text(block[:100])
        type_ = block[156]
        if block[345] and block[257:263] == POSIX:
            name = f"{text(block[345:500])}/{name}"
        if type_ == 0 and name[-1:] == "/":
            type_ = 53  # v7 had no type for folders
        try:
            size = 0 if type_ in NO_DATA else int(block[124:135], 8)
        except ValueError:
            size = number(block[124:136])
        if size < 0:
            raise ValueError("negative size")
        try:
            mtime = int(block[136:147], 8) * SECOND
        except ValueError:
            mtime = self._time(block[136:148], name)
        facts = block[100:124] + block[257:345]
        mode, uid, gid, uname, gname, major, minor = self._owners.get(facts) or self._owner(facts, name)
        return Member(
            normalise(name),
            TYPES.get(type_, "other"),
            size,
            mode,
            uid,
            gid,
            uname,
            gname,
            mtime,
            text(block[157:257]) if block[157] else "",
            major,
            minor,
            NO_XATTRS,
            offset,
            (),
        )

    def _time(self, field: bytes, name: str) -> int:
        mtime = self._number(field, name, "modification time") * SECOND
        return mtime if -LARGEST <= mtime <= LARGEST else self._odd(name, "modification time")

    def _odd(self, name: str, field: str) -> int:
        self._report.add(normalise(name), f"the {field} in its header is no number", "archive.header")
        return 0

    def _owner(self, facts: bytes, name: str) -> Owner:
        """Mode, ids, names and device numbers: the fields at 100..124 and, with a magic, 257..345."""
        new = facts[24:29] == MAGIC
        device = facts[24 + 72 : 24 + 88] if new else bytes(16)
        owner = (
            self._number(facts[:8], name, "mode") & 0o7777,
            self._number(facts[8:16], name, "uid"),
            self._number(facts[16:24], name, "gid"),
            text(facts[32:64]) if new else "",
            text(facts[64:96]) if new else "",
            self._number(device[:8], name, "device number"),
            self._number(device[8:], name, "device number"),
        )
        if len(self._owners) < MEMO:
            self._owners[facts] = owner
        return owner

    def _number(self, field: bytes, name: str, what: str) -> int:
        try:
            return number(field)
        except ValueError:
            return self._odd(name, what)
