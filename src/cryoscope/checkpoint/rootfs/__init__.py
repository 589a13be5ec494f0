"""What the container changed in its file system, and files that only exist as open descriptors.

Podman and CRI-O write rootfs-diff.tar plain, with the deleted paths as JSON in deleted.files;
containerd writes a gzip layer with white-outs (OCI image-spec, layer.md).  CRIU adds what lay on
tmpfs mounts and the files that were deleted while open, Podman /dev/shm and its volumes.
"""

from cryoscope.checkpoint.rootfs.changes import Change, changes_of
from cryoscope.checkpoint.rootfs.ghosts import GhostFile, ghosts_of
from cryoscope.checkpoint.rootfs.records import Before, FileEntry, OpenIn
from cryoscope.checkpoint.rootfs.tree import FileTree

__all__ = ["Before", "Change", "FileEntry", "FileTree", "GhostFile", "OpenIn", "changes_of", "ghosts_of"]
