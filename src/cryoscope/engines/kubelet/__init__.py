"""Containers of Kubernetes, checkpointed by the kubelet of their node: `k8s://namespace/pod[/container]`.

    POST https://NODE:10250/checkpoint/NAMESPACE/POD/CONTAINER?timeout=SECONDS

`places` finds node and container through the API server, `direct` asks the kubelet, `cases` says what its
refusals mean, `spacing` keeps captures from overwriting each other.  At the kubelet it needs `create` on
nodes/checkpoint and nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryoscope.engines.kubelet.engine import Kubernetes
    from cryoscope.engines.port import Reach
    from cryoscope.engines.target import Target


def connect(target: Target, reach: Reach) -> Kubernetes:
    """The engine of a pod; raises what reading the kubeconfig does, and sends nothing yet."""
    from cryoscope.engines.kubelet.direct import Direct
    from cryoscope.engines.kubelet.engine import Kubernetes

    return Kubernetes(target, reach, Direct)


def discover(reach: Reach) -> Iterator[Kubernetes]:
    """The cluster of the kubeconfig, if there is one."""
    from cryoscope.engines.kubelet.direct import Direct
    from cryoscope.engines.kubelet.engine import Kubernetes
    from cryoscope.kubeapi import config

    if config.is_there(reach.kubeconfig):
        yield Kubernetes(None, reach, Direct)
