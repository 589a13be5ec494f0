"""What a program kept in its memory only is there in the sandbox, asked over the sandbox's own network."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from commanding import TO, reaching, remove, run, target_of
from lab.engines import Engine, Running
from lab.workloads import REDIS, Workload

EngineOf = Callable[[str], Engine]
Start = Callable[[Workload], tuple[Engine, Running]]
KEEPER = """
import http.server, os
secret = os.urandom(16).hex().encode()
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(secret)
    def log_message(self, *given): pass
server = http.server.HTTPServer(("127.0.0.1", 8099), Answer)
print("ready", flush=True)
server.serve_forever()
"""
SECRET = Workload("secret", "workloads", ("python3", "-B", "-c", KEEPER))
ASK = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10) as server:
    server.sendall(sys.argv[2].encode())
    server.shutdown(socket.SHUT_WR)
    print(b"".join(iter(lambda: server.recv(4096), b"")).decode())
"""


def ask(pid: int, port: int, words: str) -> str:
    """Say something to a server in the network namespace of a process; what it answers."""
    argv = ["nsenter", f"--target={pid}", "--net", "--", sys.executable, "-c", ASK, str(port), words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True).stdout


@contextmanager
def again(engine: Engine, running: Running, folder: Path) -> Iterator[int]:
    """Capture and restore in the sandbox; the process that goes on, as the outside counts."""
    archive = folder / "a.tar"
    done = run("capture", target_of(engine, running), "-o", archive, *reaching(engine))
    assert done.code == 0, done.said
    name = f"again-{running.workload.name}"
    to = ("--to", TO[engine.name], "--trust-archive", "--name", name)
    done = run("restore", archive, *to, *reaching(engine))
    assert done.code == 0, done.said
    (restored,) = done.part["restored"]
    try:
        yield engine.node.pid_outside(restored["pid"])
    finally:
        remove(engine, restored["remove"])


@pytest.fixture
def started(engine_name: str, engine_of: EngineOf) -> Iterator[Start]:
    """Starts workloads, which end with the test."""
    engine, running = engine_of(engine_name), []

    def start(workload: Workload) -> tuple[Engine, Running]:
        running.append(engine.start(workload))
        return engine, running[-1]

    yield start
    for each in running:
        engine.remove(each)


def test_a_secret_answers_over_http(started: Start, tmp_path: Path) -> None:
    engine, running = started(SECRET)
    request = "GET / HTTP/1.0\r\n\r\n"
    secret = ask(running.pid, 8099, request).split()[-1]
    assert len(secret) == 32
    with again(engine, running, tmp_path) as pid:
        assert ask(pid, 8099, request).split()[-1] == secret


def test_a_key_of_redis_is_there(started: Start, tmp_path: Path) -> None:
    engine, running = started(REDIS)
    assert "+OK" in ask(running.pid, 6379, "SET found in-memory-only\r\n")
    with again(engine, running, tmp_path) as pid:
        assert "in-memory-only" in ask(pid, 6379, "GET found\r\n")
