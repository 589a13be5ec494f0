"""The raw bytes behind entries."""

from __future__ import annotations

from random import Random
from struct import pack

import pytest
from criu_samples import image, made, of, there_and_back

from cryoscope.checkpoint import criu
from cryoscope.checkpoint.criu.images import IMAGE_TYPES, ImageType
from cryoscope.errors import ImageError


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
