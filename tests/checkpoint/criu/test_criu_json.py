"""Images of every type, invented: there and back, in crit's words, and with everything unusual in them."""

from __future__ import annotations

import json
from random import Random
from struct import pack
from typing import Any

import pytest
from criu_samples import framed, image, message, of

from cryoscope import limits
from cryoscope.checkpoint import criu
from cryoscope.checkpoint.criu.images import COMMON_MAGIC, IMAGE_TYPES, ImageType
from cryoscope.checkpoint.criu.messages import encode, message_class
from cryoscope.checkpoint.criu.schema import schema
from cryoscope.errors import ImageError, ImageUnsupported, LimitExceeded


def shown(data: bytes) -> dict[str, Any]:
    document: dict[str, Any] = criu.to_json(criu.parse(data, name="x.img"))
    return document


def there_and_back(data: bytes) -> dict[str, Any]:
    """The document of an image, after checking that it gives the image back."""
    document = shown(data)
    text = json.dumps(document)
    assert criu.from_json(json.loads(text)) == data
    assert json.loads(criu.dumps(criu.parse(data, name="x.img"))) == json.loads(text)
    return document


def made(name: str, /, **fields: Any) -> bytes:
    return framed(encode(message_class(name)(**fields)))


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
def entry(image_name: str, kind: str, /, **fields: Any) -> dict[str, Any]:
    document: dict[str, Any] = there_and_back(of(image_name, made(kind, **fields)))["entries"][0]
    return document


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


# --- what crit loses ------------------------------------------------------------------------
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


# --- payloads -------------------------------------------------------------------------------
def test_tcp_queues() -> None:
    data = of("TCP_STREAM", made("tcp_stream_entry", inq_len=3, outq_len=2) + b"inqou")
    parsed = criu.parse(data, name="x").entries[0]
    assert (parsed.extra.inq, parsed.extra.outq) == (b"inq", b"ou")
    assert there_and_back(data)["entries"][0]["extra"] == {"inq": "aW5x\n", "outq": "b3U=\n"}


def test_message_queues() -> None:
    text = made("ipc_msg", mtype=5, msize=3) + b"abc" + bytes(5)
    data = of(
        "IPCNS_MSG",
        made("ipc_msg_entry", qnum=0),
        made("ipc_msg_entry", qnum=1) + text,
        made("ipc_msg_entry", qnum=3) + text * 3,
    )
    queues = [[(m.mtype, m.data) for m in e.extra] for e in criu.parse(data, name="x").entries]
    assert queues == [[], [(5, b"abc")], [(5, b"abc")] * 3]
    assert there_and_back(data)["entries"][1]["extra"] == [{"mtype": 5, "msize": 3}, "YWJj\n"]


def test_a_million_messages_promised_are_not_believed() -> None:
    parsed = criu.parse(of("IPCNS_MSG", made("ipc_msg_entry", qnum=0xFFFFFFFF)), name="x")
    assert parsed.entries == []
    assert parsed.damaged


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5])
def test_semaphores_are_rounded(count: int) -> None:
    values = b"".join(pack("<H", 65535 - i) for i in range(count))
    data = of("IPCNS_SEM", made("ipc_sem_entry", nsems=count) + values + bytes(-len(values) % 8)) * 1
    assert there_and_back(data)["entries"][0]["extra"] == [65535 - i for i in range(count)]


def test_padding_that_is_not_zero_comes_back() -> None:
    data = of("IPCNS_SEM", made("ipc_sem_entry", nsems=1) + b"\1\0garbag", made("ipc_sem_entry", nsems=0))
    document = there_and_back(data)
    document["entries"][0]["extra"] = [2]
    with pytest.raises(ImageError, match="_raw_extra"):
        criu.from_json(document)


def test_segments_in_page_maps_have_no_payload() -> None:
    data = of(
        "IPCNS_SHM",
        made("ipc_shm_entry", size=4096, in_pagemaps=True),
        made("ipc_shm_entry", size=3) + b"abc\0",
        made("ipc_shm_entry", size=8192, in_pagemaps=True),
    )
    assert [e.extra for e in criu.parse(data, name="x").entries] == [None, b"abc", None]
    assert [e["extra"] for e in there_and_back(data)["entries"]] == ["", "YWJj\n", ""]


def test_the_segment_that_crit_loses_is_not_written_as_nonsense() -> None:
    crit = {"magic": "IPCNS_SHM", "entries": [{"size": 4096, "in_pagemaps": True, "extra": "AAAA\n"}]}
    with pytest.raises(ImageError, match="crit loses"):
        criu.from_json(crit)


def test_ghost_files() -> None:
    plain = of("GHOST_FILE", made("ghost_file_entry", uid=1, mode=0o100644) + b"all of the rest")
    assert criu.parse(plain, name="x").entries[0].extra == b"all of the rest"
    there_and_back(plain)
    empty = of("GHOST_FILE", made("ghost_file_entry", mode=0o100644, chunks=False))
    assert there_and_back(empty)["entries"][0]["extra"] == ""
    chunks = made("ghost_file_entry", chunks=True, size=9000)
    for offset, text in ((0, b"first"), (8192, b"second")):
        chunks += made("ghost_chunk_entry", len=len(text), off=offset) + text
    parsed = criu.parse(of("GHOST_FILE", chunks), name="x").entries
    assert [(e.extra, getattr(e.message, "off", None)) for e in parsed[1:]] == [
        (b"first", 0),
        (b"second", 8192),
    ]
    assert "extra" not in there_and_back(of("GHOST_FILE", chunks))["entries"][0]


def test_bpf_maps() -> None:
    data = of(
        "BPFMAP_DATA",
        made("bpfmap_data_entry", map_id=1, keys_bytes=4, values_bytes=8, count=1) + b"k" * 4 + b"v" * 8,
    )
    assert there_and_back(data)["entries"][0]["extra"] == "a2tra3Z2dnZ2dnZ2\n"


@pytest.mark.parametrize("kind", [k for k in IMAGE_TYPES if k.extra], ids=lambda kind: kind.name)
def test_a_cut_payload_is_damage(kind: ImageType) -> None:
    for seed in range(20):
        data = image(kind, Random(seed), 3)
        there_and_back(data[:-1])


def test_info_counts_what_crit_miscounts() -> None:
    data = of("SK_QUEUES", made("sk_packet_entry", length=4) + bytes(4), made("sk_packet_entry", length=0))
    assert criu.info(data, "x") == {"magic": "SK_QUEUES", "count": 2}


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
