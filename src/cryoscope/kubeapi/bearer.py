"""A bearer token on every request; a new one after the first 401.  Imported only where httpx2 is there."""

from __future__ import annotations

from collections.abc import Callable, Generator

import httpx2


class Bearer(httpx2.Auth):
    """`source` gives the token now."""

    def __init__(self, source: Callable[[], str]) -> None:
        self.source = source
        self.token: str | None = None

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """httpx2's part: requests out, answers in."""
        fresh = self.token is None
        self._sign(request, self.source() if self.token is None else self.token)
        response = yield request
        if response.status_code == 401 and not fresh:
            self._sign(request, self.source())
            yield request

    def _sign(self, request: httpx2.Request, token: str) -> None:
        self.token = token
        request.headers["Authorization"] = f"Bearer {token}"
