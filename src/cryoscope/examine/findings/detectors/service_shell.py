"""Shells that a server started, which serves requests and needs none."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.checkpoint.process import Process
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_process
from cryoscope.examine.findings.known.folders import base
from cryoscope.examine.findings.known.programs import FETCHERS, is_shell
from cryoscope.examine.findings.scene import Scene

SERVERS = re.compile(
    r"(?:nginx|openresty|httpd|apache2|lighttpd|caddy|haproxy|envoy|traefik|php-fpm[\d.]*|php-cgi[\d.]*|uwsgi"
    r"|redis-server|valkey-server|memcached|mysqld|mariadbd|postgres|mongod|mongos|influxd|etcd|named|unbound"
    r"|vsftpd|proftpd|smbd|exim4?|rabbitmq-server|coredns|clickhouse-server|cockroach|minio)$"
)
"""Servers that start no programs in their usual work."""

ARCHIVING = re.compile(r"postgres: (?:archiver|startup|checkpointer)")
"""PostgreSQL's processes that run the administrator's commands (archive_command, restore_command)."""


def look(scene: Scene) -> Iterator[Suspicion]:
    """Shells and programs that fetch files, whose parent is such a server."""
    for process in scene.processes:
        parent = scene.by_pid.get(process.ppid)
        if parent is None or not SERVERS.match(base(parent.exe or "")) or _archives(parent):
            continue
        if is_shell(process) or base(process.exe or "") in FETCHERS:
            yield Suspicion(
                [of_process(process, f"was started by {parent.comm}"), of_process(parent, "is that server")]
            )


def _archives(parent: Process) -> bool:
    return ARCHIVING.match((parent.cmdline or [""])[0]) is not None


DETECTOR = Detector(
    name="service-shell",
    title="A server started a shell",
    severity="medium",
    why="Web servers and databases answer requests themselves. One that starts a shell or a download was "
    "made to by a web shell, a weakness, or a query such as COPY FROM PROGRAM; some sites run helpers "
    "so.",
    next=[
        "the server's log: cryoscope log ARCHIVE, and its log files in cryoscope fs ls ARCHIVE",
        "cryoscope sockets ARCHIVE: which client the server was talking to",
        "files that the server can write: uploads with code in them",
    ],
    techniques=["T1190", "T1505.003", "T1059.004"],
    references=["MITRE ATT&CK T1505.003, Server Software Component: Web Shell"],
    look=look,
)
