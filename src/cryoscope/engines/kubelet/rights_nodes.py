"""Whether kubelets would take a checkpoint of these credentials: asked without taking one.

A checkpoint of a pod that cannot be there is asked for, with a name that no pod has.  A kubelet that answers
"pod does not exist" has let the request through all that a real one has to pass: the feature gate (404 before
anything else), who is asking (401), and the right (403).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from cryoscope.engines.kubelet import able, errors, judging, places
from cryoscope.engines.kubelet.direct import Direct
from cryoscope.engines.kubelet.place import Place
from cryoscope.engines.kubelet.places import Object, word
from cryoscope.engines.port import Check, Reach
from cryoscope.errors import CryoscopeError
from cryoscope.kubeapi.client import Client
from cryoscope.kubeapi.errors import KubeError

PASSED = "kubelet.pod-unknown"
NOWHERE = "cryoscope-asks-whether-it-may"
"""A namespace, pod and container; too telling to be somebody's."""
ASKED = 32
"""Nodes asked in one run: enough to see whether a cluster's are alike."""
AT_ONCE = 8
TIMEOUT = 5.0


def nodes(client: Client, node: str | None, reach: Reach) -> list[Check]:
    """What the nodes are and what their kubelets say; only `node` if it is given."""
    try:
        found = [client.node(node)] if node else list(client.nodes())
    except KubeError as error:
        wrong = errors.of_api(error)
        return [Check(code="kubelet.nodes", state="warn", what=wrong.message, cure=wrong.hint)]
    asked = found[:ASKED]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = [*pool.map(lambda each: _answer(client, each, reach), asked)]
    checks = [
        check for each, answer in zip(asked, answers, strict=True) for check in (able.check(each), answer)
    ]
    if len(found) > len(asked):
        checks.append(
            Check(
                code="kubelet.nodes",
                state="warn",
                what=f"{len(found) - len(asked)} more nodes were not asked",
                cure="name a node",
            )
        )
    return checks


def _answer(client: Client, node: Object, reach: Reach) -> Check:
    name = word(node, "metadata", "name")
    address = places.address(node)
    if address is None:
        return Check(code="kubelet.no-address", state="fail", what=f"node {name} has no address")
    place = Place(
        namespace=NOWHERE,
        pod=NOWHERE,
        container=NOWHERE,
        node=name,
        address=address.host,
        port=address.port,
    )
    error = _refusal(Direct(reach, client), place)
    if error.code == PASSED:
        what = f"the kubelet of {name} answers, knows these credentials and lets them checkpoint"
        return Check(code="kubelet.answers", state="ok", what=what)
    return Check(code=error.code, state="fail", what=error.message, cure=error.hint)


def _refusal(way: Direct, place: Place) -> CryoscopeError:
    """What the kubelet says to it; there is no pod that it could take."""
    try:
        return judging.error_of(way.post(place, TIMEOUT), place, way.cases)
    except KubeError as error:
        return errors.of_kubelet(error, way.name)
    except CryoscopeError as error:
        return error
