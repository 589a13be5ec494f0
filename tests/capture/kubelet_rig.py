"""Doubles with TLS, certificates made by openssl(1) for this run, and kubeconfigs that lead to them."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubelet_world import world

from cryoscope.engines.host import Host
from cryoscope.engines.port import Reach
from cryoscope.testing.apiserver import ApiServer
from cryoscope.testing.cluster import Cluster
from cryoscope.testing.kubelet import Kubelet

EXTENSIONS = """basicConstraints=CA:FALSE
keyUsage=digitalSignature
extendedKeyUsage=serverAuth,clientAuth
subjectAltName=IP:127.0.0.1,DNS:localhost
"""


class Authority:
    """A certificate authority of its own, in a folder."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("openssl is not installed")
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.certificate, self._key = folder / "ca.pem", folder / "ca.key"
        self._openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=test-ca",
            "-keyout", self._key, "-out", self.certificate,
        )  # fmt: skip
        (folder / "leaf.cnf").write_text(EXTENSIONS)

    def _openssl(self, words: str, *more: object) -> None:
        argv = ["openssl", *words.split(), *(str(each) for each in more)]
        subprocess.run(argv, check=True, capture_output=True)

    def leaf(self, name: str) -> tuple[Path, Path]:
        """A certificate and key of a common name, for 127.0.0.1."""
        stem = self.folder / name.replace(":", "-")
        certificate, key, request = (stem.with_suffix(end) for end in (".pem", ".key", ".csr"))
        if not certificate.exists():
            self._openssl(
                "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes",
                "-subj", f"/CN={name}", "-keyout", key, "-out", request,
            )  # fmt: skip
            self._openssl(
                "x509 -req -days 30 -CAcreateserial",
                "-in", request, "-CA", self.certificate, "-CAkey", self._key,
                "-extfile", self.folder / "leaf.cnf", "-out", certificate,
            )  # fmt: skip
        return certificate, key

    def server(self) -> ssl.SSLContext:
        """What a server of this authority shows; it takes clients' certificates."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.leaf("server"))
        context.load_verify_locations(self.certificate)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context


class Rooted(Host):
    """A machine whose files lie in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    @property
    def here(self) -> bool:
        return False

    @property
    def root(self) -> str:
        return str(self.folder)


class Kept:
    """A sink in memory."""

    path = "kept"

    def __init__(self) -> None:
        self.data = b""

    def write(self, block: bytes | memoryview) -> None:
        self.data += bytes(block)

    def lend(self, host: Host) -> contextlib.AbstractContextManager[str]:
        raise AssertionError("a kubelet's archive is collected, not lent")


class Rig:
    """Two kubelets and an API server with TLS, their node's files in `root`, what was said in `said`."""

    def __init__(self, authority: Authority, folder: Path, archive: Path) -> None:
        self.authority = authority
        self.folder = folder
        self.root = folder / "root"
        self.root.mkdir()
        self.cluster: Cluster = world()
        self.kubelets = {
            name: Kubelet(self.cluster, name, folder=self.root, archive=archive, tls=authority.server())
            for name in self.cluster.nodes
        }
        for name, kubelet in self.kubelets.items():
            self.cluster.nodes[name].port = kubelet.port
        self.api = ApiServer(self.cluster, self.kubelets, tls=authority.server())
        self.said: list[str] = []

    def close(self) -> None:
        self.api.close()
        for kubelet in self.kubelets.values():
            kubelet.close()

    def kubeconfig(self, user: dict[str, Any], name: str = "config", **cluster: Any) -> str:
        """A kubeconfig of one context for a user's entry."""
        trusted = base64.b64encode(self.authority.certificate.read_bytes()).decode()
        entry = {"server": self.api.url, "certificate-authority-data": trusted, **cluster}
        document = {
            "current-context": "lab",
            "contexts": [{"name": "lab", "context": {"cluster": "c", "user": "u", "namespace": "default"}}],
            "clusters": [
                {"name": "c", "cluster": {key: value for key, value in entry.items() if value is not None}}
            ],
            "users": [{"name": "u", "user": user}],
        }
        path = self.folder / name
        path.write_text(json.dumps(document))
        return str(path)

    def reach(self, user: dict[str, Any] | None = None, **more: Any) -> Reach:
        """How to reach it as a user; admin's token unless told otherwise."""
        config = more.pop("kubeconfig", None) or self.kubeconfig(user or {"token": "admin"})
        return Reach(host=Rooted(self.root), kubeconfig=config, say=self.said.append, **more)

    def archives(self) -> list[Path]:
        """What lies in the node's folder of archives."""
        return sorted((self.root / "var/lib/kubelet/checkpoints").glob("*"))


def rigged(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[Rig]:
    """A rig with an archive of containerd."""
    folder = tmp_path_factory.mktemp("rig")
    rig = Rig(Authority(folder / "ca"), folder, data / "containerd-counter.tar")
    yield rig
    rig.close()
