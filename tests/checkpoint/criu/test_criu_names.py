"""Names against the tables that the operating system and Python have."""

from __future__ import annotations

import os
import resource
import signal
import socket

import pytest

from cryoscope.checkpoint.criu import names
from cryoscope.checkpoint.criu.schema import schema
from cryoscope.checkpoint.criu.shown import ALSO_READ, DICTS, FLAGS


def test_all_capabilities() -> None:
    assert len(names.CAPABILITIES) == 41
    assert names.capabilities([0xFFFFFFFF, 0x1FF]) == list(names.CAPABILITIES)
    assert names.capabilities([1 << 21, 1 << 8]) == ["CAP_SYS_ADMIN", "CAP_CHECKPOINT_RESTORE"]
    assert names.capabilities([0, 1 << 31]) == ["0x8000000000000000"]
    assert names.capabilities([]) == []


@pytest.mark.parametrize("number", range(1, 32))
def test_signals(number: int) -> None:
    assert names.signal(number) in {signal.Signals(number).name, "SIGSTKFLT"}


def test_real_time_signals() -> None:
    assert names.signal(34) == "SIGRTMIN"
    assert names.signal(64) == "SIGRTMIN+30"
    assert [names.signal(n) for n in (0, 32, 33, 65, -1)] == ["0", "32", "33", "65", "-1"]
    assert names.signals(1 << 63 | 1 << 8 | 1) == ["SIGHUP", "SIGKILL", "SIGRTMIN+30"]


def test_limits() -> None:
    for number, name in enumerate(names.RLIMITS):
        if hasattr(resource, name):
            assert getattr(resource, name) == number
        assert names.rlimit(number) == name
    assert names.rlimit(16) == "16"


def test_sockets() -> None:
    for number, name in names.FAMILIES.items():
        assert getattr(socket, f"AF_{name}", number) == number
    for number, name in names.SOCKET_TYPES.items():
        assert getattr(socket, f"SOCK_{name}", number) == number
    for number, name in names.PROTOCOLS.items():
        assert getattr(socket, f"IPPROTO_{name}", number) == number


def test_open_flags() -> None:
    for bit, name in names.OPEN_FLAGS.items():
        known = getattr(os, name, bit)
        assert known & bit == bit or name == "O_LARGEFILE"  # 0 on 64-bit machines
    assert names.flags(0o2000001, names.OPEN_FLAGS) == ["O_WRONLY", "O_CLOEXEC"]


def test_enumerations_are_the_tables() -> None:
    enums = schema().enums
    assert {n: v.lower() for n, v in enums["core_entry.march"].items()} == names.MARCHES
    assert enums["fd_types"] == names.FD_TYPES
    assert enums["sk_shutdown"] == names.SHUTDOWNS
    assert enums["seccomp_mode"] == names.SECCOMP_MODES
    assert set(enums["fstype"]) == set(names.FILE_SYSTEMS)
    assert set(enums["lsmtype"]) == set(names.LSM_TYPES)


def test_crits_words_are_among_ours() -> None:
    for number, name in DICTS["state"].items():
        assert names.TCP_STATES[number] == name
    status = {**FLAGS["mmap.status"], **ALSO_READ["mmap.status"]}
    assert set(status.values()) - {0} == set(names.VMA_STATUS)
    for name, bit in status.items():
        assert bit == 0 or name.endswith(names.VMA_STATUS[bit])


def test_flags_without_names() -> None:
    assert names.flags(0, names.PROTECTIONS) == []
    assert names.flags(7, names.PROTECTIONS) == ["READ", "WRITE", "EXEC"]
    assert names.flags(0x13, names.PROTECTIONS) == ["READ", "WRITE", "0x10"]
    assert names.named(1, names.TASK_STATES) == "alive"
    assert names.named(5, names.TASK_STATES) == "5"
