"""What is an indicator and what only looks like one; indicators in whole checkpoints."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from cryoscope.checkpoint.archive import BytesSource, open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.examine.indicators import Indicator, find_indicators
from cryoscope.examine.indicators.collect import _Scan
from cryoscope.examine.indicators.kinds import EXPRESSIONS
from cryoscope.examine.memory.batches import Batch

SCAN = _Scan(("url", "ip", "email", "domain"))


def found(data: bytes) -> set[tuple[str, str]]:
    _, hits = SCAN.batch(Batch(data, []))
    return {(hit.found.kind, hit.found.value.decode()) for hit in hits}


YES = {
    "see https://docs.corp.test/a?b=c.": {("url", "https://docs.corp.test/a?b=c")},
    "(http://10.1.2.3:8080/x)": {("url", "http://10.1.2.3:8080/x"), ("ip", "10.1.2.3")},
    "redis://cache:6379/0": {("url", "redis://cache:6379/0")},
    "http://evil.top/payload.sh": {("url", "http://evil.top/payload.sh"), ("domain", "evil.top")},
    "peer 203.0.113.9:443": {("ip", "203.0.113.9")},
    "dns 8.8.8.8": {("ip", "8.8.8.8")},
    "addr 2001:db8::17 ": {("ip", "2001:db8::17")},
    "fe80::1c2:3ff:fe4:5%eth0": {("ip", "fe80::1c2:3ff:fe4:5")},
    "mail Bob.Smith+x@Mail.Corp.com!": {("email", "Bob.Smith+x@mail.corp.com"), ("domain", "mail.corp.com")},
    "host evil-corp.com": {("domain", "evil-corp.com")},
    "api.prod.io": {("domain", "api.prod.io")},
    "db.team-a.svc.cluster.local": {("domain", "db.team-a.svc.cluster.local")},
}
NO = (
    "version 1.2.3.4",
    "v10.20.30.40",
    "OID 2.5.29.17 1.3.101.110",
    "300.1.2.3 1.2.3 1.2.3.4.5 0.1.2.3",
    "12:34:56 aa:bb:cc:dd:ee:ff std::add",
    "logging.info os.name java.io self.app a.py libc.so.6 README.md foo.sh java.net",
    "user@host foo@2x.png @decorator a@b",
    "http:// https://%s/x https://{host}/ file:///etc",
    "System.Net Foo.Com x.com.tar",
)


@pytest.mark.parametrize("text", YES)
def test_indicators(text: str) -> None:
    wanted = YES[text]
    for data in (text.encode(), text.encode("utf-16-le"), b"\0" + text.encode("utf-16-le")):
        assert found(b"\0\0" + data + b"\0\0") == wanted or wanted < found(b"\0\0" + data + b"\0\0")


@pytest.mark.parametrize("text", NO)
def test_no_indicators(text: str) -> None:
    assert found(b"\0" + text.encode() + b"\0") == set()


@pytest.mark.parametrize(
    ("address", "note"),
    [
        ("10.0.0.1", "private"),
        ("127.0.0.1", "loopback"),
        ("169.254.1.1", "link-local"),
        ("224.0.0.251", "multicast"),
        ("255.255.255.0", "netmask"),
        ("93.184.215.14", None),
        ("::1", "loopback"),
    ],
)
def test_notes(address: str, note: str | None) -> None:
    _, hits = SCAN.batch(Batch(b" " + address.encode() + b" ", []))
    assert {(hit.found.value.decode(), hit.found.note) for hit in hits} == {(address, note)}


def all_of(archive: Path) -> list[Indicator]:
    with open_archive(BytesSource(archive.read_bytes(), "a")) as opened:
        return find_indicators(Checkpoint(opened)).indicators


def test_counts_against_re(data: Path) -> None:
    """URLs by a slow way: every mapping's bytes, one expression of `re` over all."""
    with open_archive(BytesSource((data / "crio-counter.tar").read_bytes(), "a")) as opened:
        checkpoint = Checkpoint(opened)
        counts = Counter[str]()
        for process in checkpoint.processes:
            space = checkpoint.memory(process.pid)
            for vma in space.mappings if space else []:
                block = b"".join(
                    space.read_known(extent.start, extent.length)
                    for extent in (space.extents(vma.start, vma.size) if space else ())
                    if extent.images is not None
                )
                counts.update(m[0].decode() for m in re.finditer(rb"tcp://[0-9.]+:[0-9]+", block))
        found = {i.value: i.count for i in find_indicators(checkpoint, kinds=("url",)).indicators}
    assert found == dict(counts)
    assert counts


def test_addresses_hold_what_they_say(data: Path) -> None:
    with open_archive(BytesSource((data / "crio-counter.tar").read_bytes(), "a")) as opened:
        checkpoint = Checkpoint(opened)
        for indicator in find_indicators(checkpoint).indicators:
            for seen in indicator.processes:
                space = checkpoint.memory(seen.pid)
                assert space is not None
                assert space.read(seen.address, len(indicator.value)) == indicator.value.encode()


def test_every_expression_is_fit_for_the_engine() -> None:
    assert SCAN.engine.notes == []
    assert {kind for kind, _, _ in EXPRESSIONS} == {"url", "ip", "email", "domain"}


def test_nothing_odd_in_a_python(data: Path) -> None:
    names = {i.value for i in all_of(data / "podman-kitchen-sink.tar.zst") if i.kind == "domain"}
    assert names <= {
        *(
            "gmail.com",
            "lemburg.com",
            "pitrou.net",
            "python.org",
            "www.python.org",
            "zen.co.uk",
            "gcc.gnu.org",
        ),
        "pen.com",
    }
