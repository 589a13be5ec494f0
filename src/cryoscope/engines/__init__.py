"""Who makes and runs checkpoints: one engine a package, each with capture and restore, behind one port.

    podman://NAME                          podman      REST socket
    docker://NAME                          docker      the daemon's API
    cri://[containerd|crio]/CONTAINER      cri         gRPC on the runtime's socket
    pid://1234                             criu        CRIU itself, on a process tree
    k8s://namespace/pod[/container]        kubelet     POST /checkpoint on the node, by default
                                           apiserver   the same through the node proxy: `?via=apiserver`

`port` is what each of them does and the records that travel; `target` reads the URLs; `host` says where the
machine of an engine is seen from here.  To add an engine: a package with `connect` and `discover`, and its
line in `ENGINES`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from cryoscope.engines.target import Target

if TYPE_CHECKING:
    from cryoscope.engines.port import Engine, Reach

ENGINES = {
    "podman": "cryoscope.engines.podman",
    "docker": "cryoscope.engines.docker",
    "cri": "cryoscope.engines.cri",
    "pid": "cryoscope.engines.criu",
    "k8s": "cryoscope.engines.kubelet",
    "k8s+apiserver": "cryoscope.engines.apiserver",
}
"""The package of each scheme of a target; imported when a target asks for it."""


def connect(target: Target, reach: Reach) -> Engine:
    """The engine that has a target; raises `EngineUnreachable` with the cure if it does not answer."""
    found: Engine = import_module(ENGINES[target.kind]).connect(target, reach)
    return found


def discover(reach: Reach, names: Sequence[str] = ()) -> Iterator[Engine]:
    """Every engine that is found here: those whose socket or program is there, whether it answers or not.

    With `names` (as `Engine.name`), only those are looked for.
    """
    for package in ENGINES.values():
        if not names or package.rpartition(".")[2] in names:
            yield from import_module(package).discover(reach)
