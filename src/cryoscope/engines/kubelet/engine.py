"""The engine of Kubernetes behind the port: which pod and node, one checkpoint, the archive from there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from cryoscope.engines.kubelet import able, capturing, errors, places, standing
from cryoscope.engines.kubelet.capturing import Way
from cryoscope.engines.kubelet.cluster import Cluster
from cryoscope.engines.kubelet.direct import address_of
from cryoscope.engines.kubelet.place import Place
from cryoscope.engines.kubelet.places import Address, Found, Object, word
from cryoscope.engines.kubelet.probing import probe
from cryoscope.engines.port import (
    HARD,
    Ability,
    AmbiguousTarget,
    Captured,
    CaptureOptions,
    Concern,
    Container,
    Edits,
    EngineError,
    NoSuchContainer,
    Probe,
    Reach,
    Restored,
    RestoreOptions,
    Sink,
    matching,
)
from cryoscope.engines.target import Target
from cryoscope.kubeapi.client import Client

if TYPE_CHECKING:
    from cryoscope.checkpoint.checkpoint import Checkpoint


class Kubernetes:
    """The pods of a cluster, or the one of `target`; `way` makes the way to a kubelet."""

    def __init__(
        self,
        target: Target | None,
        reach: Reach,
        way: Callable[[Reach, Client | None], Way],
        *,
        name: str = "kubelet",
    ) -> None:
        self.name = name
        self.target = target
        self.reach = reach
        self.cluster = Cluster(target, reach)
        self._way_of = way
        self._way: Way | None = None

    def close(self) -> None:
        """Hang up on the API server."""
        self.cluster.close()

    def probe(self) -> Probe:
        """What the cluster's nodes can do and these credentials may; never raises."""
        return probe(self.name, self.cluster, "checkpoint" if self.name == "kubelet" else "proxy")

    def list(self) -> list[Container]:
        """The containers of the target's pod, or of all pods; raises `EngineUnreachable`."""
        target = self.target
        if target is None or target.namespace is None or target.pod is None:
            return [found for pod in self.cluster.pods() for found in self._containers(pod)]
        return [*self._containers(self.cluster.pod(target.namespace, target.pod))]

    def find(self, reference: str | None) -> Container:
        """A container of the pod by name, id or an id's first digits; None is its only regular one.

        Without an API server the name is taken as it is, if the kubelet's address is given.
        """
        if self.reach.kubelet and reference:
            try:
                return (
                    matching(self.list(), reference, engine=self._pod_name())
                    if self.cluster.known
                    else self._bare(reference)
                )
            except NoSuchContainer:
                raise
            except EngineError as error:
                self.reach.say(f"the API server is not asked: {error.message}")
                return self._bare(reference)
        return matching(self.list(), reference, engine=self._pod_name()) if reference else self._only()

    def concerns(self, container: Container, options: CaptureOptions) -> Sequence[Concern]:
        """What the kubelet has no options for, and what the pod says against it."""
        found = [*standing.of_options(options)]
        if container.state != "unknown":
            _, seen = self._seen(container)
            found += standing.of_place(seen, options)
        return found

    def capture(self, container: Container, options: CaptureOptions, sink: Sink) -> Captured:
        """Have the node's kubelet checkpoint it, and bring the archive; it goes on running.

        Raises what `cases` lists, `kubelet.same-name`, `Truncated`.
        """
        pod: Object = {}
        if container.state != "unknown":
            pod, seen = self._seen(container)
            if container.id and seen.id != container.id:
                raise errors.NotCheckpointable(
                    f"{container.name} was started anew since it was found",
                    hint="look again: cryoscope targets",
                    code="kubelet.container-changed",
                )
        place = self._place(container, pod)
        taken = capturing.take(self.way(), place, self.reach, options.timeout)
        client = self.cluster.client() if self.cluster.known else None
        brought = capturing.collect(self.cluster.reach, client, place, taken.path, sink, options.fetch)
        volumes = places.volumes(pod)
        return Captured(
            container=container,
            version=self._version(place.node),
            seconds=taken.seconds,
            location=taken.path,
            collected=brought is not None,
            left_out=[standing.left_out(volumes)] if volumes else [],
            notes=[f"taken at attempt {taken.tries}"] if taken.tries > 1 else [],
            answers=[f"200 {taken.path}", *(brought or [])],
        )

    def restore_concerns(self, checkpoint: Checkpoint, options: RestoreOptions) -> Sequence[Concern]:
        """It cannot be restored here."""
        why = able.NO_RESTORE
        return [Concern(code="k8s.restore", weight=HARD, what=why.why, cure=why.cure)]

    def edits(self, checkpoint: Checkpoint, options: RestoreOptions) -> Edits:
        """None: nothing is restored here."""
        return Edits()

    def restore(self, archive: str, checkpoint: Checkpoint, options: RestoreOptions) -> Restored:
        """Raises `NoRestore`."""
        raise errors.NoRestore(able.NO_RESTORE.why, hint=able.NO_RESTORE.cure)

    def way(self) -> Way:
        """The way to kubelets, made when first needed; raises what reading credentials does."""
        if self._way is None:
            with self.cluster.asking():
                self._way = self._way_of(self.reach, self.cluster.client() if self.cluster.known else None)
        return self._way

    # --- which one --------------------------------------------------------------------------

    def _pod_name(self) -> str:
        target = self.target
        return f"pod {target.namespace}/{target.pod}" if target and target.pod else "the cluster"

    def _only(self) -> Container:
        running = [found for found in self.list() if found.state == "running"]
        if len(running) == 1:
            return running[0]
        names = ", ".join(found.name for found in running[:10])
        if running:
            raise AmbiguousTarget(
                f"{self._pod_name()} has {len(running)} running containers: {names}",
                hint="name one, or take --all-containers",
            )
        raise NoSuchContainer(f"{self._pod_name()} has no running container", hint="kubectl describe pod")

    def _bare(self, name: str) -> Container:
        """A container of which only the name is known."""
        target = self.target or Target(scheme="k8s")
        return Container(
            engine=self.name,
            id="",
            name=name,
            state="unknown",
            target=str(target),
            namespace=target.namespace,
            pod=target.pod,
            node=target.node,
            capture=Ability(can=True),
            restore=able.NO_RESTORE,
        )

    def _containers(self, pod: Object) -> Sequence[Container]:
        return [self._container(pod, found) for found in places.containers(pod)]

    def _container(self, pod: Object, found: Found) -> Container:
        namespace, name = word(pod, "metadata", "namespace"), word(pod, "metadata", "name")
        via = "apiserver" if self.name == "apiserver" else "kubelet"
        target = Target(
            scheme="k8s",
            namespace=namespace,
            pod=name,
            reference=found.name,
            context=self.target.context if self.target else None,
            via=via,
        )
        runs = found.state == "running"
        return Container(
            engine=self.name,
            id=found.id,
            name=found.name,
            state=found.state,
            target=str(target),
            image=found.image,
            namespace=namespace,
            pod=name,
            node=word(pod, "spec", "nodeName") or None,
            capture=Ability(can=True) if runs else Ability(can=False, why=f"it does not run ({found.state})"),
            restore=able.NO_RESTORE,
        )

    def _seen(self, container: Container) -> tuple[Object, Found]:
        """The pod as it is now, and the container in it; raises `NoSuchContainer`."""
        pod = self.cluster.pod(container.namespace or "", container.pod or "")
        for found in places.containers(pod):
            if found.name == container.name:
                return pod, found
        raise errors.TargetGone(
            f"{container.pod} has no container {container.name} any more", hint="look again"
        )

    def _place(self, container: Container, pod: Object) -> Place:
        node = (
            (self.target.node if self.target else None)
            or word(pod, "spec", "nodeName")
            or container.node
            or ""
        )
        address = self._address(pod, node)
        return Place(
            namespace=container.namespace or "",
            pod=container.pod or "",
            container=container.name,
            node=node,
            address=address.host,
            port=address.port,
        )

    def _address(self, pod: Object, node: str) -> Address:
        if self.reach.kubelet:
            return address_of(self.reach.kubelet)
        if not node:
            raise errors.NotCheckpointable(
                f"{self._pod_name()} is on no node yet",
                hint="kubectl describe pod",
                code="kubelet.not-scheduled",
            )
        if not self.way().needs_address:
            return Address(host="")
        found = self.cluster.address(pod, node)
        if found is None:
            raise errors.Unreachable(
                f"node {node} has no address", hint="give --kubelet HOST:PORT", code="kubelet.no-address"
            )
        return found

    def _version(self, node: str) -> str:
        if not node or not self.cluster.known:
            return ""
        with suppress(EngineError):
            known = self.cluster.node(node)
            return f"{able.kubelet(known)}, {able.runtime(known)}".strip(", ")
        return ""
