"""What keys and tokens say of themselves: when a token was issued, begins and ends, when a key was made.

JSON Web Tokens (RFC 7519: iat, nbf, exp) and OpenPGP keys, wherever they were found; the tokens
are not shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from cryoscope.examine.timeline.asked import Asked
from cryoscope.examine.timeline.moments import parse
from cryoscope.examine.timeline.records import Event, Moment

if TYPE_CHECKING:
    from cryoscope.examine.secrets import Finding

SOURCE = "secret"
RULES = ("jwt", "kubernetes-token", "private-key-pgp", "private-key-pgp-packet")
"""Rules of `examine.secrets` whose details have times."""

KINDS = {
    "iat": "token issued",
    "nbf": "token valid from",
    "exp": "token expires",
    "created": "key created",
}
SAID = ("iss", "sub", "aud", "namespace", "pod", "service_account", "azp", "client_id", "algorithm")


def look(asked: Asked) -> Iterator[Event]:
    """The times of every token and key among the secrets that were found."""
    for found in asked.secrets:
        if found.rule in RULES:
            yield from _times(asked, found)


def _times(asked: Asked, found: Finding) -> Iterable[Event]:
    who = found.processes[0] if found.processes else None
    place = found.places[0] if found.places else None
    for field, kind in KINDS.items():
        value = found.details.get(field)
        moment = parse(value) if isinstance(value, str) else None
        yield from asked.event(
            None if moment is None else Moment(moment.ns, "s"),
            SOURCE,
            kind,
            _text(found),
            pid=who.pid if who else None,
            comm=who.comm if who else None,
            path=place.path if place else None,
            member=place.member if place else None,
        )


def _text(found: Finding) -> str:
    said = [f"{key}={found.details[key]}" for key in SAID if found.details.get(key)]
    others = len(found.processes) - 1
    more = f" (and {others} processes more)" if others > 0 else ""
    return " ".join([found.title, *said]) + more
