"""Engines in a node, as the tests drive them: one a file, behind one port.

They talk to the real daemons and programs, plainly: these drivers make checkpoints to examine, they are
not the product's.
"""

from lab.engines.port import Engine, Refused, Running, wait_for_word

__all__ = ["Engine", "Refused", "Running", "wait_for_word"]
