"""What the container changed in its file system, and files that only exist as open descriptors.

Podman and CRI-O write rootfs-diff.tar plain, with the deleted paths as JSON in deleted.files;
containerd writes a gzip layer with white-outs (OCI image-spec, layer.md).
"""

from cryoscope.checkpoint.rootfs.changes import Change, changes_of
from cryoscope.checkpoint.rootfs.ghosts import GhostFile, ghosts_of

__all__ = ["Change", "GhostFile", "changes_of", "ghosts_of"]
