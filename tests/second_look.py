"""Tests of real engines and of a real browser have a second try, and a run says which of them needed it.

Forty programs of other people on a busy machine answer late, or lose something, once in some thousand tests.
What fails twice has failed.  A test of our own code alone has no second try.
"""

from __future__ import annotations

import pytest
from _pytest.runner import runtestprotocol

REAL = {"engines", "browser"}
"""Folders of tests in which other people's programs answer."""
AGAIN = "again"
"""Name of the property of a report that tells why the first try failed."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run a test, and once more where it failed."""
    if not REAL & set(item.path.parts):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    if failed := _failed(reports):
        item._initrequest()  # type: ignore[attr-defined]
        again = runtestprotocol(item, nextitem=nextitem, log=False)
        if twice := _failed(again):
            failed.sections.append(("when it was run again", _why(twice)))
        else:
            reports = again
            for report in reports:
                report.user_properties.append((AGAIN, _why(failed)))
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _failed(reports: list[pytest.TestReport]) -> pytest.TestReport | None:
    return next((report for report in reports if report.failed), None)


def _why(report: pytest.TestReport) -> str:
    """The last line of what went wrong, with where."""
    crash = getattr(report.longrepr, "reprcrash", None)
    said = crash.message if crash is not None else str(report.longrepr)
    return f"{report.when}: {' '.join(said.split())[:200]}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the tests that failed at first."""
    for report in terminalreporter.stats.get("passed", []):
        for name, why in report.user_properties:
            if name == AGAIN and report.when == "call":
                terminalreporter.write_line(f"passed only when it was run again: {report.nodeid} ({why})")
