"""Why the lab is not there, or did not do what it was asked to."""

from __future__ import annotations


class LabError(Exception):
    """Something in the lab failed; the message says what."""


class NoLab(LabError):
    """There is no lab on this machine, and why."""
