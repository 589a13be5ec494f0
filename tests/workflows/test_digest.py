"""Digests of evidence that is a folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cryoscope import limits
from cryoscope.workflows.digest import begin


def test_the_files_of_a_folder_share_what_is_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inventory.img").write_bytes(b"image")
    for name in ("pages-1.img", "pages-2.img", "pages-3.img"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(1000)
    monkeypatch.setattr(limits, "REPORT_HASHED", 2100)
    found = begin(str(tmp_path)).result()
    assert (len(found.files), found.size, found.more) == (3, 2005, 1)
    assert {"inventory.img": hashlib.sha256(b"image").hexdigest()}.items() <= {
        file.name: file.sha256 for file in found.files
    }.items()
