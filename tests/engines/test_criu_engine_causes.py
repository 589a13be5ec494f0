"""What CRIU cannot dump, provoked on the real one: seen before it stops anything, or told with its cause."""

from __future__ import annotations

import os
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from criu_trees import Trees, trees
from cryoscope.engines import criu_log
from cryoscope.engines.criu import obstacles
from cryoscope.engines.criu.processes import Processes
from cryoscope.engines.criu.program import Program
from cryoscope.engines.host import Host
from cryoscope.engines.port import HARD, CaptureOptions, EngineError
from cryoscope.errors import CryoscopeError
from lab.engines.criu import Criu as Bare
from lab.node import Node

pytestmark = pytest.mark.xdist_group("criu")

STAY = "print('ready')\nimport time\ntime.sleep(10000)\n"
CONNECTED = """
import socket
listening = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listening.getsockname())
"""
SEEN = {
    "tcp-established": CONNECTED + "server = listening.accept()\n",
    "file-locks": "import fcntl\nfile = open('/tmp/locked', 'w')\nfcntl.flock(file, fcntl.LOCK_EX)\n",
    "io-uring": "import ctypes\nctypes.CDLL(None).syscall(425, 4, ctypes.create_string_buffer(256))\n",
    "device-file": "file = open('/dev/fuse', 'rb')\n",
}
"""What `concerns` finds, and CRIU too if it is not asked."""
NOT_SEEN = {
    "tcp-in-flight": CONNECTED,
    "link-remap": "import os\nf = open('/tmp/l', 'w')\nos.link('/tmp/l', '/tmp/k')\nos.unlink('/tmp/l')\n",
    "multipath-tcp": "import socket\ns = socket.socket(2, 1, 262)\ns.bind(('127.0.0.1', 0))\ns.listen()\n",
    "descriptor-kind": "import os\nother = os.pidfd_open(1)\n",
    "sysv-attached": """
        import ctypes
        libc = ctypes.CDLL(None)
        libc.shmat.restype = ctypes.c_void_p
        libc.shmat(libc.shmget(0, 8192, 0o1600), None, 0)
        """,
}
WRAPPED = {
    "rlimit-user": ("setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"),
    "descriptor-outside": ("unshare", "--mount"),
}
"""What a process is because of how it was started."""


@pytest.fixture
def some(node: Node, criu: Bare, tmp_path: Path) -> Iterator[Trees]:
    with trees(node, criu, tmp_path) as made:
        yield made


def program(code: str) -> str:
    """A program that does something and then stays."""
    return textwrap.dedent(code) + STAY


def refused(some: Trees, pid: int) -> EngineError:
    """What a capture fails with when nobody looked before; the process runs on."""
    with pytest.raises(EngineError) as caught:
        some.capture(pid, CaptureOptions())
    assert some.state(pid) in "SR"
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("code", SEEN)
def test_what_stands_against_it_is_seen_before_and_told_after(some: Trees, code: str) -> None:
    pid = some.python(program(SEEN[code]))
    before = some.engine.concerns(some.engine.find(str(pid)), CaptureOptions())
    assert f"criu.{code}" in {each.code for each in before}
    assert refused(some, pid).code == f"criu.{code}"


@pytest.mark.parametrize("code", NOT_SEEN)
def test_what_only_criu_finds_out_is_told_with_its_cause(some: Trees, code: str) -> None:
    assert refused(some, some.python(program(NOT_SEEN[code]))).code == f"criu.{code}"


def test_a_socket_to_a_process_outside(some: Trees) -> None:
    parent = some.python(
        """
        import os, socket, time
        ours, theirs = socket.socketpair()
        if os.fork() == 0:
            ours.close()
            os.setsid()
            print('ready')
            time.sleep(10000)
        theirs.close()
        time.sleep(10000)
        """
    )
    children = Path(f"/proc/{some.here(parent)}/task/{some.here(parent)}/children").read_text().split()
    child = next(
        line for line in Path(f"/proc/{children[0]}/status").read_text().splitlines() if "NSpid" in line
    )
    assert refused(some, int(child.split()[-1])).code == "criu.unix-external"


