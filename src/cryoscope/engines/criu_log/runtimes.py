"""What runtimes and engines say of CRIU in words of their own."""

from __future__ import annotations

from cryoscope.engines.criu_log.row import row

ROWS = (
    row(
        "missing",
        "CRIU is not installed on the machine of the engine",
        "install criu there (and libcriu2 for crun)",
        r"exec: \"?criu\"?: executable file not found|criu: (?:command )?not found|libcriu\.so",
        r"could not load.*libcriu|CRIU binary not found in|dlopen.*criu",
    ),
    row(
        "version",
        "CRIU on the machine of the engine is too old",
        "install a newer criu there",
        r"CRIU binary not found or too old|CRIU version \S+ must be|criu version .*too old",
        r"Podman.*CRIU.*or (?:later|newer)|CRIU version check failed|needs at least CRIU",
        r"requires.*CRIU \d",
    ),
    row(
        "soft-dirty",
        "this kernel cannot tell which pages were written (soft-dirty), so there are no dumps in steps",
        "capture in one step, without pre-checkpoint; or use a kernel with CONFIG_MEM_SOFT_DIRTY",
        r"memory tracking not supported|missing features: ?\[?\w*MemTrack",
    ),
    row(
        "kernel-feature",
        "CRIU or the kernel lacks what the engine needs",
        "see what `criu check --all` says there",
        r"(?i)criu is missing features|criu feature checking failed",
    ),
    row(
        "not-running",
        "the container ended, or another checkpoint of it was going on",
        "try again when it runs and nobody else captures it",
        r"container not running : container process not found",
    ),
)
