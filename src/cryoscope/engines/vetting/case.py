"""An archive under a policy, as the checks ask about it: documents read once, claims weighed in one place."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.container.dumps import Dumps, objects, string_map, strings, take
from cryoscope.checkpoint.criu.imageset import ImageSet
from cryoscope.engines.port import HARD, NOTE, SOFT, Edits
from cryoscope.engines.vetting.cures import cure_of
from cryoscope.engines.vetting.records import Claim, Fix, Found, Policy
from cryoscope.engines.vetting.trees import Tree, read_trees
from cryoscope.errors import Damaged
from cryoscope.text import escape, readable

SPEC, CONFIG, STATUS = "spec.dump", "config.dump", "status.dump"
SHOWN = 200
"""Characters shown of what a stranger wrote."""


class Case:
    """A checkpoint under a policy; what could not be read of its documents is in `damaged`.

    With `given`, the engine's own edits, its documents are those that the engine would get.
    """

    def __init__(self, checkpoint: Checkpoint, policy: Policy, given: Edits | None = None) -> None:
        self.checkpoint = checkpoint
        self.policy = policy
        self._given = given or Edits()
        self._changed: dict[str, Any] = {}
        self.archive = checkpoint.archive
        self.prefix = checkpoint.prefix
        self.damaged: list[Damaged] = []
        self._dumps = Dumps(self.archive, self.damaged)

    @property
    def images(self) -> ImageSet:
        """CRIU's images."""
        return self.checkpoint.images

    @property
    def sandbox(self) -> bool:
        """Whether nothing of the host is granted but what is declared."""
        return not self.policy.live

    @property
    def takes_spec(self) -> bool:
        """Whether the engine makes the container from spec.dump.

        Podman does (libpod/runtime_ctr.go, RestoreContainer); a CRI runtime makes it from the request, and
        what Docker and CRIU restore into is made before.
        """
        return self.policy.engine == "podman"

    # --- documents --------------------------------------------------------------------------
    def document(self, name: str) -> dict[str, Any]:
        """A JSON document of the archive; empty if it is absent, unreadable or no object."""
        found = self._read(name)
        return found if isinstance(found, dict) else {}

    def _read(self, name: str) -> Any:
        """A document, with the changes that the engine itself makes of it."""
        if name not in self._changed:
            found, changes = self._dumps[name], self._given.change.get(name, [])
            if found is not None and changes:
                data = msgspec.json.encode(found)
                for change in changes:
                    data = change(data)
                found = msgspec.json.decode(data)
            self._changed[name] = found
        return self._changed[name]

    def listed(self, name: str) -> list[dict[str, Any]]:
        """A JSON document that is a list of objects."""
        return objects(self._read(name))

    @property
    def spec(self) -> dict[str, Any]:
        """The OCI runtime spec."""
        return self.document(SPEC)

    @property
    def config(self) -> dict[str, Any]:
        """The engine's own configuration."""
        return self.document(CONFIG)

    def object(self, *path: str) -> dict[str, Any]:
        """An object of the spec; empty if it is none."""
        return take(self.spec, *path, kind=dict) or {}

    def words(self, *path: str) -> list[str]:
        """A list of strings of the spec."""
        return strings(take(self.spec, *path, kind=list))

    @cached_property
    def mounts(self) -> list[dict[str, Any]]:
        """The mounts of the spec."""
        return objects(take(self.spec, "mounts", kind=list))

    @cached_property
    def annotations(self) -> dict[str, str]:
        """The annotations of the spec."""
        return string_map(self.spec.get("annotations"))

    @property
    def id(self) -> str:
        """The container's id as the engine's configuration has it; empty if unknown."""
        return take(self.config, "id", kind=str) or ""

    @cached_property
    def trees(self) -> list[Tree]:
        """The tars in the archive, walked once."""
        return read_trees(self.archive, self.prefix, self.damaged)

    # --- claims -----------------------------------------------------------------------------
    @property
    def strict(self) -> str:
        """The weight of what a sandbox refuses and a live restore leaves to the user."""
        return HARD if self.sandbox else SOFT

    def found(
        self, code: str, what: str, where: str, *fixes: Fix, weight: str | None = None, cure: str = ""
    ) -> Found:
        """A claim, cleaned if there are fixes; without a weight it is `strict`.

        One that is not cleaned has a cure: its own, or what `cures` knows for its code.
        """
        if not fixes and not cure:
            cure = cure_of(code, weight or self.strict, strict=weight is None)
        claim = Claim(
            code=code,
            weight=weight or self.strict,
            cleaned=bool(fixes),
            what=escape(what),
            where=escape(readable(where))[:SHOWN],
            cure=cure,
        )
        return Found(claim, fixes)

    def of_spec(self, code: str, what: str, field: str, *fixes: Fix, cure: str = "") -> Found:
        """A claim of the runtime spec, which is only told where the engine takes no spec from an archive.

        A sandbox is given the spec without it; a live restore is as the user decides.
        """
        where = f"{SPEC} {field}"
        if not self.takes_spec:
            return self.found(code, what + "; this engine does not take it", where, weight=NOTE)
        return self.found(code, what, where, *(fixes if self.sandbox else ()), cure=cure)


def shown(value: Any) -> str:
    """A stranger's value in a message."""
    text = value if isinstance(value, (str, bytes)) else repr(value)
    return escape(readable(text))[:SHOWN]
