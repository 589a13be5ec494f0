"""Tasks as the kernel would show them, and images in which every byte may be anything."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from built_samples import PAGE, core, image, made, mm, one_process, pagemap, tree, vma
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.process.network import devices_of
from cryoscope.checkpoint.process.signals import SIGINFO, pending_of
from cryoscope.checkpoint.process.sockets import endpoint, unix_name
from cryoscope.workflows.documents import encode
from cryoscope.workflows.open import open_checkpoint

STACK = 0x7000


def with_stack(arguments: bytes, environment: bytes) -> Checkpoint:
    """One process whose stack holds these blocks, one behind the other."""
    middle, end = STACK + len(arguments), STACK + len(arguments) + len(environment)
    numbers = {"mm_arg_start": STACK, "mm_arg_end": middle, "mm_env_start": middle, "mm_env_end": end}
    page = (arguments + environment).ljust(PAGE, b"\0")
    return one_process([vma(STACK, STACK + PAGE)], [(STACK, 1, 4)], page, **numbers)


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (b"sh\0-c\0echo\0", ["sh", "-c", "echo"]),
        (b"", []),
        (b"one\0", ["one"]),
        (b"one\0\0", ["one", ""]),
        (b"\0", [""]),
        (b"nginx: worker process", ["nginx: worker processA=1"]),  # overwritten up to the environment
        (b"caf\xc3\xa9\0", ["café"]),
        (b"a\n\x1b[31m\0", ["a\n\x1b[31m"]),
    ],
)
def test_command_lines_as_the_kernel_shows_them(arguments: bytes, shown: list[str]) -> None:
    (process,) = with_stack(arguments, b"A=1\0").processes
    assert (process.cmdline, process.cmdline_base64) == (shown, None)


def test_arguments_that_are_not_utf8() -> None:
    (process,) = with_stack(b"a\0\xff\xfe\0", b"").processes
    assert process.cmdline == ["a", "\\xff\\xfe"]
    assert process.cmdline_base64 == ["YQ==", "//4="]


def test_environment() -> None:
    found = with_stack(b"a\0", b"A=1\0B=x=y\0EMPTY=\0ODD\0\0\xff=\xfe\0").environment(1) or []
    assert [(v.name, v.value) for v in found] == [
        ("A", "1"),
        ("B", "x=y"),
        ("EMPTY", ""),
        ("ODD", None),
        ("\\xff", "\\xfe"),
    ]
    assert (found[-1].name_base64, found[-1].value_base64) == ("/w==", "/g==")


def test_claims_of_a_mm_image() -> None:
    numbers = {"mm_arg_start": 0, "mm_arg_end": limits.ARGUMENTS + 1, "mm_env_start": 9, "mm_env_end": 3}
    checkpoint = one_process([vma(0, 1 << 30)], [], b"", **numbers)
    (process,) = checkpoint.processes
    assert process.cmdline is None
    assert checkpoint.environment(1) is None
    assert [damaged.code for damaged in checkpoint.damaged] == ["process.arguments-too-large"]


@pytest.mark.parametrize(
    ("number", "exit_code", "state", "code", "signal"),
    [
        (1, 0, "alive", None, None),
        (3, 0, "stopped", None, None),
        (2, 7 << 8, "zombie", 7, None),
        (6, 9, "zombie", 0, "SIGKILL"),
        (6, 11 | 128, "zombie", 0, "SIGSEGV"),
        (77, 0, "state 77", None, None),
    ],
)
def test_states(number: int, exit_code: int, state: str, code: int | None, signal: str | None) -> None:
    images = {"pstree.img": tree((1, 0)), "core-1.img": core(task_state=number, exit_code=exit_code)}
    (process,) = made(images).processes
    assert (process.state, process.exit_code, process.exit_signal) == (state, code, signal)


def test_threads_that_are_lost_are_named() -> None:
    entry = {"pid": 1, "ppid": 0, "pgid": 1, "sid": 1, "threads": [1, 7]}
    files = {"pstree.img": image("PSTREE", entry), "core-1.img": core(), "mm-1.img": mm([])}
    checkpoint = made(files | {"pagemap-1.img": pagemap()})
    assert [thread.tid for thread in checkpoint.processes[0].threads] == [1]
    assert [damaged.problem for damaged in checkpoint.damaged] == [
        "thread 7: core image is missing or unreadable"
    ]


# --- numbers of the kernel ----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("family", "words", "port", "shown"),
    [
        (2, [0x0100007F], 80, "127.0.0.1:80"),
        (2, [0], 80, "0.0.0.0:80"),
        (2, [0], 0, None),
        (10, [0, 0, 0, 0x01000000], 443, "[::1]:443"),
        (10, [0, 0, 0, 0], 0, None),
        (10, [0, 0, 0xFFFF0000, 0x0100007F], 1, "[::ffff:127.0.0.1]:1"),
        (2, [], 7, "?:7"),
        (2, [1, 2, 3], 7, "?:7"),
        (2, [1, 2, 3, 4, 5, 6], 7, "[100:0:200:0:300:0:400:0]:7"),
    ],
)
def test_endpoints(family: int, words: list[int], port: int, shown: str | None) -> None:
    found = endpoint(family, words, port)
    if shown == "[::ffff:127.0.0.1]:1":  # the library writes the last words in hexadecimal before 3.13
        assert found in (shown, "[::ffff:7f00:1]:1")
    else:
        assert found == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [(b"", None), (b"/a.sock\0", "/a.sock"), (b"\0abs\0x", "@abs\0x"), (b"\0", "@"), (b"\xff", "\\xff")],
)
def test_unix_names(name: bytes, shown: str | None) -> None:
    assert unix_name(name) == shown


class Queue:
    """A `signal_queue_entry`."""

    def __init__(self, *infos: bytes) -> None:
        self.signals = [type("Info", (), {"siginfo": info})() for info in infos]


def test_pending_signals() -> None:
    sent = SIGINFO.pack(10, 0, 0, 77, 1000).ljust(128, b"\0")
    fault = SIGINFO.pack(11, 0, 1, 5, 6).ljust(128, b"\0")
    first, second = pending_of(Queue(sent, fault, b"short"), shared=False)
    assert (first.signal, first.sender_pid, first.sender_uid) == ("SIGUSR1", 77, 1000)
    assert (second.signal, second.code, second.sender_pid) == ("SIGSEGV", 1, None)


def netlink(*messages: bytes) -> bytes:
    return b"\x22\x12\x36\x47" + b"".join(messages)


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_any_dump_of_addresses(dump: bytes) -> None:
    device = {"type": 1, "ifindex": 1, "mtu": 9, "flags": 1, "name": b"lo"}
    for data in (dump, netlink(dump)):
        (found,) = devices_of(made({"netdev-1.img": image("NETDEV", device), "ifaddr-1.img": data}).images)
        assert found.name == "lo"


# --- anything -----------------------------------------------------------------------------------
def everything(checkpoint: Checkpoint) -> bytes:
    """All that can be asked of a checkpoint, as JSON."""
    found: list[Any] = [checkpoint.container, checkpoint.overview, checkpoint.statistics, checkpoint.tree]
    found += [
        checkpoint.sockets,
        checkpoint.mounts,
        checkpoint.namespaces,
        checkpoint.devices,
        checkpoint.ipc,
    ]
    found += [checkpoint.filter_rules, checkpoint.ghosts, checkpoint.changes, checkpoint.machine]
    for process in checkpoint.processes:
        found += [checkpoint.descriptors(process.pid), checkpoint.environment(process.pid)]
        space = checkpoint.memory(process.pid)
        found += [space.vmas if space else None]
    return encode([*found, checkpoint.damaged], indent=0)


@pytest.fixture(scope="module")
def images(data: Path) -> dict[str, bytes]:
    """The kitchen sink's images without its pages."""
    with open_checkpoint(str(data / "podman-kitchen-sink.tar.zst")) as checkpoint:
        names = [name for name in checkpoint.archive.names("checkpoint/") if "/pages-" not in name]
        members = checkpoint.archive.members
        return {name: checkpoint.archive.read(name) for name in names if members[name].type == "file"}


