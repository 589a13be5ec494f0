"""The network namespace of a restore, written into CRIU's images: the sandbox's, whatever it was.

CRIU gives a process tree the namespaces by which it differs from `root_ids` of inventory.img, the numbers
of the machine that dumped it (criu/pstree.c, prepare_pstree_kobj_ids).  A container with the host's network
differs in none, so CRIU restores it into the host's network, whatever network its new container has.  Here
every process differs, and netns-N.img names a namespace from outside: `extRootNetNS`, which runc hands over
open as the network that the new container joins (libcontainer/criu_linux.go,
handleRestoringExternalNamespaces).
"""

from __future__ import annotations

from typing import Any

from cryoscope.checkpoint.archive import Archive
from cryoscope.checkpoint.criu.extras import U32
from cryoscope.checkpoint.criu.framing import Image, head_bytes
from cryoscope.checkpoint.criu.images import IMAGE_TYPES
from cryoscope.checkpoint.criu.imageset import ImageSet
from cryoscope.checkpoint.criu.messages import encode, message_class
from cryoscope.checkpoint.process.task import ZOMBIES
from cryoscope.engines.port import EngineError

KEY = "extRootNetNS"
INVENTORY = "inventory.img"
NETNS = next(kind for kind in IMAGE_TYPES if kind.name == "NETNS")


def joining(archive: Archive, prefix: str) -> dict[str, bytes]:
    """Images to put in the place of those of an archive, by name; raises `EngineError`."""
    images = ImageSet(archive, prefix)
    inventory = images.image(INVENTORY)
    if inventory is None or not inventory.entries or not inventory.entries[0].message.HasField("root_ids"):
        raise _unclear("inventory.img does not say which namespaces were the machine's")
    numbers = _numbers(images)
    message = inventory.entries[0].message
    message.root_ids.net_ns_id = max(numbers) + 1
    outside = message_class("netns_entry")()
    outside.ext_key = KEY.encode() if isinstance(outside.ext_key, bytes) else KEY
    joined = head_bytes(NETNS, "common") + _entry(encode(outside))
    return {INVENTORY: _image(inventory, encode(message))} | {f"netns-{n}.img": joined for n in numbers}


def _numbers(images: ImageSet) -> set[int]:
    """The numbers of the processes' network namespaces; one that says none would be in the machine's own."""
    found = set()
    for process in images.messages("pstree.img"):
        if _is_zombie(images.first(f"core-{process.pid}.img")):
            continue  # it runs nothing any more, and CRIU writes no numbers for it
        ids = images.first(f"ids-{process.pid}.img")
        if ids is None or not ids.HasField("net_ns_id") or not 0 < ids.net_ns_id < 1 << 31:
            raise _unclear(f"the images do not say in which network process {process.pid} was")
        found.add(ids.net_ns_id)
    if not found:
        raise _unclear("the images name no process")
    return found


def _is_zombie(core: Any) -> bool:
    return core is not None and core.HasField("tc") and core.tc.task_state in ZOMBIES


def _image(image: Image, message: bytes) -> bytes:
    return head_bytes(image.type, image.head) + _entry(message)


def _entry(message: bytes) -> bytes:
    return U32.pack(len(message)) + message


def _unclear(why: str) -> EngineError:
    return EngineError(
        f"docker cannot keep it from the network: {why}",
        hint="restore it live on a machine that may be lost, or with podman",
        code="docker.sandbox-network",
    )
