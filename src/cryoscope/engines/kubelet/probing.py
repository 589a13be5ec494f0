"""What a cluster is and what can be done in it; never raises."""

from __future__ import annotations

from cryoscope.engines.kubelet import able, errors
from cryoscope.engines.kubelet.cluster import Cluster
from cryoscope.engines.kubelet.places import Object
from cryoscope.engines.port import Ability, Check, Probe
from cryoscope.errors import CryoscopeError
from cryoscope.kubeapi.errors import KubeError


def probe(name: str, cluster: Cluster, subresource: str) -> Probe:
    """The cluster's nodes, and whether these credentials may create nodes/`subresource`."""
    try:
        return _asked(name, cluster, subresource)
    except CryoscopeError as error:
        unable = Ability(can=False, why=error.message, cure=error.hint)
        return Probe(
            engine=name, endpoint=cluster.reach.kubelet or "", capture=unable, restore=able.NO_RESTORE
        )


def _asked(name: str, cluster: Cluster, subresource: str) -> Probe:
    client = cluster.client()
    may = _may(cluster, subresource)
    try:
        nodes = cluster.nodes()
    except CryoscopeError as error:
        if error.code != "k8s.forbidden":
            raise
        nodes = []
        checks = [Check(code="kubelet.nodes", state="warn", what=error.message, cure=error.hint)]
    else:
        checks = [able.check(node) for node in nodes]
    return Probe(
        engine=name,
        endpoint=client.server,
        version=_common([able.kubelet(node) for node in nodes]),
        runtime=_common([able.runtime(node) for node in nodes]),
        capture=may if not may.can else _any(nodes),
        restore=able.NO_RESTORE,
        checks=checks,
    )


def _may(cluster: Cluster, subresource: str) -> Ability:
    try:
        allowed = cluster.client().can_i("create", "nodes", subresource)
    except KubeError as error:
        raise errors.of_api(error) from None
    if allowed:
        return Ability(can=True)
    return Ability(
        can=False,
        why=f"these credentials may not create nodes/{subresource}",
        cure=f"bind a ClusterRole with verb create on nodes/{subresource}",
    )


def _any(nodes: list[Object]) -> Ability:
    """Able if any node is; a cluster whose nodes may not be read is taken to be."""
    abilities = [able.capture(node) for node in nodes]
    return next((each for each in abilities if each.can), abilities[0] if abilities else Ability(can=True))


def _common(values: list[str]) -> str:
    return ", ".join(sorted(set(values) - {""})[:4])