def test_everything_of_what_is_whole(sink: Checkpoint) -> None:
    assert everything(sink).endswith(b"[]]")


def changed(rng: Random, data: bytes) -> bytes:
    """A few bytes changed behind the magics, or the image cut."""
    if len(data) < 12 or rng.random() < 0.2:
        return data[: rng.randrange(len(data) + 1)]
    out = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8])):
        out[rng.randrange(8, len(out))] = rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])
    return bytes(out)


def mutated(images: dict[str, bytes], seed: int) -> None:
    rng = Random(seed)
    chosen = rng.sample(sorted(images), rng.choice([1, 2, 5]))
    checkpoint = made(images | {name: changed(rng, images[name]) for name in chosen})
    try:
        everything(checkpoint)
    except Exception as error:
        raise AssertionError(f"seed {seed}: {chosen}") from error


@pytest.mark.parametrize("block", range(4))
def test_changed_images(images: dict[str, bytes], block: int) -> None:
    for seed in range(block * 15, block * 15 + 15):
        mutated(images, seed)


@pytest.mark.long
@pytest.mark.parametrize("block", range(4))
def test_many_changed_images(images: dict[str, bytes], block: int) -> None:
    for seed in range(1000 + block * 400, 1400 + block * 400):
        mutated(images, seed)


def test_any_image_may_be_missing(images: dict[str, bytes]) -> None:
    for name in sorted(images):
        assert everything(made({other: data for other, data in images.items() if other != name}))


