"""How an archive comes from its node to here, after a kubelet wrote it there.

    local        this is the node: the file is copied
    reader-pod   a short-lived pod on the node sees the folder of archives, read-only, and nothing else; a
                 command in it streams one file and its digest
    none         it stays where it is

The kubelet never deletes archives and tells nobody of them: what is not collected stays on the node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryoscope.engines.collect.errors import CollectError
from cryoscope.engines.collect.records import Collected
from cryoscope.errors import UsageError
from cryoscope.text import readable

if TYPE_CHECKING:
    from cryoscope.engines.port import Reach, Sink
    from cryoscope.kubeapi.client import Client

WAYS = ("local", "reader-pod", "none")

__all__ = ["WAYS", "CollectError", "Collected", "collect"]


def collect(
    reach: Reach,
    node: str,
    path: str,
    sink: Sink,
    how: str,
    *,
    client: Client | None = None,
    remove: bool = False,
) -> Collected | None:
    """Bring the archive that a kubelet names `path` on `node` into `sink`; None if `how` is "none".

    `client` is the API server, if one is connected already.  `remove` deletes the node's copy, once what came
    here has been compared with it a second time; only `local` can.  Raises `CollectError`, `UsageError`.
    """
    if how not in WAYS:
        raise UsageError(
            f"there is no way {readable(how)[:50]} to fetch",
            hint="give --fetch " + ", ".join(WAYS),
            code="collect.way",
        )
    if remove and how != "local":
        raise UsageError(
            "only --fetch local can remove the node's copy",
            hint="a reader's folder is read-only: remove it on the node",
            code="collect.remove",
        )
    if how == "none":
        return None
    if how == "local":
        from cryoscope.engines.collect import local

        return local.collect(reach.host, path, sink, remove=remove)
    from cryoscope.engines.collect import reader_pod

    if client is None or reach.reader_token_file is not None:
        with _connected(reach) as own:
            return reader_pod.collect(reach, own, node, path, sink)
    return reader_pod.collect(reach, client, node, path, sink)


def _connected(reach: Reach) -> Client:
    """The API server as the custodian, whose token is another than the one that captures."""
    from cryoscope.kubeapi.client import connect

    return connect(
        reach.kubeconfig,
        reach.context,
        token_file=reach.reader_token_file,
        authority=reach.authority,
        insecure=reach.insecure,
    )
