"""What crit's JSON loses, and what is left of damaged images."""

from __future__ import annotations

from random import Random
from struct import pack

import pytest
from criu_samples import entry, framed, made, message, of, shown, there_and_back

from cryoscope import limits
from cryoscope.checkpoint import criu
from cryoscope.checkpoint.criu.images import COMMON_MAGIC
from cryoscope.checkpoint.criu.messages import encode, message_class
from cryoscope.checkpoint.criu.schema import schema
from cryoscope.errors import ImageError, ImageUnsupported, LimitExceeded


def test_text_that_is_not_utf8() -> None:
    got = entry("REG_FILES", "reg_file_entry", id=1, name=b"/tmp/caf\xe9\0")
    assert got["name"] == "/tmp/caf\\xe9\0"
    assert got["_base64"] == {"name": "L3RtcC9jYWbpAA==\n"}


def test_repeated_text_that_is_not_utf8() -> None:
    controller = message_class("cg_controller_entry")(cnames=[b"cpu", b"\xff"])
    got = entry("CGROUP", "cgroup_entry", controllers=[controller])
    assert got["controllers"][0]["cnames"] == ["cpu", "\\xff"]


def test_socket_names_that_quoting_changes() -> None:
    got = entry("UNIXSK", "unix_sk_entry", id=1, name=b"a\r\nb\nc")
    assert got["_base64"] == {"name": "YQ0KYgpj\n"}


def test_edited_text_is_not_overruled_silently() -> None:
    document = shown(of("REG_FILES", made("reg_file_entry", name=b"\xff")))
    document["entries"][0]["name"] = "other"
    with pytest.raises(ImageError, match="edited"):
        criu.from_json(document)


def test_unknown_enumeration_numbers() -> None:
    assert entry("CORE", "core_entry", mtype=99)["mtype"] == 99
    assert entry("REMAP_FPATH", "remap_file_path_entry", remap_type=-1)["remap_type"] == -1


NEWER = b"\xc2\x3e\x03new"  # field 1000, three bytes


def test_fields_of_a_newer_criu() -> None:
    payload = encode(message_class("pstree_entry")(pid=7)) + NEWER
    got = there_and_back(of("PSTREE", framed(payload), made("pstree_entry", pid=8)))["entries"]
    assert got[0] == {"pid": 7, "_unknown": "wj4DbmV3\n"}
    assert got[1] == {"pid": 8}


def test_fields_of_a_newer_criu_deep_inside() -> None:
    tc = encode(message_class("task_core_entry")(comm=b"sh")) + NEWER
    payload = b"\x08\x01" + b"\x1a" + bytes([len(tc)]) + tc
    got = there_and_back(of("CORE", framed(payload)))["entries"][0]
    assert got == {"mtype": "X86_64", "tc": {"comm": "sh", "_unknown": "wj4DbmV3\n"}}


def test_fields_beside_unknown_ones_can_be_edited() -> None:
    document = shown(of("PSTREE", framed(encode(message_class("pstree_entry")(pid=7)) + NEWER)))
    document["entries"][0]["pid"] = 9
    data = criu.from_json(document)
    assert data.endswith(NEWER)
    assert criu.parse(data, name="x").entries[0].message.pid == 9


@pytest.mark.parametrize(
    "payload",
    [
        b"\x10\x01\x08\x02",  # fields out of order
        b"\x08\x81\x00",  # a number longer than it need be
        b"\x08\x01\x08\x02",  # a field twice
        NEWER + b"\x08\x01",  # an unknown field first
        b"\x2a\x02\x01\x02",  # repeated numbers, packed
        b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # more than fits
        b"\x0d\x01\x00\x00\x00",  # a known field of another wire type
        b"",
    ],
)
def test_unusual_encodings_come_back(payload: bytes) -> None:
    there_and_back(of("PSTREE", framed(payload), made("pstree_entry", pid=8)))


def test_edited_fields_beside_raw_bytes_are_refused() -> None:
    document = shown(of("PSTREE", framed(b"\x10\x01\x08\x02")))
    assert document["entries"][0]["_raw"]
    document["entries"][0]["pid"] = 5
    with pytest.raises(ImageError, match="take _raw away"):
        criu.from_json(document)
    del document["entries"][0]["_raw"]
    assert criu.parse(criu.from_json(document), name="x").entries[0].message.pid == 5


