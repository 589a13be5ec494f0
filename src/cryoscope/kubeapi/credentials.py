"""Who this is: certificate, token or plugin of a kubeconfig's user.

Tokens in files are read again when the server stops taking them, as they rotate; so are plugins run again
(https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from cryoscope import limits, needs
from cryoscope.kubeapi import plugin, tls
from cryoscope.kubeapi.config import Choice
from cryoscope.kubeapi.errors import BadConfig

Pem = tuple[bytes | str, bytes | str]
"""A certificate chain and its key: PEM as bytes, paths as text."""


class Identity(msgspec.Struct, frozen=True):
    """What goes on the wire: `token` gives a bearer token, again after a 401; `certificate` is for TLS."""

    token: Callable[[], str] | None = None
    certificate: Pem | None = None
    login: tuple[str, str] | None = None

    def auth(self) -> Any:
        """An `Auth` of httpx2; None if there is nothing to send."""
        httpx2 = needs.module("httpx2")
        if self.token is not None:
            from cryoscope.kubeapi.bearer import Bearer

            return Bearer(self.token)
        return httpx2.BasicAuth(*self.login) if self.login else None


def of_files(token_file: str | None, certificate: str | None, key: str | None) -> Identity | None:
    """The identity that the user's options name; None if they name none."""
    if not token_file and not certificate:
        return None
    if certificate and not key:
        raise BadConfig("a client certificate needs its key", hint="give --client-key FILE")
    pair = (certificate, key) if certificate and key else None
    return Identity(_token_of(token_file) if token_file else None, pair)


def of_choice(choice: Choice) -> Identity:
    """The identity of a context's user; runs its plugin if it has one."""
    user = choice.user
    if user.get("auth-provider"):
        raise BadConfig(
            "the kubeconfig's user has an auth-provider, which Kubernetes took out in 1.26",
            hint="renew the kubeconfig: its maker has an exec plugin now",
        )
    if user.get("as"):
        raise BadConfig(
            "the kubeconfig's user acts as another one, which is not supported", hint="leave out `as`"
        )
    if user.get("exec"):
        return _of_plugin(choice)
    token = user.get("tokenFile")
    if token:
        source: Callable[[], str] | None = _token_of(token)
    else:
        source = _fixed(user["token"]) if user.get("token") else None
    login = (user["username"], user["password"]) if user.get("username") and user.get("password") else None
    return Identity(source, _pair(user), login)


def _of_plugin(choice: Choice) -> Identity:
    found = plugin.Plugin(choice)
    credential = found.run()
    pair = (
        (credential.certificate.encode(), credential.key.encode())
        if credential.certificate and credential.key
        else _pair(choice.user)
    )
    return Identity(found.token if credential.token else None, pair)


def _pair(user: dict[str, Any]) -> Pem | None:
    def either(name: str) -> bytes | str | None:
        data = user.get(name + "-data")
        return tls.decoded(data) if data else user.get(name)

    chain, key = either("client-certificate"), either("client-key")
    if chain is None:
        return None
    if key is None:
        raise BadConfig("the kubeconfig's user has a certificate and no key", hint="add client-key")
    return chain, key


def _fixed(token: str) -> Callable[[], str]:
    return lambda: token


def _token_of(path: str) -> Callable[[], str]:
    def read() -> str:
        try:
            with open(path, encoding="ascii") as file:
                return file.read(limits.KUBE_TOKEN).strip()
        except (OSError, ValueError) as error:
            raise BadConfig(
                f"the token in {path} cannot be read: {error}", hint="look at --token-file"
            ) from None

    return read
