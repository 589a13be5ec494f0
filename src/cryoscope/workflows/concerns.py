"""What stands against a capture: as the engine sees it, and as its host shows it."""

from __future__ import annotations

from cryoscope.engines.host import Host
from cryoscope.engines.port import CaptureOptions, Concern, Container, Engine


def host_of(engine: Engine) -> Host | None:
    """The machine of an engine, if it can be seen from here; those of a cluster cannot."""
    found: Host | None = getattr(engine, "host", None)
    return found


def concerns_of(engine: Engine, container: Container, options: CaptureOptions, folder: str) -> list[Concern]:
    """The concerns of a capture into `folder`, each told once."""
    from cryoscope.engines.preflight import capture_concerns

    told = [*engine.concerns(container, options)]
    host = host_of(engine)
    if host is not None and container.pid is not None:
        told += capture_concerns(host, container, options, folder)
    return [*{(each.code, each.what): each for each in reversed(told)}.values()][::-1]
