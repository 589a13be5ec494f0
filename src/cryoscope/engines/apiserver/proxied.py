"""The way to a kubelet through the API server."""

from __future__ import annotations

import math
from collections.abc import Sequence
from urllib.parse import quote

from cryoscope import limits
from cryoscope.engines.apiserver.cases import CASES
from cryoscope.engines.kubelet import direct
from cryoscope.engines.kubelet.cases import Case
from cryoscope.engines.kubelet.place import Place
from cryoscope.engines.port import Reach
from cryoscope.kubeapi.client import Client
from cryoscope.kubeapi.errors import BadConfig
from cryoscope.kubeapi.http import Answer

GRANTS = (
    "via=apiserver needs nodes/proxy, which grants far more than checkpoints: commands in every container of "
    "every node, their logs and environment, past admission and the audit of pods; nodes/checkpoint is "
    "enough where the kubelet can be reached itself"
)
"""Said once: https://kubernetes.io/docs/concepts/security/rbac-good-practices/#access-to-proxy-subresource-of-nodes"""


class Proxied:
    """Through `client`, with its credentials."""

    name = "apiserver"
    cases: Sequence[Case] = CASES
    needs_address = False

    def __init__(self, reach: Reach, client: Client | None) -> None:
        if client is None:
            raise BadConfig(
                "via=apiserver needs a kubeconfig", hint="give --kubeconfig FILE", code="k8s.no-config"
            )
        self.client = client
        self.reach = reach
        self._said = False

    def post(self, place: Place, timeout: float) -> Answer:
        """Ask for a checkpoint; raises what connections do (`KubeError`)."""
        if not self._said:
            self._said = True
            self.reach.say(GRANTS)
        return self.client.request(
            "POST",
            f"/api/v1/nodes/{quote(place.node, safe='')}/proxy{place.path}",
            params={"timeout": str(max(1, math.ceil(timeout)))},
            timeout=timeout + direct.GRACE,
            most=limits.KUBELET_ANSWER,
        )
