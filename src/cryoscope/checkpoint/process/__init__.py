"""Who was running: tasks and threads, what they had open, and where they lived.

Records here are what a person would read from /proc of the frozen processes, joined from the
images of several kinds; the field names are those of the kernel (proc(5)).
"""

from cryoscope.checkpoint.process.credentials import Credentials
from cryoscope.checkpoint.process.descriptors import Descriptor
from cryoscope.checkpoint.process.files import FileTable
from cryoscope.checkpoint.process.mounts import Mount
from cryoscope.checkpoint.process.namespaces import Namespace
from cryoscope.checkpoint.process.signals import PendingSignal, Rlimit, Timer
from cryoscope.checkpoint.process.sockets import Socket
from cryoscope.checkpoint.process.task import Process, Thread, Variable

__all__ = [
    "Credentials",
    "Descriptor",
    "FileTable",
    "Mount",
    "Namespace",
    "PendingSignal",
    "Process",
    "Rlimit",
    "Socket",
    "Thread",
    "Timer",
    "Variable",
]
