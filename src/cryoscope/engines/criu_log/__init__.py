"""Why CRIU failed, in one line, and what to do about it: from its log, or an engine's message that quotes it.

CRIU marks errors with `Error (file:line): ` (criu/log.c); each failing function on the way out adds one, so
the cause is the first line that says more than that something failed.  The first of all may be harmless:
`Can't setup RLIMIT_NOFILE` is there wherever CAP_SYS_RESOURCE is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from cryoscope import limits
from cryoscope.engines.criu_log import runtimes, table
from cryoscope.engines.criu_log.row import Row
from cryoscope.engines.port import EngineError, Record
from cryoscope.text import escape, readable

MARK = re.compile(r"Error \([\w./-]{1,80}:\d+\): ?")
STAMPED = re.compile(r"\(\d+\.\d+\)")
"""Lines that are CRIU's own begin with a time."""
ENDING = re.compile(r"[\s\"'`\\]*(?:\.\.\.)?$")
"""What quoting leaves at the end of a line."""
HARMLESS = re.compile(r"Can't setup RLIMIT_NOFILE for self")
AFTERMATH = re.compile(
    r"(?:Dumping|Restoring|Pre-dumping|transfer) FAILED|Dump \w+ \(pid: \d+\) failed|Dump \d+ \w+ failed"
    r"|Dump cgroup of threads|Collect (?:mappings|fds) \(pid|Can't (?:cure|infect|dump misc|fixup vdso)"
    r"|Can't open \d+'s mapfile link|cgroupd: (?:recv|send) req error"
    r"|^\d+ (?:exited,|killed by signal|stopped by signal)|^exited, status|Unable to open fd=\d+ id="
    r"|Killing processes because of failure|Pre-dumping files failed|Failed to wait on helpers"
    r"|daemon exited abnormally|Namespaces dumping finished with error|Can't dump threads?\b"
    r"|Child \d+ died too early|Can't wait or bad status"
    r"|Unable to detach from \d+: No such process|Dump file lock failed|Failed to check aio rings"
)
"""What CRIU says on its way out: a cause stands before it, or nowhere."""
GONE = re.compile(r"Warn  \([\w./-]{1,80}:\d+\): (Unable to interrupt task: \d+ \(.*)")
"""A warning that says more than the error after it."""
DONE_WITHIN = 50
"""Lines from the end in which CRIU says that all went well."""
DONE = re.compile(r"(?:Dumping|Restore) finished successfully")
FAILED = re.compile(r"(?i)criu (?:failed|check\w+ failed|restor\w+ failed)|type (?:DUMP|RESTORE) errno")
LOG = re.compile(
    r"(?:logfile|path= ?|Quoting \\?\"|see log file:?) ?(/[\w./@:+-]{1,1000}(?:dump|restore|criu)[\w-]*\.log)"
)
UNKNOWN = "see the whole line in CRIU's log, and search for it among CRIU's issues"
ELSEWHERE = "the reason is in CRIU's log on the machine of the engine"


class Cause(Record, frozen=True, kw_only=True):
    """Why CRIU failed: a stable code, what it means, what to do, and the line that says so, safe to print."""

    code: str
    what: str
    cure: str
    line: str = ""

    def error(self, doing: str) -> EngineError:
        """An error for a person: `doing` is what was tried, such as "podman cannot capture web"."""
        return EngineError(f"{doing}: {self.what}", hint=self.cure, code=self.code)


def explain(text: str | bytes) -> Cause | None:
    """The cause in a dump.log, a restore.log or an engine's message; None if they tell of no failure of CRIU.

    `criu.failed` is an error that the table does not know, `criu.reason-elsewhere` a message without one:
    `log_named` may say where it is.
    """
    lines = _lines(readable(text[-limits.CRIU_LOG :]))
    errors = [line[found.end() :] for line in lines if (found := MARK.search(line))]
    gone = [found[1] for line in lines if (found := GONE.search(line))]
    told = [line for line in errors if not HARMLESS.search(line)]
    real = [line for line in told if not AFTERMATH.search(line)]
    if any(map(DONE.search, lines[-DONE_WITHIN:])):
        return None
    cause = (
        _first(real, table.ROWS)
        or _first(gone, table.ROWS)
        or _first((line for line in lines if not STAMPED.search(line)), runtimes.ROWS)
    )
    if cause is None and (real or told):
        return _unknown((real or told)[0])
    if cause is None and (errors or any(map(FAILED.search, lines))):
        return Cause(code="criu.reason-elsewhere", what="CRIU failed and did not say why", cure=ELSEWHERE)
    return cause


def log_named(text: str) -> str | None:
    """The log that an engine names, on its own machine: a stranger's word, to be opened with care."""
    for line in _lines(text[-limits.CRIU_LOG :]):
        if (found := LOG.search(line)) and ".." not in found[1]:
            return found[1]
    return None


def _lines(text: str) -> list[str]:
    """Lines, also where a JSON text has quoted their ends; the beginnings of long ones."""
    return [line[: limits.CRIU_LOG_LINE] for line in text.replace("\\n", "\n").splitlines()]


def _first(lines: Iterable[str], rows: tuple[Row, ...]) -> Cause | None:
    return next(filter(None, (_cause(line, rows) for line in lines)), None)


def _cause(line: str, rows: tuple[Row, ...]) -> Cause | None:
    for row in rows:
        if found := row.shows.search(line):
            groups = [escape(group or "")[:200] for group in found.groups()]
            return Cause(
                code=row.code, what=row.what.format(*groups).strip(), cure=row.cure, line=shown(line)
            )
    return None


def _unknown(line: str) -> Cause:
    return Cause(code="criu.failed", what=f"CRIU says: {shown(line)}", cure=UNKNOWN, line=shown(line))


def shown(text: str | bytes) -> str:
    """A line of a stranger's log, safe to print and not too long."""
    return escape(ENDING.sub("", readable(text)))[:500]
