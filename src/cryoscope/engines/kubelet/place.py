"""Where a container is, as a kubelet must be told."""

from __future__ import annotations

from cryoscope.engines.port import Record

PORT = 10250
"""The kubelet's, where a node does not say (node.status.daemonEndpoints.kubeletEndpoint.Port)."""


class Place(Record, frozen=True, kw_only=True):
    """A container on a node; `address` is empty where only the API server goes there."""

    namespace: str
    pod: str
    container: str
    node: str = ""
    address: str = ""
    port: int = PORT

    @property
    def path(self) -> str:
        """What is asked of a kubelet."""
        return f"/checkpoint/{self.namespace}/{self.pod}/{self.container}"

    def __str__(self) -> str:
        return f"{self.namespace}/{self.pod}/{self.container}"
