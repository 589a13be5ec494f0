"""`capture --case`: what is captured becomes evidence, with what the engine answered in its manifest.

The archive is captured and verified as ever, in a private folder of the store unless -o names a file; it is
taken away from there when the case's log has it, not before.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import msgspec

from cryoscope.errors import CryoscopeError, Incomplete, UsageError
from cryoscope.settings import settings, store_home
from cryoscope.text import readable
from cryoscope.workflows.concerns import host_of
from cryoscope.workflows.roles import permit
from cryoscope.workflows.store import make_home, store_for

if TYPE_CHECKING:
    from cryoscope.engines.port import Container, Engine
    from cryoscope.evidence.pieces import Facts
    from cryoscope.workflows.capture import CapturePart, Taking

FOLDER = "captures"


def prepared(taking: Taking) -> Taking:
    """How to capture, with where to; raises `Refused` and `NoSuchCase` before anything is captured."""
    if taking.case is None:
        permit("capture")
        return taking
    if taking.options.fetch == "none":
        raise UsageError(
            "nothing is collected with --fetch none", hint="leave --case out", code="capture.fetch"
        )
    with store_for("capture", taking.case, reason=taking.reason) as store:
        store.case(taking.case)
    if taking.output is not None:
        return taking
    if taking.companions:
        raise UsageError(
            "what --with saves lies beside a file, and a case has none",
            hint="name a file with -o as well",
            code="capture.companions",
        )
    folder = os.path.join(store_home(settings()), FOLDER)
    make_home(folder)
    return msgspec.structs.replace(taking, output=folder + "/", passing=True)


def check_budget(engine: Engine, container: Container, folder: str, case: str | None) -> None:
    """Whether the settings leave room for what will be captured; raises `Refused`."""
    if settings().budget == type(settings().budget)():
        return
    from cryoscope.workflows.budget import check

    expected = expected_size(engine, container)
    check(folder, expected, settings())
    if case is not None:
        with store_for("capture", case) as store:
            check(store, expected, settings())


def expected_size(engine: Engine, container: Container) -> int:
    """Bytes that an archive will have, as far as the host can be seen; else 0."""
    host = host_of(engine)
    if host is None or container.pid is None:
        return 0
    from cryoscope.engines.preflight.memory import memory_of

    return memory_of(host, container.pid).archive


def into_case(part: CapturePart, path: str, taking: Taking) -> CapturePart:
    """The captured archive into its case; raises `Incomplete`, with where it lies, if that fails."""
    from cryoscope.workflows.case_add import Adding, facts_of, keep_in
    from cryoscope.workflows.cases import address_of

    if taking.case is None:
        return part
    adding = Adding(reason=taking.reason, progress=taking.progress)
    try:
        facts = _with_capture(facts_of(path), part)
        with store_for("capture", taking.case, reason=taking.reason) as store:
            added = keep_in(store, taking.case, path, facts, adding, action="capture", expect=part.sha256)
    except CryoscopeError as error:
        raise Incomplete(
            f"the archive is whole, but not in the case: {error.message}",
            hint=f"cryoscope case add {taking.case} {readable(path)}",
            code=error.code,
        ) from None
    evidence = address_of(taking.case, added.piece)
    if not taking.passing:
        return msgspec.structs.replace(part, evidence=evidence)
    with contextlib.suppress(OSError):
        os.unlink(path)
    return msgspec.structs.replace(part, evidence=evidence, archive=evidence)


def _with_capture(facts: Facts, part: CapturePart) -> Facts:
    """What the archive says of itself, and what the engine said while it made it."""
    who = part.container
    said = msgspec.to_builtins(part) | {"archive": facts.name}
    return msgspec.structs.replace(
        facts,
        captured=facts.captured or part.started,
        container=facts.container or who.name or None,
        container_id=facts.container_id or who.id or None,
        pod=facts.pod or who.pod or None,
        namespace=facts.namespace or who.namespace or None,
        node=who.node or None,
        image=facts.image or who.image or None,
        versions=facts.versions | ({part.engine: part.version} if part.version else {}),
        capture=said,
    )
