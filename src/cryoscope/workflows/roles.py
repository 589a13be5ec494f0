"""Who may do what: the roles of the settings, asked before anything is opened, captured or taken away.

Servers enforce them.  For a command-line user they are advice that is written down: whoever can read the
files and the settings can go around the command.
"""

from __future__ import annotations

import grp
import os
import pwd

import msgspec

from cryoscope.errors import Refused, UsageError
from cryoscope.settings import EVERYTHING, Role, Settings, settings
from cryoscope.text import readable

ANYBODY = ANYTHING = "*"
SAME = {"new": "add", "release": "hold", "list": "read", "show": "read", "log": "read", "head": "read"}
"""Actions that are allowed with another one."""
NAME = 200
"""Characters of an operator's name that are kept."""


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts: `name` is what logs say, `user` and `groups` are what roles go by."""

    name: str
    user: str
    groups: tuple[str, ...] = ()


def operator(chosen: Settings) -> Operator:
    """The user of the system who runs this process, under the name that the settings give."""
    user = _user(os.getuid())
    groups = tuple(_group(number) for number in sorted({os.getgid(), *os.getgroups()}))
    behind = os.environ.get("SUDO_USER", "") if os.getuid() == 0 else ""
    name = chosen.operator or (f"{behind} (sudo)" if behind else user)
    return Operator(name=readable(name)[:NAME], user=user, groups=groups)


def permit(action: str) -> None:
    """Whether the settings allow it to whoever runs this; raises `Refused` `role.refused`."""
    chosen = settings()
    allow(action, chosen, operator(chosen))


def allow(action: str, chosen: Settings, who: Operator) -> None:
    """Raises `Refused` `role.refused` unless a role allows it; without any role, everything is allowed."""
    if not chosen.roles:
        return
    for name, role in chosen.roles.items():
        _known(name, role)
    wanted = SAME.get(action, action)
    if any(_is_in(who, role) and _may(role, wanted) for role in chosen.roles.values()):
        return
    raise Refused(
        f"no role lets {who.user} {action}",
        hint=f"roles are in {chosen.path or 'the settings'}; whoever keeps them can add you",
        code="role.refused",
    )


def _is_in(who: Operator, role: Role) -> bool:
    return ANYBODY in role.users or who.user in role.users or bool({*who.groups} & {*role.groups})


def _may(role: Role, action: str) -> bool:
    return ANYTHING in role.may or action in role.may


def _known(name: str, role: Role) -> None:
    """A word that no action has would allow nothing, and nobody would see it."""
    unknown = {*role.may} - {ANYTHING, *EVERYTHING}
    if unknown:
        raise UsageError(
            f"the role {readable(name)} allows what there is not: {readable(min(unknown))}",
            hint=f"one of {', '.join(EVERYTHING)} or *",
            code="settings.role",
        )


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
