"""Images for people: what was built, what one says of itself, what there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cryoscope.report.table import Table, fit
from cryoscope.report.units import moment, size


def built(part: Any, width: int | None) -> list[str]:
    """One image that was built: its digests are what is copied, so nothing is cut."""
    return fit(_built(part), None)


def _built(part: Any) -> Iterator[str]:
    yield f"{part.reference}: {size(part.layer_size)}, {part.platform}, of a checkpoint by {part.engine}"
    yield f"  digest     {part.digest}"
    yield f"  archive    sha256:{part.archive_sha256}"
    if part.output:
        yield f"  written    {part.output}"
    yield from (f"  note       {line}" for line in part.notes)


def inspected(part: Any, width: int | None) -> list[str]:
    """One image: digests, layers, annotations."""
    return fit(_inspected(part), None)


def _inspected(part: Any) -> Iterator[str]:
    engines = ", ".join(part.told_by)
    yield f"{part.name or part.archive}: {part.platform}"
    yield f"  digest       {part.digest}"
    yield f"  manifest     {part.manifest}"
    if part.created:
        yield f"  created      {moment(part.created)}"
    yield (
        f"  checkpoint   for {engines}" if engines else "  no checkpoint: no annotation of an engine tells so"
    )
    if part.archive_sha256:
        yield f"  archive      sha256:{part.archive_sha256}"
    for layer in part.layers:
        yield f"  layer        {layer.digest} {size(layer.size)} {layer.media_type.rpartition('.')[2]}"
    for kind, values in (("annotations", part.annotations), ("labels", part.labels)):
        if values:
            yield f"  {kind}"
            yield from (f"    {key} = {value}" for key, value in sorted(values.items()))


def listed(part: Any, width: int | None) -> list[str]:
    """The images of one place."""
    table = Table("NAME", "DIGEST", "PLATFORM")
    for each in part.images:
        table.add(each.name, each.digest, each.platform)
    return table.lines(width) if part.images else ["no images"]
