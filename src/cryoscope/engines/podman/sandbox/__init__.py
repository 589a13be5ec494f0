"""The copy of an archive that libpod is given.

libpod believes config.dump and spec.dump: it creates the container as they say, pulls the image they name,
makes the volumes, mounts whatever path, runs the hooks.  For a sandbox both are written anew from the few
fields that a container needs to go on (`config`, `spec`), never the stranger's with some taken out.

What the runtimes demand, found on crun 1.28 and runc 1.3.6 with CRIU 4.2.1:

- Each mount that CRIU noted as external must be in the spec under the same destination, with any source of
  the same kind: folders of the host become folders of a new volume (`mounts`).
- A network namespace that libpod had made was noted as external too: libpod must make one again, without
  networks in it; `none` as for `podman run --network none` fails (no /etc/resolv.conf is mounted then).
- One that the runtime had made is in the images and is made by CRIU.  A namespace shared with the host can be
  taken away by nobody: refused (`restore_concerns`).
- Limits of the spec hold from the first instruction: both runtimes make the cgroup before CRIU restores.
- What processes may do (user, capabilities, seccomp) comes from the images, not from the spec: that is vetted
  elsewhere (`engines.vetting`).  A user namespace cannot be put around a tree that had none.
- Flags of an external mount come from the images as well: that is where a copy of a volume is made read-only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.engines.podman import groups, live
from cryoscope.engines.podman.deleted import END, placeholders
from cryoscope.engines.podman.documents import CONFIG, NETWORK, ROOTFS, SPEC, Documents, edit
from cryoscope.engines.podman.sandbox import config as sandbox_config
from cryoscope.engines.podman.sandbox import spec as sandbox_spec
from cryoscope.engines.podman.sandbox.mounts import Plan, plan
from cryoscope.engines.port import Edits, RestoreOptions
from cryoscope.engines.readonly import read_only
from cryoscope.engines.vetting import merged

if TYPE_CHECKING:
    from cryoscope.engines.podman.engine import Podman


def edits(engine: Podman, checkpoint: Checkpoint, options: RestoreOptions) -> Edits:
    """What the copy must say instead; raises `EngineError` for an archive that is not Podman's."""
    documents = Documents(checkpoint)
    image = engine.image_id(options.image) if options.image else documents.text("rootfsImageID")
    if options.live:
        made = _live(engine, documents, image)
    else:
        made = _sandbox(engine, documents, image, options)
    if groups.IMAGE in checkpoint.archive:
        made.change[groups.IMAGE] = [groups.without_others()]
    if not options.live and not options.writable_volumes:
        made = merged(made, read_only(checkpoint, [each.destination for each in documents.volumes]))
    return _with_placeholders(made, documents, options)


def _live(engine: Podman, documents: Documents, image: str) -> Edits:
    volumes, path = documents.volumes, engine.info.store.volumePath

    def spec(document: dict[str, Any]) -> dict[str, Any]:
        return live.spec(document, volumes=volumes, volume_path=path)

    def config(document: dict[str, Any]) -> dict[str, Any]:
        return {**document, "rootfsImageID": image}

    return Edits(change={SPEC: [edit(spec)], CONFIG: [edit(config)]})


def _sandbox(engine: Podman, documents: Documents, image: str, options: RestoreOptions) -> Edits:
    made = plan(documents, options, engine.info.store.volumePath)
    name = documents.text("rootfsImageName")
    named = name if engine.image_id(name) == image else image

    def spec(document: dict[str, Any]) -> dict[str, Any]:
        return sandbox_spec.sandboxed(document, made, options)

    def config(document: dict[str, Any]) -> dict[str, Any]:
        network = documents.has_network
        return sandbox_config.sandboxed(document, made, image=image, name=named, network=network)

    change: dict[str, list[Any]] = {SPEC: [edit(spec)], CONFIG: [edit(config)]}
    if NETWORK in documents.checkpoint.archive:
        change[NETWORK] = [lambda _: b"{}"]
    return Edits(change=change, drop=_drop(documents, made), add=made.add, rename=made.rename)


def _drop(documents: Documents, made: Plan) -> list[str]:
    """Volumes in the archive that the container does not have, or that are not wanted."""
    names = documents.checkpoint.archive.names("volumes/")
    return [name for name in names if name not in made.rename]


def _with_placeholders(made: Edits, documents: Documents, options: RestoreOptions) -> Edits:
    front = b"" if options.ignore_rootfs else placeholders(documents.deleted)
    if not front:
        return made
    if ROOTFS in documents.checkpoint.archive:
        return msgspec.structs.replace(made, before={ROOTFS: front})
    return msgspec.structs.replace(made, add={**made.add, ROOTFS: front + END})
