"""Commands in a container over WebSocket, the server's side: really run, in a process of their own.

Subprotocols and channels as in k8s.io/apimachinery/pkg/util/remotecommand: 1 standard output, 2 standard
error, 3 the result as a Status.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, 1.3."""
FRAME = 32 * 1024
OUTPUT, ERRORS, RESULT = 1, 2, 3

Wire = Callable[[int, bytes], bytes | None]
"""What a network makes of a message on a channel: other bytes, or None for cutting the connection."""


def whole(channel: int, data: bytes) -> bytes | None:
    """A network that loses nothing."""
    return data


def accept(headers: Mapping[str, str]) -> dict[str, str] | None:
    """The headers that answer an upgrade; None if it is not one that a kubelet takes."""
    key = headers.get("Sec-WebSocket-Key")
    wished = [each.strip() for each in headers.get("Sec-WebSocket-Protocol", "").split(",")]
    chosen = next((each for each in wished if each in PROTOCOLS), None)
    if key is None or chosen is None or headers.get("Upgrade", "").lower() != "websocket":
        return None
    token = hashlib.sha1((key + MAGIC).encode("ascii"), usedforsecurity=False).digest()
    return {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": base64.b64encode(token).decode("ascii"),
        "Sec-WebSocket-Protocol": chosen,
    }


def run(connection: socket.socket, command: Sequence[str], wire: Wire = whole) -> int | None:
    """Run `command` with its streams on an upgraded connection; its exit code, None if it could not start."""
    session = _Session(connection, wire)
    try:
        process = subprocess.Popen(  # noqa: S603  (the double runs what the test's own client asks for)
            [*command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except OSError as error:
        session.send(RESULT, _failed(f"exec failed: {error.strerror}: no such executable file"))
        session.close()
        return None
    with process:
        code = session.of(process)
    session.send(RESULT, _result(code))
    session.close()
    return code


def _result(code: int) -> bytes:
    if code == 0:
        return b'{"metadata":{},"status":"Success"}'
    cause = {"reason": "ExitCode", "message": str(code)}
    status = {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [cause]},
    }
    return json.dumps(status).encode("utf-8")


def _failed(message: str) -> bytes:
    status = {"metadata": {}, "status": "Failure", "message": message, "reason": "InternalError", "code": 500}
    return json.dumps(status).encode("utf-8")


class _Session:
    """An upgraded connection: whole messages, one thread at a time; silent once it is cut."""

    def __init__(self, connection: socket.socket, wire: Wire) -> None:
        from wsproto import ConnectionType
        from wsproto.connection import Connection

        self.connection = connection
        self.frames: Any = Connection(ConnectionType.SERVER)
        self.wire = wire
        self.lock = threading.Lock()
        self.cut = False

    def of(self, process: subprocess.Popen[bytes]) -> int:
        """Pump both streams to the end; the process dies with the connection."""
        pumps = [
            threading.Thread(target=self._pump, args=(stream, channel, process), daemon=True)
            for stream, channel in ((process.stdout, OUTPUT), (process.stderr, ERRORS))
        ]
        for pump in pumps:
            pump.start()
        for pump in pumps:
            pump.join()
        return process.wait()

    def _pump(self, stream: IO[bytes], channel: int, process: subprocess.Popen[bytes]) -> None:
        while block := stream.read(FRAME):
            self.send(channel, block)
            if self.cut:
                process.kill()

    def send(self, channel: int, data: bytes) -> None:
        """One message, as the network lets it through."""
        from wsproto.events import BytesMessage

        with self.lock:
            passed = None if self.cut else self.wire(channel, data)
            if passed is None:
                return self._hang_up()
            try:
                self.connection.sendall(self.frames.send(BytesMessage(bytes([channel]) + passed)))
            except OSError:
                self._hang_up()

    def close(self) -> None:
        """Say goodbye, as a server does after the result."""
        from wsproto.events import CloseConnection

        with self.lock, contextlib.suppress(OSError):
            if not self.cut:
                self.connection.sendall(self.frames.send(CloseConnection(code=1000)))
        self._hang_up()

    def _hang_up(self) -> None:
        self.cut = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
