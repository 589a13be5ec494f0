"""Field values as crit's pretty JSON shows them, and back.

The forms are crit's (lib/pycriu/images/pb2dict.py of CRIU), so that either program reads what the
other wrote.  Where crit's form loses something, `show` raises ValueError and `plans.py` adds the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cryoscope.checkpoint.criu.encoding import from_base64, to_base64
from cryoscope.checkpoint.criu.schema import Field, Schema

FLAGS: dict[str, dict[str, int]] = {
    "mmap.prot": {"PROT_READ": 1, "PROT_WRITE": 2, "PROT_EXEC": 4},
    "mmap.flags": {
        "MAP_SHARED": 0x1,
        "MAP_PRIVATE": 0x2,
        "MAP_DROPPABLE": 0x8,
        "MAP_ANON": 0x20,
        "MAP_GROWSDOWN": 0x100,
    },
    "mmap.status": {
        "VMA_AREA_REGULAR": 1 << 0,
        "VMA_AREA_STACK": 1 << 1,
        "VMA_AREA_VSYSCALL": 1 << 2,
        "VMA_AREA_VDSO": 1 << 3,
        "VMA_AREA_HEAP": 1 << 5,
        "VMA_FILE_PRIVATE": 1 << 6,
        "VMA_FILE_SHARED": 1 << 7,
        "VMA_ANON_SHARED": 1 << 8,
        "VMA_ANON_PRIVATE": 1 << 9,
        "VMA_AREA_SYSVIPC": 1 << 10,
        "VMA_AREA_SOCKET": 1 << 11,
        "VMA_AREA_VVAR": 1 << 12,
        "VMA_AREA_AIORING": 1 << 13,
        "VMA_AREA_MEMFD": 1 << 14,
        "VMA_AREA_SHSTK": 1 << 15,
        "VMA_AREA_UPROBES": 1 << 17,
        "VMA_UNSUPP": 1 << 31,
    },
    "rfile.flags": {
        "O_WRONLY": 0o1,
        "O_RDWR": 0o2,
        "O_CREAT": 0o100,
        "O_EXCL": 0o200,
        "O_NOCTTY": 0o400,
        "O_TRUNC": 0o1000,
        "O_APPEND": 0o2000,
        "O_NONBLOCK": 0o4000,
        "O_DSYNC": 0o10000,
        "FASYNC": 0o20000,
        "O_DIRECT": 0o40000,
        "O_LARGEFILE": 0o100000,
        "O_DIRECTORY": 0o200000,
        "O_NOFOLLOW": 0o400000,
        "O_NOATIME": 0o1000000,
        "O_CLOEXEC": 0o2000000,
    },
    "seals.flags": {
        "F_SEAL_SEAL": 0x1,
        "F_SEAL_SHRINK": 0x2,
        "F_SEAL_GROW": 0x4,
        "F_SEAL_WRITE": 0x8,
        "F_SEAL_FUTURE_WRITE": 0x10,
    },
    "pmap.flags": {"PE_PARENT": 1, "PE_LAZY": 2, "PE_PRESENT": 4},
}
"""The bits that crit names; all others are one hexadecimal rest."""

ALSO_READ: dict[str, dict[str, int]] = {
    "mmap.status": {
        "VMA_AREA_NONE": 0,
        "VMA_AREA_GUARD": 1 << 16,
        "VMA_EXT_PLUGIN": 1 << 27,
        "VMA_CLOSE": 1 << 28,
        "VMA_NO_PROT_WRITE": 1 << 29,
        "VMA_PREMMAPED": 1 << 30,
    },
}
"""Bits that crit does not name (criu/include/image.h): understood here, never written."""

DICTS: dict[str, dict[int, str]] = {
    "task_state": {1: "Alive"},
    "family": {1: "UNIX", 2: "INET", 10: "INET6", 16: "NETLINK", 17: "PACKET"},
    "type": {1: "STREAM", 2: "DGRAM", 3: "RAW", 5: "SEQPACKET", 10: "PACKET"},
    "state": {
        1: "ESTABLISHED",
        2: "SYN_SENT",
        3: "SYN_RECV",
        4: "FIN_WAIT1",
        5: "FIN_WAIT2",
        6: "TIME_WAIT",
        7: "CLOSE",
        8: "CLOSE_WAIT",
        9: "LAST_ACK",
        10: "LISTEN",
    },
    "proto": {0: "IP", 6: "TCP", 17: "UDP", 136: "UDPLITE"},
}
"""crit's words by field name.  Task states other than 1 stay numbers: crit up to 4.2 says "Zombie" for
3 (stopped) and later ones "Stopped", so that no word is safe in every crit."""

ALSO_MEANT: dict[str, dict[str, int]] = {"task_state": {"Dead": 2, "Stopped": 3, "Zombie": 3}}
"""Words of either crit for a stopped task; CRIU never writes 6 (a zombie is 2, dead: criu/seize.c)."""

INT_RANGE = 1 << 64


class Form(NamedTuple):
    """How one value is shown (None: as it is) and read back; both raise ValueError."""

    show: Callable[[Any], Any] | None
    read: Callable[[Any], Any]


def form(field: Field, tables: Schema, hexed: bool) -> Form:
    """The form of a field that is no message; `hexed`: a message around it is shown in hex."""
    if field.type in tables.enums:
        return _words(tables.enums[field.type])
    if field.type == "bytes":
        return _quoted_form() if "conv:unix_name" in field.shown else Form(to_base64, from_base64)
    if field.type == "string":
        return Form(bytes.decode, _text)
    if field.type == "bool":
        return Form(None, _bool)
    return _number_form(field, hexed)


def _number_form(field: Field, hexed: bool) -> Form:
    if hexed or "hex" in field.shown:
        return Form(hex, _int)
    if "odev" in field.shown:
        return Form(_show_old_device, _read_old_device)
    if "dev" in field.shown:
        return Form(_show_device, _read_device)
    for option in field.shown:
        kind, _, name = option.partition(":")
        if kind == "flags":
            return _flags(name)
        if kind == "dict":
            return _words(DICTS[field.name], ALSO_MEANT.get(field.name, {}))
    return Form(None, _int)


def _int(value: Any) -> int:
    if isinstance(value, str):
        if len(value) > 32:
            raise ValueError("too long for a number")
        return int(value, 0)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{type(value).__name__} instead of a number")
    return value


def _bool(value: Any) -> bool:
    if value not in (True, False):
        raise ValueError("neither true nor false")
    return bool(value)


def _text(value: Any) -> bytes:
    if not isinstance(value, str):
        raise ValueError(f"{type(value).__name__} instead of text")
    return value.encode()


def _words(words: Mapping[int, str], more: Mapping[str, int] | None = None) -> Form:
    numbers = {**(more or {}), **{word: number for number, word in words.items()}}

    def read(value: Any) -> int:
        if isinstance(value, str) and value in numbers:
            return numbers[value]
        return _int(value)

    return Form(lambda value: words.get(value, value), read)


def _flags(name: str) -> Form:
    bits = FLAGS[name]
    named = sum(bits.values())
    known = {**bits, **ALSO_READ.get(name, {})}

    def show(value: int) -> str:
        found = [word for word, bit in bits.items() if value & bit]
        if value & ~named:
            found.append(f"0x{value & ~named:x}")
        return " | ".join(found)

    def read(value: Any) -> int:
        if not isinstance(value, str):
            return _int(value)
        out = 0
        for word in filter(None, map(str.strip, value.split("|"))):
            out |= known[word] if word in known else _int(word)
        return out

    return Form(show, read)


MINOR_BITS = 20  # MINORBITS of the kernel, include/linux/kdev_t.h


def _show_device(value: int) -> str:
    return f"{value >> MINOR_BITS}:{value & (1 << MINOR_BITS) - 1}"


def _read_device(value: Any) -> int:
    if not _is_pair(value):
        return _int(value)
    major, minor = _pair(value)
    if minor >> MINOR_BITS:
        raise ValueError(f"minor number {minor} does not fit")
    return major << MINOR_BITS | minor


def _show_old_device(value: int) -> str:
    """glibc's packing: 12 bits of major between the lower 8 and the other bits of the minor."""
    major = value >> 8 & 0xFFF | value >> 32 & ~0xFFF
    minor = value & 0xFF | value >> 12 & ~0xFF & 0xFFFFFFFF
    return f"{major}:{minor}"


