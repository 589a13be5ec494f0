"""A registry in a node: images pulled from it have a NAME@DIGEST, which some restores ask for."""

from __future__ import annotations

from pathlib import Path

from lab.node import Node

ADDRESS = "127.0.0.1:5000"
"""Plain HTTP: every engine takes that from a loopback address, or is told to in the lab's settings."""
CONFIG = "/run/lab-registry.yml"
DIGEST = "/run/lab-registry.digest"
SETTINGS = f"""version: 0.1
log: {{accesslog: {{disabled: true}}, level: warn}}
storage: {{filesystem: {{rootdirectory: /var/lib/lab-registry}}}}
http: {{addr: "{ADDRESS}"}}
"""
LISTENS = "0A"
"""The state of a listening socket in /proc/PID/net/tcp (Linux, include/net/tcp_states.h)."""


class Registry:
    """docker-registry(1) on the node's loopback; its images are in the node's memory."""

    def __init__(self, node: Node) -> None:
        self.node = node
        node.outside(CONFIG).write_text(SETTINGS)
        node.service("docker-registry", "serve", CONFIG, ready=self._listens)

    def push(self, archive: str, name: str) -> str:
        """Push an OCI archive, a path of the node, as `name`; returns NAME@DIGEST."""
        options = ("--quiet", "--dest-tls-verify=false", f"--digestfile={DIGEST}")
        self.node.run("skopeo", "copy", *options, f"oci-archive:{archive}", f"docker://{ADDRESS}/{name}")
        return f"{ADDRESS}/{name}@{self.node.outside(DIGEST).read_text().strip()}"

    def _listens(self) -> bool:
        """Whether a socket listens at its address; asked of the kernel, for the outside cannot connect."""
        port = f":{int(ADDRESS.partition(':')[2]):04X}"
        rows = [row.split() for row in Path(f"/proc/{self.node.pid}/net/tcp").read_text().splitlines()]
        return any(row[1].endswith(port) and row[3] == LISTENS for row in rows)
