"""One file out of a reader: its bytes on standard output, what it is on standard error.

The digest is computed in the pod while the file streams, over the whole of it: what the API server or
a kubelet lost or cut off on the way (they do, and report success) is noticed, and taken up again.
"""

from __future__ import annotations

import hashlib
import re
import time

import msgspec

from cryoscope.engines.collect import pod as pods
from cryoscope.engines.collect.errors import CollectError
from cryoscope.engines.collect.pod import Settings
from cryoscope.engines.port import Sink
from cryoscope.kubeapi.client import Client
from cryoscope.kubeapi.errors import ExecFailed, Forbidden, KubeError, TimedOut, Unreachable, shown
from cryoscope.kubeapi.streams import Ended

TRIES = 5
"""Streams in a row that brought nothing before it is given up."""
MISSING, UNSAFE, UNREADABLE, CHANGED = 44, 45, 46, 49
"""Exit codes of `SCRIPT`, away from those of shells (126 and up) and programs (1, 2)."""

SCRIPT = f"""
f={pods.MOUNT}/$1
[ -e "$f" ] || [ -L "$f" ] || exit {MISSING}
[ -f "$f" ] && [ ! -L "$f" ] && [ -O "$f" ] || exit {UNSAFE}
was=$(stat -c '%s %Y %Z %i' "$f") && [ -r "$f" ] || exit {UNREADABLE}
sha256sum < "$f" >&2 &
tail -c "+$2" "$f" || exit {UNREADABLE}
wait $! || exit {UNREADABLE}
[ "$was" = "$(stat -c '%s %Y %Z %i' "$f")" ] || exit {CHANGED}
echo "size ${{was%% *}}" >&2
"""
"""For any sh: what is read is a plain file of the reader's own user, from byte $2 (the first is 1), and did
not change meanwhile.  The digest is of the whole file; both readings share the node's page cache."""

DIGEST = re.compile(rb"^([0-9a-f]{64})\b", re.MULTILINE)
SIZE = re.compile(rb"^size ([0-9]{1,19})$", re.MULTILINE)


class Told(msgspec.Struct, frozen=True):
    """What the pod says of the file."""

    size: int
    sha256: str


class Reading:
    """A file on its way: what came so far, its digest, and how often the stream was taken up again."""

    def __init__(self, client: Client, settings: Settings, pod: str, name: str, sink: Sink) -> None:
        self.client = client
        self.settings = settings
        self.pod = pod
        self.name = name
        self.sink = sink
        self.size = 0
        self.digest = hashlib.sha256()
        self.resumed = 0
        self.end = time.monotonic() + settings.deadline

    def through(self) -> Told:
        """Read to the end and compare; raises `CollectError`."""
        idle = 0
        while True:
            before = self.size
            told = self._once()
            if told is not None and self.size >= told.size:
                return self._compared(told)
            idle = idle + 1 if self.size == before else 0
            if idle >= TRIES:
                raise CollectError(
                    f"the stream of {self.name} broke off after {self.size} bytes",
                    hint="the network to the API server is not stable; the archive is still on its node",
                    code="collect.broken",
                )
            self.resumed += 1

    def _once(self) -> Told | None:
        """One stream, from where the last one ended; None if it was cut."""
        command = ["sh", "-c", SCRIPT, "reader", self.name, str(self.size + 1)]
        try:
            ended = self.client.exec(
                self.settings.namespace,
                self.pod,
                pods.CONTAINER,
                command,
                output=self._take,
                timeout=max(1.0, self.end - time.monotonic()),
            )
        except (Unreachable, ExecFailed) as error:
            if error.code == "k8s.stream-cut":
                return None
            raise _failed(error) from None
        except KubeError as error:
            raise _failed(error) from None
        return _told(ended, self.name)

    def _take(self, block: bytes) -> None:
        self.digest.update(block)
        self.size += len(block)
        self.sink.write(block)

    def _compared(self, told: Told) -> Told:
        if (self.size, self.digest.hexdigest()) == (told.size, told.sha256):
            return told
        raise CollectError(
            f"what came of {self.name} is not what its node read: {self.size} bytes with SHA-256 "
            f"{self.digest.hexdigest()[:16]}…, there {told.size} with {told.sha256[:16]}…",
            hint="collect it once more; do not use this copy",
            code="collect.digest",
        )


def _told(ended: Ended, name: str) -> Told | None:
    """What the pod says; None if that was lost on the way, since the script does not succeed without."""
    if ended.code:
        raise _exit(ended, name)
    size, digest = SIZE.search(ended.errors), DIGEST.search(ended.errors)
    return Told(int(size[1]), digest[1].decode("ascii")) if size and digest else None


def _exit(ended: Ended, name: str) -> CollectError:
    said = shown(ended.errors)
    about = {
        MISSING: ("missing", f"there is no {name} on the node", "was it removed? list the node's folder"),
        UNSAFE: ("unsafe", f"{name} is a link, or not a plain file of root", "look at it on the node"),
        UNREADABLE: (
            "unreadable",
            f"{name} cannot be read: {said or 'no reason given'}",
            "on nodes with SELinux set `selinux: spc_t` in the ConfigMap cryoscope-reader",
        ),
        CHANGED: (
            "changed",
            f"{name} changed while it was read",
            "another capture wrote to it: capture again",
        ),
    }
    code, what, cure = about.get(
        ended.code,
        (
            "image-tools",
            f"reading ended with {ended.code}: {said or 'no reason given'}",
            "the reader's image needs sh, stat, tail and sha256sum",
        ),
    )
    return CollectError(what, hint=cure, code="collect." + code)


def _failed(error: KubeError) -> CollectError:
    if isinstance(error, Forbidden):
        return CollectError(error.message, hint=error.hint, code="collect.denied")
    if isinstance(error, TimedOut):
        return CollectError(
            "the archive did not come in time", hint="it is still on its node", code="collect.deadline"
        )
    code = "image-tools" if "executable" in error.message else "broken"
    return CollectError(error.message, hint="the reader's image needs sh", code="collect." + code)
