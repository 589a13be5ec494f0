"""A Debian root filesystem, made with the host's own apt configuration.

Mirror, keys, passwords, proxies and certificates are the host's, so no address is written here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from lab.errors import NoLab

APT = Path("/etc/apt")
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")
SCRIPTS = Path("/usr/share/debootstrap/scripts")
NONINTERACTIVE = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}

INSTALL = """set -e
mount -t proc proc "$0/proc"
mount -t devpts devpts "$0/dev/pts"
chroot "$0" apt-get update -q
chroot "$0" apt-get install -y -q --no-install-recommends "$@"
chroot "$0" apt-get clean
rm -rf "$0"/var/lib/apt/lists/*
"""
"""Mounts are made in a namespace of its own and are gone with it."""


def run(*command: str, log: Path | None = None) -> str:
    """Run a step of the build; its output is returned and appended to `log`.

    Raises `NoLab` with the last line that it printed.
    """
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=os.environ | NONINTERACTIVE,
        check=False,
    )
    if log is not None:
        with open(log, "a") as file:
            file.write(f"$ {' '.join(command)}\n{done.stdout}\n")
    if done.returncode:
        lines = done.stdout.strip().splitlines() or ["no message"]
        raise NoLab(f"{command[0]} failed: {lines[-1]}")
    return done.stdout


def why_not() -> str | None:
    """Why no root filesystem can be made on this host; None if it can."""
    if os.geteuid():
        return "it needs root"
    if not shutil.which("apt-get") or not APT.is_dir():
        return "it needs Debian: there is no apt here"
    return None


def host_mirror() -> str:
    """The Debian mirror that the host's apt is configured with; raises `NoLab` if there is none."""
    rows = run("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)").splitlines()
    for row in rows:
        uri, _, rest = row.partition(" ")
        release, _, component = rest.partition(" ")
        if component == "main" and "-" not in release and uri.rstrip("/").endswith("/debian"):
            return uri
    raise NoLab("the host's apt has no Debian mirror configured")


def bootstrap(suite: str, target: Path, *, log: Path) -> None:
    """A minimal Debian of this suite in the folder `target`, which takes over the host's apt."""
    if not shutil.which("debootstrap"):
        run("apt-get", "update", "-q", log=log)
        run("apt-get", "install", "-y", "-q", "--no-install-recommends", "debootstrap", log=log)
    script = SCRIPTS / suite
    if not script.exists():
        script = SCRIPTS / "sid"  # a suite younger than the host's debootstrap
    options = ("--variant=minbase", "--include=ca-certificates")
    run("debootstrap", *options, suite, str(target), host_mirror(), str(script), log=log)
    _take_over_apt(target)


def _take_over_apt(root: Path) -> None:
    for name in ("auth.conf.d", "keyrings", "trusted.gpg.d"):
        if (APT / name).is_dir():
            shutil.copytree(APT / name, root / "etc/apt" / name, dirs_exist_ok=True)
    for conf in [*sorted((APT / "apt.conf.d").glob("*")), APT / "apt.conf"]:
        if conf.is_file() and "Acquire::" in conf.read_text(errors="replace"):
            shutil.copy(conf, root / "etc/apt/apt.conf.d" / conf.name)
    if ("/" / CERTIFICATES).exists():
        shutil.copy("/" / CERTIFICATES, root / CERTIFICATES)


def install(root: Path, packages: Iterable[str], *, log: Path) -> None:
    """Install packages without those that they only recommend."""
    run("unshare", "-m", "--propagation", "private", "sh", "-c", INSTALL, str(root), *packages, log=log)
