"""`--fetch reader-pod`: the archive comes through a short-lived pod on its node.

The pod is removed in every case but one, a Cryoscope that is killed: its node ends it after the deadline,
and the next collection removes what is left of it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cryoscope.engines.collect import names, waiting
from cryoscope.engines.collect import pod as pods
from cryoscope.engines.collect.errors import CollectError
from cryoscope.engines.collect.pod import Settings
from cryoscope.engines.collect.reading import Reading
from cryoscope.engines.collect.records import Collected
from cryoscope.engines.collect.settings import settings
from cryoscope.kubeapi.client import Client
from cryoscope.kubeapi.errors import Forbidden, Invalid, KubeError, NotFound

if TYPE_CHECKING:
    from cryoscope.engines.port import Reach, Sink

DENIED = "cannot create resource"
"""How RBAC's refusals read; what else is forbidden was forbidden by admission."""


def collect(reach: Reach, client: Client, node: str, path: str, sink: Sink) -> Collected:
    """Bring the archive `path` of `node` into `sink`; raises `CollectError`, with codes of the API, too."""
    try:
        return _collect(reach, client, node, path, sink)
    except KubeError as error:
        raise CollectError(error.message, hint=error.hint, code=error.code) from None


def _collect(reach: Reach, client: Client, node: str, path: str, sink: Sink) -> Collected:
    start = time.monotonic()
    folder, name = names.split(path)
    chosen = settings(client, reach.reader_namespace, reach.reader_image, folder)
    _sweep(client, chosen.namespace)
    with _reader(reach, client, node, chosen) as pod:
        reading = Reading(client, chosen, pod, name, sink)
        told = reading.through()
    return Collected(
        by="reader-pod",
        size=told.size,
        sha256=told.sha256,
        seconds=time.monotonic() - start,
        resumed=reading.resumed,
    )


@contextlib.contextmanager
def _reader(reach: Reach, client: Client, node: str, chosen: Settings) -> Iterator[str]:
    """A running reader on `node`, by its name; gone afterwards, also after Ctrl-C."""
    named = pods.name()
    with contextlib.ExitStack() as stack:
        stack.callback(_remove, reach, client, named, chosen)
        try:
            _create(client, named, node, chosen)
        except CollectError:
            stack.pop_all()  # it was refused: there is nothing to remove
            raise
        waiting.until_running(client, chosen.namespace, named)
        yield named


def _create(client: Client, named: str, node: str, chosen: Settings) -> None:
    try:
        client.post(f"/api/v1/namespaces/{chosen.namespace}/pods", pods.manifest(named, node, chosen))
    except NotFound:
        raise CollectError(
            f"there is no namespace {chosen.namespace} for the pod that reads archives",
            hint="kubectl apply -k deploy/ makes it, or name another with --reader-namespace",
            code="collect.namespace",
        ) from None
    except (Forbidden, Invalid) as error:
        if DENIED in error.message:
            raise CollectError(error.message, hint=error.hint, code="collect.denied") from None
        raise CollectError(
            f"the cluster refuses the pod that reads archives: {error.message}",
            hint="deploy/admission/reader-pods.yaml says what it must look like, and who makes it",
            code="collect.admission",
        ) from None


def _remove(reach: Reach, client: Client, named: str, chosen: Settings) -> None:
    """Delete the pod; that it cannot be is told, not raised: it ends by itself."""
    try:
        client.delete(f"/api/v1/namespaces/{chosen.namespace}/pods/{named}")
    except NotFound:
        pass
    except KubeError as error:
        reach.say(
            f"the pod {named} could not be removed ({error.message}); it ends itself within "
            f"{chosen.deadline} seconds, or: kubectl delete pod -n {chosen.namespace} {named}"
        )


def _sweep(client: Client, namespace: str) -> None:
    """Remove what is left of readers that ended by themselves; their makers were killed."""
    with contextlib.suppress(KubeError):
        for each in client.pods(namespace, labels=pods.SELECTOR):
            named = (each.get("metadata") or {}).get("name")
            if (each.get("status") or {}).get("phase") in ("Failed", "Succeeded") and named:
                client.delete(f"/api/v1/namespaces/{namespace}/pods/{named}")
