"""How a registry is told who one is: nothing, a password, or a token that its authority gives for one.

RFC 9110, section 11.6.1 (WWW-Authenticate); distribution, docs/spec/auth/token.md and oauth.md.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from threading import Lock
from urllib.parse import quote, urlencode

import msgspec

from cryoscope import limits
from cryoscope.images.auth import Credentials
from cryoscope.images.remote import address
from cryoscope.images.remote.errors import BadAnswer, Denied, shown
from cryoscope.images.remote.web import Answer, Web

CLIENT = "cryoscope"
SECRET = 4
"""Characters of a secret: shorter ones would be hidden in words that are none."""
_PARAMETER = re.compile(r'\b([A-Za-z_]{1,32})[ \t]{0,8}=[ \t]{0,8}(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
"""With bounds: without them a long challenge takes a time that grows with its square."""
_PRINTABLE = re.compile(r"[\x21-\x7e]{1,65536}")


class _Token(msgspec.Struct, frozen=True):
    token: str | None = None
    access_token: str | None = None


class Access:
    """What says who one is at the registry `base`, learned from its refusals; for any thread."""

    def __init__(self, web: Web, base: str, repository: str, credentials: Credentials | None) -> None:
        self.scopes: list[str] = []
        self._web, self._base, self._repository = web, base, repository
        self._credentials = credentials
        self._header: dict[str, str] = {}
        self._lock = Lock()
        if credentials is not None:
            self._hide(credentials.password, credentials.token)

    def headers(self) -> dict[str, str]:
        return self._header

    def renew(self, answer: Mapping[str, str]) -> bool:
        """Learn from a 401; False where nothing more can be said."""
        with self._lock:
            challenge = answer.get("www-authenticate", "")[: limits.REGISTRY_ERROR]
            scheme, _, rest = challenge.strip().partition(" ")
            if scheme.lower() == "bearer":
                token = self._token(_parameters(rest))
                self._hide(token)
                self._header = {"Authorization": f"Bearer {token}"}
                return True
            if scheme.lower() == "basic" and self._credentials is not None and not self._header:
                self._header = {"Authorization": self._basic(self._credentials)}
                return True
            return False

    def _basic(self, who: Credentials) -> str:
        said = base64.b64encode(f"{who.username}:{who.password}".encode()).decode()
        self._hide(said)
        return f"Basic {said}"

    def _hide(self, *secrets: str) -> None:
        self._web.secrets.update(secret.encode() for secret in secrets if len(secret) >= SECRET)

    def _token(self, asked: dict[str, str]) -> str:
        """A token from the authority that the registry names."""
        realm = self._realm(asked.get("realm", ""))
        scopes = [asked.get("scope") or f"repository:{self._repository}:pull", *self.scopes]
        who = self._credentials
        if who is not None and who.token:
            answer = self._refreshed(realm, asked.get("service", ""), scopes, who.token)
        else:
            answer = self._given(realm, asked.get("service", ""), scopes, who)
        return _token_of(answer, realm)

    def _realm(self, realm: str) -> str:
        url = address.followed(self._base, realm, plain_http=self._web.plain_http)
        if address.origin(url)[0] != "https" and address.origin(url)[1] != address.origin(self._base)[1]:
            raise BadAnswer(
                "the registry sends for a token to another host without TLS",
                hint="credentials are not sent there",
                code="registry.realm",
            )
        return url

    def _given(self, realm: str, service: str, scopes: list[str], who: Credentials | None) -> Answer:
        query = [("service", service)] * bool(service) + [("scope", scope) for scope in scopes]
        url = realm + ("&" if "?" in realm else "?") + urlencode(query, quote_via=quote)
        headers = {"Authorization": self._basic(who)} if who is not None else {}
        return self._web.request("GET", url, headers=headers, most=limits.REGISTRY_TOKEN)

    def _refreshed(self, realm: str, service: str, scopes: list[str], token: str) -> Answer:
        form = {"grant_type": "refresh_token", "service": service, "client_id": CLIENT}
        body = urlencode(form | {"scope": " ".join(scopes), "refresh_token": token}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._web.request("POST", realm, headers=headers, content=body, most=limits.REGISTRY_TOKEN)


def _parameters(text: str) -> dict[str, str]:
    return {
        name.lower(): re.sub(r"\\(.)", r"\1", quoted) or bare
        for name, quoted, bare in _PARAMETER.findall(text)
    }


def _token_of(answer: Answer, realm: str) -> str:
    if answer.status in (400, 401, 403):
        raise Denied(
            f"{address.origin(realm)[1]} gives no token: {shown(answer.body) or answer.status}",
            hint="log in with podman login or docker login, or name another file in $REGISTRY_AUTH_FILE",
            code="registry.denied",
        )
    try:
        found = msgspec.json.decode(answer.body, type=_Token)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        found = _Token()
    token = found.token or found.access_token or ""
    if answer.status != 200 or not _PRINTABLE.fullmatch(token):
        raise BadAnswer(f"{address.origin(realm)[1]} gives no token that can be used", code="registry.token")
    return token