# --- what CRIU leaves to be told from something else ---------------------------------------------
def with_filters(*, flags: int) -> Checkpoint:
    """A process of two threads, of which only the first names its filter."""
    own = {"futex_rla": 0, "futex_rla_len": 0}
    second = image("CORE", {"mtype": 1, "thread_core": own})
    task = {"personality": 0, "exit_code": 0, "flags": 0, "blk_sigset": 0, "comm": b"made", "task_state": 1}
    leader = {"mtype": 1, "tc": task, "thread_core": own | {"seccomp_mode": 2, "seccomp_filter": 0}}
    threads = {"pid": 1, "ppid": 0, "pgid": 1, "sid": 1, "threads": [1, 2]}
    filters = {"seccomp_filters": [{"filter": bytes(8), "flags": flags}]}
    return made(
        {
            "pstree.img": image("PSTREE", threads),
            "core-1.img": image("CORE", leader),
            "core-2.img": second,
            "mm-1.img": mm([]),
            "seccomp.img": image("SECCOMP", filters),
        }
    )


@pytest.mark.parametrize(("flags", "shown"), [(1, ("filter", 0)), (0, (None, None))])
def test_a_filter_for_all_threads_is_that_of_each(flags: int, shown: tuple[str | None, int | None]) -> None:
    """CRIU writes it with the first only (criu/seccomp.c, try_use_tsync)."""
    (process,) = with_filters(flags=flags).processes
    assert (process.threads[0].seccomp, process.threads[0].seccomp_filter) == ("filter", 0)
    assert (process.threads[1].seccomp, process.threads[1].seccomp_filter) == shown


@pytest.mark.parametrize(("written", "bits"), [(0, 0), (8, 0x8), (40000, 0x40000), (400008, 0x400008)])
def test_personality_is_hexadecimal(written: int, bits: int) -> None:
    """CRIU reads 00040000 as a decimal number (criu/cr-dump.c, get_task_personality)."""
    core_1 = core(personality=written)
    (process,) = made({"pstree.img": tree((1, 0)), "core-1.img": core_1, "mm-1.img": mm([])}).processes
    assert process.personality == bits


@pytest.mark.parametrize(
    ("flag", "kind", "inherited"),
    [(1, "posix", False), (2, "flock", True), (4, "ofd", True), (8, "lease", True)],
)
def test_locks_of_an_open_file_are_those_of_all_who_inherited_it(
    flag: int, kind: str, inherited: bool
) -> None:
    """CRIU writes such a lock once; kinds are those of criu/include/file-lock.h."""
    opened = {"id": 5, "flags": 0, "pos": 0, "fown": OWNER, "name": b"/f"}
    lock = {"flag": flag, "type": 1, "pid": 1, "fd": 3, "start": 0, "len": 0}
    checkpoint = made(
        {
            "pstree.img": tree((1, 0), (2, 1)),
            **{f"core-{pid}.img": core() for pid in (1, 2)},
            **{f"mm-{pid}.img": mm([]) for pid in (1, 2)},
            **{
                f"fdinfo-{pid}.img": image("FDINFO", FD | {"id": 5}, FD | {"id": 6, "fd": 4})
                for pid in (1, 2)
            },
            "files.img": image("FILES", *({"type": 1, "id": n, "reg": opened | {"id": n}} for n in (5, 6))),
            "filelocks.img": image("FILE_LOCKS", lock),
        }
    )
    kinds = {
        (pid, fd.fd): [lock.kind for lock in fd.locks] for pid in (1, 2) for fd in checkpoint.descriptors(pid)
    }
    assert kinds == {(1, 3): [kind], (1, 4): [], (2, 3): [kind] if inherited else [], (2, 4): []}


OWNER = {"uid": 0, "euid": 0, "signum": 0, "pid_type": 0, "pid": 0}
FD = {"flags": 0, "type": 1, "fd": 3}


def test_a_packet_socket_has_no_inode() -> None:
    """CRIU writes none: its own number of the file is not to be taken for one."""
    packet = {"id": 29, "type": 3, "protocol": 8, "flags": 2, "ifindex": 0, "fown": OWNER} | dict.fromkeys(
        ("version", "reserve", "aux_data", "orig_dev", "vnet_hdr", "loss", "timestamp", "copy_thresh"), 0
    )
    options = {"so_sndbuf": 0, "so_rcvbuf": 0, "so_snd_tmo_sec": 0, "so_snd_tmo_usec": 0}
    options |= {"so_rcv_tmo_sec": 0, "so_rcv_tmo_usec": 0}
    checkpoint = made(
        {
            "pstree.img": tree((1, 0)),
            "core-1.img": core(),
            "mm-1.img": mm([]),
            "fdinfo-1.img": image("FDINFO", FD | {"id": 29, "type": 10}),
            "files.img": image("FILES", {"type": 10, "id": 29, "psk": packet | {"opts": options}}),
        }
    )
    (found,) = checkpoint.descriptors(1)
    assert (found.type, found.target, found.inode) == ("socket", "socket:[?]", None)
    assert found.socket is not None
    assert (found.socket.inode, found.socket.local) == (0, None)
