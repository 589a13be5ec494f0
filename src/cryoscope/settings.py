"""What a user or a site has set, once: one TOML file, and a few variables of the environment over it.

`$CRYOSCOPE_SETTINGS`, else `$XDG_CONFIG_HOME/cryoscope/settings.toml`, else `/etc/cryoscope/settings.toml`:
the first that is there, whole.  A setting that is not known is an error, not a silence.
"""

from __future__ import annotations

import functools
import os
import tomllib
from pathlib import Path

import msgspec

from cryoscope.errors import UsageError

EVERYTHING = ("capture", "add", "read", "search", "reveal", "export", "verify", "hold", "note", "prune")
"""What a role can allow; `*` allows all of it."""


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A table of the file."""


class Store(Part, frozen=True, kw_only=True):
    """Where evidence lies: `catalogue` is "" (SQLite in `home`) or a `postgresql://` URL.

    `blobs` is "" (a folder in `home`) or `s3://BUCKET/PREFIX`, at `endpoint` in `region`.
    """

    home: str = ""
    catalogue: str = ""
    blobs: str = ""
    endpoint: str = ""
    region: str = ""


class Keys(Part, frozen=True, kw_only=True):
    """`signing` is a private key (PEM, made on first use), `trusted` are public ones whose word counts."""

    signing: str = ""
    trusted: list[str] = []


class Encryption(Part, frozen=True, kw_only=True):
    """age: `recipients` of everything that is added, `identities` files with the keys to read it."""

    recipients: list[str] = []
    identities: list[str] = []


class Retention(Part, frozen=True, kw_only=True):
    """What may be kept, in all and per each of `per`; sizes as "20GiB", ages as "90d"; "" and 0: no bound.

    `per` is "all", "case", "namespace", "pod" or "container".
    """

    per: str = "all"
    count: int = 0
    age: str = ""
    size: str = ""


class Budget(Part, frozen=True, kw_only=True):
    """What a capture or `add` must leave: `store` bytes at most in the store, `free` bytes of its disk."""

    store: str = ""
    free: str = ""


class Role(Part, frozen=True, kw_only=True):
    """Who may do what: `users` and `groups` of the system (`*`: everybody), `may` from `EVERYTHING`."""

    users: list[str] = []
    groups: list[str] = []
    may: list[str] = []


class Settings(Part, frozen=True, kw_only=True):
    """All of it; `operator` is the name in custody logs ("": the user of the system)."""

    operator: str = ""
    store: Store = Store()
    keys: Keys = Keys()
    encryption: Encryption = Encryption()
    retention: list[Retention] = []
    budget: Budget = Budget()
    roles: dict[str, Role] = {}
    path: str = ""


def places() -> list[str]:
    """Where the file is looked for, in order."""
    if named := os.environ.get("CRYOSCOPE_SETTINGS"):
        return [named]
    return [os.path.join(config_home(), "settings.toml"), "/etc/cryoscope/settings.toml"]


@functools.cache
def settings() -> Settings:
    """What is set; raises `UsageError` `settings.wrong` where the file cannot be understood."""
    found = next((place for place in places() if os.path.lexists(place)), None)
    if found is None:
        if named := os.environ.get("CRYOSCOPE_SETTINGS"):
            raise _wrong(named, "does not exist")
        return Settings()
    return read(found)


def read(path: str) -> Settings:
    """The settings of a file."""
    try:
        return msgspec.convert(tomllib.loads(Path(path).read_text("utf-8")) | {"path": path}, Settings)
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise _wrong(path, getattr(error, "strerror", None) or str(error)) from None


def config_home() -> str:
    """The folder of the user's keys and settings."""
    return os.path.join(os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"), "cryoscope")


def store_home(chosen: Settings) -> str:
    """The folder of the store: `$CRYOSCOPE_HOME`, the setting, or XDG's place for data."""
    if named := os.environ.get("CRYOSCOPE_HOME") or chosen.store.home:
        return os.path.expanduser(named)
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return os.path.join(data, "cryoscope")


def _wrong(path: str, why: str) -> UsageError:
    return UsageError(
        f"the settings cannot be read: {path}: {why}",
        hint="docs/settings.md has every setting; $CRYOSCOPE_SETTINGS names another file",
        code="settings.wrong",
    )
