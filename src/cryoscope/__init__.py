"""Cryoscope: look inside a frozen container.

Capture, examine, keep and restore container checkpoints.  The rooms of the package, and which
may import which, are drawn in docs/architecture.md.
"""

__version__ = "0.1.0"
