"""Images of a former format, from which CRIU takes what core-*.img does not say: nobody judges what is there.

criu/cr-restore.c, rst_prep_creds_from_img and prepare_rlimits_from_fd; criu/sigact.c; criu/timer.c;
criu/mem.c, prepare_mm_pid.  CRIU has written all of it into core-*.img and mm-*.img since its second version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.engines.port import HARD
from cryoscope.engines.vetting.case import Case
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.records import Fix, Found

FORMER = re.compile(r"(?:creds|rlimit|sigacts|itimers|posix-timers|signal-[sp]|vmas)-\d+\.img")


def look(case: Case) -> Iterator[Found]:
    """Each of them; the copy is made without."""
    for name in case.archive.members:
        if name.startswith(case.prefix) and FORMER.fullmatch(name.removeprefix(case.prefix)):
            what = "is of a format that CRIU no longer writes, in the place of what core-*.img says"
            yield case.found("criu.superseded", what, name, Fix(name), weight=HARD)


CHECK = Check("images of former formats", look)
