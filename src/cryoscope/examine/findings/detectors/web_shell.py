"""Pages of a web server that run what a visitor sends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from cryoscope import limits
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_file, shown
from cryoscope.examine.findings.known.files import written
from cryoscope.examine.findings.scene import Scene

if TYPE_CHECKING:
    from cryoscope.checkpoint.rootfs import FileEntry

PAGES = re.compile(r"\.(php\d?|phtml|phar|inc|jspx?|jspf|aspx?|ashx|asmx|cfm|cgi|pl|py)$", re.IGNORECASE)
INPUT = rb"\$_(?:GET|POST|REQUEST|COOKIE)\s*\["
RUN = rb"(?:eval|assert|system|exec|shell_exec|passthru|popen|proc_open|pcntl_exec|create_function)"
SENT, NAMED = "runs what a visitor sends", "names a known web shell"
SHELLS = (b"c99shell", b"r57shell", b"b374k", b"weevely", b"filesman", b"indoxploit", b"p0wny", b"antsword")


class Sign(NamedTuple):
    """What a page gives itself away by: one of `needs` is in it, in small letters, and `found` fits."""

    needs: tuple[bytes, ...]
    found: re.Pattern[bytes]
    what: str = SENT
    severity: str | None = None


def _sign(needs: tuple[bytes, ...], expression: bytes, *told: str) -> Sign:
    return Sign(needs, re.compile(expression, re.IGNORECASE), *told)


PHP = (
    _sign((b"$_",), rb"\b" + RUN + rb"\s*\(\s*@?(?:\w+\s*\(\s*@?){0,4}" + INPUT),
    _sign((b"$_",), rb"`[^`\n]{0,100}" + INPUT + rb"[^`\n]{0,100}`"),
    _sign((b"$_",), INPUT + rb"\s*['\"]\w{1,40}['\"]\s*\]\s*\(\s*@?" + INPUT, "calls what a visitor names"),
    _sign((b"preg_replace",), rb"preg_replace\s*\(\s*['\"]/[^'\"\n]{0,100}/\w*e\w*['\"]\s*,\s*@?" + INPUT),
    _sign(
        (b"eval",),
        rb"\beval\s*\(\s*(?:@?\w+\s*\(\s*){1,4}['\"][A-Za-z0-9+/=]{200,}",
        "runs packed words",
    ),
)
JSP = (
    _sign((b"getruntime",), rb"getRuntime\s*\(\s*\)\s*\.\s*exec\s*\(\s*request\s*\.\s*getParameter"),
    _sign((b"processbuilder",), rb"ProcessBuilder\s*\([^;\n]{0,200}request\s*\.\s*getParameter"),
    _sign(
        (b"defineclass",),
        rb"defineClass\s*\([^;\n]{0,200}(?:getParameter|getReader|Base64)",
        "loads a class that a visitor sends",
    ),
)
ASP = (
    _sign((b"request",), rb"\b(?:eval|execute|executeglobal)\s*\(?\s*request\s*[\(\[.]"),
    _sign((b"process.start",), rb"Process\.Start\s*\([^;\n]{0,200}Request\s*[\[.]"),
)
CGI = (_sign((b"os.",), rb"os\.(?:system|popen)\s*\(\s*(?:cgi|form|request)\b[^\n]{0,80}", SENT, "medium"),)
EVERY = (_sign(SHELLS, b"|".join(SHELLS), NAMED, "medium"),)
"""Scanners for such pages name them too."""

SIGNS = {"ph": PHP + EVERY, "in": PHP + EVERY, "js": JSP + EVERY, "as": ASP + EVERY, "cf": EVERY}


def look(scene: Scene) -> Iterator[Suspicion]:
    """Pages that the container wrote, by what stands in them."""
    pages = (entry for entry in written(scene) if PAGES.search(entry.path))
    for entry in islice(pages, limits.FINDING_FILES):
        data = scene.content(entry, limits.FINDING_FILE)
        kind = entry.path.rpartition(".")[2][:2].lower()
        found = _first(SIGNS.get(kind, CGI + EVERY), data)
        if found is not None:
            yield _suspicion(entry, *found)


def _first(signs: tuple[Sign, ...], data: bytes) -> tuple[Sign, re.Match[bytes]] | None:
    small = data.lower()
    for sign in signs:
        found = sign.found.search(data) if any(need in small for need in sign.needs) else None
        if found is not None:
            return sign, found
    return None


def _suspicion(entry: FileEntry, sign: Sign, found: re.Match[bytes]) -> Suspicion:
    offset = None if entry.offset is None else entry.offset + found.start()
    title = "A page names a known web shell" if sign.what == NAMED else None
    return Suspicion(
        [of_file(entry, sign.what, text=shown(found.group()), offset=offset)], sign.severity, title
    )


DETECTOR = Detector(
    name="web-shell",
    title="A page runs what its visitors send",
    severity="high",
    why="A web shell turns a web server into a remote control that needs no connection of its own and "
    "looks like traffic of visitors. The page was written while the container ran.",
    next=[
        "cryoscope log ARCHIVE and the web server's own log: who asked for the page, and with what",
        "cryoscope fs extract ARCHIVE PATH; look for files of the same time (cryoscope timeline)",
    ],
    techniques=["T1505.003"],
    references=[
        "MITRE ATT&CK T1505.003, Server Software Component: Web Shell",
    ],
    look=look,
)
