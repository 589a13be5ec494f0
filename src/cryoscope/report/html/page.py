"""The page: templates, one block of style and one of script, and a policy that lets nothing else run.

The Content-Security-Policy allows exactly these blocks, by their hashes, and no request at all.  What comes
out of the archive is text in templates that escape HTML, or strings in a data block that the script only
ever shows as text.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

from cryoscope import limits
from cryoscope.errors import CryoscopeError
from cryoscope.report.findings import SEVERITIES
from cryoscope.report.html import memory, shown
from cryoscope.report.html.data import data_of
from cryoscope.report.html.facts import (
    container_facts,
    evidence_facts,
    labels,
    outside,
    overview_facts,
    sources,
    where,
)
from cryoscope.report.html.network import graph
from cryoscope.report.html.tree import rows
from cryoscope.report.units import moment as iso
from cryoscope.report.units import plural, second
from cryoscope.report.views import endpoints

CURE = "pip install 'cryoscope[report]'"
EARLY = "theme.js"
"""What runs before anything is drawn, so that a page does not flash in the wrong colours."""


def page(part: Any, damaged: Sequence[Any] = ()) -> str:
    """One self-contained HTML page of a report; raises CryoscopeError where Jinja is not installed."""
    made = environment()
    style, early, script = _joined(".css"), _asset(EARLY), _joined(".js", without=EARLY)
    data, left = data_of(part)
    safe = made.safe
    text: str = made.get_template("page.html").render(
        policy=policy(style, (early, script)),
        style=safe(style),
        early=safe(early),
        script=safe(script),
        data=safe(data),
        **_context(part, damaged, left),
    )
    return text


def policy(style: str, scripts: Sequence[str]) -> str:
    """What the browser may do: run these blocks, nothing else."""
    allowed = " ".join(f"'sha256-{_sha256(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'sha256-{_sha256(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _sha256(block: str) -> str:
    return base64.b64encode(hashlib.sha256(block.encode("utf-8")).digest()).decode("ascii")


@cache
def _asset(name: str) -> str:
    return resources.files(__package__).joinpath("assets", name).read_text("utf-8")


def _joined(ending: str, without: str = "") -> str:
    folder = resources.files(__package__).joinpath("assets")
    names = sorted(each.name for each in folder.iterdir() if each.name.endswith(ending))
    body = "\n".join(_asset(name) for name in names if name != without)
    return f'(() => {{\n"use strict";\n{body}}})();\n' if ending == ".js" else body


@cache
def environment() -> Any:
    """Jinja with escaping on, and with every value made safe to look at before it is escaped."""
    try:
        import jinja2
        import markupsafe
    except ImportError:
        raise CryoscopeError("Jinja is not installed", hint=CURE, code="report.not-installed") from None
    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: value if isinstance(value, markupsafe.Markup | int) else shown.text(value),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= FILTERS | {"lines": lambda value: markupsafe.Markup("<br>").join(_lines(value))}
    made.safe = markupsafe.Markup  # type: ignore[attr-defined]
    return made


def _template(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text("utf-8")


def _lines(value: str) -> list[str]:
    return [shown.text(line) for line in value.splitlines()]


FILTERS = {
    "size": lambda count: shown.size(count),
    "moment": second,
    "iso": iso,
    "plural": lambda count, noun: plural(count, noun).replace(str(count), f"{count:,}", 1),
    "grouped": lambda count: f"{count:,}",
    "brief": shown.short,
    "sources": sources,
    "where": where,
    "endpoints": endpoints,
    "owner": lambda file: shown.owner(file) or "",
}


def _context(part: Any, damaged: Sequence[Any], left: Sequence[str]) -> dict[str, Any]:
    counts = Counter(finding.severity for finding in part.findings)
    hot = memory.hot_places(part)
    bars, without_bar = memory.of_processes(part, hot)
    return {
        "part": part,
        "overview": part.overview,
        "damaged": damaged,
        "contents": _contents(part),
        "verdict": [(severity, counts[severity]) for severity in SEVERITIES],
        "facts": overview_facts(part),
        "rows": rows(part, limits.REPORT_PROCESSES),
        "graph": graph(part.sockets),
        "kinds": memory.kinds(part),
        "states": memory.states(part),
        "bars": bars,
        "without_bar": without_bar,
        "changes": sorted(Counter(file.change for file in part.files).items()),
        "container_facts": container_facts(part),
        "outside": outside(part),
        "labels": labels(part),
        "evidence": evidence_facts(part),
        "digest": part.evidence,
        "not_seen": [*part.unseen, *left],
    }


def _contents(part: Any) -> list[tuple[str, str, int | None]]:
    hits = [("hits", "Searched texts", len(part.hits))] if part.hits else []
    return [
        ("overview", "Overview", None),
        ("findings", "Findings", len(part.findings)),
        *hits,
        ("processes", "Processes", len(part.processes)),
        ("network", "Network", len(part.sockets)),
        ("memory", "Memory", None),
        ("files", "Changed files", len(part.files)),
        ("timeline", "Timeline", len(part.timeline)),
        ("container", "Container", None),
        ("evidence", "Evidence and method", None),
    ]
