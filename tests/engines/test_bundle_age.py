"""A bundle of encrypted evidence, on a machine with age, zstd, openssl, coreutils, without Cryoscope."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from lab.node import Node

pytestmark = pytest.mark.xdist_group("bundle")
HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "evidence"))

from bundle_commands import commands, filled  # noqa: E402
from custody_store import CASE, Kept  # noqa: E402

from cryoscope.evidence.bundle import export  # noqa: E402

ARCHIVE = HERE.parent / "data" / "podman-looper-crun.tar"
NOW = "2030-01-01T00:00:00.000000Z"


def test_debians_tools_verify_and_open_a_bundle(node: Node, tmp_path: Path) -> None:
    node.sh("rm -rf /tmp/bundle && age-keygen -o /tmp/key.txt 2> /dev/null")
    recipient = node.sh("age-keygen -y /tmp/key.txt").strip()
    kept = Kept(tmp_path, recipients=(recipient,))
    piece = kept.add(ARCHIVE)
    with kept.store() as store:
        export(
            CASE,
            store.catalogue,
            store.blobs,
            kept.trust,
            str(tmp_path / "bundle"),
            signer=kept.signer,
            by="ida",
            now=NOW,
            version="0",
        )
    shutil.copytree(tmp_path / "bundle", node.outside("/tmp/bundle"))
    shown: list[str] = []
    said = commands(tmp_path / "bundle")
    assert sum("age -d" in one for one in said) == 1
    assert sum("openssl pkeyutl" in one for one in said) == 3
    for command in said:
        if command.startswith("cryoscope"):
            continue
        filled_in = filled(tmp_path / "bundle", command, "/tmp/key.txt")
        shown += [node.sh(f"cd /tmp/bundle && {one}") for one in filled_in]
    assert any(text.split()[:1] == [piece.sha256] for text in shown)
    assert sum("Signature Verified Successfully" in text for text in shown) == 3


def test_a_flipped_bit_stops_debians_age(node: Node, tmp_path: Path) -> None:
    node.sh("age-keygen -o /tmp/other.txt 2> /dev/null; true")
    kept = Kept(tmp_path, recipients=(node.sh("age-keygen -y /tmp/other.txt").strip(),))
    piece = kept.add(ARCHIVE)
    data = bytearray(kept.blob(piece.stored.key).read_bytes())
    data[len(data) // 2] ^= 1
    node.outside("/tmp/flipped.age").write_bytes(data)
    done = node.run("age", "-d", "-i", "/tmp/other.txt", "-o", "/dev/null", "/tmp/flipped.age", check=False)
    assert done.returncode != 0
