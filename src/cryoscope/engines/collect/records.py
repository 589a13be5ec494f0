"""What a collection gives."""

from __future__ import annotations

from cryoscope.engines.port import Record


class Collected(Record, frozen=True, kw_only=True):
    """An archive that came here: `size` bytes with the SHA-256 `sha256` in hexadecimal.

    `by` is the way it came, `removed` whether the node's copy is gone, `resumed` how often a broken stream
    was taken up again.
    """

    by: str
    size: int
    sha256: str
    seconds: float = 0.0
    removed: bool = False
    resumed: int = 0
