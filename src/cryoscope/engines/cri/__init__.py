"""containerd and CRI-O through the Container Runtime Interface, as a kubelet speaks to them.

The interface is gRPC on a unix socket of the node.  Its messages are a table of our own (`schema`), its
failures are words (`refusals`), and its checkpoint takes a path and nothing else: the archive that the
runtime writes is the same that a kubelet's checkpoint gives.
"""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.engines.cri import sockets
from cryoscope.engines.cri.abilities import NAMES
from cryoscope.engines.cri.engine import Cri
from cryoscope.engines.port import AmbiguousTarget, EngineUnreachable, Reach
from cryoscope.engines.target import Target
from cryoscope.errors import CryoscopeError

__all__ = ["Cri", "connect", "discover"]


def connect(target: Target, reach: Reach) -> Cri:
    """The runtime that a target names, or the only one that answers here.

    Raises `EngineUnreachable`, `AmbiguousTarget`.
    """
    found = [*discover(reach)]
    answering = [each for each in found if _is(each, target.runtime)]
    if len(found) == 1 and target.runtime is None:
        answering = found  # its own error says why it does not answer
    if len(answering) > 1:
        there = ", ".join(each.socket for each in answering)
        raise AmbiguousTarget(f"several runtimes answer: {there}", hint="name one with --endpoint")
    if not answering:
        raise _nobody(found, target.runtime)
    _ = answering[0].runtime
    return answering[0]


def _is(engine: Cri, runtime: str | None) -> bool:
    """Whether a runtime answers, and is the one that is wanted."""
    try:
        return runtime is None or engine.runtime.name == NAMES[runtime]
    except CryoscopeError:
        return False


def _nobody(found: list[Cri], runtime: str | None) -> EngineUnreachable:
    if len(found) == 1:
        _ = found[0].runtime  # raises why it does not answer
    there = ", ".join(each.socket for each in found) or "none of the usual sockets is there"
    return EngineUnreachable(
        f"no {runtime or 'runtime'} answers here: {there}",
        hint="start it, or name its socket with --endpoint",
        code="cri.unreachable",
    )


def discover(reach: Reach) -> Iterator[Cri]:
    """Every runtime whose socket is here, or the one that the user named."""
    if reach.endpoint is not None:
        yield Cri(sockets.plain(reach.endpoint), reach)
        return
    for socket in sockets.found(reach.host):
        yield Cri(socket, reach)
