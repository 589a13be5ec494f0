"""What stands against a restore, said before it; and which image it is of."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from typing import Any

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.engines.docker.concerns import RUNC_CONF
from cryoscope.engines.docker.daemon import Daemon
from cryoscope.engines.docker.network import HOLDER
from cryoscope.engines.docker.original import Original, original_of
from cryoscope.engines.docker.pause import PROGRAMS
from cryoscope.engines.docker.places import NAME
from cryoscope.engines.docker.settings import Old
from cryoscope.engines.host import Host
from cryoscope.engines.port import (
    HARD,
    NOTE,
    SOFT,
    Concern,
    EngineError,
    NoSuchContainer,
    RestoreOptions,
)
from cryoscope.engines.preflight.criu import configuration
from cryoscope.text import escape, readable

HOST, OTHER = "host", "container:"
NETWORK_CURE = "leave --live out, or join the network of a running container with --pod CONTAINER"


def image_of(daemon: Daemon, old: Old, options: RestoreOptions) -> tuple[str | None, bool]:
    """The id of the image that a new container gets, and whether it is the one of the checkpoint."""
    wanted = [options.image] if options.image else [old.image, str(old.config.get("Image") or "")]
    for reference in filter(None, wanted):
        found = _image(daemon, reference)
        if found is not None:
            return found, not old.image or found == old.image
    return None, False


def _image(daemon: Daemon, reference: str) -> str | None:
    if "?" in reference or "#" in reference or ".." in reference or not reference.isprintable():
        return None
    try:
        return str(daemon.ask("GET", f"/images/{reference}/json")["Id"])
    except EngineError as error:
        if not hasattr(error, "said"):
            raise
    return None


def of_restore(
    checkpoint: Checkpoint, daemon: Daemon, host: Host, options: RestoreOptions
) -> Iterator[Concern]:
    """What the archive is, and what was asked for."""
    if checkpoint.container.engine != "docker":
        yield _hard(
            "foreign",
            f"it is a checkpoint of {escape(checkpoint.container.engine)}, not of docker",
            f"restore it with --to {escape(checkpoint.container.engine)}",
        )
        return
    original = original_of(checkpoint, daemon)
    if original is None:
        yield _hard(
            "settings-missing",
            "the archive holds no settings of the container, and docker has not that container either",
            "capture it with `cryoscope capture docker://NAME`, which keeps them",
        )
        return
    yield from _names(daemon, options)
    yield from _image_concerns(daemon, original, options)
    yield from _options(options)
    yield from tcp(checkpoint, host, options)
    if options.live:
        yield from _live(daemon, original.old, options)
    else:
        yield from _sandbox(original.old, options)


def _names(daemon: Daemon, options: RestoreOptions) -> Iterator[Concern]:
    if not NAME.match(options.name):
        yield _hard(
            "name", f"{_text(options.name)} is no name for docker", "letters, digits, _ . - (two at least)"
        )
        return
    for name in [options.name] if options.live else [options.name, options.name + HOLDER]:
        if _state(daemon, name) is not None:
            yield _hard(
                "name-taken",
                f"there is a container {name}",
                f"docker rm --force {name}, or give another --name",
            )


def _state(daemon: Daemon, name: str) -> dict[str, Any] | None:
    """The state of a container; None if there is none of that name."""
    try:
        return dict(daemon.ask("GET", f"/containers/{name}/json").get("State") or {})
    except NoSuchContainer:
        return None


def _runs(daemon: Daemon, name: str) -> bool:
    return bool(NAME.match(name) and (_state(daemon, name) or {}).get("Running"))


def _image_concerns(daemon: Daemon, original: Original, options: RestoreOptions) -> Iterator[Concern]:
    found, same = image_of(daemon, original.old, options)
    named = _text(options.image or original.old.config.get("Image") or original.old.image)
    if found is None:
        yield _hard(
            "image-missing", f"docker has not the image {named}", f"docker pull {named}, or docker load"
        )
    elif not same:
        yield Concern(
            code="docker.image-differs",
            weight=SOFT,
            what=f"the image {named} is {_short(found)}, the checkpoint is of {_short(original.old.image)}",
            cure="load the same image: programs that differ from the memory of their processes crash",
        )


def _options(options: RestoreOptions) -> Iterator[Concern]:
    if options.publish:
        yield _hard("publish", "docker cannot publish ports of a restored container", "leave --publish out")
    if options.pod and not options.live:
        yield _hard("pod", "a sandbox joins nobody's network", "leave --pod out, or give --live")


def tcp(checkpoint: Checkpoint, host: Host, options: RestoreOptions) -> Iterator[Concern]:
    """Docker has no words for open connections: what becomes of them is in a file of its host."""
    sockets = [held.socket for held in checkpoint.sockets if held.socket.protocol == "tcp"]
    count = sum(each.state == "ESTABLISHED" for each in sockets)
    given = configuration(host, [RUNC_CONF])
    found = [word for word in ("established", "close") if f"tcp-{word}" in given]
    if not count or options.tcp in found:
        return
    then = f"there is tcp-{found[0]}" if found else "without a word there CRIU refuses them"
    word = options.tcp if options.tcp != "refuse" else "close"
    yield Concern(
        code="docker.tcp",
        weight=NOTE,
        what=f"it has {count} open TCP connections, and docker takes no option: {RUNC_CONF} decides, {then}",
        cure=f"put the line tcp-{word} into {RUNC_CONF} of the daemon's machine: runc has CRIU read it",
    )


def _live(daemon: Daemon, old: Old, options: RestoreOptions) -> Iterator[Concern]:
    joined = options.pod or old.network.removeprefix(OTHER)
    if not options.pod and old.network != HOST and not old.network.startswith(OTHER):
        yield _hard(
            "restore-network",
            f"docker restores with the network of the host or of another container, not {_text(old.network)}",
            NETWORK_CURE,
        )
    elif (options.pod or old.network != HOST) and not _runs(daemon, joined):
        yield _hard("restore-network", f"the container {_text(joined)} does not run", NETWORK_CURE)
    elif options.pod:
        what = f"docker has no pods: with --pod it joins the network of the container {_text(joined)}"
        yield Concern(code="docker.pod", weight=NOTE, what=what)


def _sandbox(old: Old, options: RestoreOptions) -> Iterator[Concern]:
    if platform.machine() not in PROGRAMS:
        yield _hard(
            "sandbox-network",
            f"there is no empty container for {platform.machine()} whose network could be joined",
            "restore with podman, or with --live on a machine that may be lost",
        )
    if old.host.get("Privileged") or old.host.get("CapAdd"):
        yield _hard(
            "sandbox-rights",
            "its processes had more rights than a sandbox gives, and CRIU gives back what they had",
            "restore it with --live on a machine that may be lost",
        )
    for key, what in (("PidMode", "processes"), ("IpcMode", "shared memory"), ("UTSMode", "name")):
        mode = str(old.host.get(key) or "")
        if mode == HOST or mode.startswith(OTHER):
            yield _hard(
                "sandbox-namespace",
                f"it shared the {what} of the host or of another container",
                "restore it with --live on a machine that may be lost",
            )
    for each in old.mounts:
        if each.get("Type") == "bind":
            yield Concern(
                code="docker.sandbox-bind",
                weight=NOTE,
                what=f"{_text(each.get('Destination'))} was bound from the host: it is empty in the sandbox",
            )


def _hard(code: str, what: str, cure: str) -> Concern:
    return Concern(code=f"docker.{code}", weight=HARD, what=what, cure=cure)


def _short(id_: str) -> str:
    return _text(id_.removeprefix("sha256:")[:12])


def _text(value: Any) -> str:
    return escape(readable(str(value)))[:200]
