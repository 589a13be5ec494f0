"""Runs in a node: passes calls that come through a unix socket on to a gRPC server, byte for byte.

    python3 -c SOURCE SOCKET SERVER

One call a connection.  Asked is `/package.Service/Method`, a line feed and the request, to the end of the
stream; answered is `OK` or the name of a gRPC status, a line feed, and the response or the server's words.
The node's Python has grpcio; that of whoever is outside need not.
"""

from __future__ import annotations

import importlib
import socketserver
import sys
from typing import Any

TIMEOUT = 110.0
RETRY = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200)]


class Call(socketserver.StreamRequestHandler):
    """One connection: one call."""

    server: Relay

    def handle(self) -> None:
        """Make the call that is asked for."""
        method, request = self.rfile.readline().decode().strip(), self.rfile.read()
        self.wfile.write(self.server.call(method, request))


class Relay(socketserver.ThreadingUnixStreamServer):
    """Listens on a unix socket for calls to one server."""

    def __init__(self, path: str, server: str) -> None:
        self.grpc: Any = importlib.import_module("grpc")
        self.channel = self.grpc.insecure_channel(f"unix://{server}", options=RETRY)
        super().__init__(path, Call)

    def call(self, method: str, request: bytes) -> bytes:
        """The answer to one call, its first line the status."""
        call = self.channel.unary_unary(method)
        try:
            return b"OK\n" + bytes(call(request, timeout=TIMEOUT))
        except self.grpc.RpcError as error:
            return f"{error.code().name}\n{error.details()}".encode()


if __name__ == "__main__":
    Relay(*sys.argv[1:3]).serve_forever()
