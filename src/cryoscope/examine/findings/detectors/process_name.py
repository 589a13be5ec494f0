"""Processes whose name is not that of their program."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.checkpoint.process import Process
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_process
from cryoscope.examine.findings.known.folders import base, temporary
from cryoscope.examine.findings.known.packages import packages
from cryoscope.examine.findings.scene import Scene

COMM = 15
"""Bytes of a process's name that the kernel keeps (TASK_COMM_LEN without its end)."""

DAEMONS = frozenset(
    """sshd systemd systemd-journald systemd-logind systemd-udevd systemd-resolved dbus-daemon cron crond atd
    rsyslogd syslogd agetty udevd polkitd dockerd containerd containerd-shim kubelet kube-proxy auditd
    NetworkManager snapd irqbalance chronyd ntpd getty dhclient acpid""".split()  # noqa: SIM905
)
"""Names of a system's own services, which malware likes to bear."""

VERSION = re.compile(r"[\d.-]*$")


def look(scene: Scene) -> Iterator[Suspicion]:
    """What is called neither as its program nor as one of its first arguments; threads are not asked."""
    for process in scene.processes:
        if not process.exe or process.exe.startswith("/memfd:") or process.cmdline is None:
            continue
        claimed = {process.comm, *_words(process)[:1]}
        if claimed & DAEMONS and _strange(scene, process):
            evidence = of_process(process, f"is called {process.comm} and runs")
            yield Suspicion(
                [evidence], "high", "A process is called like a service of the system and is none"
            )
        elif not _explained(process):
            yield Suspicion([of_process(process, f"is called {process.comm} and runs")])


def _words(process: Process) -> list[str]:
    """The names that the command line gives: of a program, of a script behind its interpreter."""
    arguments = process.cmdline or []
    first = arguments[0].split(" ")[0].rstrip(":") if arguments else ""
    return [base(first).lstrip("-"), *(base(argument) for argument in arguments[1:4])]


def _explained(process: Process) -> bool:
    """Programs are started by other names (busybox, python3, sh), scripts bear their own, Perl's and
    PostgreSQL's processes call themselves as their command line does."""
    names = [base(process.exe or ""), *_words(process)]
    comm = process.comm
    return any(name[:COMM] == comm or _alike(name, comm) for name in names if name)


def _alike(name: str, comm: str) -> bool:
    """python3.14 and python3, php-fpm8.2 and php-fpm, nginx: and nginx."""
    return VERSION.sub("", name)[:COMM] == VERSION.sub("", comm)


def _strange(scene: Scene, process: Process) -> bool:
    """Whether a program lies where no service does, or was written since; not an interpreter of the image."""
    exe = process.exe or ""
    written = scene.changed(exe)
    if written is not None and packages(scene).perhaps(written):
        return False
    return process.exe_deleted or temporary(exe) or written is not None


DETECTOR = Detector(
    name="process-name",
    title="A process bears another name than its program",
    severity="info",
    why="A process can call itself what it likes (prctl(2), PR_SET_NAME, and by writing over its command "
    "line). Malware takes the name of something that nobody looks at; servers name their workers so.",
    next=[
        "look at the program itself: cryoscope ps shows the path, cryoscope fs ls whether it was written",
        "look at the process's sockets and its parent",
    ],
    techniques=["T1036.005", "T1036.011"],
    references=[
        "MITRE ATT&CK T1036.005, Masquerading",
        "MITRE ATT&CK T1036.011, Overwrite Process Arguments",
    ],
    look=look,
)
