"""TLS contexts of a kubeconfig's entries: whom to trust, and the client certificate.

ssl(3) loads a key from a file only: keys that are data in the kubeconfig go through a file in memory
(memfd_create(2)), which no other user can open and no disk keeps.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import ssl
from collections.abc import Iterator
from typing import Any

from cryoscope.kubeapi.errors import BadConfig, shown

AUTHORITY = ("certificate-authority", "certificate-authority-data")
"""The fields of a cluster that say whom to trust."""


def context(
    cluster: dict[str, Any],
    certificate: tuple[bytes | str, bytes | str] | None,
    *,
    authority: str | None = None,
    insecure: bool = False,
) -> ssl.SSLContext:
    """Trust the cluster's authority and `authority` (a file), else the system's; raises `BadConfig`.

    `certificate` is a chain and a key: PEM as bytes, paths as text.  `insecure` leaves out the check where
    nothing is known to check against: an authority that is known is never left unused.
    """
    found = (
        ssl.create_default_context()
        if not _authorities(cluster, authority)
        else _trusting(cluster, authority)
    )
    if (insecure or cluster.get("insecure-skip-tls-verify")) and not _authorities(cluster, authority):
        found.check_hostname = False
        found.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        _load(found, *certificate)
    return found


def _authorities(cluster: dict[str, Any], authority: str | None) -> bool:
    return bool(
        authority or cluster.get("certificate-authority") or cluster.get("certificate-authority-data")
    )


def _trusting(cluster: dict[str, Any], authority: str | None) -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    data = cluster.get("certificate-authority-data")
    try:
        if data:
            found.load_verify_locations(cadata=decoded(data).decode("ascii"))
        for path in (None if data else cluster.get("certificate-authority"), authority):
            if path:
                found.load_verify_locations(cafile=path)
    except (OSError, ValueError) as error:
        raise BadConfig(
            f"the certificate authority cannot be read: {shown(str(error))}",
            hint="look at certificate-authority in the kubeconfig, and at --certificate-authority",
        ) from None
    return found


def decoded(data: str) -> bytes:
    """Base64 of a kubeconfig; raises `BadConfig`."""
    try:
        return base64.b64decode(data, validate=False)
    except (binascii.Error, ValueError, TypeError):
        raise BadConfig(
            "the kubeconfig has data that is no base64", hint="look at its …-data fields"
        ) from None


def _load(found: ssl.SSLContext, chain: bytes | str, key: bytes | str) -> None:
    try:
        with _as_file(chain) as chain_path, _as_file(key) as key_path:
            # A callback, so that an encrypted key fails instead of asking on the terminal.
            found.load_cert_chain(chain_path, key_path, password=lambda: b"")
    except (OSError, ValueError) as error:
        raise BadConfig(
            f"the client certificate cannot be used: {shown(str(error))}",
            hint="look at client-certificate and client-key, which must belong together and be readable",
        ) from None


@contextlib.contextmanager
def _as_file(pem: bytes | str) -> Iterator[str]:
    if isinstance(pem, str):
        yield pem
        return
    memory = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        os.write(memory, pem)
        yield f"/proc/self/fd/{memory}"
    finally:
        os.close(memory)
