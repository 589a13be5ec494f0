"""What an archive alone says against restoring it here: processor, kernel, memory."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from types import SimpleNamespace

import pytest

from cryoscope.checkpoint.container.dumplog import DumpLog
from cryoscope.engines.host import Host
from cryoscope.engines.port import HARD, SOFT, RestoreOptions
from cryoscope.engines.preflight import disk_concern, free_at, kernel_concerns
from cryoscope.engines.preflight.cpu import MACHINES, cpu_concerns, flags_of
from cryoscope.engines.preflight.criu import configuration, version_of
from cryoscope.engines.preflight.disk import amount
from cryoscope.engines.preflight.restore import restore_concerns
from cryoscope.workflows.open import open_checkpoint

DATA = Path(__file__).resolve().parent.parent / "data"
LOOPER = str(DATA / "podman-looper-crun.tar")


def host_with(tmp_path: Path, files: dict[str, str]) -> Host:
    """A host whose root is a folder."""
    host = Host()
    for name, text in files.items():
        (tmp_path / name.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name.lstrip("/")).write_text(text)
    host.path = lambda inside: str(tmp_path / inside.lstrip("/"))  # type: ignore[method-assign]
    return host


def processor(tmp_path: Path, flags: str) -> Host:
    return host_with(tmp_path, {"/proc/cpuinfo": f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t:\n"})


ALL = "fpu sse2 avx avx512f pku"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the archives are of x86_64")
def test_registers_that_the_processor_has_no_place_for_are_named(tmp_path: Path) -> None:
    with open_checkpoint(LOOPER) as checkpoint:
        assert cpu_concerns(checkpoint, processor(tmp_path / "all", ALL)) == []
        (found,) = cpu_concerns(checkpoint, processor(tmp_path / "few", ALL.replace("avx512f", "")))
    assert (found.code, found.weight) == ("preflight.cpu-state", SOFT)
    assert "avx512f" in found.what
    assert "avx512f" in found.cure


def test_another_architecture_is_refused() -> None:
    named = next(theirs for theirs, ours in MACHINES.items() if ours != platform.machine())
    checkpoint = SimpleNamespace(machine=named)
    (found,) = cpu_concerns(checkpoint, Host())  # type: ignore[arg-type]
    assert (found.code, found.weight) == ("preflight.machine", HARD)


def test_features_of_the_dumps_processor_are_told_from_its_image(tmp_path: Path) -> None:
    words = [0] * 20
    words[4], words[9] = 1 << 12 | 1 << 28, 1 << 5  # fma, avx; avx2
    entry = SimpleNamespace(capability=words, model_id="Elder Core")
    images = SimpleNamespace(
        matching=lambda _: [],
        first=lambda name: SimpleNamespace(x86_entry=[entry]) if name == "cpuinfo" else None,
    )
    checkpoint = SimpleNamespace(machine="unknown", images=images)
    (found,) = cpu_concerns(checkpoint, processor(tmp_path / "a", "sse2 avx"))  # type: ignore[arg-type]
    assert found.code == "preflight.cpu-features"
    assert "(Elder Core) had avx2, fma," in found.what
    assert cpu_concerns(checkpoint, processor(tmp_path / "b", "sse2 avx avx2 fma")) == []  # type: ignore[arg-type]


def test_the_flags_of_this_processor_are_read() -> None:
    if platform.machine() != "x86_64":
        pytest.skip("other words on other machines")
    assert "sse2" in flags_of(Host())


@pytest.mark.parametrize(
    ("then", "concern"),
    [
        ("Linux 99.1.0 #1 SMP x86_64", True),
        ("Linux 2.6.32 #1", False),
        (f"Linux {os.uname().release} #1", False),
        ("Linux unknown", False),
        (None, False),
    ],
)
def test_a_newer_kernel_at_the_dump_is_a_concern(then: str | None, concern: bool) -> None:
    checkpoint = SimpleNamespace(dump_log=DumpLog(kernel=then))
    found = kernel_concerns(checkpoint)  # type: ignore[arg-type]
    assert [each.code for each in found] == ["preflight.kernel-older"] * concern


def test_more_memory_than_the_sandbox_may_have_is_a_concern(tmp_path: Path) -> None:
    with open_checkpoint(LOOPER) as checkpoint:
        for bound, expected in ((1 << 30, False), (4096, True)):
            found = restore_concerns(checkpoint, Host(), RestoreOptions(name="x", memory=bound))
            assert ("preflight.memory-bound" in {each.code for each in found}) == expected
        live = restore_concerns(checkpoint, Host(), RestoreOptions(name="x", memory=4096, live=True))
        assert "preflight.memory-bound" not in {each.code for each in live}


def test_the_bounds_that_are_proposed_are_enough(tmp_path: Path) -> None:
    """Also for a checkpoint of less than a MiB, and for more threads than the sandbox may have."""
    with open_checkpoint(LOOPER) as checkpoint:
        small = RestoreOptions(name="x", memory=4096, processes=0)
        told = {each.code: each for each in restore_concerns(checkpoint, Host(), small)}
        assert told["preflight.process-bound"].weight == SOFT
        memory, processes = (
            told[f"preflight.{each}-bound"].cure.split()[1] for each in ("memory", "process")
        )
        enough = RestoreOptions(name="x", memory=int(memory[:-1]) << 20, processes=int(processes))
        bound = {"preflight.memory-bound", "preflight.process-bound"}
        assert not bound & {each.code for each in restore_concerns(checkpoint, Host(), enough)}
        assert " KiB of memory" in told["preflight.memory-bound"].what
        live = RestoreOptions(name="x", memory=4096, processes=0, live=True)
        assert not bound & {each.code for each in restore_concerns(checkpoint, Host(), live)}


# --- room -----------------------------------------------------------------------------------------
def test_room_is_told_of_places_that_are_not_there_yet(tmp_path: Path) -> None:
    free, below = free_at(str(tmp_path)), free_at(str(tmp_path / "not" / "yet.tar"))
    assert free is not None
    assert below is not None
    assert abs(free - below) < free / 2 + (1 << 30)


def test_more_than_there_is_room_for_is_a_concern_that_can_be_forced(tmp_path: Path) -> None:
    assert disk_concern(1, str(tmp_path)) is None
    found = disk_concern(1 << 60, str(tmp_path), shown="/var/lib/x")
    assert found is not None
    assert (found.code, found.weight) == ("preflight.disk", SOFT)
    assert "/var/lib/x" in found.what


@pytest.mark.parametrize(
    ("number", "down", "up"),
    [
        (0, "0 KiB", "0 KiB"),
        (1, "0 KiB", "1 KiB"),
        ((1 << 20) + 1, "1,024 KiB", "1,025 KiB"),
        (10 << 20, "10 MiB", "10 MiB"),
        ((10 << 20) + 1, "10 MiB", "11 MiB"),
    ],
)
def test_amounts_below_10_mib_are_told_in_kib(number: int, down: str, up: str) -> None:
    assert (amount(number), amount(number, up=True)) == (down, up)


# --- criu -----------------------------------------------------------------------------------------
def test_options_in_files_are_read_as_criu_does(tmp_path: Path) -> None:
    files = {
        "/etc/criu/default.conf": "# all\n\n  log-level 4 # much\n--file-locks\n",
        "/etc/criu/runc.conf": "tcp-established\n",
    }
    found = configuration(host_with(tmp_path, files))
    assert found == {"log-level": "4", "file-locks": "", "tcp-established": ""}
    assert configuration(host_with(tmp_path / "none", {})) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("4.2.1", (4, 2, 1)), ("3.19-rc1", (3, 19)), ("4", (4,)), ("x", None), (None, None), ("", None)],
)
def test_versions_are_compared_as_numbers(text: str | None, expected: tuple[int, ...] | None) -> None:
    assert version_of(text) == expected
