"""What Podman's API answers, as far as it is used; anything else in it is passed over.
Go writes null for lists and maps that are empty.

Defined in podman libpod/define/{info,container_inspect}.go and pkg/domain/entities/types/container_ps.go.
"""

from __future__ import annotations

import msgspec


class Named(msgspec.Struct, frozen=True, rename="lower"):
    name: str = ""
    path: str = ""
    version: str = ""


class Security(msgspec.Struct, frozen=True):
    rootless: bool = False


class HostInfo(msgspec.Struct, frozen=True):
    ociRuntime: Named = Named()  # noqa: N815
    security: Security = Security()
    kernel: str = ""
    cgroupVersion: str = ""  # noqa: N815


class Store(msgspec.Struct, frozen=True):
    volumePath: str = ""  # noqa: N815


class Version(msgspec.Struct, frozen=True):
    Version: str = ""


class Info(msgspec.Struct, frozen=True):
    """GET /info."""

    host: HostInfo = HostInfo()
    store: Store = Store()
    version: Version = Version()

    @property
    def runtime(self) -> str:
        """What restores here: the service's own runtime, whatever the archive says."""
        return self.host.ociRuntime.name


class Listed(msgspec.Struct, frozen=True):
    """A row of GET /containers/json."""

    Id: str
    Names: list[str] | None = None
    Image: str = ""
    State: str = ""
    Pid: int = 0
    PodName: str = ""
    IsInfra: bool = False


class State(msgspec.Struct, frozen=True):
    Status: str = ""
    Pid: int = 0


class Mount(msgspec.Struct, frozen=True):
    Type: str = ""
    Source: str = ""
    Destination: str = ""


class LogConfig(msgspec.Struct, frozen=True):
    Type: str = ""


class HostConfig(msgspec.Struct, frozen=True):
    AutoRemove: bool = False
    LogConfig: LogConfig = LogConfig()


class Inspected(msgspec.Struct, frozen=True):
    """GET /containers/NAME/json."""

    Id: str
    Name: str = ""
    State: State = State()
    Pod: str = ""
    Image: str = ""
    StaticDir: str = ""
    OCIRuntime: str = ""
    Dependencies: list[str] | None = None
    Mounts: list[Mount] | None = None
    HostConfig: HostConfig = HostConfig()


class Image(msgspec.Struct, frozen=True):
    """GET /images/NAME/json."""

    Id: str


class VolumeFound(msgspec.Struct, frozen=True):
    """GET /volumes/NAME/json."""

    Name: str


class Report(msgspec.Struct, frozen=True):
    """POST /containers/NAME/restore."""

    Id: str
    runtime_restore_duration: int = 0


class Failure(msgspec.Struct, frozen=True):
    """The body of every error (podman pkg/errorhandling/errorhandling.go)."""

    cause: str = ""
    message: str = ""
