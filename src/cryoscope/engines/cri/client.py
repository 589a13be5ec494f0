"""Calls to a runtime over its unix socket: gRPC without generated code, each call with its own deadline."""

from __future__ import annotations

import os
import stat
from functools import cached_property
from typing import Any

from cryoscope import limits, needs
from cryoscope.engines.cri import messages
from cryoscope.engines.cri.schema import METHODS
from cryoscope.engines.port import EngineError, EngineUnreachable
from cryoscope.text import escape, readable

QUICK = 10.0
"""Seconds that a call may take that only asks."""
OPTIONS = [
    ("grpc.max_receive_message_length", limits.CRI_ANSWER),
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # Two engines of one process have a connection each, so that closing one does not end the other's calls.
    ("grpc.use_local_subchannel_pool", 1),
]
STARTING = "start containerd or CRI-O, or name its socket with --endpoint"


class CallFailed(EngineError):
    """The runtime answered a call with an error: gRPC's name for it in `status`, its own words in `said`."""

    default_code = "cri.failed"

    def __init__(self, method: str, status: str, said: str) -> None:
        self.method, self.status = method, status
        self.said = readable(said[: limits.CRI_ERROR])
        super().__init__(f"{method}: {escape(self.said[:300])}", hint="see the log of the runtime")

    @property
    def gone(self) -> bool:
        """Whether the runtime no longer knows what was asked for."""
        return self.status == "NOT_FOUND"


class Client:
    """The runtime that listens on `socket`, a path of its machine, which is `path` for this process."""

    def __init__(self, path: str, socket: str) -> None:
        self.path, self.socket = path, socket

    @cached_property
    def _grpc(self) -> Any:
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it would write into the user's terminal
        return needs.grpc()

    @cached_property
    def _channel(self) -> Any:
        _listening(self.path, self.socket)
        return self._grpc.insecure_channel(f"unix:{self.path}", options=OPTIONS)

    def call(self, method: str, *, deadline: float = QUICK, **values: Any) -> Any:
        """One call; returns the answer's message.

        Raises `CallFailed`, `EngineUnreachable` if nobody answers, LibraryMissing without gRPC.
        """
        request = messages.encode(messages.message(method + "Request", **values))
        answer = self._unary(METHODS[method], method, request, deadline)
        try:
            return messages.decode(method + "Response", answer)
        except ValueError as error:
            raise EngineError(
                f"{method}: the answer is no message of the CRI: {error}",
                hint="look what listens on the socket",
                code="cri.answer",
            ) from None

    def _unary(self, path: str, method: str, request: bytes, deadline: float) -> bytes:
        try:
            return bytes(self._channel.unary_unary(path)(request, timeout=deadline))
        except self._grpc.RpcError as error:
            status, said = error.code().name, error.details() or ""
        if status == "UNAVAILABLE":
            raise EngineUnreachable(
                f"the runtime on {self.socket} does not answer: {escape(readable(said))[:200]}",
                hint=STARTING,
                code="cri.unreachable",
            )
        raise CallFailed(method, status, said)

    def close(self) -> None:
        """End the connection."""
        if "_channel" in self.__dict__:
            self.__dict__.pop("_channel").close()


def _listening(path: str, socket: str) -> None:
    """Whether there is a socket that this process may use; raises `EngineUnreachable` with the cure."""
    try:
        found = os.stat(path)
    except OSError as error:
        hint = "be root" if isinstance(error, PermissionError) else STARTING
        raise EngineUnreachable(f"{socket}: {error.strerror}", hint=hint, code="cri.unreachable") from None
    if not stat.S_ISSOCK(found.st_mode):
        raise EngineUnreachable(f"{socket} is no socket", hint=STARTING, code="cri.unreachable")
    if not os.access(path, os.W_OK):
        raise EngineUnreachable(f"{socket}: permission denied", hint="be root", code="cri.unreachable")
