"""Where runtimes listen, as their own installations and the small distributions have it."""

from __future__ import annotations

import os
from collections.abc import Iterator

from cryoscope.engines.host import Host

SOCKETS = (
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/k3s/containerd/containerd.sock",  # k3s and RKE2
    "/var/snap/microk8s/common/run/containerd.sock",
    "/run/k0s/containerd.sock",
)


def found(host: Host) -> Iterator[str]:
    """The usual sockets that are there, as the host names them."""
    for socket in SOCKETS:
        if os.path.exists(host.path(socket)):
            yield socket


def plain(endpoint: str) -> str:
    """The path of a socket that the user gave, perhaps as unix://."""
    return endpoint.removeprefix("unix://")
