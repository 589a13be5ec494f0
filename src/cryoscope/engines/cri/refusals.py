"""What runtimes say when they refuse, as one cause and one cure each, with a code that stays.

Nearly everything is gRPC's UNKNOWN, so the words count: those of containerd 2.1 to 2.4 and of CRI-O 1.37,
recorded from the real runtimes (tests/data/cri).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from cryoscope.engines.cri.client import CallFailed
from cryoscope.engines.port import EngineError, EngineHung, NoSuchContainer
from cryoscope.text import escape

SHOWN = 200
"""Characters of a runtime's own words in a message."""
LIST = "cryoscope targets lists what can be captured here"
NO_CRIU = "install criu on the node, and runc or crun with support for it"
AGAIN = "take the checkpoint again and copy it whole"
PULL = "pull it on the node (crictl pull NAME@DIGEST), or name another with --image"


class Row(NamedTuple):
    """What tells it in a runtime's words, its code, its meaning (with groups of `shows`), its cure."""

    shows: re.Pattern[str]
    code: str
    what: str
    cure: str


def _row(shows: str, code: str, what: str, cure: str) -> Row:
    return Row(re.compile(shows, re.DOTALL), "cri." + code, what, cure)


ROWS = (
    _row(
        r"container ID should not be empty|prefix can't be empty",
        "no-id",
        "the runtime was asked without an id",
        LIST,
    ),
    _row(
        r"could not find pod|failed to find sandbox id|specified sandbox not found|try to find sandbox",
        "pod-unknown",
        "the runtime does not know that pod sandbox",
        "it may have been removed: crictl pods lists them",
    ),
    _row(
        r"the sandbox was stopped",
        "pod-stopped",
        "that pod sandbox was stopped",
        "restore into a new one",
    ),
    _row(
        r"could not find container|rr?or occurred when try(?:ing)? to find container|"
        r"container with ID starting with \S+ not found|failed to find container: not found",
        "container-unknown",
        "the runtime does not know that container",
        LIST,
    ),
    _row(
        r"cannot pause a paused container|ctrd-checkpoint/\S+: no such file|"
        r'image "containerd\.io/checkpoint/\S+": already exists|'
        r"failed to pause container .*container process not found",
        "busy",
        "another checkpoint of the container is going on",
        "wait for it to end and try again",
    ),
    _row(
        r"is not running|is in \w+ state\. only \w+ containers can be checkpointed|"
        r"unexpected metrics response: \[\]",
        "not-running",
        "the container does not run",
        "only a running container can be captured",
    ),
    _row(
        r"cannot restore running container|is not in created state|failed to set starting state",
        "started",
        "the container was started already",
        "nothing is left to do: it runs",
    ),
    _row(
        r"requires at least CRIU|CRIU version must be",
        "criu-too-old",
        "criu on the node is too old",
        "install criu 3.16 or later on the node",
    ),
    _row(
        r'exec: "criu": executable file not found|(?i:criu binary not found)',
        "criu-missing",
        "the runtime does not find criu on the node",
        NO_CRIU,
    ),
    _row(
        r"checkpoint/restore support not available|criu support is disabled",
        "unsupported",
        "the runtime's support of CRIU is off",
        "enable_criu_support = true (CRI-O) or enable_criu = true (containerd) in its settings",
    ),
    _row(
        r"restore via CreateContainer is disabled",
        "restore-off",
        "the runtime restores only if it is told to",
        "enable_experimental_restore_via_create = true in containerd's settings, on a node for it alone",
    ),
    _row(
        r"unknown service runtime",
        "interface",
        "the runtime does not speak version 1 of the CRI",
        "update it: containerd 2.0 or CRI-O 1.25 can checkpoint",
    ),
    _row(
        r"unknown method|not implemented",
        "method-unknown",
        "the runtime has no such call",
        "update it: containerd 2.0 or CRI-O 1.25 can checkpoint",
    ),
    _row(
        r"unpacking of checkpoint archive \S+ failed: .*is a directory",
        "archive-folder",
        "the archive is a folder",
        "name the archive's file",
    ),
    _row(
        r"unpacking of checkpoint archive \S+ failed: .*unexpected EOF",
        "archive-truncated",
        "the archive ends before its end",
        AGAIN,
    ),
    _row(
        r"unpacking of checkpoint archive \S+ failed: .*invalid tar header",
        "archive-compressed",
        "the runtime takes plain tar archives only",
        "decompress it first: zstd -d or gzip -d",
    ),
    _row(
        r'failed to read "(?:spec|config)\.dump"',
        "archive-empty",
        "the archive has no spec.dump: it is no checkpoint of a container",
        AGAIN,
    ),
    _row(
        r'failed to read "(?:status\.dump|io\.kubernetes\.cri-o\.Annotations)"',
        "foreign-runtime",
        "the archive was made by another runtime",
        "restore it with the runtime that made it",
    ),
    _row(
        r"expects following bind mounts defined \(([^)]{1,2000})\)",
        "mounts-missing",
        "the runtime wants these mounts declared: {0}",
        "the archive's own list of mounts is incomplete: take the checkpoint again",
    ),
    _row(
        r"failed to pull checkpoint base image (\S{1,200}?): .*invalid port",
        "image-unpullable",
        "the archive names its base image by a bare digest ({0}), which cannot be pulled",
        PULL,
    ),
    _row(
        r"failed to (?:pull|get) checkpoint base image (\S{1,200}?):|image not known",
        "base-image-missing",
        "the base image of the checkpoint is not on the node",
        PULL,
    ),
    _row(
        r"manifest unknown|failed to pull and unpack image",
        "image-unknown",
        "the registry has no such image, or does not answer",
        "look at the image's name, and pull it by hand",
    ),
    _row(
        r'(?:failed to resolve image|cannot parse input:) "/',
        "archive-not-taken",
        "the runtime took the archive for an image: it does not restore, or sees no such file",
        "restore on a runtime that can: cryoscope doctor says which",
    ),
    _row(
        r"failed to resolve image|does not resolve to an image ID",
        "image-missing",
        "that image is not on the node",
        PULL,
    ),
    _row(
        r"is reserved for",
        "name-taken",
        "a container or pod of that name is there already",
        "give another name with --name, or remove that one",
    ),
    _row(
        r"failed to find runtime handler|no runtime for \S+ is configured",
        "handler-unknown",
        "the runtime has no such runtime handler",
        "leave the handler out, or configure it on the node",
    ),
    _row(
        r"unable to set hostname without a private UTS",
        "hostname",
        "a pod on the host's network cannot have a host name of its own",
        "leave the host name out",
    ),
    _row(
        r"failed to set ?up network|cni plugin not initialized|error adding pod \S+ to CNI",
        "network",
        "the runtime has no network for pods (CNI)",
        "install a CNI configuration on the node",
    ),
    _row(
        r"open (?P<path>/\S{1,200})?: (?:no such file or directory|is a directory)|open : no such file",
        "location",
        "the runtime cannot write its archive where it was asked to",
        "the folder must be there for the runtime as well",
    ),
    _row(
        r"no space left on device",
        "disk-full",
        "the runtime has no room for the checkpoint",
        "make room on the node: it needs the container's memory twice over",
    ),
)

