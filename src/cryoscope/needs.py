"""Libraries beyond the base install, or the cure where they are missing.

Each costs tens of milliseconds to import: a module that needs one asks here when it does, never at its top.
Types may be imported under `TYPE_CHECKING` as usual.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from cryoscope.errors import CryoscopeError

EXTRAS = {
    "httpx2": ("capture", "speaks HTTP"),
    "grpc": ("capture", "speaks gRPC to engines"),
    "yaml": ("capture", "reads kubeconfigs"),
    "sqlalchemy": ("evidence", "keeps the catalogue of evidence"),
    "alembic": ("evidence", "makes the catalogue of evidence"),
    "cryptography": ("evidence", "signs and decrypts"),
    "pyrage": ("evidence", "encrypts"),
    "psycopg": ("evidence,postgresql", "speaks to PostgreSQL"),
    "obstore": ("evidence,s3", "speaks to S3"),
}
"""By package: the extras of pyproject.toml that hold it, and what it is for."""


class LibraryMissing(CryoscopeError):
    default_code = "engine.library-missing"


def module(name: str) -> Any:
    """A module beyond the base install; raises `LibraryMissing` where it is not there."""
    try:
        return import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        extras, does = EXTRAS[package]
        raise LibraryMissing(
            f"{package} is not installed, which {does}", hint=f"pip install 'cryoscope[{extras}]'"
        ) from None


def httpx2() -> Any:
    """The module httpx2: HTTP, also over unix sockets."""
    return module("httpx2")


def grpc() -> Any:
    """The module grpc: what the CRI speaks."""
    return module("grpc")
