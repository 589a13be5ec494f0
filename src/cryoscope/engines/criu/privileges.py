"""What a restored process may do in the sandbox: fewer capabilities, and never more later.

CRIU sets the capabilities that it finds in core-*.img (images/creds.proto); so they are cut there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cryoscope.engines.port import Edits, EngineError
from cryoscope.engines.vetting.edits import of_image

if TYPE_CHECKING:
    from cryoscope.checkpoint.checkpoint import Checkpoint

KEPT = (0, 1, 3, 4, 5, 6, 7, 8, 10)
"""chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service: what is of use among
one's own files, processes and ports, and nowhere else (linux/capability.h)."""
MASK = sum(1 << number for number in KEPT)
SETS = ("cap_inh", "cap_prm", "cap_eff", "cap_bnd", "cap_amb")


def edits(checkpoint: Checkpoint) -> Edits:
    """The change of every core image of a checkpoint."""
    members = [checkpoint.images.member(name) for name, _ in checkpoint.images.matching("core-*")]
    return Edits(change={member: [of_image(member, lower)] for member in members if member})


def lower(core: Any) -> None:
    """Cut the capabilities of a core_entry, and forbid new privileges."""
    if not core.HasField("thread_core") or not core.thread_core.HasField("creds"):
        return
    creds = core.thread_core.creds
    for name in SETS:
        words = getattr(creds, name)
        for at, word in enumerate(words):
            words[at] = word & (MASK >> 32 * at & 0xFFFFFFFF)
    creds.no_new_privs = 1


def check(checkpoint: Checkpoint) -> None:
    """Raises `EngineError` if a process of a cleaned archive could do more than the sandbox allows."""
    for name, _ in checkpoint.images.matching("core-*"):
        core = checkpoint.images.first(name)
        if core is None or _is_low(core):
            continue
        raise EngineError(
            f"{name} has more privileges than the sandbox allows",
            hint="restore the copy that `cryoscope restore` cleans",
            code="criu.not-cleaned",
        )


def _is_low(core: Any) -> bool:
    """Whether a core_entry asks for no more than the sandbox allows; zombies have no credentials."""
    if not core.HasField("thread_core") or not core.thread_core.HasField("creds"):
        return not core.HasField("thread_core")
    creds = core.thread_core.creds
    words = [(word, at) for name in SETS for at, word in enumerate(getattr(creds, name))]
    return bool(creds.no_new_privs) and not any(word & ~(MASK >> 32 * at) for word, at in words)