@pytest.mark.parametrize("code", WRAPPED)
def test_what_a_process_is_because_of_how_it_was_started(some: Trees, code: str) -> None:
    pid = some.python(program(""), *WRAPPED[code])
    if code == "rlimit-user" and some.engine._processes.has_resource():
        pytest.skip("CAP_SYS_RESOURCE is there: processes of all users can be dumped")
    # Where other engines of the node have mounted something, CRIU stumbles over that first.
    known = {f"criu.{code}"} | ({"criu.external-mount"} if code == "descriptor-outside" else set())
    assert refused(some, pid).code in known


def test_a_traced_process(some: Trees) -> None:
    pid = some.python(program(""))
    tracer = some.python(f"import ctypes\nassert ctypes.CDLL(None).ptrace(0x4206, {pid}, 0, 0) == 0\n" + STAY)
    concerns = some.engine.concerns(some.engine.find(str(pid)), CaptureOptions())
    assert [each.code for each in concerns if each.weight == HARD] == ["criu.nested-ptrace"]
    assert refused(some, pid).code == "criu.nested-ptrace"
    assert some.state(tracer) == "S"


def test_steps_need_a_kernel_that_tells_what_was_written(some: Trees) -> None:
    pid = some.python(program(""))
    done = some.node.run(
        "criu", "dump", "-t", str(pid), "-D", "/tmp", "--track-mem", "-o", "steps.log", check=False
    )
    if done.returncode == 0:
        pytest.skip("this kernel can")
    found = criu_log.explain(some.node.outside("/tmp/steps.log").read_bytes())
    assert found is not None
    assert found.code == "criu.soft-dirty"


def test_a_full_disk(some: Trees) -> None:
    pid = some.python(program("kept = bytearray(b'ab' * (20 << 20))\n"))
    folder = some.host.path("/var/lib/cryoscope")
    some.node.run(
        "sh", "-c", "mkdir -p /var/lib/cryoscope; mount -t tmpfs -o size=8m tmpfs /var/lib/cryoscope"
    )
    try:
        assert refused(some, pid).code == "criu.no-space"
        assert [*Path(folder).iterdir()] == []
    finally:
        some.node.run("umount", "/var/lib/cryoscope")


def test_it_does_not_capture_the_first_process(some: Trees) -> None:
    concerns = some.engine.concerns(some.engine.find("1"), CaptureOptions())
    assert [each.code for each in concerns] == ["criu.self-dump"]


def test_it_does_not_capture_whoever_started_it() -> None:
    here = Host()
    found = obstacles.concerns(Program(here), Processes(here), os.getppid(), CaptureOptions())
    assert "criu.self-dump" in {each.code for each in found}


def test_who_is_gone_is_not_found(some: Trees) -> None:
    with pytest.raises(CryoscopeError) as caught:
        some.engine.find("999999")
    assert caught.value.code == "target.unknown"


def test_a_dead_process_is_told(some: Trees) -> None:
    pid = some.python(program(""))
    container = some.engine.find(str(pid))
    some.kill(pid)
    assert [each.code for each in some.engine.concerns(container, CaptureOptions())] == ["criu.process-gone"]


def test_restore_says_when_a_number_is_taken(some: Trees) -> None:
    pid = some.python(program(""))
    folder = "/tmp/taken"
    dump = shlex.join(["criu", "dump", "-t", str(pid), "-D", folder, "--leave-running"])
    some.node.run(
        "sh", "-c", f"mkdir {folder}; {dump}; criu restore -D {folder} -d -o restore.log", check=False
    )
    found = criu_log.explain(some.node.outside(folder + "/restore.log").read_bytes())
    assert found is not None
    assert found.code == "criu.pid-taken"
    assert str(pid) in found.what
