"""Libraries beyond the base install, or the cure where they are missing.

Each costs tens of milliseconds to import: a module that speaks to an engine asks here when it does, never at
its top.  Types may be imported under `TYPE_CHECKING` as usual.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from cryoscope.errors import CryoscopeError

CURE = "pip install 'cryoscope[capture]'"
"""The extra that holds them all (pyproject.toml)."""

SPEAKS = {"httpx2": "HTTP to engines", "grpc": "gRPC to engines", "yaml": "the language of kubeconfigs"}


class LibraryMissing(CryoscopeError):
    default_code = "engine.library-missing"


def module(name: str) -> Any:
    """A module of the extra `capture`; raises `LibraryMissing` where it is not installed."""
    try:
        return import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        speaks = SPEAKS.get(package, "to engines")
        raise LibraryMissing(f"{package} is not installed, which speaks {speaks}", hint=CURE) from None


def httpx2() -> Any:
    """The module httpx2: HTTP, also over unix sockets."""
    return module("httpx2")


def grpc() -> Any:
    """The module grpc: what the CRI speaks."""
    return module("grpc")
