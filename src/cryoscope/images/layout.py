"""A folder as an image layout, to build into and to read from.

OCI image-spec 1.1, image-layout.md: `oci-layout`, `index.json`, `blobs/sha256/HEX`.  A blob lies under
another name until it is whole and on the disk; `index.json` is replaced as a whole, under a lock, so that two
who add images at once lose neither.  The names of an image are in `org.opencontainers.image.ref.name`, which
skopeo and Podman read, and `io.containerd.image.name`, which containerd does.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator

from cryoscope import limits
from cryoscope.checkpoint.archive import ByteSource, FileSource
from cryoscope.durable import sync_folder
from cryoscope.errors import ArchiveError
from cryoscope.images.build import encode
from cryoscope.images.ports import INDEX, Descriptor, OciError, Upload
from cryoscope.images.reading import Listing, blob_path, checked, choose, listing, name_of, named

MARK, VERSION = "oci-layout", b'{"imageLayoutVersion":"1.0.0"}'
LIST, BLOBS = "index.json", "blobs/sha256"
PART = ".incomplete-"
PRIVATE, PRIVATE_FOLDER = 0o600, 0o700


class LayoutFolder:
    """An image layout in a folder, `ImageTarget` and `ImageSource`; with `make` it is made if need be.

    Raises `OciError` `image.layout` if it is no layout.
    """

    def __init__(self, path: str, *, make: bool = False) -> None:
        self.path = path
        self._make = make and _free(path)
        if not self._make and not os.path.isfile(os.path.join(path, MARK)):
            raise OciError(
                f"{path} is no image layout",
                hint="name a folder with an oci-layout in it",
                code="image.layout",
            )

    # --- ImageTarget --------------------------------------------------------------------------
    def has(self, descriptor: Descriptor) -> bool:
        """Whether a blob of that digest and size is there."""
        try:
            found = os.lstat(self.at(descriptor.digest))
        except OSError:
            return False
        return stat.S_ISREG(found.st_mode) and found.st_size == descriptor.size

    @contextlib.contextmanager
    def upload(self) -> Iterator[Upload]:
        """A new blob."""
        self._ready()
        with writing(self.path):
            folder = self._own(os.path.join(self.path, BLOBS))
            handle, path = tempfile.mkstemp(prefix=PART, dir=folder)
            part = _Part(self, handle, path)
            try:
                yield part
            finally:
                part.close()

    def put(self, descriptor: Descriptor, document: bytes) -> None:
        """A config, manifest or index."""
        with self.upload() as part:
            part.write(document)
            part.commit(descriptor.digest)

    def name(self, reference: str | None, descriptor: Descriptor, document: bytes) -> None:
        """Enter an image into index.json; raises `OciError` `image.exists` where the name means another."""
        with writing(self.path), _locked(self.path):
            found = self.listing()
            entry = named(descriptor, reference)
            former = [each for each in found.manifests if reference and name_of(each) == reference]
            if any(each.digest != descriptor.digest for each in former):
                raise OciError(
                    f"{reference} is there already, another image",
                    hint="give it another name, or another folder",
                    code="image.exists",
                )
            if entry not in found.manifests:
                _replace(self.path, [*found.manifests, entry])

    # --- ImageSource --------------------------------------------------------------------------
    def listing(self) -> Listing:
        """What index.json lists."""
        return listing(self._small(os.path.join(self.path, LIST)))

    def resolve(self, reference: str | None) -> tuple[Descriptor, bytes]:
        """The index or manifest of a name, a tag or a digest."""
        found = choose(self.listing().manifests, reference)
        return found, checked(self._small(self.at(found.digest)), found)

    def blob(self, descriptor: Descriptor) -> ByteSource:
        """A blob; raises `OciError` `image.blob-missing`."""
        path = self._own(self.at(descriptor.digest))
        try:
            return FileSource(path)
        except ArchiveError as error:
            raise OciError(
                f"the blob {descriptor.digest} is not there: {error.message}", code="image.blob-missing"
            ) from None

    def _own(self, path: str) -> str:
        """A file of the layout; a stranger's layout may have links to files of the user."""
        place = os.path.join(os.path.realpath(self.path), os.path.relpath(path, self.path))
        if os.path.realpath(path) != place:
            raise OciError(
                f"{path} is a link, and a layout has none",
                hint="look at who made it; skopeo copy makes a layout of it that has none",
                code="image.layout-link",
            )
        return path

    def _small(self, path: str) -> bytes:
        try:
            with FileSource(self._own(path)) as file:
                return file.read_at(0, limits.REGISTRY_DOCUMENT + 1)
        except ArchiveError as error:
            raise OciError(f"{path} cannot be read: {error.message}", code="image.blob-missing") from None

    def _ready(self) -> None:
        """A new layout is made when the first blob is written: what is refused before leaves nothing."""
        if self._make:
            _new(self.path)
            self._make = False

    def at(self, digest: str) -> str:
        """Where a blob lies."""
        return os.path.join(self.path, blob_path(digest))


class _Part:
    """A blob in the making: a file of another name beside the blobs.

    Its digest is what the writer says, who computed it from the bytes given here.
    """

    def __init__(self, layout: LayoutFolder, handle: int, path: str) -> None:
        self._layout, self._handle, self._path = layout, handle, path

    def write(self, block: bytes | memoryview) -> None:
        view = memoryview(block)
        while view:
            view = view[os.write(self._handle, view) :]

    def commit(self, digest: str) -> None:
        to = self._layout.at(digest)
        os.fsync(self._handle)
        os.rename(self._path, to)
        sync_folder(os.path.dirname(to))

    def close(self) -> None:
        os.close(self._handle)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)


def _free(path: str) -> bool:
    """Whether a layout can be made there: nothing is there, or an empty folder."""
    with writing(path):
        return not os.path.lexists(path) or (os.path.isdir(path) and not os.listdir(path))


def _new(path: str) -> None:
    """A new layout; another that makes it at the same time does no harm."""
    with writing(path):
        os.makedirs(os.path.join(path, BLOBS), mode=PRIVATE_FOLDER, exist_ok=True)
        with _locked(path):
            if not os.path.exists(os.path.join(path, LIST)):
                _replace(path, [])
            if not os.path.exists(os.path.join(path, MARK)):
                _write(path, MARK, VERSION)


def _replace(path: str, manifests: list[Descriptor]) -> None:
    _write(path, LIST, encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}))


def _write(folder: str, name: str, data: bytes) -> None:
    """A small file as a whole or not at all."""
    handle, path = tempfile.mkstemp(prefix=PART, dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
        os.rename(path, os.path.join(folder, name))
    except BaseException:
        os.unlink(path)
        raise
    sync_folder(folder)


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    """One at a time in a folder."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def writing(path: str) -> Iterator[None]:
    """Turns what the system refuses into an error with a cure."""
    try:
        yield
    except OSError as error:
        raise OciError(
            f"{path} cannot be written: {error.strerror}",
            hint="name a place that you may write to, with room enough",
            code="image.output",
        ) from None
