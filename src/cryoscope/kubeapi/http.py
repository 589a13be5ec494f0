"""One request, one bounded answer; what a connection can do wrong has a code."""

from __future__ import annotations

import ipaddress
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from cryoscope import limits, needs
from cryoscope.kubeapi.errors import BadAnswer, KubeError, TimedOut, TlsFailed, Unreachable, shown

HEADERS = {"Accept": "application/json, */*", "Accept-Encoding": "identity", "User-Agent": "cryoscope"}
"""Packed answers are not asked for: a small one could unpack to gigabytes."""
CONNECT = 10.0
"""Seconds to a connection with TLS."""


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer: status, headers (names in lower case), body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """A connection to `base` ("https://HOST:PORT") with a TLS context and an `auth` of httpx2.

    `name` is who answers there, for messages; `proxies` whether HTTPS_PROXY and its like are heeded;
    `server_name` the name its certificate is checked for, if that is not the address.
    """

    def __init__(
        self,
        base: str,
        *,
        context: ssl.SSLContext | None,
        auth: Any = None,
        name: str = "the API server",
        proxies: bool = True,
        proxy: str | None = None,
        server_name: str | None = None,
    ) -> None:
        self.base = base.rstrip("/")
        self.name = name
        self.extensions = {"sni_hostname": server_name} if server_name else {}
        self.httpx2 = needs.module("httpx2")
        self.client = self.httpx2.Client(
            verify=context if context is not None else False,
            auth=auth,
            headers=HEADERS,
            trust_env=proxies,
            proxy=proxy,
            follow_redirects=False,
            event_hooks={"response": [_keep_refusal]},
            timeout=self.httpx2.Timeout(30.0, connect=CONNECT),
            # A connection a request: nobody has to hang up, and a proxy's idle ones do not break.
            limits=self.httpx2.Limits(max_keepalive_connections=0),
        )

    def close(self) -> None:
        """Hang up."""
        self.client.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout: float = 30.0,
        most: int = limits.KUBE_ANSWER,
    ) -> Answer:
        """Send and read to the end, within `timeout` seconds in all and `most` bytes.

        Raises `Unreachable`, `TlsFailed`, `TimedOut`, `BadAnswer`.
        """
        end = time.monotonic() + timeout
        with self.open(method, path, params=params, content=content, timeout=timeout) as response:
            body = b"".join(self._bounded(response, end, most))
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status_code, headers, body)

    @contextmanager
    def open(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout: float = 30.0,
    ) -> Iterator[Any]:
        """The response as httpx2 has it, its body unread; same errors as `request`."""
        seconds = self.httpx2.Timeout(timeout, connect=min(timeout, CONNECT))
        headers = {"Content-Type": "application/json"} if content is not None else {}
        with (
            self.translated(),
            self.client.stream(
                method,
                self.base + path,
                params=dict(params) if params else None,
                content=content,
                headers=headers,
                timeout=seconds,
                extensions=self.extensions,
            ) as response,
        ):
            yield response

    def _bounded(self, response: Any, end: float, most: int) -> Iterator[bytes]:
        size = 0
        for block in response.iter_raw():
            size += len(block)
            if size > most:
                raise BadAnswer(
                    f"{self.name} answers more than {most} bytes",
                    hint="whoever answers there is not what it should be",
                    code="k8s.too-large",
                )
            if time.monotonic() > end:
                raise TimedOut(
                    f"{self.name} did not finish its answer in time", hint="give a longer --timeout"
                )
            yield block

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Errors of httpx2 as ours."""
        httpx2 = self.httpx2
        try:
            yield
        except KubeError:
            raise
        except httpx2.ConnectTimeout as error:
            raise self._unreachable(error) from None
        except httpx2.TimeoutException:
            raise TimedOut(f"{self.name} did not answer in time", hint="give a longer --timeout") from None
        except httpx2.ConnectError as error:
            raise (self._tls(error) if _is_tls(error) else self._unreachable(error)) from None
        except (httpx2.RemoteProtocolError, httpx2.LocalProtocolError) as error:
            raise BadAnswer(
                f"{self.name} does not speak HTTP: {shown(str(error))}", hint="look at the address and port"
            ) from None
        except httpx2.HTTPError as error:
            raise (self._tls(error) if _is_tls(error) else self._unreachable(error)) from None
        except (httpx2.InvalidURL, ssl.SSLError) as error:
            raise self._unreachable(error) from None

    def _unreachable(self, error: Exception) -> Unreachable:
        why = shown(str(error)) or type(error).__name__
        return Unreachable(
            f"{self.name} does not answer at {self.base}: {why}",
            hint="look at the address, the network between, and whether it runs",
        )

    def _tls(self, error: Exception) -> TlsFailed:
        return TlsFailed(
            f"the certificate of {self.name} at {self.base} is not trusted: {shown(str(error))}",
            hint="give its authority with --certificate-authority FILE; --insecure goes without",
        )


REFUSAL = "cryoscope.refusal"
"""Where the body of a refused WebSocket is kept: httpx2 closes the response before it says so."""


def _keep_refusal(response: Any) -> None:
    if "upgrade" not in response.request.headers or response.status_code == 101:
        return
    body = b""
    for block in response.iter_raw():
        body += block
        if len(body) > limits.KUBE_ERRORS:
            break
    response.extensions[REFUSAL] = body[: limits.KUBE_ERRORS]


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError) or "[SSL" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
