"""The records that every engine's metadata becomes."""

from __future__ import annotations

from typing import Any

import msgspec


class Pod(msgspec.Struct, frozen=True, omit_defaults=True):
    """The Kubernetes pod of a container, as far as the archive says."""

    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    sandbox_id: str | None = None


class SpecMount(msgspec.Struct, frozen=True, omit_defaults=True):
    """A mount that the container was created with: OCI runtime spec, `mounts`.

    `host_path` is what the engine bound there, where it recorded that beside the spec.
    """

    destination: str
    type: str | None = None
    source: str | None = None
    options: list[str] = []
    host_path: str | None = None


class Network(msgspec.Struct, frozen=True, omit_defaults=True):
    """An interface that the engine attached: addresses are `address/prefix length`."""

    network: str
    interface: str
    addresses: list[str] = []
    gateways: list[str] = []
    mac: str | None = None


class BindMount(msgspec.Struct, frozen=True, omit_defaults=True):
    """An external bind mount that CRI-O wrote to bind.mounts, to be made again before a restore."""

    source: str
    destination: str
    file_type: str | None = None
    mode: str | None = None


class SpecProcess(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the container was created to run: OCI runtime spec, `process`."""

    args: list[str] = []
    env: list[str] = []
    cwd: str | None = None
    uid: int | None = None
    gid: int | None = None
    terminal: bool = False
    capabilities: dict[str, list[str]] = {}
    no_new_privileges: bool = False
    apparmor_profile: str | None = None
    selinux_label: str | None = None


class Container(msgspec.Struct, frozen=True, omit_defaults=True):
    """One container: what every engine says, and in `facts` what only its own engine does.

    `engine` is podman, cri-o, containerd, docker or criu, and `engine_evidence` what in the
    archive told so.  Times are RFC 3339 in UTC; `checkpointed_from` says where that time is from
    where the engine did not record it.  `image_annotations` are those of the OCI image that the
    checkpoint came in.
    """

    engine: str
    engine_evidence: str
    id: str | None = None
    name: str | None = None
    image: str | None = None
    image_id: str | None = None
    runtime: str | None = None
    created: str | None = None
    started: str | None = None
    checkpointed: str | None = None
    checkpointed_from: str | None = None
    restored: bool | None = None
    hostname: str | None = None
    pod: Pod | None = None
    ips: list[str] = []
    networks: list[Network] = []
    process: SpecProcess | None = None
    namespaces: dict[str, str | None] = {}
    mounts: list[SpecMount] = []
    bind_mounts: list[BindMount] = []
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    image_annotations: dict[str, str] = {}
    log_path: str | None = None
    facts: dict[str, Any] = {}
