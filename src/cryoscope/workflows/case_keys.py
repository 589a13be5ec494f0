"""`case keys`: the key that signs here, and those whose signatures count."""

from __future__ import annotations

import os
from collections.abc import Sequence

from cryoscope.settings import settings
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, answer
from cryoscope.workflows.store import own_key, trust_of, trusted_folder


class KeysPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """`public` (PEM) is the other half of the key that signs here, `trusted` the ids of all that count."""

    key_id: str
    public: str
    trusted: list[str] = []


def keys(*, trust: Sequence[str] = ()) -> Answer:
    """The public key, which is made on first use; `trust` are files with others to count from now on."""
    from cryoscope.evidence.keys import public_pem

    chosen = settings()
    for path in trust:
        _take(path)
    own = own_key(chosen)
    trusted = trust_of(chosen, (), own).key_ids
    part = KeysPart(archive="", key_id=own.key_id, public=public_pem(own).decode(), trusted=trusted)
    return answer("case-keys", [part], [], [])


def _take(path: str) -> None:
    """Copy the public keys of a file into the folder of trusted ones, each under its id."""
    from cryoscope.evidence.keys import trust

    found = trust([path])
    folder = trusted_folder()
    os.makedirs(folder, mode=0o700, exist_ok=True)
    for key in found.key_ids:
        place, draft = os.path.join(folder, f"{key}.pub"), os.path.join(folder, f".{key}")
        with open(draft, "wb") as file:
            file.write(found.public(key) or b"")
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, place)
