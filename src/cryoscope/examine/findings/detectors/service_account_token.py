"""Tokens of Kubernetes service accounts outside of where the kubelet put them."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from typing import Any

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_hit
from cryoscope.examine.findings.known.evidences import distinct, in_files
from cryoscope.examine.findings.known.programs import FETCHERS, SHELLS
from cryoscope.examine.findings.scene import Scene
from cryoscope.examine.search.hits import Hit
from cryoscope.examine.search.patterns import Pattern

TOKEN = Pattern("token", rb"\beyJhbGciOiJ[\w-]{10}(?:[\w-]*\.eyJ[\w-]+\.[\w-]+)?")
"""The head of a token is enough for the engine to look; what lacks the rest is none."""
PLACE = "/var/run/secrets/kubernetes.io/", "/run/secrets/kubernetes.io/"
ODD = SHELLS | FETCHERS | {"kubectl"}


def look(scene: Scene) -> Iterator[Suspicion]:
    """JSON web tokens whose subject is a service account; the token itself is not shown."""
    for hit in distinct(scene.hits("service-account-token")):
        about = subject(hit.match)
        if about is None or (hit.path or "").startswith(PLACE):
            continue
        if in_files(hit):
            found = of_hit(hit, "a token was copied into a file", text=about)
            yield Suspicion([found], "medium", "A token of a service account was copied")
        elif _odd(scene, hit):
            found = of_hit(hit, "a program that is no client of Kubernetes has a token", text=about)
            yield Suspicion([found], "medium", "A shell or tool has a token of a service account")
        else:
            yield Suspicion([of_hit(hit, f"a token in {hit.place}", text=about)])


def _odd(scene: Scene, hit: Hit) -> bool:
    comms = {owner.comm for owner in hit.processes} | {holder.comm for holder in hit.holders}
    return bool(ODD.intersection(comms))


def subject(token: str) -> str | None:
    """`namespace/account` and the token's end in Unix seconds; None where it is no service account's.

    The claims are those of Kubernetes: `sub`, `kubernetes.io`, or `kubernetes.io/serviceaccount/...` of
    the tokens in Secrets.
    """
    claims = _claims(token)
    told = str(claims.get("sub", ""))
    if not told.startswith("system:serviceaccount:"):
        return None
    pod = _inner(_inner(claims.get("kubernetes.io")).get("pod")).get("name")
    parts = [told.removeprefix("system:serviceaccount:").replace(":", "/", 1)]
    parts += [f"pod {pod}"] if isinstance(pod, str) else []
    parts += [f"until {claims['exp']}"] if isinstance(claims.get("exp"), int) else ["without an end"]
    return ", ".join(parts)[:300]


def _claims(token: str) -> dict[str, Any]:
    body = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        return _inner(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))
    except (binascii.Error, ValueError, RecursionError):
        return {}


def _inner(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


DETECTOR = Detector(
    name="service-account-token",
    title="A token of a service account is in memory",
    severity="info",
    why="With the token of a pod one speaks to the API server as the pod. Programs that work with the "
    "cluster have theirs in memory; shells and curl have it because somebody used it by hand.",
    next=[
        "the API server's audit log: what was asked by that account, and from where",
        "kubectl auth can-i --list as that account: what it may do; delete the pod to end a bound token",
    ],
    techniques=["T1528", "T1552.007"],
    references=[
        "Kubernetes, Managing Service Accounts",
        "MITRE ATT&CK T1528, Steal Application Access Token",
    ],
    look=look,
    patterns=(TOKEN,),
)
