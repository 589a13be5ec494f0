"""What to do about a claim that no edit answers, where its check has no better word: where to look, and
whether `--force` goes past it.
"""

from __future__ import annotations

from cryoscope.engines.port import HARD, SOFT

FORCE = "--force restores it all the same"
LIVE = "--live --force restores it as it is, on a machine that may be lost"
MEMBER = "see what it is with cryoscope cat ARCHIVE MEMBER"
IMAGE = "see the image with cryoscope decode ARCHIVE::MEMBER"
TREE = "see the entries with cryoscope fs ls ARCHIVE"
AGAIN = "take the checkpoint again, from a container that you know"
LOOK = {
    "bind": MEMBER,
    "criu": IMAGE,
    "docker": MEMBER,
    "document": MEMBER,
    "image": "see the names in config.dump with cryoscope cat, and name the right image with --image",
    "mount": MEMBER,
    "podman": MEMBER,
    "spec": MEMBER,
    "tree": TREE,
    "criu.cgroup-foreign": "it was moved there, or ran in another's: compare with the container's id",
    "criu.external-mount": "see its mounts with cryoscope mounts: what it needs must be declared again",
    "criu.file-device": "see its files with cryoscope files: close the device before the checkpoint",
    "criu.host-namespace": "see its namespaces with cryoscope inspect: capture it without the host's",
    "criu.incomplete": AGAIN,
    "criu.core-unreadable": AGAIN,
    "criu.socket-external": "see it with cryoscope sockets: end the connection before the checkpoint",
    "criu.user": "see its processes with cryoscope ps: the spec names the users that it may have",
    "member": "see the members with cryoscope ls ARCHIVE",
}
"""Where to look, by the code of a claim or what its code begins with."""


def cure_of(code: str, weight: str, *, strict: bool) -> str:
    """The cure of a claim; `strict` are those that are soft in a live restore.  Notes have none."""
    look = LOOK.get(code) or LOOK.get(code.partition(".")[0], AGAIN)
    if weight == SOFT:
        return f"{look}; {FORCE}"
    if weight == HARD:
        return f"{look}; {LIVE}" if strict else look
    return ""