FAILED = {
    "RunPodSandbox": "the runtime did not make the pod",
    "StartContainer": "the runtime did not let the container go on",
    "CreateContainer": "the runtime did not take the checkpoint",
    "CheckpointContainer": "the runtime did not take a checkpoint",
}


def refused(failure: CallFailed, log: str = "") -> EngineError:
    """The error for a person; `log` is a log of CRIU that belongs to the failure."""
    if failure.status in ("DEADLINE_EXCEEDED", "CANCELLED"):
        return hung(failure)
    if (row := row_of(failure.said)) is not None:
        return _told(row, failure)
    return criu_failed(failure, log) or _unknown(failure)


def row_of(said: str) -> Row | None:
    """The row that a runtime's words fit."""
    return next((row for row in ROWS if row.shows.search(said)), None)


def _told(row: Row, failure: CallFailed) -> EngineError:
    found = row.shows.search(failure.said)
    groups = [escape(each or "")[:SHOWN] for each in found.groups()] if found else []
    kind = NoSuchContainer if row.code == "cri.container-unknown" else EngineError
    return kind(row.what.format(*groups), hint=row.cure, code=row.code)


def criu_failed(failure: CallFailed, log: str) -> EngineError | None:
    """CRIU's own reason, out of its log or out of what the runtime quotes of it."""
    from cryoscope.engines.criu_log import explain

    cause = explain(log) if log else None
    cause = cause or explain(failure.said)
    return cause.error(FAILED.get(failure.method, failure.method)) if cause else None


def _unknown(failure: CallFailed) -> EngineError:
    what = FAILED.get(failure.method, f"{failure.method} failed")
    said = escape(failure.said.strip())[:SHOWN]
    return EngineError(f"{what}: {said}", hint="see the log of the runtime", code="cri.failed")


def hung(failure: CallFailed) -> EngineHung:
    """The runtime did not answer in time."""
    return EngineHung(
        f"{failure.method}: no answer in time",
        hint="what became of it is unknown: look at the container and at the log of the runtime",
        code="cri.hung",
    )
