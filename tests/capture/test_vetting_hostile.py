"""An archive that means harm, of each class: its class is named, and the copy is without it or is refused."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from vetting_archives import ENGINE, HOSTILE, Hostile, files, opened, tar

from cryoscope.engines import vetting
from cryoscope.engines.vetting import Policy, Verdict, clean_copy, vet
from cryoscope.engines.vetting.cures import cure_of

CHECKS = Path(vetting.__file__).parent / "checks"
UNTRIED = {
    "vetting.unreadable": "only what no check expected",
    "member.sparse": "tried in test_vetting_copies",
    "member.damaged": "tried in test_vetting_clean: truncated-by-full-disk.tar",
    "tree.damaged": "tried in test_vetting_copies",
    "criu.core-unreadable": "then the image is damaged, which is tried",
    "criu.lsm-policy": "tried in test_vetting_parts",
    "criu.file-bpf": "tried in test_vetting_parts",
}
NAMES = {"deleted.files", "bind.mounts", "podman.sock", "docker.io", "docker.sock", "vetting.engine"}
"""No classes of claims, but spelled like them."""
NOTED = {
    *("mount.declared", "mount.extra", "bind.listed", "bind.undeclared", "tree.setuid", "spec.rlimits"),
    *("spec.oom", "podman.volume", "podman.log", "podman.notify", "podman.storage", "podman.users"),
    *("podman.descriptors", "podman.service", "label.crio", "label.runtime", "criu.rlimit"),
    *("criu.file-namespace", "criu.file-tun", "criu.socket-packet", "criu.socket-engine"),
    *("criu.cgroup-namespace", "tree.attribute", "tree.type", "docker.sysctl", "docker.ports"),
}
"""Told, or rows of a table of which others are tried."""

USUAL = {"criu.seccomp-none"}
"""What the pods of Kubernetes get that were made without a profile: soft."""


def made(hostile: Hostile) -> bytes:
    return tar(hostile.change(files(hostile.base)), *hostile.more)


def judged(data: bytes, hostile: Hostile) -> Verdict:
    return vet(opened(data), Policy(engine=ENGINE[hostile.base], live=hostile.live))


@pytest.mark.parametrize(
    "hostile", HOSTILE, ids=lambda h: f"{h.code}-{h.base.partition('.')[0]}" + ("-live" if h.live else "")
)
def test_a_hostile_archive_is_cleaned_or_refused_and_its_class_named(hostile: Hostile) -> None:
    data = made(hostile)
    verdict = judged(data, hostile)
    of_class = [claim for claim in verdict.claims if claim.code == hostile.code]
    assert of_class, [claim.code for claim in verdict.claims]
    assert {claim.cleaned for claim in of_class} == {hostile.cleaned}, of_class
    if not hostile.cleaned:
        assert {claim.code for claim in verdict.against()} >= {hostile.code}
        return
    assert {claim.code for claim in verdict.against()} <= USUAL
    copy = io.BytesIO()
    clean_copy(opened(data).archive, verdict.edits, copy)
    again = judged(copy.getvalue(), hostile)
    assert hostile.code not in {claim.code for claim in again.claims}, again.claims
    assert [claim for claim in again.claims if claim.cleaned] == []


@pytest.mark.parametrize("hostile", [each for each in HOSTILE if not each.cleaned], ids=lambda h: h.code)
def test_what_is_refused_has_a_cure(hostile: Hostile) -> None:
    claims = judged(made(hostile), hostile).against()
    assert claims
    assert [claim.code for claim in claims if not claim.cure] == []


def test_a_cure_says_whether_force_goes_past_the_claim() -> None:
    assert cure_of("criu.cgroup-foreign", "soft", strict=False).endswith("--force restores it all the same")
    assert "--live --force" in cure_of("criu.file-device", "hard", strict=True)
    assert "--force" not in cure_of("bind.host-path", "hard", strict=False)
    assert cure_of("spec.oom", "note", strict=False) == ""


@pytest.mark.parametrize("base", ENGINE)
def test_the_archives_that_they_are_made_from_are_good(base: str) -> None:
    verdict = vet(opened(tar(files(base))), Policy(engine=ENGINE[base]))
    assert {claim.code for claim in verdict.against()} <= USUAL
    assert {claim.weight for claim in verdict.claims if claim.code not in USUAL} <= {"note"}, verdict.claims


def test_every_class_of_claims_has_its_archive() -> None:
    text = "".join(path.read_text() for path in CHECKS.glob("*.py"))
    text += (CHECKS.parent / "trees.py").read_text() + (CHECKS.parent / "vet.py").read_text()
    classes = "bind|criu|deleted|docker|document|image|label|log|member|mount|podman|spec|tree|vetting"
    codes = set(re.findall(rf'"((?:{classes})\.[a-z-]+)"', text)) - NAMES
    tried = {hostile.code for hostile in HOSTILE}
    assert codes - tried - NOTED - UNTRIED.keys() == set()
    assert tried <= codes
