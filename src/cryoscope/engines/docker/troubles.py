"""What the daemon refuses, as errors with a code and a cure: its own words, or those of CRIU's log.

The messages are those of moby's daemon/checkpoint.go, daemon/start.go and daemon/errors.go.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from cryoscope.engines.port import EngineError, NoSuchContainer
from cryoscope.text import escape, readable


class Row(NamedTuple):
    """What a message says, by a pattern: its code, and the cure."""

    shows: re.Pattern[str]
    code: str
    cure: str


def _row(pattern: str, code: str, cure: str) -> Row:
    return Row(re.compile(pattern), "docker." + code, cure)


EXPERIMENTAL_CURE = 'put {"experimental": true} into /etc/docker/daemon.json and restart docker'
ROWS = (
    _row(r"only supported with experimental|page not found", "experimental", EXPERIMENTAL_CURE),
    _row(
        r"containers with tty", "tty", "only containers without a terminal (run without -t) can be captured"
    ),
    _row(r"already exists", "race", "try again in a second"),
    _row(r"is not running|not running", "not-running", "start it: only what runs can be captured"),
    _row(r"custom checkpointdir is not supported", "checkpoint-dir", "copy it to the daemon's own folder"),
    _row(
        r"/ns/net|netns",
        "restore-network",
        "docker restores only with the network of the host or of another container",
    ),
    _row(r"(?i)no such image", "image-missing", "load it with `docker pull` or `docker load`"),
    _row(r"is already in use by container", "name-taken", "restore under another name, or remove that one"),
    _row(r"(?i)no space left", "disk-full", "make room below docker's folder (docker info: Docker Root Dir)"),
    _row(r"criu (?:is|binary|executable)|\"criu\": executable", "criu-missing", "install criu on the host"),
)
ELSEWHERE = "see dockerd's log (journalctl -u docker)"
NOT_FOUND, CONFLICT = 404, 409


class DockerError(EngineError):
    """The daemon refused; `said` is its own message, as it came."""

    default_code = "docker.failed"
    said = ""


def refusal(status: int, message: str, path: str) -> EngineError:
    """The error for an answer with a status of 400 or more."""
    if status == NOT_FOUND and "o such container" in message:
        return NoSuchContainer(
            f"docker: {_plain(message)}", hint="cryoscope targets lists what can be captured here"
        )
    row = next((row for row in ROWS if row.shows.search(message)), None)
    error = DockerError(
        f"docker: {_plain(message) or f'status {status} for {path}'}",
        hint=row.cure if row else ELSEWHERE,
        code=row.code if row else None,
    )
    error.said = message
    return error


def explained(error: EngineError, log: bytes, doing: str) -> EngineError:
    """The same with the cause that CRIU's log tells, where one was found and says more."""
    from cryoscope.engines import criu_log

    said = getattr(error, "said", "")
    cause = criu_log.explain(log) if log else None
    cause = cause or (criu_log.explain(said) if said else None)
    if cause is None or (cause.code == "criu.reason-elsewhere" and error.code != DockerError.default_code):
        return error
    return cause.error(doing)


def _plain(message: str) -> str:
    """A message on one line, safe to print, without ids that nobody can read."""
    text = " ".join(escape(readable(message).replace("\n", " ")).split())
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1", text)[:500]
