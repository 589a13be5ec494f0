"""Which NetworkPolicies of a namespace hold or open what is restored there (networking.k8s.io/v1).

Policies add up: what one of them allows to a pod is allowed, whatever the others say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cryoscope.engines.kubelet.places import each, part, word
from cryoscope.engines.port import SOFT, Concern, Record
from cryoscope.kubeapi.client import Client
from cryoscope.kubeapi.errors import Forbidden, NotFound
from cryoscope.text import escape

PATH = "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies"


class Network(Record, frozen=True, kw_only=True):
    """What the policies of a namespace do to a pod: `closed` by one of them, `opened` by those named.

    `known` is whether they could be read.
    """

    known: bool = True
    closed: bool = False
    opened: list[str] = []


def network_of(client: Client, namespace: str, labels: Mapping[str, str]) -> Network:
    """The policies that select a pod with these labels."""
    closed, opened = False, []
    try:
        for policy in client.items(PATH.format(namespace)):
            spec = part(policy, "spec")
            if _selects(part(spec, "podSelector"), labels):
                closed |= {"Ingress", "Egress"} <= {*part(spec, "policyTypes")} and not _allows(spec)
                opened += [escape(word(policy, "metadata", "name"))[:253]] if _allows(spec) else []
    except (Forbidden, NotFound):
        return Network(known=False)
    return Network(closed=closed, opened=opened)


def concern_of(network: Network) -> list[Concern]:
    """A concern where other policies open what is to be isolated."""
    if not network.opened:
        return []
    names = ", ".join(network.opened[:5])
    return [
        Concern(
            code="k8s.network-open",
            weight=SOFT,
            what=f"NetworkPolicies of that namespace allow every pod some traffic: {names}",
            cure="restore it in a namespace of its own: --namespace cryoscope-sandbox (deploy/)",
        )
    ]


def _allows(spec: Any) -> bool:
    return any(True for side in ("ingress", "egress") for _ in each(spec, side))


def _selects(selector: Any, labels: Mapping[str, str]) -> bool:
    """Whether a label selector fits (apimachinery, LabelSelector)."""
    wanted = part(selector, "matchLabels")
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_fits(rule, labels) for rule in each(selector, "matchExpressions"))


def _fits(rule: Any, labels: Mapping[str, str]) -> bool:
    key, values = word(rule, "key"), part(rule, "values")
    return {
        "In": labels.get(key) in (values or ()),
        "NotIn": labels.get(key) not in (values or ()),
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }.get(word(rule, "operator"), True)
