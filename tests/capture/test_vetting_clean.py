"""Archives that mean no harm: what each gets in the sandbox of its own engine, and that none is refused."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pytest

from cryoscope.checkpoint.archive import BytesSource, FileSource, open_archive, open_folder
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.engines.vetting import Policy, Verdict, clean_copy, vet

DATA = Path(__file__).parents[1] / "data"
CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
ENGINES = {"podman": "podman", "cri-o": "cri", "containerd": "cri", "docker": "docker", "criu": "criu"}

GROUPS = {"criu.cgroup-namespace": 1}
"""On control groups of version 1 engines share that namespace."""

PODMAN = GROUPS | {"podman.unlabelled": 1}
"""Without SELinux."""

OPEN = GROUPS | {"criu.seccomp-none": 1}
"""Kubernetes gives no seccomp profile where nobody asks for one."""

MOUNTS = OPEN | {"mount.host-path": 3, "spec.namespace-path": 3}
CRIO = OPEN | {"mount.host-path": 3, "spec.namespace-path": 2, "bind.listed": 7}
PATHS = {"spec.masked-paths": 1, "spec.readonly-paths": 1, "spec.namespace-path": 3}
UNSECURED = OPEN | PATHS | {"criu.mount-unprotected": 1, "criu.mount-unmasked": 1, "criu.host-namespace": 2}
"""Made by a client of the CRI that asked for no protection of /proc, in the host's network."""

GETS = {
    "containerd-counter.tar": MOUNTS,
    "containerd-looper.tar": UNSECURED,
    "crio-counter.tar": CRIO,
    "criu-incremental.tar.zst": {"criu.capabilities": 9, "criu.host-namespace": 5},
    "ctr-image.tar": OPEN | {"member.unknown": 2, "spec.namespace-path": 0, "criu.cgroup-foreign": 2},
    "docker-looper": GROUPS | {"criu.host-namespace": 1},
    "podman-image.oci.tar": PODMAN,
    "podman-kitchen-sink.tar.zst": PODMAN,
    "podman-looper-criu41.tar": PODMAN,
    "podman-looper-crun.tar": PODMAN,
    "podman-looper-crun.tar.gz": PODMAN,
    "kubelet/containerd-counters-counter.tar": MOUNTS,
    "kubelet/containerd-counters-redis.tar": MOUNTS | {"mount.host-path": 1},
    "kubelet/crio-counters-counter.tar": CRIO,
    "kubelet/crio-counters-redis.tar": CRIO | {"mount.host-path": 1, "bind.listed": 5},
    "containerd-looper/checkpoint.tar": UNSECURED,
    "podman-counter/checkpoint.tar.zst": PODMAN | {"podman.volume": 1},
    "podman-threads/checkpoint.tar.zst": PODMAN,
}
"""Archives of tests/data and of the corpus, and how many claims of which class they get; 0: if any."""


def opened(name: str) -> Checkpoint:
    path = DATA / name if (DATA / name).exists() else CORPUS / name
    if not path.exists():
        pytest.skip("the corpus is not here")
    return Checkpoint(open_folder(path) if path.is_dir() else open_archive(FileSource(path)))


def sandboxed(checkpoint: Checkpoint) -> Verdict:
    return vet(checkpoint, Policy(engine=ENGINES[checkpoint.container.engine]))


@pytest.mark.parametrize("name", GETS)
def test_what_a_good_archive_gets(name: str) -> None:
    with opened(name) as checkpoint:
        verdict = sandboxed(checkpoint)
    if GETS[name] is not UNSECURED:
        assert verdict.against(force=True) == []
        assert {claim.code for claim in verdict.against()} <= {"criu.seccomp-none"}
    got = Counter(claim.code for claim in verdict.claims)
    wanted = {code: count for code, count in GETS[name].items() if count}
    assert {code: got[code] for code in got if GETS[name].get(code) != 0} == wanted


def test_the_network_of_the_host_is_refused_in_a_sandbox() -> None:
    with opened("containerd-looper.tar") as checkpoint:
        hard = {claim.where for claim in sandboxed(checkpoint).against(force=True)}
        live = vet(checkpoint, Policy(engine="cri", live=True))
    assert hard == {"checkpoint/ids-*.img net", "checkpoint/ids-*.img uts"}
    assert live.against(force=True) == []


@pytest.mark.parametrize("name", GETS)
def test_nothing_is_said_to_be_cleaned_that_is_still_in_the_copy(name: str) -> None:
    with opened(name) as checkpoint:
        verdict = sandboxed(checkpoint)
        copy = io.BytesIO()
        clean_copy(checkpoint.archive, verdict.edits, copy)
        before = {claim.code for claim in verdict.claims}
        engine = checkpoint.container.engine
    with Checkpoint(open_archive(BytesSource(copy.getvalue(), "copy"))) as again:
        verdict = vet(again, Policy(engine=ENGINES[engine]))
        assert [claim for claim in verdict.claims if claim.cleaned] == []
        assert {claim.code for claim in verdict.claims} <= before
        assert again.archive.form == "tar"
        assert again.archive.damaged == []


def test_what_a_full_disk_cut_short_is_refused() -> None:
    with opened("truncated-by-full-disk.tar") as checkpoint:
        codes = {claim.code for claim in vet(checkpoint, Policy(engine="cri")).against(force=True)}
    assert codes == {"member.damaged", "criu.incomplete"}


def test_a_live_restore_leaves_to_the_user_what_a_sandbox_refuses() -> None:
    with opened("crio-counter.tar") as checkpoint:
        live = vet(checkpoint, Policy(engine="crio", live=True))
        declared = dict.fromkeys(("/scratch", "/etc/sec", ACCOUNT), "/srv/empty")
        granted = vet(checkpoint, Policy(engine="crio", live=True, mounts=declared))
    assert {claim.code for claim in live.against()} == {"bind.undeclared"}
    assert live.against(force=True) == []
    assert granted.against() == []


ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
