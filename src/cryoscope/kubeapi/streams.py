"""A command in a container: its streams over one WebSocket, a channel a byte.

Subprotocols v5.channel.k8s.io (which can end standard input) and v4.channel.k8s.io; channels 0 to 4 are
standard input, output, error, the result as a Status, the terminal's size; 255 closes one
(k8s.io/apimachinery/pkg/util/remotecommand, k8s.io/client-go/tools/remotecommand).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from cryoscope import limits, needs
from cryoscope.kubeapi.errors import BadAnswer, ExecFailed, TimedOut, Unreachable, asked, of_answer, shown
from cryoscope.kubeapi.http import REFUSAL, Answer, Wire

PROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"]
INPUT, OUTPUT, ERRORS, RESULT = 0, 1, 2, 3
CLOSE_INPUT = b"\xff\x00"


class Ended(msgspec.Struct, frozen=True):
    """How a command ended: its exit code and the first of what it said on standard error."""

    code: int
    errors: bytes = b""


class Cause(msgspec.Struct):
    reason: str = ""
    message: str = ""


class Details(msgspec.Struct):
    causes: list[Cause] = []


class Result(msgspec.Struct):
    """The Status on channel 3."""

    status: str = ""
    reason: str = ""
    message: str = ""
    details: Details | None = None


def run(
    wire: Wire,
    path: str,
    params: list[tuple[str, str]],
    *,
    output: Callable[[bytes], object],
    feed: Iterable[bytes] | None,
    timeout: float,
) -> Ended:
    """Run to the end; every block of standard output goes to `output`, `feed` into standard input.

    Raises `TimedOut` after `timeout` seconds without an end, `ExecFailed`, `Unreachable` and what a refused
    request raises.
    """
    ws = needs.module("httpx2.websockets._exceptions")
    url = wire.client.build_request("GET", wire.base + path, params=params).url
    try:
        with (
            wire.translated(),
            wire.client.websocket(
                url,
                subprotocols=PROTOCOLS,
                max_message_size_bytes=limits.KUBE_FRAME,
                queue_size=limits.KUBE_FRAMES,
                extensions=wire.extensions,
            ) as session,
        ):
            return _Conversation(session, output, timeout).through(feed)
    except ws.WebSocketUpgradeError as error:
        raise _refused(error.response, path) from None
    except ws.WebSocketDisconnect as error:
        raise ExecFailed(
            f"the stream ended before the command did ({error.code} {shown(error.reason)})",
            hint="try again; the pod may have been removed",
            code="k8s.stream-cut",
        ) from None
    except ws.HTTPXWSException as error:
        raise Unreachable(
            f"the stream broke: {type(error).__name__}", hint="try again", code="k8s.stream-cut"
        ) from None


def _refused(response: Any, path: str) -> Exception:
    answer = Answer(response.status_code, {}, response.extensions.get(REFUSAL, b""))
    # Kubernetes asks for `create` on pods/exec, whatever the method of the request.
    return of_answer(answer, asked("POST", path))


class _Conversation:
    """One session, from the first byte of input to the Status."""

    def __init__(self, session: Any, output: Callable[[bytes], object], timeout: float) -> None:
        self.session = session
        self.output = output
        self.end = time.monotonic() + timeout
        self.errors = bytearray()
        if session.subprotocol not in PROTOCOLS:
            raise BadAnswer(
                f"the server speaks {shown(str(session.subprotocol))}",
                hint="it needs Kubernetes 1.4 or newer",
            )

    def through(self, feed: Iterable[bytes] | None) -> Ended:
        if feed is not None:
            self._feed(feed)
        while True:
            channel, data = self._next()
            if channel == OUTPUT:
                self.output(data)
            elif channel == ERRORS:
                self.errors += data[: limits.KUBE_ERRORS - len(self.errors)]
            elif channel == RESULT:
                return self._ended(data)

    def _feed(self, feed: Iterable[bytes]) -> None:
        for block in feed:
            for at in range(0, len(block), limits.KUBE_FRAME // 4):
                self.session.send_bytes(bytes([INPUT]) + block[at : at + limits.KUBE_FRAME // 4])
        if self.session.subprotocol == PROTOCOLS[0]:
            self.session.send_bytes(CLOSE_INPUT)

    def _next(self) -> tuple[int, bytes]:
        left = self.end - time.monotonic()
        try:
            if left <= 0:
                raise TimeoutError
            message = self.session.receive_bytes(timeout=left)
        except TimeoutError:
            raise TimedOut(
                "the command in the container did not end in time", hint="give a longer --timeout"
            ) from None
        return (message[0], message[1:]) if message else (-1, b"")

    def _ended(self, data: bytes) -> Ended:
        try:
            result = msgspec.json.decode(data, type=Result)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise BadAnswer("the result of the command is no Status") from None
        if result.status == "Success":
            return Ended(0, bytes(self.errors))
        causes = result.details.causes if result.details else []
        codes = [cause.message for cause in causes if cause.reason == "ExitCode" and cause.message.isdigit()]
        if result.reason == "NonZeroExitCode" and codes:
            return Ended(int(codes[0][:3]), bytes(self.errors))
        raise ExecFailed(
            f"the command did not run: {shown(result.message)}", hint="look at the pod with kubectl describe"
        )
