"""Detectors about memory: each beside the same memory without what it looks for."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from cryoscope.examine.findings.elf import has_text_relocations, header_of
from cryoscope.limits import KIB
from tests.checkpoint.built_samples import PAGE
from tests.examine.findings.scenes import (
    ANON,
    CODE,
    EXECUTE,
    LIBRARY,
    MEMFD,
    READ,
    WRITE,
    Mapped,
    Proc,
    container,
    found,
    severities,
)

RWX, RX, RW = READ | WRITE | EXECUTE, READ | EXECUTE, READ | WRITE
SHELLCODE = b"\x48\x31\xc0".ljust(PAGE, b"\x90")
MEMORY = (
    "anonymous-code",
    "writable-code",
    "modified-code",
    "elf-in-memory",
    "temporary-library",
    "memfd-executable",
)
PERSONALITY = 400000
"""READ_IMPLIES_EXEC as CRIU writes it: the hexadecimal digits read as decimal ones."""


def elf(kind: int = 3, *, segments: tuple[tuple[int, int, int, int], ...] = ((1, 0, 0, 2 * PAGE),)) -> bytes:
    """An x86-64 ELF file; segments are (type, offset, address, size)."""
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    count = 0 if kind == 1 else len(segments)
    head = struct.pack(
        "<HHIQQQIHHHHHH", kind, 62, 1, 0x1000, 64 if count else 0, 0, 0, 64, 56, count, 64, 0, 0
    )
    table = b"".join(struct.pack("<2I6Q", t, 5, at, address, 0, n, n, PAGE) for t, at, address, n in segments)
    return ident + head + (table if count else b"")


def memory(*mapped: Mapped, exe: str = "/usr/bin/server", rootfs: Any = None, **fields: Any) -> Any:
    return container(Proc(1, ["server"], exe=exe, mapped=list(mapped), **fields), rootfs=rootfs)


def anon(prot: int, data: bytes = SHELLCODE, size: int = 4 * PAGE) -> Mapped:
    return Mapped(ANON, size, prot, pages={0: data[:PAGE].ljust(PAGE, b"\0")} if data else {})


# --- anonymous and writable code ------------------------------------------------------------
@pytest.mark.parametrize(
    ("mapped", "fields", "expected"),
    [
        (anon(RX), {}, [("anonymous-code", "medium")]),
        (anon(RWX), {}, [("writable-code", "medium")]),
        (anon(RX), {"exe": "/usr/bin/node"}, [("anonymous-code", "info")]),
        (anon(RWX), {"exe": "/usr/lib/jvm/java-21/bin/java"}, [("writable-code", "info")]),
        (anon(RWX), {"exe": "/tmp/java"}, [("writable-code", "medium")]),
        (anon(RWX), {"personality": PERSONALITY}, [("writable-code", "low")]),
        (anon(RX, b""), {}, []),
        (anon(RWX, b""), {}, []),
        (anon(RW), {}, []),
        (Mapped(LIBRARY, PAGE, RX, path="/usr/lib/libc.so.6"), {}, []),
    ],
)
def test_code_that_is_no_files(mapped: Mapped, fields: Any, expected: list[tuple[str, str]]) -> None:
    assert severities(memory(mapped, **fields), *MEMORY) == expected


def test_a_library_that_makes_code() -> None:
    library = Mapped(LIBRARY, PAGE, RX, path="/usr/lib/x86_64-linux-gnu/libpcre2-8.so.0.14.0")
    assert severities(memory(anon(RX), library), *MEMORY) == [("anonymous-code", "info")]
    planted = Mapped(LIBRARY, PAGE, RX, path="/tmp/libpcre2-8.so.0")
    assert ("anonymous-code", "medium") in severities(memory(anon(RX), planted), *MEMORY)


def test_evidence_of_code() -> None:
    (finding,) = found(memory(anon(RWX)), "writable-code")
    (evidence,) = finding.evidence
    assert (evidence.pid, evidence.address, evidence.size) == (1, ANON, 4 * PAGE)
    assert evidence.vma is not None
    assert (evidence.vma.perms, evidence.vma.kind) == ("rwxp", "anon")
    assert evidence.text is not None
    assert evidence.text.startswith("48 31 c0 90")


def test_an_executable_stack_tells_little() -> None:
    stack = Mapped(ANON, PAGE, RWX, status=0x203, pages={0: b"\1"})
    assert severities(memory(stack), *MEMORY) == [("writable-code", "low")]


# --- code of files --------------------------------------------------------------------------
TEXT = b"\xc3" * PAGE
PATCHED = b"\xc3" * 100 + b"\xe9\x10\x20" + b"\xc3" * (PAGE - 103)
BROKEN_INTO = b"\xc3" * 100 + b"\xcc" + b"\xc3" * (PAGE - 101)
PATH = "/opt/libx.so"


def library(page: bytes | None, number: int = 1) -> Mapped:
    return Mapped(LIBRARY, 4 * PAGE, RX, path=PATH, pages={} if page is None else {number: page})


@pytest.mark.parametrize(
    ("page", "rootfs", "expected"),
    [
        (PATCHED, None, "medium"),
        (PATCHED, {PATH: TEXT * 4}, "high"),
        (BROKEN_INTO, {PATH: TEXT * 4}, "medium"),
        (TEXT, {PATH: TEXT * 4}, None),
        (None, None, None),
    ],
)
def test_changed_pages_of_a_library(
    page: bytes | None, rootfs: dict[str, bytes] | None, expected: str | None
) -> None:
    wanted = [] if expected is None else [("modified-code", expected)]
    assert severities(memory(library(page), rootfs=rootfs), "modified-code") == wanted


def test_where_code_differs() -> None:
    (finding,) = found(memory(library(PATCHED), rootfs={PATH: TEXT * 4}), "modified-code")
    (evidence,) = finding.evidence
    assert (evidence.address, evidence.size, evidence.path) == (LIBRARY + PAGE + 100, 3, PATH)
    assert evidence.text is not None
    assert evidence.text.startswith("e9 10 20 c3")


def test_the_page_that_criu_writes_to() -> None:
    """It puts a system call into the first page of the first executable mapping, and takes it out again."""

    def of_program(pages: dict[int, bytes], rootfs: dict[str, bytes] | None = None) -> list[tuple[str, str]]:
        exe = "/opt/server"
        program = Mapped(CODE, 4 * PAGE, RX, path=exe, pages=pages)
        return severities(memory(program, library(None), exe=exe, rootfs=rootfs), "modified-code")

    assert of_program({0: TEXT}) == []
    assert of_program({0: TEXT, 1: TEXT}) == [("modified-code", "medium")]
    assert of_program({1: TEXT}) == [("modified-code", "medium")]
    assert of_program({0: TEXT}, {"/opt/server": TEXT * 4}) == []
    assert of_program({0: PATCHED}, {"/opt/server": TEXT * 4}) == [("modified-code", "high")]
    assert severities(memory(library(TEXT, 0)), "modified-code") == [("modified-code", "medium")]


def test_libraries_that_are_relocated_within_their_code() -> None:
    dynamic = struct.pack("<4Q", 22, 0, 0, 0)
    original = elf(segments=((1, 0, 0, 4 * PAGE), (2, 512, 512, len(dynamic)))).ljust(512, b"\0") + dynamic
    original = original.ljust(4 * PAGE, b"\xc3")
    assert has_text_relocations(original)
    assert not has_text_relocations(original.replace(dynamic, bytes(len(dynamic))))
    assert severities(memory(library(PATCHED), rootfs={PATH: original}), "modified-code") == [
        ("modified-code", "low")
    ]


# --- ELF images -----------------------------------------------------------------------------
def image(prot: int, data: bytes, at: int = 0) -> Mapped:
    return anon(prot, b"\0" * at + data)


@pytest.mark.parametrize(
    ("mapped", "severity"),
    [
        (image(RX, elf()), "high"),
        (image(RWX, elf(2)), "high"),
        (image(RW, elf()), "medium"),
        (image(RW, elf(), at=32), "info"),
        (image(RWX, elf(), at=32), "info"),
        (image(RW, elf(1)), "info"),
        (image(RX, elf()[:20].ljust(64, b"\0")), None),
        (image(RX, elf(segments=())), None),
        (image(RX, elf().replace(b"\x3e\0", b"\x77\x77")), None),
        (image(RX, b"\x7fELF is a word"), None),
    ],
)
def test_elf_images_in_memory(mapped: Mapped, severity: str | None) -> None:
    wanted = [] if severity is None else [("elf-in-memory", severity)]
    assert severities(memory(mapped), "elf-in-memory") == wanted


def test_an_image_whose_code_is_a_mapping_of_its_own() -> None:
    header = Mapped(ANON, PAGE, READ, pages={0: elf(segments=((1, 0, 0, PAGE), (1, PAGE, PAGE, PAGE)))})
    code = Mapped(ANON + PAGE, PAGE, RX, pages={0: SHELLCODE})
    far = Mapped(ANON + 16 * PAGE, PAGE, RX, pages={0: SHELLCODE})
    assert severities(memory(header, code), "elf-in-memory") == [("elf-in-memory", "high")]
    assert severities(memory(header, far), "elf-in-memory") == [("elf-in-memory", "medium")]


def test_a_program_that_unpacked_itself() -> None:
    packed = Proc(1, ["server"], exe="/usr/bin/server", mapped=[image(RX, elf())])
    packed.mapped.append(Mapped(LIBRARY, PAGE, READ, path="/usr/bin/server"))
    assert severities(container(packed), "elf-in-memory") == [("elf-in-memory", "medium")]


def test_an_image_on_the_stack_was_read_by_the_loader() -> None:
    stack = Mapped(ANON, PAGE, RW, status=0x203, pages={0: bytes(48) + elf()})
    assert severities(memory(stack), "elf-in-memory") == []


def test_evidence_of_an_image() -> None:
    (finding,) = found(memory(image(RX, elf())), "elf-in-memory")
    (evidence,) = finding.evidence
    assert evidence.address == ANON
    assert evidence.member == "checkpoint/pages-1.img"
    assert "64-bit x86-64 shared object" in evidence.what


@pytest.mark.parametrize("size", [0, 3, 20, 63])
def test_headers_that_are_cut_short(size: int) -> None:
    assert header_of(elf()[:size]) is None


# --- memory files and temporary libraries ---------------------------------------------------
@pytest.mark.parametrize(
    ("path", "fields", "expected"),
    [
        ("/tmp/x.so", {}, "medium"),
        ("/tmp/.hidden/x.so", {}, "high"),
        ("/opt/x.so (deleted)", {}, "medium"),
        ("/tmp/jna-33/jna12.tmp (deleted)", {}, "low"),
        ("/tmp/_MEIabc/libpython3.so", {}, "low"),
        ("/tmp/x.so", {"exe": "/usr/bin/java"}, "low"),
        ("/usr/lib/x.so (deleted)", {"rootfs": {"/usr/lib/x.so": b"upgraded"}}, None),
        ("/usr/lib/x.so", {}, None),
    ],
)
def test_libraries_from_temporary_folders(path: str, fields: Any, expected: str | None) -> None:
    wanted = [] if expected is None else [("temporary-library", expected)]
    assert severities(memory(Mapped(LIBRARY, PAGE, RX, path=path), **fields), "temporary-library") == wanted


@pytest.mark.parametrize(
    ("name", "data", "severity"),
    [
        ("/memfd:lib", elf(), "high"),
        ("/memfd:x", SHELLCODE, "medium"),
        ("/memfd:doublemapper", SHELLCODE, "info"),
    ],
)
def test_code_in_memory_files(name: str, data: bytes, severity: str) -> None:
    mapped = Mapped(LIBRARY, PAGE, RX, path=name, status=MEMFD)
    checkpoint = memory(mapped, shared={name: data.ljust(PAGE, b"\0")})
    assert severities(checkpoint, "memfd-executable") == [("memfd-executable", severity)]


def test_a_memory_file_that_holds_data() -> None:
    mapped = Mapped(LIBRARY, PAGE, RW, path="/memfd:cache", status=MEMFD)
    checkpoint = memory(mapped, shared={"/memfd:cache": SHELLCODE})
    assert severities(checkpoint, "memfd-executable") == []


def test_much_code_is_counted() -> None:
    mapped = [Mapped(ANON + n * 16 * KIB, PAGE, RX, pages={0: SHELLCODE}) for n in range(60)]
    (finding,) = found(memory(*mapped), "anonymous-code")
    assert (len(finding.evidence), finding.more) == (50, 10)
