"""What a process is, besides what it holds open: limits, mask, priority, name."""

import os
import resource

from libc import PR_SET_CHILD_SUBREAPER, PR_SET_NAME, prctl
from parts import part


@part()
def limits() -> object:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 12345 * 1024))
    resource.setrlimit(resource.RLIMIT_STACK, (6 << 20, 7 << 20))
    return {"core": [0, 12345 * 1024], "stack": [6 << 20, 7 << 20]}


@part()
def mask() -> object:
    os.umask(0o027)
    return {"umask": 0o027}


@part()
def priority() -> object:
    os.nice(3)
    return {"nice": 3}


@part()
def oom() -> object:
    """Upwards, which anybody may."""
    with open("/proc/self/oom_score_adj", "r+") as file:
        value = int(file.read()) + 7
        file.write(str(value))
    return {"oom_score_adj": value}


@part()
def name() -> object:
    prctl(PR_SET_NAME, b"kinds-of-all")
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    return {"comm": "kinds-of-all"}
