"""Chromium for the tests of report pages, and axe-core.

Both come from scripts/browser.sh.  Where they are missing the tests are skipped with the reason; with
CRYOSCOPE_BROWSER=required they fail.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
HOME = Path(os.environ.get("CRYOSCOPE_BROWSER_HOME") or ROOT / ".browser")
CURE = "run scripts/browser.sh"


def missing(what: str) -> Any:
    """Skip, or fail where a browser is required."""
    reason = f"no {what}: {CURE}"
    if os.environ.get("CRYOSCOPE_BROWSER") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser without a window."""
    path = shutil.which("chromium")
    if path is None:
        missing("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS])
        yield browser
        browser.close()


class Visit:
    """A page that was opened, with everything that happened on it which should not."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.requests: list[str] = []
        self.said: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("dialog", lambda dialog: self.said.append(f"dialog {dialog.message}"))


Open = Callable[..., Visit]


@pytest.fixture
def visit(chromium: Any) -> Iterator[Open]:
    """Opens a file in a window of its own: width, theme, with script or without."""
    contexts = []

    def visit(path: Path, *, width: int = 1280, theme: str = "light", script: bool = True) -> Visit:
        size = {"width": width, "height": 900}
        context = chromium.new_context(viewport=size, color_scheme=theme, java_script_enabled=script)
        contexts.append(context)
        found = Visit(context.new_page())
        found.page.goto(path.as_uri())
        return found

    yield visit
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, a checker of accessibility rules."""
    path = HOME / "node_modules" / "axe-core" / "axe.min.js"
    if not path.is_file():
        missing("axe-core")
    return path.read_text()
