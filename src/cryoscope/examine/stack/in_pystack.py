"""What runs in a process of its own: it has pystack read a core, and answers with the frames as JSON.

    python in_pystack.py CORE EXECUTABLE LIBRARIES LOCALS FRAMES

pystack follows pointers out of a stranger's memory in C++: what it does then must not happen to us.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from typing import Any

LONGEST = 1024
"""Characters of a name, or of a value."""
MOST = 64
"""Local variables of one frame."""


def described(frame: Any, with_locals: bool) -> dict[str, Any]:
    """One frame as plain values."""
    found: dict[str, Any] = {
        "function": frame.code.scope[:LONGEST],
        "file": frame.code.filename[:LONGEST],
        "line": frame.code.location.lineno,
    }
    if with_locals:
        named = itertools.chain(frame.arguments.items(), frame.locals.items())
        found["locals"] = {str(k)[:LONGEST]: str(v)[:LONGEST] for k, v in itertools.islice(named, MOST)}
    return found


def answer(core: str, executable: str, libraries: str, with_locals: bool, most: int) -> dict[str, Any]:
    """The frames of every thread that ran Python, the innermost first; else why there are none."""
    from pystack.engine import NativeReportingMode, get_process_threads_for_core
    from pystack.errors import PystackError

    try:
        threads = get_process_threads_for_core(
            core,
            executable,
            library_search_path=libraries,
            native_mode=NativeReportingMode.OFF,
            locals=with_locals,
        )
        return {"threads": [_thread(thread, with_locals, most) for thread in threads]}
    except (PystackError, RuntimeError, ValueError, OSError) as error:
        return {"error": " ".join(str(error).split())[:LONGEST]}


def _thread(thread: Any, with_locals: bool, most: int) -> dict[str, Any]:
    frames = list(itertools.islice(thread.frames, most * 64))[::-1][:most]
    return {
        "tid": thread.tid,
        "version": ".".join(map(str, thread.python_version or ())),
        "gil": thread.holds_the_gil > 0,
        "frames": [described(frame, with_locals) for frame in frames],
    }


def main(arguments: list[str]) -> None:
    """Answer on the descriptor that the environment names."""
    core, executable, libraries, with_locals, most = arguments
    found = answer(core, executable, libraries, with_locals == "locals", int(most))
    with os.fdopen(int(os.environ["CRYOSCOPE_ANSWER"]), "w") as pipe:
        json.dump(found, pipe)


if __name__ == "__main__":
    main(sys.argv[1:])
