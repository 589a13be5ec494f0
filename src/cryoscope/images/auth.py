"""Who one is for a registry: Docker's and Podman's files of credentials and the helpers that they name.

docker/cli, cli/config/configfile (`auths`, `credHelpers`, `credsStore`); containers-auth.json(5), whose keys
may go on into the repository; docker/docker-credential-helpers (`get` on standard input, JSON back).
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import subprocess
from collections.abc import Iterator, Sequence

import msgspec

from cryoscope import limits
from cryoscope.images.ports import OciError
from cryoscope.images.reference import DOCKER, Reference
from cryoscope.text import readable

DOCKER_KEY = "https://index.docker.io/v1/"
"""What Docker calls its own registry in these files."""
TOKEN_USER = "<token>"  # noqa: S105 - a word of the protocol
"""The user name by which a helper says that its secret is a refresh token."""
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class AuthError(OciError):
    default_code = "registry.auth-file"


class Credentials(msgspec.Struct, frozen=True):
    """A name and a password, or a refresh token (RFC 6749, section 6); never shown."""

    username: str = ""
    password: str = ""
    token: str = ""

    def __repr__(self) -> str:
        return f"<Credentials {self.username!r}>"


class _Auth(msgspec.Struct, frozen=True):
    auth: str | None = None
    username: str | None = None
    password: str | None = None
    identitytoken: str | None = None


class _File(msgspec.Struct, frozen=True, rename="camel"):
    auths: dict[str, _Auth | None] | None = None
    cred_helpers: dict[str, str | None] | None = None
    creds_store: str | None = None


class _Answer(msgspec.Struct, frozen=True, rename="pascal"):
    username: str = ""
    secret: str = ""


def find(files: Sequence[str], image: Reference) -> Credentials | None:
    """The credentials for an image's registry in the first file that has some, or None.

    Files that are not there are passed over.  Raises `AuthError` for those that cannot be understood
    and for helpers that fail.
    """
    for path in files:
        file = _read(path)
        if file is None:
            continue
        found = _helped(file, image) or _listed(file, image, path)
        if found is not None:
            return found
    return None


def _read(path: str) -> _File | None:
    try:
        with open(path, "rb") as file:
            data = file.read(limits.AUTH_FILE + 1)
        if len(data) > limits.AUTH_FILE:
            raise _wrong(path, f"it has more than {limits.AUTH_FILE} bytes")
        return msgspec.json.decode(data or b"{}", type=_File)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _wrong(path, error.strerror or str(error)) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong(path, readable(str(error))) from None


def _listed(file: _File, image: Reference, path: str) -> Credentials | None:
    """What `auths` says, the longest key first."""
    by_name = {_bare(key): auth for key, auth in (file.auths or {}).items()}
    for key in _keys(image):
        auth = by_name.get(key)
        if auth is not None and (found := _credentials(auth, path)) is not None:
            return found
    return None


def _credentials(auth: _Auth, path: str) -> Credentials | None:
    name, password = auth.username or "", auth.password or ""
    if auth.auth:
        try:
            name, _, password = base64.b64decode(auth.auth, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            raise _wrong(path, "an `auth` in it is no base64 of NAME:PASSWORD") from None
    if auth.identitytoken:
        return Credentials(name, token=auth.identitytoken)
    password = password.rstrip("\0")  # as Docker pads it
    return Credentials(name, password) if name else None


def _keys(image: Reference) -> Iterator[str]:
    """Repository, the folders above it, the registry."""
    name = image.name
    while name:
        yield name
        name = name.rpartition("/")[0]


def _bare(key: str) -> str:
    """A key of `auths` without scheme and version of the API."""
    bare = key.removeprefix("https://").removeprefix("http://").rstrip("/")
    for version in ("/v1", "/v2"):
        bare = bare.removesuffix(version)
    return DOCKER if bare in (DOCKER, "index." + DOCKER) else bare


def _helped(file: _File, image: Reference) -> Credentials | None:
    """What a helper says: that of the registry, else the one for all."""
    helpers = {_bare(key): name for key, name in (file.cred_helpers or {}).items()}
    for key in _keys(image):
        if name := helpers.get(key):
            return _ask(name, image.registry)
    return _ask(file.creds_store, image.registry) if file.creds_store else None


def _ask(helper: str, registry: str) -> Credentials | None:
    """Run a helper; None where it knows nothing."""
    if not _HELPER.fullmatch(helper):
        raise AuthError(f"{helper!r} is no name of a helper for credentials", hint="look at credHelpers")
    program = f"docker-credential-{helper}"
    server = DOCKER_KEY if registry == DOCKER else registry
    try:
        done = subprocess.run(  # noqa: S603 - the user's own file names it
            [program, "get"],
            input=server.encode(),
            capture_output=True,
            timeout=limits.AUTH_HELPER,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        why = f"took longer than {limits.AUTH_HELPER} seconds"
        raise _helper(program, getattr(error, "strerror", None) or why) from None
    if done.returncode:
        said = readable(done.stdout[:500] or done.stderr[:500]).strip()
        if "not found" in said:
            return None
        raise _helper(program, said or f"exit code {done.returncode}")
    return _answered(program, done.stdout)


def _answered(program: str, output: bytes) -> Credentials:
    try:
        answer = msgspec.json.decode(output[: limits.AUTH_FILE], type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise _helper(program, "its answer is not the JSON that it should be") from None
    if answer.username == TOKEN_USER:
        return Credentials(token=answer.secret)
    return Credentials(answer.username, answer.secret)


def _helper(program: str, why: str) -> AuthError:
    return AuthError(
        f"{program} gives no credentials: {why}",
        hint="log in again, or name another file in $REGISTRY_AUTH_FILE",
        code="registry.auth-helper",
    )


def _wrong(path: str, why: str) -> AuthError:
    return AuthError(
        f"the credentials in {os.fspath(path)} cannot be read: {why}",
        hint="name another file in $REGISTRY_AUTH_FILE",
    )
