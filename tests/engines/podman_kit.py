"""For tests of Podman: the driver at a service of the lab, captures, edited copies, restores."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.engines import connect, port, target
from cryoscope.engines.host import Host
from cryoscope.engines.vetting import Policy, clean_copy, vet
from cryoscope.workflows.open import open_checkpoint
from lab.engines import Running
from lab.engines.freezer import thawing
from lab.engines.podman import Podman
from lab.workloads import Workload
from sinks import FileSink

RUNTIMES = ("crun", "runc")
ASK = """
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode(), end="")
"""
SERVES = """
import http.server, secrets, socket, threading, time
SECRET = secrets.token_hex(16)
COUNT = 0
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{SECRET} {COUNT}".encode())
    def log_message(self, *said): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Answer)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("ready", flush=True)
while True:
    COUNT += 1
    time.sleep(0.05)
"""
"""Keeps a secret in memory alone, counts, and says both to whoever asks."""
REMEMBERS = Workload("remembers", "workloads", ("python3", "-B", "-c", SERVES))


def driver(lab: Podman) -> Any:
    """The product's driver at a service of the lab, through the port."""
    reach = port.Reach(host=Host(lab.node.pid), endpoint=f"unix:///run/podman-{lab.runtime}.sock")
    return connect(target.Target(scheme="podman"), reach)


def options(**given: Any) -> port.CaptureOptions:
    """Options that dump any workload of the lab."""
    return port.CaptureOptions(**({"tcp": "established", "file_locks": True} | given))


def capture(lab: Podman, running: Running, path: Path, **given: Any) -> port.Captured:
    """Capture a workload into a file through the driver."""
    engine = driver(lab)
    stops = running.workload.name.startswith(("kinds", "innocent"))
    with thawing(running.pid) if stops else contextlib.nullcontext():
        captured: port.Captured = engine.capture(engine.find(running.id), options(**given), FileSink(path))
    return captured


def cleaned(
    engine: port.Engine, checkpoint: Checkpoint, wanted: port.RestoreOptions, copy: Path
) -> list[str]:
    """Write the copy that the engine gets, as the workflow does; the codes of what was cleaned."""
    verdict = vet(checkpoint, Policy(engine="podman", live=wanted.live), engine.edits(checkpoint, wanted))
    hard = [claim for claim in verdict.claims if not claim.cleaned and claim.weight != port.NOTE]
    assert hard == [], hard
    with open(copy, "wb") as to:
        clean_copy(checkpoint.archive, verdict.edits, to)
    return [claim.code for claim in verdict.claims]


@contextlib.contextmanager
def restored(lab: Podman, archive: Path, folder: Path, **given: Any) -> Iterator[port.Restored]:
    """Restore an archive through the driver, all concerns met; it is removed at the end."""
    engine = driver(lab)
    wanted = port.RestoreOptions(**given)
    with open_checkpoint(str(archive)) as checkpoint:
        assert port.hard(engine.restore_concerns(checkpoint, wanted), force=True) == []
        copy = folder / f"{wanted.name}.tar"
        cleaned(engine, checkpoint, wanted, copy)
        done: port.Restored = engine.restore(str(copy), checkpoint, wanted)
    copy.unlink()
    try:
        yield done
    finally:
        lab.node.run(*done.remove.split(), "--time", "0")


def concerns(lab: Podman, checkpoint: Checkpoint, **given: Any) -> dict[str, str]:
    """Codes of what stands against a restore, and how much it weighs."""
    wanted = port.RestoreOptions(**({"name": "never"} | given))
    return {each.code: each.weight for each in driver(lab).restore_concerns(checkpoint, wanted)}


def outside(lab: Podman, done: port.Restored) -> int:
    """The number by which this process knows a restored container."""
    assert done.pid is not None
    return lab.node.pid_outside(done.pid)


def asked(pid: int, url: str = "http://127.0.0.1:8000/") -> str:
    """What a server answers inside the network namespace of a process."""
    argv = ["nsenter", f"--target={pid}", "--net", sys.executable, "-c", ASK, url]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout
