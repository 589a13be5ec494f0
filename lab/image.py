"""What is checkpointed: compiled from `lab/programs`, and packed as two container images.

Everything lands below /opt/lab of the lab's root: `bin`, `etc`, `src`, `www` and `images`.  The images hold
the same files at the same paths, so that a workload runs with the same command in a container and bare.

An image is an OCI image layout in a tar file (github.com/opencontainers/image-spec, image-layout.md) with
one uncompressed layer.  The manifest.json beside it is for `docker load`, which without containerd's image
store reads no other.  The same root makes the same bytes: names are sorted and times are fixed, save those
of Python's library, whose compiled files name the times of their sources.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from lab import debian
from lab.places import HERE

SOURCES = HERE / "programs"
LAB = "opt/lab"
DEBUG = ("-g", "-O0", "-fno-omit-frame-pointer")
BUILDS = {
    "threads": ("threads.c", *DEBUG, "-pthread"),
    "locals": ("locals.c", *DEBUG),
    "locals-o2": ("locals.c", "-g", "-O2"),
    "locals-static": ("locals.c", *DEBUG, "-static"),
    "registers": ("registers.c", *DEBUG),
    "libmarker.so": ("marker.c", *DEBUG, "-shared", "-fPIC"),
    "dlopened": ("dlopened.c", *DEBUG),
    "heap": ("heap.c", "-g", "-O2"),
    "planted": ("planted.c", "-g", "-O1"),
    "victim": ("victim.c", "-O1"),
    "implant": ("implant.c", "-O1", "-s"),
    "hook.so": ("hook.c", "-O1", "-s", "-shared", "-fPIC"),
}
"""What the compiler makes: the source and the options of each."""
PLACES = {".c": "src", ".conf": "etc", ".html": "www"}
"""Where sources go by their suffix; all others are scripts and go to `bin`."""

LOADER = "/usr/lib64/ld-linux-x86-64.so.2"
COMMANDS = ("bash", "sleep", "python3", "redis-server", "redis-cli", "nginx")
"""A sleep(1) of its own: busybox's ends when a checkpoint interrupts it, coreutils' goes on."""
PYTHON_WITHOUT = {"test", "ensurepip", "idlelib", "pydoc_data", "turtledemo"}
MERGED = {name: f"usr/{name}" for name in ("bin", "sbin", "lib", "lib64")}
"""Debian's links in the root folder."""
FOLDERS = "data dev etc proc root run sys usr usr/bin usr/sbin var var/log var/log/nginx var/lib".split()
ACCOUNTS = ("etc/passwd", "etc/group")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CHUNK = 1 << 20


def make(root: Path, *, log: Path) -> None:
    """Compile the programs into a finished root filesystem and write the images there.

    Raises `NoLab` if something does not compile.
    """
    shutil.rmtree(root / LAB, ignore_errors=True)
    for folder in ("bin", "etc", "src", "www", "images"):
        (root / LAB / folder).mkdir(parents=True)
    place(root)
    for name, (source, *options) in BUILDS.items():
        arguments = (*options, f"/{LAB}/src/{source}", "-o", f"/{LAB}/bin/{name}")
        debian.run("chroot", str(root), "gcc", "-Wall", *arguments, log=log)
    for name, layer in {"busybox": busybox(root), "workloads": workloads(root)}.items():
        write_image(root / LAB / "images" / f"{name}.tar", f"localhost/{name}:lab", layer)


def place(root: Path) -> None:
    """Copy sources, scripts and settings to their places."""
    for file in sorted(SOURCES.rglob("*")):
        if file.is_dir() or "__pycache__" in file.parts:
            continue
        target = root / LAB / PLACES.get(file.suffix, "bin") / file.relative_to(SOURCES)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
        target.chmod(0o755 if file.read_bytes().startswith(b"#!") else 0o644)


class Layer:
    """The files of an image, by path; most are taken from a root filesystem."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.members: dict[str, tarfile.TarInfo] = {}
        self.folder("tmp", mode=0o1777)
        for path in FOLDERS:
            self.folder(path)

    def folder(self, path: str, mode: int = 0o755) -> None:
        """An empty folder."""
        self._add(path, tarfile.DIRTYPE).mode = mode

    def link(self, path: str, target: str) -> None:
        """A symbolic link."""
        self._add(path, tarfile.SYMTYPE).linkname = target

    def take(self, path: str) -> None:
        """A file or link of the root, its folders, and what it links to."""
        path = self._merged(path.strip("/"))
        if path in self.members:
            return
        file = self.root / path
        if file.is_symlink():
            target = os.readlink(file)
            self.link(path, target)
            self.take(os.path.normpath(os.path.join("/", os.path.dirname(path), target)))
        elif file.is_dir():
            self.folder(path, file.stat().st_mode & 0o7777)
        else:
            self._take_file(path)

    def take_tree(self, path: str, *, without: Iterable[str] = ()) -> None:
        """A folder of the root with everything below, but entries of these names."""
        self.take(path)
        for entry in sorted(os.scandir(self.root / path), key=lambda entry: entry.name):
            if entry.name in without:
                continue
            if entry.is_dir(follow_symlinks=False):
                self.take_tree(f"{path}/{entry.name}")
            else:
                self.take(f"{path}/{entry.name}")

    def _take_file(self, path: str) -> None:
        found = os.stat(self.root / path)
        member = self._add(path, tarfile.REGTYPE)
        member.size, member.mode = found.st_size, found.st_mode & 0o7777
        member.uid, member.gid = found.st_uid, found.st_gid
        if path.startswith("usr/lib/python"):
            member.mtime = int(found.st_mtime)

    def _add(self, path: str, kind: bytes) -> tarfile.TarInfo:
        parent = os.path.dirname(path)
        if parent and parent not in self.members:
            self.folder(parent)
        member = self.members[path] = tarfile.TarInfo(path)
        member.type, member.mode = kind, 0o755
        return member

    def _merged(self, path: str) -> str:
        """The path below usr of one that goes through a link of the root folder."""
        first, _, rest = path.partition("/")
        return f"{MERGED[first]}/{rest}" if first in MERGED and rest else path

    def write(self, to: BinaryIO) -> None:
        """Write the layer's tar, sorted, so that folders come before what is in them."""
        with tarfile.open(fileobj=to, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for path, member in sorted(self.members.items()):
                if member.isreg():
                    with open(self.root / path, "rb") as file:
                        tar.addfile(member, file)
                else:
                    tar.addfile(member)


def busybox(root: Path) -> Layer:
    """A root filesystem of one static program, as small images have it."""
    layer = Layer(root)
    for name in MERGED:
        if name.endswith("bin"):
            layer.link(name, MERGED[name])
    _applets(layer)
    for path in (*ACCOUNTS, f"{LAB}/bin/counter.sh"):
        layer.take(path)
    return layer


def workloads(root: Path) -> Layer:
    """A root filesystem with an interpreter, servers, and every program of the lab."""
    layer = Layer(root)
    for name, target in MERGED.items():
        layer.link(name, target)
    version = os.path.basename(os.path.realpath(root / "usr/bin/python3"))
    layer.take_tree(f"usr/lib/{version}", without=PYTHON_WITHOUT | {f"config-{version[6:]}-x86_64-linux-gnu"})
    for folder in ("bin", "etc", "src", "www"):
        layer.take_tree(f"{LAB}/{folder}")
    programs = [_which(root, name) for name in COMMANDS]
    for path in (*ACCOUNTS, *programs, LOADER):
        layer.take(path)
    for path in libraries(root, [*programs, *_elf_files(layer)]):
        layer.take(path)
    _applets(layer)
    return layer


def _applets(layer: Layer) -> None:
    """Busybox under each of its names that no other program has."""
    layer.take("usr/bin/busybox")
    for name in debian.run("chroot", str(layer.root), "busybox", "--list").split():
        if f"usr/bin/{name}" not in layer.members:
            layer.link(f"usr/bin/{name}", "busybox")


def _which(root: Path, name: str) -> str:
    return debian.run("chroot", str(root), "sh", "-c", f"command -v {name}").strip()


def _elf_files(layer: Layer) -> Iterator[str]:
    """Programs of the lab and Python's modules, whose libraries are needed too."""
    for path, member in sorted(layer.members.items()):
        if member.isreg() and (path.startswith(f"{LAB}/bin/") or path.endswith(".so")):
            with open(layer.root / path, "rb") as file:
                if file.read(4) == b"\x7fELF":
                    yield f"/{path}"


def libraries(root: Path, programs: Iterable[str]) -> list[str]:
    """The shared libraries that programs of a root need, those of the libraries included, as ldd(1) says."""
    script = 'for program; do ldd "$program" || true; done'  # it fails for static ones
    said = debian.run("chroot", str(root), "sh", "-c", script, "ldd", *programs)
    rows = (line.partition("=>")[2].split() for line in said.splitlines())
    return sorted({row[0] for row in rows if row and row[0].startswith("/")})


def write_image(target: Path, name: str, layer: Layer) -> None:
    """Write an image archive whose one layer this is."""
    blob = target.with_suffix(".layer")
    with open(blob, "wb") as file:
        layer.write(file)
    with open(blob, "rb") as file, tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        for path, content in _documents(name, digest, blob.stat().st_size).items():
            tar.addfile(_member(path, len(content)), io.BytesIO(content))
        file.seek(0)
        tar.addfile(_member(_blob(digest), blob.stat().st_size), file)
    blob.unlink()


def _member(path: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.size = size
    return member


def _documents(name: str, layer: str, size: int) -> dict[str, bytes]:
    """Everything in an image archive but its layer, by path."""
    config = _json(
        {
            "created": "1970-01-01T00:00:00Z",
            "architecture": "amd64",
            "os": "linux",
            "config": {"Env": [f"PATH={PATH}"], "Cmd": ["/bin/sh"], "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "lab"}],
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": [
                {
                    "mediaType": "application/vnd.oci.image.layer.v1.tar",
                    "digest": f"sha256:{layer}",
                    "size": size,
                }
            ],
        }
    )
    listed = _descriptor("application/vnd.oci.image.manifest.v1+json", manifest)
    listed["annotations"] = {"org.opencontainers.image.ref.name": name}
    docker = [{"Config": _blob(_sha256(config)), "RepoTags": [name], "Layers": [_blob(layer)]}]
    return {
        "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
        "index.json": _json({"schemaVersion": 2, "manifests": [listed]}),
        "manifest.json": _json(docker),
        _blob(_sha256(config)): config,
        _blob(_sha256(manifest)): manifest,
    }


def _descriptor(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": f"sha256:{_sha256(content)}", "size": len(content)}


def _blob(digest: str) -> str:
    return f"blobs/sha256/{digest}"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
