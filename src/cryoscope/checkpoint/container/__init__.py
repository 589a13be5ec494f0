"""Whose checkpoint it is: the container, its pod and its engine, from what the engine wrote beside CRIU.

One module an engine, each with `recognise` (what in the archive tells that it wrote it) and
`describe` (its own fields as a `Container`).  The name of the file never counts.
"""

from cryoscope.checkpoint.container.container import BindMount, Container, Pod, SpecMount
from cryoscope.checkpoint.container.dumplog import DumpLog
from cryoscope.checkpoint.container.dumps import Dumps
from cryoscope.checkpoint.container.engines import ENGINES, describe

__all__ = ["ENGINES", "BindMount", "Container", "DumpLog", "Dumps", "Pod", "SpecMount", "describe"]
