"""The way to a node's kubelet: https://NODE:10250, with the credentials of the options or the kubeconfig.

The kubelet's certificate is checked against the options' authority, the cluster's own, or the system's.
"""

from __future__ import annotations

import math
import re
import ssl
from collections.abc import Sequence

from cryoscope import limits
from cryoscope.engines.kubelet.cases import CASES, Case
from cryoscope.engines.kubelet.place import PORT, Place
from cryoscope.engines.kubelet.places import Address
from cryoscope.engines.port import Reach
from cryoscope.errors import UsageError
from cryoscope.kubeapi import credentials, tls
from cryoscope.kubeapi.client import Client
from cryoscope.kubeapi.credentials import Identity
from cryoscope.kubeapi.http import Answer, Wire, is_loopback

GRACE = 15.0
"""Seconds past the timeout before a kubelet counts as silent: it answers its own deadline first."""
ADDRESS = re.compile(r"(?:(https?)://)?(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::(\d{1,5}))?/?\Z")


class BadAddress(UsageError):
    default_code = "kubelet.address"


class Direct:
    """To the kubelet itself; `client` is the API server's, for its credentials and authority."""

    name = "kubelet"
    cases: Sequence[Case] = CASES
    needs_address = True

    def __init__(self, reach: Reach, client: Client | None) -> None:
        self.reach = reach
        self.client = client
        own = credentials.of_files(reach.token_file, reach.certificate, reach.key)
        self._borrowed = own is None
        self.identity = own or (client.identity if client else None) or Identity()
        self._warned = False

    def post(self, place: Place, timeout: float) -> Answer:
        """Ask for a checkpoint; raises what connections do (`KubeError`)."""
        wire = self._wire(place)
        try:
            return wire.request(
                "POST",
                place.path,
                params={"timeout": str(max(1, math.ceil(timeout)))},
                timeout=timeout + GRACE,
                most=limits.KUBELET_ANSWER,
            )
        finally:
            wire.close()

    def _wire(self, place: Place) -> Wire:
        scheme, host, port = (
            given(self.reach.kubelet) if self.reach.kubelet else ("https", place.address, place.port)
        )
        self._say_once()
        return Wire(
            f"{scheme}://{_bracketed(host)}:{port}",
            context=self._context() if scheme == "https" else None,
            auth=self.identity.auth(),
            name=f"the kubelet of {place.node or host}",
            # Nodes are reached as the API server reaches them, not through a proxy for the world.
            proxies=False,
        )

    def _context(self) -> ssl.SSLContext:
        authority, insecure = self.reach.authority, self.reach.insecure
        cluster = self.client.choice.cluster if self.client and not insecure else {}
        kept = {name: cluster[name] for name in tls.AUTHORITY if name in cluster}
        return tls.context(kept, self.identity.certificate, authority=authority, insecure=insecure)

    def _say_once(self) -> None:
        if self.identity.token is None or self._warned:
            return
        self._warned = True
        if self.reach.insecure and not self.reach.authority:
            self.reach.say("the kubelet's certificate is not checked: whoever answers there sees the token")
        if self._borrowed:
            self.reach.say(
                "the node sees the kubeconfig's token, and can use it: "
                "one that may only create nodes/checkpoint is better (--token-file)"
            )


def given(text: str) -> tuple[str, str, int]:
    """Scheme, host and port of an address that the user gave; raises `BadAddress`.

    Without TLS only on this machine: credentials go over it.
    """
    found = ADDRESS.match(text)
    if found is None:
        raise BadAddress(
            f"{text[:100]} is no address of a kubelet", hint="give HOST, HOST:PORT or [ADDRESS]:PORT"
        )
    scheme, host, port = found.group(1) or "https", found.group(2).strip("[]"), int(found.group(3) or PORT)
    if not 0 < port < 65536 or (scheme == "http" and not is_loopback(host)):
        raise BadAddress(f"{text[:100]} is no address to send credentials to", hint="give https://HOST:PORT")
    return scheme, host, port


def address_of(text: str) -> Address:
    """The address that the user gave, as a node's."""
    _, host, port = given(text)
    return Address(host=host, port=port)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
