"""What happened when: every time in a checkpoint, with what it means.

    for event in timeline_of(checkpoint): print(iso(event.time_ns, event.precision), event.kind, event.text)

`sources` has one kind of place a file, `lines` one format of log lines a file, `moments` reads and writes
times, `span` what people ask for.
Nothing here asks what time it is, nor which zone this machine is in.
"""

from cryoscope.examine.timeline.collect import timeline_of
from cryoscope.examine.timeline.moments import iso
from cryoscope.examine.timeline.records import Event, Moment

__all__ = ["Event", "Moment", "iso", "timeline_of"]
