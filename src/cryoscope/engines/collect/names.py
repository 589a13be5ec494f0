"""What the kubelet names an archive (kubernetes, pkg/kubelet/kubelet.go, CheckpointContainer).

    <root-dir>/checkpoints/checkpoint-<pod>_<namespace>-<container>-<RFC 3339, seconds>.tar

The answer of a kubelet is a stranger's: before it is used as a path it must have this form.
"""

from __future__ import annotations

import posixpath
import re

from cryoscope.engines.collect.errors import CollectError
from cryoscope.text import escape, readable

FILE = re.compile(
    r"checkpoint-[a-z0-9][a-z0-9.-]{0,252}_[a-z0-9-]{1,63}-[a-z0-9-]{1,63}-"
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})\.tar"
)
FOLDER = re.compile(r"(/[A-Za-z0-9_.@+-]{1,255}){1,32}")
"""Folders as administrators name them; nothing that a shell or a URL would read."""


def split(path: str) -> tuple[str, str]:
    """The folder and the name of an archive; raises `CollectError` (collect.name)."""
    folder, name = posixpath.split(path)
    if FILE.fullmatch(name) and FOLDER.fullmatch(folder) and posixpath.normpath(folder) == folder:
        return folder, name
    shown = escape(readable(path)[:200])
    raise CollectError(
        f"{shown} is no name that a kubelet gives an archive",
        hint="look on the node, in `checkpoints` below the kubelet's --root-dir",
        code="collect.name",
    )
