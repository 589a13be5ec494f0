"""Passwords in URLs and connection strings: `postgres://user:password@host/db`, JDBC, ADO.NET."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from cryoscope.examine.secrets.records import Known, Rule, Verdict
from cryoscope.examine.secrets.words import placeholder

PART = rb"[!$%&'()*+,;=A-Za-z0-9._~-]"
REST = rb"(?P<host>[A-Za-z0-9.,:_\[\]-]{1,255})(?:/(?P<path>[A-Za-z0-9_.~%-]{0,100}))?"
URL = re.compile(
    rb"(?P<scheme>[A-Za-z0-9+.-]{2,25})://(?P<user>"
    + PART
    + rb"{0,64}):(?P<password>"
    + PART
    + rb"{2,256})@"
    + REST
)
SCHEMES = tuple(
    b"postgres mysql mariadb mongodb redis amqp mssql sqlserver oracle cockroach clickhouse couchdb "
    b"cassandra neo4j bolt nats mqtt kafka ldap smtp imap ftp sftp ssh git svn http socks influx memcached "
    b"elastic valkey smb s3 rtsp pop3 vnc".split()
)
"""What a scheme begins with that takes a password: `mongodb+srv`, `rediss`, `postgresql+asyncpg`."""
NO_HOSTS = re.compile(
    rb"(?i)^(?:example|host(?:name)?|server|domain|proxy|address|foo|bar|your[-_.a-z]*)$|example\."
)
JDBC = re.compile(
    rb"(?i)jdbc:(?P<scheme>[a-z0-9:]{2,30}):(?://|@)?(?P<host>[^?;\s\"'\0]{1,200})[?;](?P<rest>[^\s\"'\0<>]{1,500})"
)
SETTING = re.compile(rb"(?i)(?:^|[?&; ])(?P<name>password|pwd|passwd)=(?P<value>[^&;\s\"'\0<>]{3,200})")
SETTINGS = (
    rb"(?i)(?:server|data source|host)=[^\s\"'\0<>]"
    rb"(?:[^\"'\0<>\n]{3,300}?;\s?(?:password|pwd)=[^;\s\"'\0<>]{3,200})?"
)
USER = re.compile(rb"(?i)(?:^|[?&; ])(?:user(?: id|name)?|uid)=([^&;\s\"'\0<>]{1,100})")
SERVER = re.compile(rb"(?i)(?:server|data source|host)=([^&;\s\"'\0<>]{1,200})")


def text(data: bytes | None) -> str:
    """Bytes of an URL as text."""
    return (data or b"").decode("utf-8", "replace")


def judge(data: bytes, _known: Known) -> Iterator[Verdict]:
    """The password of a URL whose scheme is one that takes them."""
    found = URL.match(data)
    if found is None or not found["scheme"].lower().startswith(SCHEMES):
        return
    password = unquote_to_bytes(found["password"])
    if (
        placeholder(password)
        or password == found["user"]
        or NO_HOSTS.search(found["host"])
        or len(password) < 3
    ):
        return
    web = found["scheme"].lower().startswith(b"http")
    details = {"scheme": text(found["scheme"]), "user": text(found["user"]), "host": text(found["host"])}
    if found["path"] and not web:
        details["database"] = text(found["path"])
    yield Verdict(password, "medium" if web and len(password) < 6 else "high", details)


def judge_jdbc(data: bytes, _known: Known) -> Iterator[Verdict]:
    """The password among the properties of a JDBC URL."""
    found = JDBC.match(data)
    if found is not None:
        yield from _setting(
            found["rest"], {"scheme": "jdbc:" + text(found["scheme"]), "host": text(found["host"])}
        )


def judge_settings(data: bytes, _known: Known) -> Iterator[Verdict]:
    """The password of `Server=...;Password=...`."""
    server = SERVER.search(data)
    yield from _setting(data, {"host": text(server[1])} if server else {})


def _setting(data: bytes, details: dict[str, str]) -> Iterator[Verdict]:
    found, user = SETTING.search(data), USER.search(data)
    if found is not None and not placeholder(found["value"]):
        yield Verdict(found["value"], "high", details | ({"user": text(user[1])} if user else {}))


RULES = (
    Rule(
        "url-password",
        "Password in a URL",
        "password",
        "high",
        (
            rb"[A-Za-z0-9+.-]{2,25}://"
            + PART
            + rb"{0,64}:"
            + PART
            + rb"{2}(?:"
            + PART
            + rb"{0,254}@"
            + REST
            + rb")?",
        ),
        judge,
    ),
    Rule(
        "jdbc-password",
        "Password in a JDBC URL",
        "password",
        "high",
        (rb"(?i)jdbc:[a-z0-9]{2}(?:[^\s\"'\0<>]{0,720})?",),
        judge_jdbc,
    ),
    Rule(
        "connection-string-password",
        "Password in a connection string",
        "password",
        "high",
        (SETTINGS,),
        judge_settings,
    ),
)