def _read_old_device(value: Any) -> int:
    if not _is_pair(value):
        return _int(value)
    major, minor = _pair(value)
    return minor & 0xFF | (major & 0xFFF) << 8 | (minor & ~0xFF) << 12 | (major & ~0xFFF) << 32


def _is_pair(value: Any) -> bool:
    return isinstance(value, str) and ":" in value


def _pair(value: str) -> tuple[int, int]:
    major, _, minor = value.partition(":")
    numbers = _int(major.strip()), _int(minor.strip())
    if min(numbers) < 0:
        raise ValueError("a device number is not negative")
    return numbers


def _quoted_form() -> Form:
    """Socket names, as quoted-printable text (RFC 2045)."""
    from binascii import a2b_qp, b2a_qp

    def show(value: bytes) -> str:
        quoted = b2a_qp(value)
        if a2b_qp(quoted) != value:
            raise ValueError("line ends that quoted-printable text changes")
        return quoted.decode()

    def read(value: Any) -> bytes:
        return a2b_qp(_text(value))

    return Form(show, read)


def escaped(field: Field, value: bytes) -> str:
    """A readable form of bytes that `form` cannot show exactly."""
    return repr(value)[2:-1] if field.type == "bytes" else value.decode("utf-8", "backslashreplace")


def show_addresses(words: list[int]) -> list[Any]:
    """One word is IPv4, four are IPv6, each in network byte order as little-endian CRIU reads it."""
    if len(words) not in (1, 4):
        return words
    from struct import pack

    raw = pack(f"<{len(words)}I", *words)
    return [".".join(map(str, raw)) if len(words) == 1 else _ipv6(raw)]


def _ipv6(raw: bytes) -> str:
    """RFC 5952 without dotted quads: inet_ntop has them, and Python's ipaddress since 3.13."""
    groups = [f"{raw[i] << 8 | raw[i + 1]:x}" for i in range(0, 16, 2)]
    best, length = 0, 1
    for start in range(8):
        run = next((n for n in range(8 - start) if groups[start + n] != "0"), 8 - start)
        if run > length:
            best, length = start, run
    if length == 1:
        return ":".join(groups)
    return ":".join(groups[:best]) + "::" + ":".join(groups[best + length :])


def read_addresses(values: list[Any]) -> list[int]:
    """The words of an address in text, or of words as they are."""
    if not values or not isinstance(values[0], str):
        return [_int(value) for value in values]
    from socket import AF_INET, AF_INET6, inet_pton
    from struct import unpack

    if len(values) != 1:
        raise ValueError("one address, not several")
    if ":" not in values[0] and "." not in values[0]:
        return [_int(values[0])]
    try:
        raw = inet_pton(AF_INET6 if ":" in values[0] else AF_INET, values[0])
    except OSError:
        raise ValueError(f"no IP address: {values[0]!r}") from None
    return list(unpack(f"<{len(raw) // 4}I", raw))
