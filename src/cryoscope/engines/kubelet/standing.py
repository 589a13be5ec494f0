"""What stands against a capture by a kubelet: it takes a timeout and no other option."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.engines.kubelet.places import Found
from cryoscope.engines.port import HARD, NOTE, SOFT, CaptureOptions, Concern

CONF = "on the node, write {} into /etc/criu/runc.conf (crun: /etc/criu/crun.conf)"


def of_options(options: CaptureOptions) -> Iterator[Concern]:
    """What the kubelet has no words for."""
    if options.stop:
        yield Concern(
            code="kubelet.no-stop",
            weight=HARD,
            what="a kubelet always leaves the container running",
            cure="capture without --stop, then delete the pod",
        )
    if options.tcp != "refuse":
        name = "tcp-" + options.tcp
        yield Concern(
            code="kubelet.no-tcp",
            weight=SOFT,
            what=f"a kubelet has no option {name}: open connections make the capture fail",
            cure=CONF.format(name) + "; with that, --force",
        )
    if options.pre_checkpoint or options.with_previous:
        yield Concern(
            code="kubelet.no-pre-checkpoint",
            weight=HARD,
            what="a kubelet takes whole checkpoints only",
            cure="leave out --pre-checkpoint and --with-previous",
        )
    if options.file_locks:
        yield Concern(
            code="kubelet.no-file-locks",
            weight=NOTE,
            what="a kubelet has no option for file locks: CRI-O keeps them, containerd fails on them",
            cure=CONF.format("file-locks"),
        )
    if options.ignore_rootfs:
        yield Concern(
            code="kubelet.no-ignore-rootfs", weight=NOTE, what="changed files will be in the archive anyway"
        )
    if options.compression != "none":
        yield Concern(
            code="kubelet.no-compression", weight=NOTE, what="the node writes its archive without compression"
        )


def of_place(found: Found, options: CaptureOptions) -> Iterator[Concern]:
    """What the pod says against it; its volumes are told once, with the capture (`left_out`)."""
    if found.state in ("created", "exited"):
        yield Concern(
            code="kubelet.container-not-running",
            weight=HARD,
            what=f"container {found.name} does not run ({found.kind}, {found.state})",
            cure="only running containers have processes to capture",
        )
    if found.probed:
        yield Concern(
            code="kubelet.probe",
            weight=NOTE,
            what=f"{found.name} has a liveness probe, which goes on while it is frozen",
            cure="a large container may be restarted: lengthen the probe's failureThreshold",
        )
    if options.fetch == "none":
        yield Concern(
            code="kubelet.stays",
            weight=NOTE,
            what="the archive stays on the node: kubelets never take archives away",
            cure="--fetch reader-pod brings it here",
        )


def left_out(volumes: list[str]) -> str:
    """The volumes that will be missing, in a line."""
    more = f" and {len(volumes) - 10} more" if len(volumes) > 10 else ""
    return f"contents of the volumes {', '.join(volumes[:10])}{more}: kubelets do not take them"
