"""What an answer that is none means, in the registry's words.

distribution-spec 1.1, "Error Codes": `{"errors": [{"code", "message", "detail"}]}`.
"""

from __future__ import annotations

import msgspec

from cryoscope.images.remote.errors import BadAnswer, Busy, Denied, Missing, RemoteError, shown
from cryoscope.images.remote.web import Answer

LOGIN = "log in with podman login or docker login, or name another file in $REGISTRY_AUTH_FILE"


class _Error(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""


class _Errors(msgspec.Struct, frozen=True):
    errors: list[_Error] | None = None


def demand(answer: Answer, wanted: tuple[int, ...], what: str) -> None:
    """Raise what an answer means that has none of the wanted statuses."""
    if answer.status not in wanted:
        raise error(answer.status, answer.body, what)


def error(status: int, body: bytes, what: str) -> RemoteError:
    """The error of a status; `what` is the sentence that it leads to."""
    said = _said(body)
    because = f"{what}: {said or f'status {status}'}"
    if status in (401, 403):
        return Denied(because, hint=LOGIN, code="registry.denied")
    if status == 404:
        return Missing(because, hint="look at the name and the tag", code="registry.missing")
    if status in (413, 507):
        return BadAnswer(because, hint="the registry takes no blobs of that size", code="registry.too-large")
    if status in (429, 502, 503, 504):
        return Busy(because, hint="try again in a moment", code="registry.busy")
    return BadAnswer(because, code="registry.refused")


def _said(body: bytes) -> str:
    try:
        errors = msgspec.json.decode(body, type=_Errors).errors or []
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return shown(body, 200)
    return shown("; ".join(f"{one.code} {one.message}".strip() for one in errors[:5]))
