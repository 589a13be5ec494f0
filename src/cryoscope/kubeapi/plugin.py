"""Exec plugins: programs that a kubeconfig names for credentials (client.authentication.k8s.io).

They are the user's own, as for kubectl.  What they say on standard error is shown only if they fail.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.kubeapi.config import Choice
from cryoscope.kubeapi.errors import PluginFailed, shown

VERSIONS = tuple(f"client.authentication.k8s.io/{version}" for version in ("v1", "v1beta1", "v1alpha1"))
SECONDS = 120.0
"""How long a plugin may take: it may wait for a person at a browser."""


class Credential(msgspec.Struct, frozen=True):
    """What a plugin gives: a token, a client certificate with its key, or both."""

    token: str | None = None
    certificate: str | None = msgspec.field(name="clientCertificateData", default=None)
    key: str | None = msgspec.field(name="clientKeyData", default=None)


class Answer(msgspec.Struct, frozen=True):
    status: Credential | None = None


class Plugin:
    """The plugin of a context's user."""

    def __init__(self, choice: Choice) -> None:
        given = choice.user["exec"]
        if not isinstance(given, dict) or not isinstance(given.get("command"), str):
            raise PluginFailed("the kubeconfig's exec has no command", hint="look at the user's exec")
        self.version = given.get("apiVersion")
        if self.version not in VERSIONS:
            raise PluginFailed(
                f"the plugin speaks {shown(str(self.version))}", hint=f"known: {', '.join(VERSIONS)}"
            )
        self.given = given
        self.choice = choice
        self._first: Credential | None = None

    def run(self) -> Credential:
        """What it says now; raises `PluginFailed`."""
        argv = [self._command(), *(str(each) for each in self.given.get("args") or [])]
        try:
            # A program that the user's own kubeconfig names, without a shell.
            done = subprocess.run(  # noqa: S603
                argv,
                env=self._environment(),
                stdin=self._stdin(),
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except OSError as error:
            hint = self.given.get("installHint") or "install it, or look at the user's exec in the kubeconfig"
            raise PluginFailed(f"the plugin {argv[0]}: {error.strerror}", hint=shown(str(hint))) from None
        except subprocess.TimeoutExpired:
            raise PluginFailed(f"the plugin {argv[0]} does not end", hint="run it by hand") from None
        if done.returncode:
            raise PluginFailed(
                f"the plugin {argv[0]} failed: {shown(done.stderr) or done.returncode}",
                hint="log in again, or run it by hand",
            )
        self._first = self._read(argv[0], done.stdout)
        return self._first

    def token(self) -> str:
        """A token: the one of the first run, and at each later call a new one."""
        credential, self._first = self._first or self.run(), None
        return credential.token or ""

    def _read(self, name: str, out: bytes) -> Credential:
        try:
            status = msgspec.json.decode(out[: limits.KUBECONFIG], type=Answer).status
        except (msgspec.DecodeError, UnicodeDecodeError):
            status = None
        if status is None or not (status.token or (status.certificate and status.key)):
            raise PluginFailed(f"the plugin {name} gives no credential", hint="run it by hand and look")
        return status

    def _command(self) -> str:
        command: str = self.given["command"]
        if os.sep in command and not os.path.isabs(command):
            return os.path.join(self.choice.folder, command)
        return command

    def _stdin(self) -> int | None:
        asks = (
            self.given.get("interactiveMode", "IfAvailable") != "Never" and sys.stdin and sys.stdin.isatty()
        )
        return None if asks else subprocess.DEVNULL

    def _environment(self) -> dict[str, str]:
        wanted = {each["name"]: str(each.get("value", "")) for each in self.given.get("env") or []}
        spec: dict[str, Any] = {"interactive": self._stdin() is None}
        if self.given.get("provideClusterInfo"):
            cluster = self.choice.cluster
            names = ("server", "certificate-authority-data", "insecure-skip-tls-verify", "tls-server-name")
            spec["cluster"] = {name: cluster[name] for name in names if name in cluster}
        info = {"apiVersion": self.version, "kind": "ExecCredential", "spec": spec}
        return {**os.environ, **wanted, "KUBERNETES_EXEC_INFO": msgspec.json.encode(info).decode()}
