"""Letting a checkpoint go on in a cluster: looked at, its pod written, and created only on request.

    concerns of archive, nodes and namespace (refused: exit code 4) -> [push] -> documents -> [apply]

A cluster restores images, not archives.  With `push` the image is made here of the cleaned copy; else it is
there already, and what the archive claims cannot be cleaned any more, only refused.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from cryoscope.checkpoint.complete import missing_from
from cryoscope.engines.cluster import applying, network
from cryoscope.engines.kubelet.errors import of_api
from cryoscope.engines.port import HARD, NOTE, Concern, Reach, RestoreOptions
from cryoscope.engines.preflight import kubernetes as preflight
from cryoscope.engines.vetting import Policy, Verdict, vet
from cryoscope.errors import CryoscopeError, UsageError
from cryoscope.images import pod as pods
from cryoscope.images.pod_mounts import FILE, PodMount, declared, open_below
from cryoscope.kubeapi import config
from cryoscope.kubeapi.client import Client
from cryoscope.kubeapi.errors import Forbidden, KubeError, NotFound
from cryoscope.text import escape, readable
from cryoscope.workflows.restore import WARNING, RestorePart, Restoring, clean, cut, go_on, numbered, trusted
from cryoscope.workflows.together import together

if TYPE_CHECKING:
    from cryoscope.checkpoint.checkpoint import Checkpoint
    from cryoscope.workflows.examine import Failure

NAMESPACE = "cryoscope-sandbox"
"""Where deploy/ lets restored pods be."""
ENFORCED = "a NetworkPolicy isolates only where the cluster's network enforces policies"
OCI = "oci://"
NO_IMAGE = "a cluster restores images: where is that of this archive?"
PUSH = "--image REFERENCE, with --push if it is not there yet"
CLEANED = "have a cleaned image made of the archive: --push"


class InCluster(msgspec.Struct, frozen=True, kw_only=True):
    """Where in a cluster, and how: `mounts` are volumes by the path they are mounted at.

    `push` makes the image first; `base` is its base image by a name that the runtime can pull; `apply`
    creates what is written.
    """

    namespace: str = NAMESPACE
    node: str = ""
    mounts: Mapping[str, str] = {}
    pull_secret: str = ""
    base: str = ""
    push: bool = False
    apply: bool = False


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What was found before anything was made: `runtime` is whose form the image must have."""

    concerns: list[Concern]
    verdict: Verdict
    mounts: list[PodMount]
    runtime: str
    closed: bool = False


def restore_kubernetes(
    archive: str, checkpoint: Checkpoint, reach: Reach, restoring: Restoring
) -> tuple[RestorePart, list[Failure]]:
    """The documents of an archive's pods, and with `apply` the pods; raises as `workflows.restore` does."""
    wish = restoring.cluster or InCluster()
    image = _image(archive, restoring.options, wish)
    _names(checkpoint, restoring.options, wish)
    if (wish.apply or wish.push) and not restoring.dry_run:
        trusted(restoring, None, archive)
    go_on([cut(damaged) for damaged in missing_from(checkpoint)], restoring)
    with ExitStack() as stack:
        client = _client(reach, wish, stack)
        looked = _looked(checkpoint, client, restoring, wish)
        go_on(looked.concerns, restoring)
        if wish.push and not restoring.dry_run:
            image = _pushed(checkpoint, looked, image, restoring, wish)
        each = [
            _documents(checkpoint, looked, image, options, wish)
            for options in numbered(restoring.options, restoring.copies)
        ]
        part = _part(archive, looked, each, restoring, wish)
        return _applied(archive, client, reach, part, each, restoring)


# --- what is asked for ----------------------------------------------------------------------


def _image(archive: str, options: RestoreOptions, wish: InCluster) -> str:
    """The image's name as the pod has it: the one given, or the one that the archive was read from."""
    from cryoscope.images.reference import parse

    named = options.image or (archive if archive.startswith(OCI) else None)
    if named is None:
        raise UsageError(NO_IMAGE, hint=PUSH, code="restore.image")
    if wish.push and archive.startswith(OCI):
        raise UsageError(
            "that image is in a registry already", hint="leave --push out", code="restore.option"
        )
    return str(parse(named))


def _names(checkpoint: Checkpoint, options: RestoreOptions, wish: InCluster) -> None:
    named = (("--name", options.name), ("--namespace", wish.namespace))
    for option, value in named:
        if not pods.LABEL.match(value):
            raise UsageError(
                f"{escape(readable(value))[:100]!r} is no name in Kubernetes",
                hint=f"give {option} small letters, digits and -, at most 63",
                code="k8s.name",
            )
    for option, value in (("--node", wish.node), ("--pull-secret", wish.pull_secret)):
        if value and not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", value):
            raise UsageError(
                f"{escape(readable(value))[:100]!r} is no name in Kubernetes",
                hint=f"look at {option}",
                code="k8s.name",
            )
    if not pods.LABEL.match(checkpoint.container.name or ""):
        raise UsageError(
            f"the container's name, {escape(readable(checkpoint.container.name or 'none'))[:100]}, "
            "is none that a pod's container can have",
            hint="runtimes of a cluster restore containers of pods: --to podman",
            code="k8s.name",
        )