def test_undecodable_entries_are_skipped_and_come_back() -> None:
    data = of("PSTREE", made("pstree_entry", pid=1), framed(b"\xff\xff"), made("pstree_entry", pid=2))
    parsed = criu.parse(data, name="pstree.img")
    assert [e.message.pid for e in parsed.entries] == [1, 2]
    assert [(d.code, d.offset, d.part) for d in parsed.damaged] == [
        ("criu.entry-undecodable", 14, "pstree.img")
    ]
    assert there_and_back(data)["entries"][1] == {"_raw": "//8=\n"}


def test_an_image_of_nothing_but_undecodable_entries() -> None:
    data = of("PSTREE", *[framed(b"\xff")] * 3000)
    parsed = criu.parse(data, name="x")
    assert len(parsed.damaged) == len(parsed.skipped) + 1 == 1001
    there_and_back(data)


def test_an_undecodable_entry_with_a_payload_ends_the_image() -> None:
    data = of("SK_QUEUES", framed(b"\xff"), made("sk_packet_entry", id_for=1, length=0))
    assert there_and_back(data)["entries"] == []


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_truncated_image_keeps_what_is_whole(cut: int) -> None:
    data = of("PSTREE", made("pstree_entry", pid=1), made("pstree_entry", pid=2, ppid=1, pgid=1, sid=1))
    parsed = criu.parse(data[:-cut], name="pstree.img")
    assert [e.message.pid for e in parsed.entries] == [1]
    assert [d.code for d in parsed.damaged] == ([] if cut == 12 else ["criu.image-truncated"])
    there_and_back(data[:-cut])
    with pytest.raises(ImageError) as caught:
        criu.parse(data[:-cut], name="pstree.img", partial=False)
    assert caught.value.hint


# --- heads ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("data", "name", "code"),
    [
        (b"", "core-1.img", "criu.image-empty"),
        (b"", "iptables-1.img", "criu.image-raw"),
        (b"# nft text\n", "nftables-10.img", "criu.image-raw"),
        (bytes(4096), "pages-1.img", "criu.image-raw"),
        (b"abc", "core-1.img", "criu.image-magic"),
        (b"\x7fELF" + bytes(20), "core-1.img", "criu.image-magic"),
        (pack("<II", COMMON_MAGIC, 1), "x", "criu.image-magic"),
        (pack("<I", COMMON_MAGIC), "x", "criu.image-magic"),
        (pack(">II", COMMON_MAGIC, 0x55053847), "core-1.img", "criu.image-endian"),
    ],
)
def test_what_is_no_image(data: bytes, name: str, code: str) -> None:
    for read in (lambda: criu.parse(data, name=name), lambda: criu.info(data, name)):
        with pytest.raises(ImageError) as caught:
            read()
        assert caught.value.code == code
        assert caught.value.hint
        assert name in caught.value.message


def test_an_image_of_no_entries() -> None:
    assert there_and_back(of("PIPES_DATA")) == {"magic": "PIPES_DATA", "entries": []}


@pytest.mark.parametrize("name", ["IMAGE", "ENTRY", "ENTRIES"])
def test_limits_are_kept(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(limits, name, 1)
    with pytest.raises(LimitExceeded):
        criu.parse(of("PSTREE", *[made("pstree_entry", pid=1)] * 3), name="x")


def test_payloads_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "EXTRA", 1)
    assert criu.parse(of("SK_QUEUES", made("sk_packet_entry", length=2) + b"ab"), name="x").damaged


def test_a_memoryview_is_as_good() -> None:
    data = of("SK_QUEUES", made("sk_packet_entry", length=2) + b"ab")
    assert criu.to_json(criu.parse(memoryview(data), name="x")) == shown(data)


# --- inventory ------------------------------------------------------------------------------
@pytest.mark.parametrize("version", [1, 2])
def test_known_versions(version: int) -> None:
    criu.check_inventory(message_class("inventory_entry").FromString(bytes([8, version]) + NEWER))


@pytest.mark.parametrize("version", [0, 3, 4, 0xFFFFFFFF])
def test_unknown_versions(version: int) -> None:
    with pytest.raises(ImageUnsupported) as caught:
        criu.check_inventory(message_class("inventory_entry")(img_version=version))
    assert caught.value.code == "criu.image-version"
    assert caught.value.hint


def test_every_message_of_the_tables_can_be_shown() -> None:
    from cryoscope.checkpoint.criu.plans import plan

    rng = Random(9)
    for name in schema().messages:
        for hexed in (False, True):
            original = message(name, rng)
            again = message_class(name)()
            plan(name, hexed).fill(again, plan(name, hexed).show(original))
            assert encode(again) == encode(original), name
