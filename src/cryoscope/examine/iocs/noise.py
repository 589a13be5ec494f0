"""What stands in the memory of every program and points to nobody.

Names of XML name spaces and standards, of distributions, languages and the projects whose licences and
help texts carry them, of certificate authorities; and files that every image has, whose names say nothing.
"""

from __future__ import annotations

STANDARDS = (
    "w3.org ietf.org iana.org rfc-editor.org xmlsoap.org openxmlformats.org oasis-open.org purl.org iso.org "
    "schemas.microsoft.com json-schema.org schema.org dublincore.org xml.org unicode.org whatwg.org ietf.com "
    "opengis.net docbook.org relaxng.org icann.org in-addr.arpa ip6.arpa"
)
DISTRIBUTIONS = (
    "debian.org debian.net ubuntu.com launchpad.net canonical.com alpinelinux.org fedoraproject.org "
    "centos.org redhat.com rockylinux.org almalinux.org opensuse.org suse.com archlinux.org gentoo.org "
    "kernel.org busybox.net musl-libc.org"
)
PROJECTS = (
    "gnu.org fsf.org sourceware.org sourceforge.net gnome.org freedesktop.org kde.org x.org python.org "
    "golang.org go.dev nodejs.org rust-lang.org ruby-lang.org perl.org cpan.org php.net oracle.com "
    "java.com openjdk.org apache.org mozilla.org openssl.org openssh.com libssh.org zlib.net sqlite.org "
    "postgresql.org mysql.com mariadb.org redis.io nginx.org nginx.com haproxy.org haxx.se curl.se "
    "libexpat.github.io llvm.org opensource.org creativecommons.org "
    "readthedocs.org readthedocs.io wikipedia.org stackoverflow.com isc.org ntp.org tcl.tk cmake.org "
    "boost.org qt.io unlicense.org spdx.org kubernetes.io k8s.io docker.com opencontainers.org"
)
AUTHORITIES = (
    "digicert.com verisign.com symantec.com thawte.com geotrust.com letsencrypt.org lencr.org "
    "identrust.com entrust.net globalsign.com globalsign.net comodoca.com comodo.com sectigo.com "
    "usertrust.com godaddy.com starfieldtech.com quovadisglobal.com buypass.com buypass.no swisssign.com "
    "certum.pl actalis.it amazontrust.com pki.goog trustwave.com securetrust.com ssl.com harica.gr "
    "accv.es camerfirma.com firmaprofesional.com e-szigno.hu izenpe.com trust-provider.com"
)
EXAMPLES = "example.com example.org example.net example.edu localhost.localdomain"

DOMAINS = frozenset(" ".join((STANDARDS, DISTRIBUTIONS, PROJECTS, AUTHORITIES, EXAMPLES)).split())
"""These names and all below them."""

LOCAL = (".local", ".internal", ".lan", ".localdomain", ".home", ".corp", ".svc", ".cluster.local", ".arpa")
"""Names that only a network of its own knows."""

FILES = (
    "/etc/passwd /etc/passwd- /etc/shadow /etc/shadow- /etc/group /etc/group- /etc/gshadow /etc/gshadow- "
    "/etc/hosts /etc/hostname /etc/resolv.conf /etc/mtab /etc/fstab /etc/profile /etc/ld.so.cache "
    "/etc/ld.so.preload /etc/ld.so.conf /etc/crontab /etc/sudoers /etc/ssh/sshd_config "
    "/root/.ssh/authorized_keys /root/.bashrc /root/.profile /root/.bash_history /root/.ash_history"
)
EVERYWHERE = frozenset(FILES.split())
"""Files that say nothing by their names: every container has or may have them."""


def is_noise(name: str) -> bool:
    """Whether a domain name is one of those, or below one."""
    labels = name.lower().rstrip(".").split(".")
    return any(".".join(labels[at:]) in DOMAINS for at in range(len(labels) - 1))


def is_local(name: str) -> bool:
    """Whether a host's name is known only inside its own network."""
    return "." not in name or name.lower().endswith(LOCAL)