# --- looking --------------------------------------------------------------------------------


def _client(reach: Reach, wish: InCluster, stack: ExitStack) -> Client | None:
    """The API server; none where nothing says which, unless something is to be made there."""
    if not wish.apply and not wish.node and not config.is_there(reach.kubeconfig):
        return None
    from cryoscope.kubeapi.client import connect

    try:
        return stack.enter_context(
            connect(reach.kubeconfig, reach.context, authority=reach.authority, insecure=reach.insecure)
        )
    except KubeError as error:
        raise of_api(error) from None


def _looked(checkpoint: Checkpoint, client: Client | None, restoring: Restoring, wish: InCluster) -> Looked:
    options = restoring.options
    mounts = declared(checkpoint, wish.mounts, readonly=not (options.writable_volumes or options.live))
    nodes = _nodes(client, wish)
    runtime = _runtime(checkpoint, nodes or [], wish)
    concerns = [
        *preflight.archive_concerns(checkpoint, live=options.live, engine=runtime, base=wish.base),
        *_of_nodes(checkpoint, nodes, runtime, wish),
        *_of_mounts(checkpoint, mounts),
        *_of_image(options.image or "", wish),
        *_bound(checkpoint, options),
    ]
    closed = False
    if client is not None and not options.live:
        found = _network(client, options, wish)
        closed, concerns = found.closed, concerns + network.concern_of(found)
    policy = Policy(engine="cri", live=options.live, mounts={each.path: "" for each in mounts})
    verdict = vet(checkpoint, policy)
    concerns += [*_claims(verdict, wish)]
    return Looked(
        concerns=[*dict.fromkeys(concerns)], verdict=verdict, mounts=mounts, runtime=runtime, closed=closed
    )


def _nodes(client: Client | None, wish: InCluster) -> list[dict[str, Any]] | None:
    """The nodes that it may come to; None if they are not known."""
    if client is None:
        return None
    try:
        return [client.node(wish.node)] if wish.node else [*client.nodes()]
    except NotFound:
        raise CryoscopeError(
            f"the cluster has no node {wish.node}",
            hint="kubectl get nodes lists them",
            code="k8s.node-unknown",
        ) from None
    except Forbidden:
        return None
    except KubeError as error:
        raise of_api(error) from None


def _runtime(checkpoint: Checkpoint, nodes: Sequence[dict[str, Any]], wish: InCluster) -> str:
    """Whose form the image has: the archive's own, or that of the nodes where the image is made for them."""
    made = checkpoint.container.engine
    there = {preflight.runtime_of(node).name for node in nodes}
    if wish.push and len(there) == 1 and there <= {"containerd", "cri-o"}:
        return there.pop()
    return made


def _of_nodes(
    checkpoint: Checkpoint, nodes: list[dict[str, Any]] | None, runtime: str, wish: InCluster
) -> list[Concern]:
    if nodes:
        return preflight.node_concerns(checkpoint, nodes, chosen=bool(wish.node), engine=runtime)
    what = "no node could be looked at: whether its runtime can restore is not known"
    cure = "name the cluster with --kubeconfig, with rights to read its nodes"
    return [Concern(code="k8s.nodes-unknown", weight=NOTE, what=what, cure=cure)]


def _of_mounts(checkpoint: Checkpoint, mounts: Sequence[PodMount]) -> Iterator[Concern]:
    below = open_below(checkpoint, mounts)
    if below:
        names = ", ".join(escape(name)[:200] for name in below[:3])
        what = f"it had {len(below)} files open below mounts that are empty in the new pod: {names}"
        cure = "mount a volume with them: --mount PATH=pvc/NAME"
        yield Concern(code="k8s.open-below", weight=HARD, what=what, cure=cure)
    for mount in mounts:
        if not mount.given:
            kind, path = "file" if mount.kind == FILE else "folder", escape(mount.path)[:200]
            what = f"an empty {kind} stands in for {path}"
            cure = f"--mount {shlex.quote(path + '=pvc/NAME')}"  # a stranger's path, and people copy it
            yield Concern(code="k8s.stand-in", weight=NOTE, what=what, cure=cure)


def _of_image(image: str, wish: InCluster) -> Iterator[Concern]:
    if not wish.push and not pods.DIGEST.search(image):
        what = "the image is named by a tag, which may mean another one when the node pulls it"
        yield Concern(
            code="k8s.image-tag", weight=NOTE, what=what, cure="name it as REPOSITORY@sha256:DIGEST"
        )


