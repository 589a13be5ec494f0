"""JSON Web Tokens (RFC 7519) with what they say, and Kubernetes' service-account tokens among them.

Header and claims are decoded; a signature cannot be checked without the key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from cryoscope.checkpoint.container.dumps import EPOCH
from cryoscope.examine.secrets.armor import decoded_url
from cryoscope.examine.secrets.records import Known, Rule, Verdict

REST = rb"[A-Za-z0-9_-]{0,2000}\.eyJ[A-Za-z0-9_-]{5,8000}\.[A-Za-z0-9_-]{0,2000}(?![A-Za-z0-9_.-])"
PATTERN = rb"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10}(?:" + REST + rb")?"
CLAIMS = ("iss", "sub", "azp", "client_id", "scope", "jti")
TIMES = ("iat", "nbf", "exp")
TEXT = 200
"""Characters of one claim that are shown."""


def judge(data: bytes, known: Known) -> Iterator[Verdict]:
    """The token, if header and claims are JSON objects."""
    if data.count(b".") != 2:
        return
    header, claims, signature = (_part(part) for part in data.split(b"."))
    if not isinstance(header, dict) or not isinstance(claims, dict) or not isinstance(header.get("alg"), str):
        return
    details: dict[str, Any] = {"alg": header["alg"][:20]} | {
        k: str(header[k])[:TEXT] for k in ("kid",) if k in header
    }
    details |= {key: str(claims[key])[:TEXT] for key in CLAIMS if isinstance(claims.get(key), str | int)}
    if "aud" in claims:
        details["aud"] = _audience(claims["aud"])
    times = {key: claims[key] for key in TIMES if _is_time(claims.get(key))}
    details |= {key: _when(value) for key, value in times.items()}
    expired = known.time is not None and "exp" in times and times["exp"] < known.time
    if "exp" in times and known.time is not None:
        details["expired"] = expired
    details |= _kubernetes(claims)
    unsigned = header["alg"].lower() == "none" or not signature
    sure = "low" if header.get("alg", "").lower() != "none" and not data.split(b".")[2] else "high"
    severity = "low" if expired else "medium" if unsigned else None
    yield Verdict(data, sure, details, severity=severity)


def _part(part: bytes) -> Any:
    """A part as JSON; of the signature, which is none, its bytes."""
    raw = decoded_url(part)
    try:
        return json.loads(raw) if raw.lstrip().startswith(b"{") else raw
    except (ValueError, RecursionError):
        return raw


def _audience(found: Any) -> str:
    return ", ".join(str(item) for item in (found if isinstance(found, list) else [found])[:10])[:TEXT]


def _is_time(found: Any) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool) and 0 < found < 32503680000


def _when(seconds: float) -> str:
    return (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _kubernetes(claims: dict[str, Any]) -> dict[str, Any]:
    """Namespace, pod and account of a service-account token, bound or of the old kind."""
    bound = claims.get("kubernetes.io")
    if isinstance(bound, dict):
        found = {
            "namespace": bound.get("namespace"),
            "pod": _name(bound.get("pod")),
            "node": _name(bound.get("node")),
            "service_account": _name(bound.get("serviceaccount")),
        }
    else:
        prefix = "kubernetes.io/serviceaccount/"
        found = {
            "namespace": claims.get(prefix + "namespace"),
            "service_account": claims.get(prefix + "service-account.name"),
            "secret": claims.get(prefix + "secret.name"),
        }
    return {"kubernetes": named} if (named := {k: str(v)[:TEXT] for k, v in found.items() if v}) else {}


def _name(found: Any) -> Any:
    return found.get("name") if isinstance(found, dict) else None


def judge_account(data: bytes, known: Known) -> Iterator[Verdict]:
    """Only service-account tokens of Kubernetes."""
    for found in judge(data, known):
        if "kubernetes" in found.details:
            inner = found.details["kubernetes"]
            yield found._replace(
                details={k: v for k, v in found.details.items() if k != "kubernetes"} | inner
            )


def judge_other(data: bytes, known: Known) -> Iterator[Verdict]:
    """All others."""
    yield from (found for found in judge(data, known) if "kubernetes" not in found.details)


RULES = (
    Rule(
        "kubernetes-token", "Kubernetes service-account token", "token", "critical", (PATTERN,), judge_account
    ),
    Rule("jwt", "JSON Web Token", "token", "high", (PATTERN,), judge_other),
)
