"""Images of every type, there and back, shown in crit's words, and read in any crit's."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from criu_samples import entry, framed, image, made, of, shown, there_and_back

from cryoscope.checkpoint import criu
from cryoscope.checkpoint.criu.images import IMAGE_TYPES, ImageType
from cryoscope.checkpoint.criu.messages import message_class
from cryoscope.errors import ImageError


@pytest.mark.parametrize("kind", IMAGE_TYPES, ids=lambda kind: kind.name)
@pytest.mark.parametrize("seed", range(6))
def test_every_type_comes_back_identical(kind: ImageType, seed: int) -> None:
    data = image(kind, Random(seed), 3)
    parsed = criu.parse(data, name="x.img")
    assert not parsed.damaged
    assert parsed.entries[0].offset == (4 if kind.head == "bare" else 8)
    document = there_and_back(data)
    assert document["magic"] == kind.name
    assert len(document["entries"]) == 3


@pytest.mark.parametrize("kind", IMAGE_TYPES, ids=lambda kind: kind.name)
def test_images_of_the_first_version_have_their_own_magic_alone(kind: ImageType) -> None:
    data = image(kind, Random(1))
    old = data if kind.head == "bare" else data[4:]
    document = there_and_back(old)
    assert document.get("_head") == (None if kind.head == "bare" else "bare")


# --- values, as crit shows them --------------------------------------------------------------
def test_hex_reaches_into_messages() -> None:
    regs = message_class("user_aarch64_regs_entry")(regs=[1, 255], sp=16, pc=17, pstate=0)
    info = message_class("thread_info_aarch64")(clear_tid_addr=10, tls=11, gpregs=regs)
    got = entry("CORE", "core_entry", mtype=3, ti_aarch64=info)
    assert got["mtype"] == "AARCH64"
    assert got["ti_aarch64"]["gpregs"] == {
        "regs": ["0x1", "0xff"],
        "sp": "0x10",
        "pc": "0x11",
        "pstate": "0x0",
    }
    assert got["ti_aarch64"]["tls"] == 11


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (0, ""),
        (1, "VMA_AREA_REGULAR"),
        (0x201, "VMA_AREA_REGULAR | VMA_ANON_PRIVATE"),
        (1 << 16, "0x10000"),
        (1 | 1 << 16 | 1 << 30, "VMA_AREA_REGULAR | 0x40010000"),
        (1 << 31, "VMA_UNSUPP"),
        (0xFFFFFFFF, None),
    ],
)
def test_flags(status: int, text: str | None) -> None:
    got = entry("VMAS", "vma_entry", start=4096, end=8192, prot=3, status=status)
    assert text is None or got["status"] == text
    assert got["prot"] == "PROT_READ | PROT_WRITE"
    assert got["start"] == "0x1000"


def test_bits_that_crit_does_not_name_are_understood() -> None:
    data = criu.from_json({"magic": "VMAS", "entries": [{"status": "VMA_AREA_REGULAR | VMA_AREA_GUARD"}]})
    assert criu.parse(data, name="x").entries[0].message.status == 1 | 1 << 16


@pytest.mark.parametrize(("state", "as_json"), [(1, "Alive"), (2, 2), (3, 3), (6, 6), (9, 9)])
def test_task_states_are_shown_so_that_no_crit_misreads_them(state: int, as_json: Any) -> None:
    tc = message_class("task_core_entry")(task_state=state, comm=b"sh")
    assert entry("CORE", "core_entry", mtype=1, tc=tc)["tc"]["task_state"] == as_json


@pytest.mark.parametrize("word", ["Stopped", "Zombie"])
def test_either_crits_word_for_a_stopped_task_is_one(word: str) -> None:
    data = criu.from_json({"magic": "CORE", "entries": [{"mtype": 1, "tc": {"task_state": word}}]})
    assert criu.parse(data, name="x").entries[0].message.tc.task_state == 3


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([0x0100007F], ["127.0.0.1"]),
        ([0], ["0.0.0.0"]),
        ([0, 0, 0, 0], ["::"]),
        ([0, 0, 0, 0x01000000], ["::1"]),
        ([0, 0, 0xFFFF0000, 0x0100007F], ["::ffff:7f00:1"]),
        ([0xB80D0120, 0, 0, 0x01000000], ["2001:db8::1"]),
        ([0x01000200, 0, 0x01000200, 0], ["2:1::2:1:0:0"]),
        ([0x00000100, 0x02000100, 0x03000100, 0x04000100], ["1:0:1:2:1:3:1:4"]),
        ([1, 2], [1, 2]),
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5]),
    ],
)
def test_addresses(words: list[int], text: list[Any]) -> None:
    got = entry("INETSK", "inet_sk_entry", id=1, family=2, state=10, proto=6, type=1, src_addr=words)
    assert got["src_addr"] == text
    assert (got["family"], got["state"], got["proto"], got["type"]) == ("INET", "LISTEN", "TCP", "STREAM")


def test_addresses_are_what_ipaddress_says() -> None:
    from ipaddress import ip_address

    rng = Random(3)
    for _ in range(500):
        raw = bytes(rng.choice([0, 0, 0, 1, 0xAB]) for _ in range(16))
        words = [int.from_bytes(raw[i : i + 4], "little") for i in range(0, 16, 4)]
        text = entry("INETSK", "inet_sk_entry", src_addr=words)["src_addr"][0]
        assert ip_address(text).packed == raw
        assert "." in str(ip_address(raw)) or text == str(ip_address(raw))


def test_devices() -> None:
    assert entry("GHOST_FILE", "ghost_file_entry", chunks=True, dev=0x800001, rdev=0x0010_0105) == {
        "dev": "8:1",
        "rdev": "1:261",
        "chunks": True,
    }


@pytest.mark.parametrize("device", [0, 0xFFFFFFFF, 0x12345678, 1])
def test_devices_come_back(device: int) -> None:
    entry("IRMAP_CACHE", "irmap_cache_entry", dev=device)
    entry("GHOST_FILE", "ghost_file_entry", chunks=True, dev=device, rdev=device)


def test_socket_names_are_quoted() -> None:
    assert entry("UNIXSK", "unix_sk_entry", name=b"\0abstract\xff")["name"] == "=00abstract=FF"


def test_an_empty_message_is_shown() -> None:
    plugins = message_class("plugins_entry")()
    assert entry("INVENTORY", "inventory_entry", img_version=2, plugins_entry=plugins)["plugins_entry"] == {}


# --- crit's other form, and older crits' -----------------------------------------------------
def test_crits_plain_form_is_read() -> None:
    plain = {
        "magic": "INETSK",
        "entries": [{"id": 1, "family": 10, "flags": 2, "src_addr": [0, 0, 0, 0x01000000], "state": 7}],
    }
    again = shown(criu.from_json(plain))["entries"][0]
    assert again == {"id": 1, "family": "INET6", "state": "CLOSE", "flags": "0x2", "src_addr": ["::1"]}


def test_page_maps_of_crit_before_42_keep_their_field() -> None:
    old = {
        "magic": "PAGEMAP",
        "entries": [{"pages_id": 1}, {"vaddr": "0x1000", "nr_pages": 3, "flags": "PE_PRESENT"}],
    }
    entry = criu.parse(criu.from_json(old), name="x").entries[1].message
    assert (entry.compat_nr_pages, entry.HasField("nr_pages")) == (3, False)


def test_a_page_map_that_only_looks_like_one_of_an_old_crit() -> None:
    there_and_back(
        of("PAGEMAP", made("pagemap_head", pages_id=1), made("pagemap_entry", vaddr=4096, nr_pages=3))
    )


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"magic": "NOTHING", "entries": []},
        {"magic": "CORE"},
        {"magic": "CORE", "entries": {}},
        {"magic": "CORE", "entries": [3]},
        {"magic": "CORE", "entries": [{"mtype": "Z80"}]},
        {"magic": "CORE", "entries": [{"mtype": 1.5}]},
        {"magic": "CORE", "entries": [{"mtype": True}]},
        {"magic": "CORE", "entries": [{"no_such_field": 1}]},
        {"magic": "CORE", "entries": [{"mtype": 1, "extra": "AAAA"}]},
        {"magic": "CORE", "entries": [{"tc": 3}]},
        {"magic": "CORE", "entries": [{"tc": {"comm": 3}}]},
        {"magic": "CORE", "entries": [{"tc": {"comm": "\ud800"}}]},
        {"magic": "CORE", "entries": [{"tc": {"sigactions": {}}}]},
        {"magic": "CORE", "entries": [{"tc": {"child_subreaper": "yes"}}]},
        {"magic": "CORE", "entries": [{"_unknown": "////"}]},
        {"magic": "CORE", "entries": [{"_base64": {"mtype": "AAAA"}}]},
        {"magic": "CORE", "entries": [{"_base64": 3}]},
        {"magic": "CORE", "entries": [], "_head": "none"},
        {"magic": "CORE", "entries": [], "_tail": "not base64!"},
        {"magic": "PSTREE", "entries": [{"pid": -1}]},
        {"magic": "PSTREE", "entries": [{"pid": 1 << 32}]},
        {"magic": "PSTREE", "entries": [{"pid": "9" * 5000}]},
        {"magic": "PSTREE", "entries": [{"pid": 1, "_raw": "/w=="}]},
        {"magic": "INETSK", "entries": [{"src_addr": ["1.2.3"]}]},
        {"magic": "INETSK", "entries": [{"src_addr": ["::1", "::2"]}]},
        {"magic": "IRMAP_CACHE", "entries": [{"dev": "8:x"}]},
        {"magic": "IRMAP_CACHE", "entries": [{"dev": "-1:3"}]},
        {"magic": "SK_QUEUES", "entries": [{"length": 3, "extra": "AAAAAA=="}]},
        {"magic": "SK_QUEUES", "entries": [{"length": 3, "extra": "... <3B>"}]},
        {"magic": "SK_QUEUES", "entries": [{"length": 3}]},
        {"magic": "TCP_STREAM", "entries": [{"extra": {"inq": ""}}]},
        {"magic": "IPCNS_SEM", "entries": [{"nsems": 1, "extra": [70000]}]},
        {"magic": "IPCNS_SEM", "entries": [{"nsems": 1, "extra": "AA=="}]},
        {"magic": "IPCNS_SEM", "entries": [{"nsems": 1, "extra": ["x"]}]},
        {"magic": "IPCNS_MSG", "entries": [{"qnum": 1, "extra": [{"mtype": 1}, ""]}]},
        {"magic": "IPCNS_MSG", "entries": [{"qnum": 1, "extra": [{"mtype": "x", "msize": 0}, ""]}]},
        {"magic": "IPCNS_MSG", "entries": [{"qnum": 1, "extra": [{"mtype": 1, "msize": 2}, "AA=="]}]},
        {"magic": "IPCNS_SEM", "entries": [{"nsems": 1, "extra": [1], "_raw_extra": "AQ=="}]},
    ],
)
def test_documents_that_are_no_image(document: Any) -> None:
    with pytest.raises(ImageError) as caught:
        criu.from_json(document)
    assert caught.value.code == "criu.json-invalid"
    assert caught.value.hint
    assert "\n" not in caught.value.message


def test_documents_nested_too_deep() -> None:
    inner: dict[str, Any] = {"name": "x"}
    for _ in range(5000):
        inner = {"name": "x", "namespaces": [inner]}
    with pytest.raises(ImageError):
        criu.from_json({"magic": "APPARMOR", "entries": [{"namespaces": [inner]}]})


def test_images_nested_too_deep() -> None:
    payload = b""
    for _ in range(200):
        payload = b"\x1a" + _varint(len(payload)) + payload
    payload = b"\x0a" + _varint(len(payload)) + payload
    assert criu.parse(of("APPARMOR", framed(payload)), name="x").damaged
    there_and_back(of("APPARMOR", framed(payload)))


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])
