"""What a thread may do: ids, capabilities, securebits, LSM label.

Defined in CRIU's images/creds.proto; capability numbers in linux/capability.h.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cryoscope.checkpoint.criu.names import capabilities
from cryoscope.text import readable


class Credentials(msgspec.Struct, frozen=True, omit_defaults=True):
    """User and group ids as numbers inside the container's user namespace, capabilities by name."""

    uid: int
    euid: int
    suid: int
    fsuid: int
    gid: int
    egid: int
    sgid: int
    fsgid: int
    groups: list[int] = []
    cap_inheritable: list[str] = []
    cap_permitted: list[str] = []
    cap_effective: list[str] = []
    cap_bounding: list[str] = []
    cap_ambient: list[str] = []
    securebits: int = 0
    no_new_privs: bool = False
    lsm_profile: str | None = None


def credentials_of(entry: Any) -> Credentials:
    """The record of a `creds_entry`."""
    return Credentials(
        uid=entry.uid,
        euid=entry.euid,
        suid=entry.suid,
        fsuid=entry.fsuid,
        gid=entry.gid,
        egid=entry.egid,
        sgid=entry.sgid,
        fsgid=entry.fsgid,
        groups=list(entry.groups),
        cap_inheritable=capabilities(entry.cap_inh),
        cap_permitted=capabilities(entry.cap_prm),
        cap_effective=capabilities(entry.cap_eff),
        cap_bounding=capabilities(entry.cap_bnd),
        cap_ambient=capabilities(entry.cap_amb),
        securebits=entry.secbits,
        no_new_privs=bool(entry.no_new_privs),
        lsm_profile=readable(entry.lsm_profile) or None,
    )
