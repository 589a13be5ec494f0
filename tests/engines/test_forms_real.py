"""Debian's own age and zstd open what is kept, and what they write is read here."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cryoscope.checkpoint.archive import FileSource, open_archive
from cryoscope.evidence.forms import AgeSource, keep, load_identities, original
from cryoscope.evidence.records import Stored
from lab.node import Node

pytestmark = pytest.mark.xdist_group("forms")

DATA = Path(__file__).parent.parent / "data"
ARCHIVE = DATA / "podman-looper-crun.tar"
HERE = "/tmp/forms"


@pytest.fixture(scope="module")
def folder(node: Node) -> Path:
    """A folder of the node, with two keys of age-keygen."""
    node.sh(f"mkdir -p {HERE}; cd {HERE}; for key in one two; do age-keygen -o $key.key; done")
    return node.outside(HERE)


def recipient(node: Node, name: str) -> str:
    return node.sh(f"age-keygen -y {HERE}/{name}.key").strip()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_key_of_age_keygen_is_the_recipient_it_says(node: Node, folder: Path) -> None:
    found = load_identities([folder / "one.key", folder / "two.key"])
    assert [key.recipient for key in found] == [recipient(node, "one"), recipient(node, "two")]


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 3_000_000])
def test_what_age_encrypts_is_read_anywhere(node: Node, folder: Path, size: int) -> None:
    node.sh(
        f"cd {HERE}; head -c {size} /dev/urandom > plain;"
        f"age -r {recipient(node, 'two')} -r {recipient(node, 'one')} -o plain.age plain"
    )
    plain = (folder / "plain").read_bytes()
    (folder / "plain.age").chmod(0o644)
    source = AgeSource(FileSource(folder / "plain.age"), load_identities([folder / "one.key"]))
    assert source.size == size
    for offset in range(0, size + 1, 250_007):
        assert source.read_at(offset, 70_000) == plain[offset : offset + 70_000]


@pytest.mark.parametrize("name", ["one", "two"])
def test_age_and_zstd_give_the_original_of_what_is_kept(node: Node, folder: Path, name: str) -> None:
    source = FileSource(ARCHIVE)
    recipients = [recipient(node, "one"), recipient(node, "two")]
    with (folder / "kept.zst.age").open("wb") as blob:
        said = keep(source, blob, recipients=recipients)
    node.sh(
        f"cd {HERE}; age -d -i {name}.key kept.zst.age > kept.zst; "
        "zstd -qtf kept.zst; zstd -qdf kept.zst -o kept"
    )
    assert sha256(folder / "kept") == said.sha256 == sha256(ARCHIVE)
    assert node.sh(f"cd {HERE}; sha256sum < kept.zst.age").split()[0] == said.stored_sha256
    stored = Stored(
        key="k", size=said.stored_size, sha256=said.stored_sha256, forms=said.forms, recipients=recipients
    )
    identities = load_identities([folder / f"{name}.key"])
    with open_archive(
        original(stored, FileSource(folder / "kept.zst.age"), identities=identities)
    ) as archive:
        listed = node.sh(f"tar -tf {HERE}/kept").split()
        assert [*archive.members] == [line.rstrip("/") for line in listed]


def test_another_key_of_age_opens_nothing(node: Node, folder: Path) -> None:
    with (folder / "for-one.age").open("wb") as blob:
        keep(FileSource(ARCHIVE), blob, recipients=[recipient(node, "one")])
    said = node.sh(f"cd {HERE}; age -d -i two.key for-one.age 2>&1 > none || true")
    assert "no identity matched" in said
