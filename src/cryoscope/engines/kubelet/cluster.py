"""The API server, asked for pods and nodes when first needed; its errors as the engine's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from cryoscope.engines.kubelet import errors, places
from cryoscope.engines.kubelet.places import Address, Object, part, word
from cryoscope.engines.port import Reach
from cryoscope.engines.target import Target
from cryoscope.kubeapi import config
from cryoscope.kubeapi.client import Client, connect
from cryoscope.kubeapi.errors import Forbidden, KubeError


class Cluster:
    """The cluster of a target's or the options' context."""

    def __init__(self, target: Target | None, reach: Reach) -> None:
        context = (target.context if target else None) or reach.context
        self.reach = msgspec.structs.replace(reach, context=context)
        self._client: Client | None = None
        self._nodes: dict[str, Object] = {}

    @property
    def known(self) -> bool:
        """Whether anything says where the API server is."""
        return config.is_there(self.reach.kubeconfig)

    def client(self) -> Client:
        """The client, made when first asked for; raises as `kubeapi.client.connect`.

        Token and certificate of the options are the kubelet's: they may be good for nothing else.
        """
        if self._client is None:
            reach = self.reach
            with self.asking():
                self._client = connect(
                    reach.kubeconfig, reach.context, authority=reach.authority, insecure=reach.insecure
                )
        return self._client

    def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def pod(self, namespace: str, name: str) -> Object:
        """A pod; raises `NoSuchContainer` if there is none."""
        with self.asking():
            return self.client().pod(namespace, name)

    def pods(self) -> Iterator[Object]:
        """All pods, or those of the context's namespace where only they may be listed."""
        client = self.client()
        with self.asking():
            try:
                yield from client.pods()
            except Forbidden:
                yield from client.pods(client.namespace)

    def node(self, name: str) -> Object:
        """A node, remembered; {} if nodes may not be read."""
        if name not in self._nodes:
            with self.asking():
                try:
                    self._nodes[name] = self.client().node(name)
                except Forbidden:
                    self._nodes[name] = {}
        return self._nodes[name]

    def nodes(self) -> list[Object]:
        """All nodes; raises an EngineError `k8s.forbidden` if they may not be read."""
        with self.asking():
            found = list(self.client().nodes())
        self._nodes.update((word(node, "metadata", "name"), node) for node in found)
        return found

    def address(self, pod: Object, node: str) -> Address | None:
        """Where the kubelet of a pod's node listens: as the node says, else where the pod says it runs.

        So rights on nodes are not needed, only the usual port is.
        """
        found = places.address(self.node(node))
        host = word(pod, "status", "hostIP")
        if found is None and host and node == word(part(pod, "spec"), "nodeName"):
            return places.address({"status": {"addresses": [{"type": "InternalIP", "address": host}]}})
        return found

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Errors of the API server as errors of an engine."""
        try:
            yield
        except KubeError as error:
            raise errors.of_api(error) from None
