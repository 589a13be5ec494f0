"""A container runtime that answers as recorded ones did: a gRPC server on a unix socket.

    with ReplayedRuntime([Path("crio.jsonl.xz")], tmp_path / "crio.sock") as runtime:
        runtime.play("checkpoint-tcp-established")      # how the next CheckpointContainer ends
        ...

A recording has one call a line, as JSON: `name`, `method` (/runtime.v1.RuntimeService/…), `request_b64`,
`response_b64` (null: none), `code` (gRPC's name for the status) and `details`; the file may be packed by xz.
A call that was recorded is answered as it was, its repetitions in their order; `play` chooses the answer to
a call whose request is another one.  Ids (64 hexadecimal digits) in a chosen answer become the request's.
It needs `pip install 'cryoscope[capture]'`.
"""

from __future__ import annotations

import base64
import json
import lzma
import os
import re
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from cryoscope import needs

ID = re.compile(rb"[0-9a-f]{64}")
CHECKPOINT = "CheckpointContainer"
WORKERS = 8
NOT_RECORDED = "no such call was recorded"


class Exchange(NamedTuple):
    """One recorded call; `response` is None where there was no message."""

    name: str
    method: str
    request: bytes
    response: bytes | None
    code: str
    details: str

    @property
    def call(self) -> str:
        """The method without its service."""
        return self.method.rpartition("/")[2]


def read(recording: Path) -> Iterator[Exchange]:
    """The calls of a recording, in the order of their answers."""
    opened = lzma.open if recording.suffix == ".xz" else open
    with opened(recording, "rt") as lines:
        for line in lines:
            found = json.loads(line)
            answer = found["response_b64"]
            yield Exchange(
                name=found["name"],
                method=found["method"],
                request=base64.b64decode(found["request_b64"] or ""),
                response=None if answer is None else base64.b64decode(answer),
                code=found["code"],
                details=found["details"] or "",
            )


class ReplayedRuntime:
    """A runtime on `socket` that answers from recordings; a context manager.

    `ids` gives recorded ids other names; `archive` is what a successful checkpoint writes to its location;
    `delays` has the seconds that a method takes.  `calls` are the methods and requests that came, `unmatched`
    those that no recording has.
    """

    def __init__(
        self,
        recordings: Iterable[Path],
        socket: Path,
        *,
        ids: Mapping[str, str] | None = None,
        archive: bytes | None = None,
        delays: Mapping[str, float] | None = None,
    ) -> None:
        self.exchanges = [each for recording in recordings for each in read(recording)]
        self.socket = socket
        self.archive, self.delays = archive, dict(delays or {})
        self.calls: list[tuple[str, bytes]] = []
        self.unmatched: list[tuple[str, bytes]] = []
        self._shown = {old.encode(): new.encode() for old, new in (ids or {}).items()}
        self._recorded = {new: old for old, new in self._shown.items()}
        self._chosen: dict[str, deque[Exchange]] = defaultdict(deque)
        self._waiting: dict[tuple[str, bytes], deque[Exchange]] = defaultdict(deque)
        for each in self.exchanges:
            self._waiting[each.method, each.request].append(each)
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        grpc = needs.grpc()
        self._server = grpc.server(ThreadPoolExecutor(WORKERS))
        self._server.add_generic_rpc_handlers((_handler(grpc, self),))
        self._server.add_insecure_port(f"unix:{self.socket}")
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(None).wait()

    def play(self, *names: str) -> None:
        """Answer the next calls of these exchanges' methods as they were, whatever is asked."""
        found = {each.name: each for each in self.exchanges}
        for name in names:
            self._chosen[found[name].method].append(found[name])

    def answer(self, method: str, request: bytes) -> Exchange:
        """The exchange that answers a call, with the ids of the request."""
        with self._lock:
            self.calls.append((method, request))
            if self._chosen[method]:
                return _with_ids(self._chosen[method].popleft(), request)
            waiting = self._waiting.get((method, _replaced(request, self._recorded)))
            if not waiting:
                self.unmatched.append((method, request))
                return Exchange("", method, request, None, "ABORTED", f"{NOT_RECORDED}: {method}")
            return self._renamed(waiting.popleft() if len(waiting) > 1 else waiting[0])

    def _renamed(self, found: Exchange) -> Exchange:
        response = None if found.response is None else _replaced(found.response, self._shown)
        return found._replace(
            response=response, details=_replaced(found.details.encode(), self._shown).decode()
        )

    def serve(self, method: str, request: bytes) -> Exchange:
        """Answer a call, after its delay, and with what a runtime leaves on the disk."""
        found = self.answer(method, request)
        time.sleep(self.delays.get(found.call, 0))
        if found.call == CHECKPOINT and found.code == "OK" and self.archive is not None:
            _write(request, self.archive)
        return found


def _replaced(data: bytes, names: Mapping[bytes, bytes]) -> bytes:
    """Ids by other names of the same length, which leaves the lengths in a message as they are."""
    return ID.sub(lambda found: names.get(found[0], found[0]), data)


def _with_ids(found: Exchange, request: bytes) -> Exchange:
    """An exchange with the ids of a request in the places of its own."""
    own, given = ID.findall(found.request), ID.findall(request)
    names = dict(zip(own, given, strict=False)) if len(own) == len(given) else {}
    response = None if found.response is None else _replaced(found.response, names)
    return found._replace(response=response, details=_replaced(found.details.encode(), names).decode())


def _write(request: bytes, archive: bytes) -> None:
    """What containerd does with the location of a checkpoint: it writes over what is there."""
    from cryoscope.engines.cri import messages

    location = messages.decode(CHECKPOINT + "Request", request).location
    if location:
        file = os.open(location, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(file, "wb") as to:
            to.write(archive)


def _handler(grpc: Any, runtime: ReplayedRuntime) -> Any:
    """What grpcio calls for every call of whatever method: bytes in, bytes out."""

    def serve(method: str) -> Any:
        def unary(request: bytes, context: Any) -> bytes:
            found = runtime.serve(method, request)
            if found.code != "OK":
                context.abort(grpc.StatusCode[found.code], found.details)
            return found.response or b""

        return grpc.unary_unary_rpc_method_handler(unary)

    class Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, call: Any) -> Any:
            return serve(call.method)

    return Handler()
