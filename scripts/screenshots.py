"""Pictures of a report for docs/images, in both themes and for two widths.

    python scripts/screenshots.py ARCHIVE

ARCHIVE is a checkpoint with something to see, such as that of the lab's attacked container.  Chromium and
Playwright come from scripts/browser.sh and the test requirements.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from cryoscope.report.html import page
from cryoscope.workflows.examine import Asking
from cryoscope.workflows.report import Wanted, report_of

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "images"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")
HEIGHT = {1280: 2000, 390: 2400}
PARTS = {"processes": (1280, "dark"), "memory": (1280, "light"), "timeline": (1280, "light")}
"""Sections of which there is a picture of their own, and how they are taken."""


def main(archive: str) -> None:
    """Write all pictures."""
    os.chdir(Path(archive).resolve().parent)  # so that the page names the file alone
    found = report_of(Path(archive).name, Wanted(case="2026-014", note="Taken after an alert."), Asking())
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "report.html"
        path.write_text(page(found.document.archives[0], found.document.damaged))
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*FLAGS])
        for width, height in HEIGHT.items():
            for theme in ("light", "dark"):
                take(browser, path, f"report-{width}-{theme}", width, height, theme)
        for part, (width, theme) in PARTS.items():
            take(browser, path, f"report-{part}", width, 1000, theme, part)
        browser.close()


def take(
    browser: Browser, path: Path, name: str, width: int, height: int, theme: str, part: str = ""
) -> None:
    """One picture: the top of the page, or a section."""
    size = {"width": width, "height": height}
    context = browser.new_context(viewport=size, color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    window = context.new_page()
    window.goto(path.as_uri())
    window.wait_for_timeout(400)
    if part:  # the bar would lie over it
        window.evaluate("document.querySelector('.bar').style.position = 'static'")
    to = FOLDER / f"{name}.png"
    if part:
        window.locator(f"#{part}").screenshot(path=to)
    else:
        window.screenshot(path=to)
    context.close()


if __name__ == "__main__":
    main(sys.argv[1])
