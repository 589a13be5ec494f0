"""What the lab is made of; its digest decides whether a lab that is there can be used.

Debian testing moves and cannot be pinned: packages are named without a version, and `KNOWN` says
which major versions somebody has looked at.  A newer one is used all the same, and named beside
whatever fails with it.
"""

from __future__ import annotations

import hashlib
from functools import cache

from lab.places import HERE

SUITE = "testing"

ENGINES = (
    "criu python3-pycriu podman crun libcriu2 runc conmon netavark aardvark-dns nftables iptables "
    "containerd containernetworking-plugins docker.io docker-cli buildah skopeo docker-registry"
).split()
PEERS = "checkpointctl sysdig gdb binutils ripgrep zstd age openssl postgresql".split()
WORKLOADS = "bash busybox-static python3 redis-server nginx-light gcc libc6-dev".split()
TOOLS = ["procps", "iproute2", "python3-grpcio"]
PACKAGES = tuple(ENGINES + PEERS + WORKLOADS + TOOLS)

KNOWN = {
    "criu": 4,
    "podman": 5,
    "crun": 1,
    "runc": 1,
    "containerd": 2,
    "docker.io": 28,
    "checkpointctl": 1,
    "buildah": 1,
    "skopeo": 1,
    "sysdig": 0,
    "gdb": 18,
    "ripgrep": 15,
}
"""Major versions that the tests were written against, by package."""

LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
"""Not unpacked: nobody reads them in a lab."""

FIRST = {
    "usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101\n",  # no service of a package is started
    "etc/dpkg/dpkg.cfg.d/01small": "".join(f"path-exclude {path}\n" for path in LEFT_OUT),
}
"""Written before any package is installed, by path; scripts are those that begin with `#!`."""

SETTINGS = {
    "etc/containers/containers.conf": (
        "[containers]\npids_limit = 0\n[engine]\n"
        'cgroup_manager = "cgroupfs"\nevents_logger = "file"\nimage_parallel_copies = 2\n'
    ),
    "etc/containers/policy.json": '{"default": [{"type": "insecureAcceptAnything"}]}\n',
    "etc/containers/registries.conf.d/lab.conf": (
        '[[registry]]\nlocation = "127.0.0.1:5000"\ninsecure = true\n'
    ),
}
"""Written when the packages are there, over their own."""

SOURCES = ("recipe.py", "debian.py", "image.py", "programs")
"""Files and folders of the lab that decide what is built."""


@cache
def digest() -> str:
    """SHA-256 of everything that decides what a build makes, in hexadecimal."""
    found = hashlib.sha256()
    for name in SOURCES:
        place = HERE / name
        files = sorted(place.rglob("*")) if place.is_dir() else [place]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                found.update(f"{file.relative_to(HERE)}\0{file.stat().st_size}\0".encode())
                found.update(file.read_bytes())
    return found.hexdigest()
