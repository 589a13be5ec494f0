"""Types of the fixtures in conftest.py, which test modules cannot import."""

from collections.abc import Callable

from cryoscope.checkpoint.checkpoint import Checkpoint

Load = Callable[[str], Checkpoint]
"""The checkpoint of a file of the corpus, by its name there."""
