"""What bytes that are no archive look like, for the message that says so."""

from __future__ import annotations

EXPECTED = "tar (plain, gzip, zstd, xz, bzip2), an OCI image or a folder"

LOOKS = (
    (b"\x7fELF", "a program (ELF)"),
    (b"PK\x03\x04", "a zip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x19\x43\x56\x54", "a single CRIU image: give the folder that it lies in"),
    (b"\x40\x59\x10\x55", "a single CRIU image: give the folder that it lies in"),
    (b"\x16\x31\x31\x58", "a CRIU inventory: give the folder that it lies in"),
    (b"\x0a\x0d\x0d\x0a", "a sysdig or pcapng capture"),
    (b"SQLite format 3\0", "a SQLite database"),
    (b"age-encryption.org/", "an age-encrypted file: decrypt it first"),
    (b"\x1f\x8b", "a gzip stream"),
    (b"\x28\xb5\x2f\xfd", "a zstd stream"),
    (b"BZh", "a bzip2 stream"),
    (b"\xfd7zXZ", "an xz stream"),
    (b"{", "JSON"),
    (b"#!", "a script"),
)


def looks(head: bytes) -> str:
    """What the first bytes show: `it begins with 7f 45 4c 46 (a program (ELF))`."""
    for magic, name in LOOKS:
        if head.startswith(magic):
            return f"it begins with {head[:4].hex(' ')}, {name}"
    line = head[:24].split(b"\n", 1)[0]
    if line and all(32 <= byte < 127 for byte in line):
        return f"it begins with the text {line.decode('ascii')!r}"
    return f"it begins with {head[:8].hex(' ')}"
