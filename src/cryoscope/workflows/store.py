"""The store that the settings name, for whoever runs this."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from cryoscope.errors import CryoscopeError, Refused
from cryoscope.settings import Settings, config_home, settings, store_home
from cryoscope.workflows.roles import Operator, allow, operator

if TYPE_CHECKING:
    from cryoscope.evidence.keys import KeySigner, KeyTrust
    from cryoscope.evidence.ports import Blobs, Catalogue
    from cryoscope.evidence.store import Store

CATALOGUE, SIGNING, TRUSTED = "catalogue.sqlite", "signing.pem", "trusted"
NO_IDENTITY = "evidence.no-identity"
IDENTITIES = "CRYOSCOPE_IDENTITIES"
"""Files with keys to read encrypted evidence, beside those of the settings; with colons between."""


@contextlib.contextmanager
def store_for(
    action: str,
    *cases: str | None,
    reason: str = "",
    identities: Sequence[str] = (),
    trusted: Sequence[str] = (),
) -> Iterator[Store]:
    """The store, if a role allows the action; a refusal is written into the log of each of the cases.

    Raises `Refused` `role.refused`, `NoIdentity` with the way to name one.
    """
    chosen = settings()
    who = operator(chosen)
    with closing(_store(chosen, who, identities, trusted)) as store:
        try:
            allow(action, chosen, who)
        except Refused:
            for case in filter(None, cases):
                with contextlib.suppress(CryoscopeError):
                    store.write(case, "refused", reason=reason, details={"action": action})
            raise
        with _told_how_to_name_keys():
            yield store


@contextlib.contextmanager
def _told_how_to_name_keys() -> Iterator[None]:
    """An error about a key that is missing says how one is given."""
    try:
        yield
    except CryoscopeError as error:
        if error.code == NO_IDENTITY:
            error.hint = f"name a recipient's key file in ${IDENTITIES} or in the settings (identities)"
        raise


@contextlib.contextmanager
def catalogue_for(action: str) -> Iterator[Catalogue | None]:
    """The catalogue alone, for questions that need no key; None where there is no store yet."""
    chosen = settings()
    allow(action, chosen, operator(chosen))
    if not chosen.store.catalogue and not os.path.exists(os.path.join(store_home(chosen), CATALOGUE)):
        yield None
        return
    with closing(_catalogue(chosen, store_home(chosen))) as catalogue:
        yield catalogue


def _store(chosen: Settings, who: Operator, identities: Sequence[str], trusted: Sequence[str]) -> Store:
    from cryoscope.evidence.clock import now
    from cryoscope.evidence.forms import load_identities
    from cryoscope.evidence.store import Store

    home = store_home(chosen)
    found = load_identities(identity_files(chosen, identities))
    signer = own_key(chosen)
    trust = trust_of(chosen, trusted, signer)
    catalogue = _catalogue(chosen, home)
    try:
        return Store(
            catalogue,
            _blobs(chosen, home),
            signer,
            trust,
            operator=who.name,
            host=socket.gethostname(),
            clock=now,
            identities=found,
            recipients=chosen.encryption.recipients,
        )
    except BaseException:
        catalogue.close()
        raise


def _catalogue(chosen: Settings, home: str) -> Catalogue:
    from cryoscope.evidence.catalogue import open_catalogue

    if chosen.store.catalogue:
        return open_catalogue(chosen.store.catalogue)
    make_home(home)
    return open_catalogue("sqlite:///" + os.path.join(os.path.abspath(home), CATALOGUE))


def _blobs(chosen: Settings, home: str) -> Blobs:
    from cryoscope.evidence.blobs import open_blobs

    place = chosen.store
    return open_blobs(place.blobs, home=home, endpoint=place.endpoint, region=place.region)


def blobs_folder(chosen: Settings) -> str:
    """The folder of blobs that lies elsewhere than in the store's home; "" where there is none."""
    place = chosen.store.blobs.removeprefix("file://")
    return "" if "://" in place else place


def make_home(home: str) -> None:
    """The folder of the store, private."""
    from cryoscope.evidence.blobs.folder import make_folders

    if os.path.isdir(home) and not os.access(home, os.W_OK):
        raise CryoscopeError(
            f"the store at {home} cannot be written to, and every access is written down",
            hint="copy it to where you may write, and set CRYOSCOPE_HOME to the copy",
            code="store.read-only",
        )
    try:
        make_folders(os.path.abspath(home))
    except OSError as error:
        raise CryoscopeError(
            f"the store cannot be made at {home}: {error.strerror}",
            hint="set CRYOSCOPE_HOME to a folder that you may write to",
            code="store.home",
        ) from None


def identity_files(chosen: Settings, more: Sequence[str] = ()) -> list[str]:
    """Where keys to read encrypted evidence lie."""
    named = [name for name in os.environ.get(IDENTITIES, "").split(os.pathsep) if name]
    return [os.path.expanduser(name) for name in (*chosen.encryption.identities, *named, *more)]


def own_key(chosen: Settings) -> KeySigner:
    """The key that signs, made on first use."""
    from cryoscope.evidence.keys import outside, signer

    if blobs := blobs_folder(chosen):
        outside(key_path(chosen), blobs)
    return signer(key_path(chosen), store=store_home(chosen))


def own_key_if_any(chosen: Settings) -> KeySigner | None:
    """The key that signs, None where none was made yet."""
    return own_key(chosen) if os.path.lexists(key_path(chosen)) else None


def key_path(chosen: Settings) -> str:
    """Where the private key lies."""
    return os.path.expanduser(chosen.keys.signing) or os.path.join(config_home(), "keys", SIGNING)


def trust_of(chosen: Settings, more: Sequence[str], own: KeySigner | None) -> KeyTrust:
    """The public keys whose word counts: one's own, the settings', those that `case keys --trust` took."""
    from cryoscope.evidence.keys import outside, trust

    kept = [*(os.path.expanduser(path) for path in chosen.keys.trusted), *taken_keys()]
    for path in kept:
        for folder in filter(None, (store_home(chosen), blobs_folder(chosen))):
            outside(path, folder)
    return trust([*kept, *(os.path.expanduser(path) for path in more)], own=own)


def trusted_folder() -> str:
    """Where `case keys --trust` puts public keys."""
    return os.path.join(config_home(), TRUSTED)


def taken_keys() -> list[str]:
    """The public keys in that folder."""
    folder = trusted_folder()
    with contextlib.suppress(OSError):
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".pub")]
    return []