def _bound(checkpoint: Checkpoint, options: RestoreOptions) -> Iterator[Concern]:
    from cryoscope.engines.preflight.restore import bound_concerns

    yield from (each for each in bound_concerns(checkpoint, options) if each.code == "preflight.memory-bound")


def _network(client: Client, options: RestoreOptions, wish: InCluster) -> network.Network:
    try:
        return network.network_of(client, wish.namespace, pods.labels(options.name))
    except KubeError as error:
        raise of_api(error) from None


def _claims(verdict: Verdict, wish: InCluster) -> Iterator[Concern]:
    """What the archive claims; of an image that is there already nothing can be cleaned."""
    for claim in verdict.claims:
        if not claim.cleaned:
            yield Concern(code=claim.code, weight=claim.weight, what=claim.what, cure=claim.cure)
    counted = Counter((claim.code, claim.weight) for claim in verdict.claims if claim.cleaned)
    for (code, weight), number in counted.items() if not wish.push else ():
        what = f"the image may hold what a cleaned copy does not: {code}" + (
            f", {number} times" * (number > 1)
        )
        yield Concern(code=code, weight=weight, what=what, cure=CLEANED)


# --- making ---------------------------------------------------------------------------------


def _pushed(checkpoint: Checkpoint, looked: Looked, image: str, restoring: Restoring, wish: InCluster) -> str:
    """Make the image of the cleaned copy, in the registry; its name by digest."""
    from cryoscope.images.reference import parse
    from cryoscope.workflows.image_build import Building, build
    from cryoscope.workflows.remote import registry_at

    reference = parse(image)
    own = looked.runtime == checkpoint.container.engine
    how = Building(runtime="any" if own else looked.runtime.replace("-", ""), base=wish.base)
    registry = registry_at(reference)
    with clean(checkpoint, looked.verdict.edits, restoring.scratch) as copy, registry as target:
        built = build(copy, target, reference=reference.tag, how=how)
    return f"{reference.name}@{built.image.index.digest}"


def _documents(
    checkpoint: Checkpoint, looked: Looked, image: str, options: RestoreOptions, wish: InCluster
) -> list[dict[str, Any]]:
    wanted = pods.Wish(
        name=options.name,
        namespace=wish.namespace,
        image=image,
        node=wish.node,
        live=options.live,
        mounts=looked.mounts,
        memory=options.memory,
        cpus=options.cpus,
        pull_secret=wish.pull_secret,
    )
    found = pods.documents(checkpoint, wanted)
    # Where a namespace is closed to all its pods, restorers need no right to make policies.
    return found[-1:] if looked.closed else found


def _part(
    archive: str,
    looked: Looked,
    each: Sequence[list[dict[str, Any]]],
    restoring: Restoring,
    wish: InCluster,
) -> RestorePart:
    live = restoring.options.live
    return RestorePart(
        archive=readable(archive),
        engine="k8s",
        live=live,
        dry_run=restoring.dry_run or not wish.apply,
        concerns=looked.concerns,
        cleaned=[claim for claim in looked.verdict.claims if claim.cleaned and wish.push],
        warnings=[] if live else [WARNING, ENFORCED],
        manifests=[document for documents in each for document in documents],
    )


def _applied(
    archive: str,
    client: Client | None,
    reach: Reach,
    part: RestorePart,
    each: Sequence[list[dict[str, Any]]],
    restoring: Restoring,
) -> tuple[RestorePart, list[Failure]]:
    if client is None or restoring.cluster is None or not restoring.cluster.apply:
        return part, []
    if restoring.dry_run:
        for documents in each:
            applying.check(client, documents)
        return part, []
    options = restoring.options
    make = partial(
        applying.apply,
        client,
        timeout=options.timeout,
        sandbox=[] if options.live else kept_from(part.manifests, options),
        say=reach.say,
    )
    restored, failures = together([(archive, partial(make, documents)) for documents in each])
    return msgspec.structs.replace(part, restored=restored), failures


def kept_from(manifests: Sequence[dict[str, Any]], options: RestoreOptions) -> list[str]:
    """What a restored pod is kept from, in short phrases."""
    volumes = next(each for each in manifests if each["kind"] == "Pod")["spec"].get("volumes", [])
    given = [each for each in volumes if "emptyDir" not in each and "downwardAPI" not in each]
    return [
        "no network, by a policy for all its traffic",
        "no service-account token",
        f"no volumes of its old pod: {len(volumes) - len(given)} empty ones"
        + (f", {len(given)} that were named" if given else ""),
        f"{options.memory >> 20} MiB of memory",
        f"{options.cpus:g} processors",
    ]
