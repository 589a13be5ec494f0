"""A small Debian root filesystem with the peers in it, for hosts that do not ship them.

It is made once by debootstrap in a cache folder and takes over the host's apt configuration
(mirror, keys, proxies, options) at run time, so that no address of a registry is written anywhere
here. Debian 13 is tried first, then the testing suite.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

SUITES = ("trixie", "testing")
PACKAGES = ("checkpointctl", "criu", "python3-pycriu", "tar", "zstd")
APT = Path("/etc/apt")
STAMP = ".cryoscope-peers"
NONINTERACTIVE = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


class NoPeersError(Exception):
    """Why there is no root filesystem with peers."""


def cache_folder() -> Path:
    """The folder that keeps the peers between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "cryoscope" / "peers"


def _run(*command: str) -> str:
    """Run, and on failure say the last line that is about it."""
    environment = os.environ | NONINTERACTIVE
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise NoPeersError(f"{command[0]}: {lines[-1]}")
    return done.stdout


def host_mirror() -> str:
    """The Debian mirror that the host's apt is configured with."""
    if not shutil.which("apt-get"):
        raise NoPeersError("the host has no apt")
    rows = _run("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)").splitlines()
    for row in rows:
        uri, _, rest = row.partition(" ")
        release, _, component = rest.partition(" ")
        if component == "main" and "-" not in release and uri.rstrip("/").endswith("/debian"):
            return uri
    raise NoPeersError("the host's apt has no Debian mirror configured")


def _need_debootstrap() -> None:
    if os.geteuid():
        raise NoPeersError("making a root filesystem needs root")
    if not shutil.which("debootstrap"):
        _run("apt-get", "update", "-q")
        _run("apt-get", "install", "-y", "-q", "debootstrap")


def _debootstrap(suite: str, target: Path, mirror: str) -> None:
    scripts = Path("/usr/share/debootstrap/scripts")
    script = scripts / suite
    if not script.exists():
        script = scripts / "sid"  # a suite younger than the host's debootstrap
    options = ("--variant=minbase", "--include=ca-certificates")
    _run("debootstrap", *options, suite, str(target), mirror, str(script))


def _take_over_apt(root: Path) -> None:
    """The host's keys, passwords, proxies and options; its certificates too, for a mirror behind TLS."""
    for name in ("auth.conf.d", "keyrings", "trusted.gpg.d"):
        if (APT / name).is_dir():
            shutil.copytree(APT / name, root / "etc/apt" / name, dirs_exist_ok=True)
    for conf in [*sorted((APT / "apt.conf.d").glob("*")), APT / "apt.conf"]:
        if conf.is_file() and "Acquire::" in conf.read_text(errors="replace"):
            shutil.copy(conf, root / "etc/apt/apt.conf.d" / conf.name)
    bundle = Path("etc/ssl/certs/ca-certificates.crt")
    if (Path("/") / bundle).exists():
        shutil.copy(Path("/") / bundle, root / bundle)


_INSTALL = """set -e
mount -t proc proc "$0/proc"
chroot "$0" apt-get update -q
chroot "$0" apt-get install -y -q --no-install-recommends "$@"
chroot "$0" apt-get clean
"""


def _build(suite: str, target: Path, mirror: str) -> None:
    _debootstrap(suite, target, mirror)
    _take_over_apt(target)
    policy = target / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")  # no service of a package is started
    policy.chmod(0o755)
    # mounts live in a namespace of their own and are gone with it
    _run("unshare", "-m", "--propagation", "private", "sh", "-c", _INSTALL, str(target), *PACKAGES)
    (target / "bench").mkdir()
    (target / STAMP).write_text(suite + "\n")


def peer_root() -> Path:
    """The root filesystem with the peers, made now if it is not there; NoPeersError says why it cannot be."""
    target = cache_folder() / "root"
    if (target / STAMP).exists():
        return target
    _need_debootstrap()
    mirror, reasons = host_mirror(), []
    target.parent.mkdir(parents=True, exist_ok=True)
    for suite in SUITES:
        part = target.with_name(f"root.{suite}.part")
        shutil.rmtree(part, ignore_errors=True)
        try:
            _build(suite, part, mirror)
        except NoPeersError as error:
            reasons.append(f"{suite}: {error}")
            shutil.rmtree(part, ignore_errors=True)
        else:
            shutil.rmtree(target, ignore_errors=True)
            os.replace(part, target)
            return target
    raise NoPeersError("; ".join(reasons))
