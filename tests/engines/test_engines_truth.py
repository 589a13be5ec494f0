"""What `Checkpoint` says of containers that are checkpointed now, fact by fact against the kernel."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cryoscope.workflows.open import open_checkpoint
from facts import compare, facts_of_checkpoint
from lab import workloads
from lab.workloads import Workload
from lab_report import FACTS
from taken import Take

LEAST = {"kinds": 5000, "locals-static": 100}
"""Facts that must at least have been compared: a comparison of nothing agrees with everything."""


def named(workload: Workload) -> str:
    return workload.name


@pytest.mark.parametrize("workload", [w for w in workloads.ALL if w is not workloads.TCP_CLIENT], ids=named)
def test_the_checkpoint_says_what_the_kernel_said(
    engine_name: str, workload: Workload, take: Take, record_property: Callable[[str, object], None]
) -> None:
    taken = take(engine_name, workload)
    with open_checkpoint(str(taken.path), stacks=True) as checkpoint:
        said = facts_of_checkpoint(checkpoint)
        assert checkpoint.damaged == []
    result = compare(taken.before, taken.after, said, still=workload.still)
    record_property(FACTS, (engine_name, result.compared))
    assert result.wrong == [], str(result)
    assert result.compared >= LEAST.get(workload.name, 200)
