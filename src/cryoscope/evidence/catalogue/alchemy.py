"""SQLAlchemy, for the modules of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryoscope import needs

if TYPE_CHECKING:
    import sqlalchemy as sa
else:
    sa = needs.module("sqlalchemy")

__all__ = ["sa"]
