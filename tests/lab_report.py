"""What a run says about the lab: versions at its start, facts compared and tests skipped at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from lab import build, manifest
from lab.errors import NoLab

FACTS = "facts"
"""Name of the property that a test records for the facts that it compared: (of what, how many)."""


def why_not() -> str | None:
    """Why there is no lab; None if there is."""
    try:
        build.required()
    except NoLab as error:
        return str(error)
    return None


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Print the engines' versions, once."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(session.config, "workerinput"):
        return
    if reason := why_not():
        reporter.write_line(f"lab: tests of real engines will be skipped: {reason}")
        return
    packages = manifest.packages()
    reporter.write_line(f"lab: {manifest.summary(packages)}")
    for sentence in manifest.unknown_majors(packages):
        reporter.write_line(f"lab: {sentence}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Name engines that nobody has looked at beside a failure that they may be the reason of."""
    report = yield
    if report.failed and "engines" in item.path.parts and why_not() is None:  # type: ignore[attr-defined]
        packages = manifest.packages()
        said = [manifest.summary(packages), *manifest.unknown_majors(packages)]
        report.sections.append(("the lab's engines", "\n".join(said)))  # type: ignore[attr-defined]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many facts were compared with the kernel and with the peers."""
    found: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            if name == FACTS:
                found[value[0]] += value[1]
    if found:
        told = ", ".join(f"{name} {number:,}" for name, number in sorted(found.items()))
        terminalreporter.write_line(f"facts compared: {told}; {found.total():,} in all")
    reports = terminalreporter.stats.get("skipped", [])
    skipped = [report for report in reports if "no lab:" in str(report.longrepr)]
    if skipped:
        terminalreporter.write_line(
            f"lab: {len(skipped)} tests of real engines were skipped: {why_not()}; "
            "as root on Debian, `make lab` builds it"
        )
