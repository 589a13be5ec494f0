"""Commands that say what they are for: remote shells, downloads that are run, escapes from a log.

One table serves command lines, files of settings and memory.  What may stand between two words has no
bound where the search engine looks, which bounds matches itself and would need a state for each byte, and
a bound where `re` looks, which would try every one of a stranger's megabytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from cryoscope import limits
from cryoscope.examine.search.patterns import Pattern

ANY = {b"word": rb"[\w.$\[\]{}:-]+", b"part": rb"[^\n\0|;&]*", b"pipe": rb"[^\n\0|]*", b"line": rb"[^\n\0]*"}
BOUND = {name: expression[:-1] + rb"{0,400}" for name, expression in ANY.items()} | {
    b"text": rb"[^\0]{0,600}"
}

WORDS = {
    b"sh": rb"(?:[\w./-]*/)?(?:ba|da|z|k|a|tc|c)?sh\b",
    b"fetch": rb"\b(?:curl|wget|fetch|lynx|lwp-download)[ ]",
    b"nc": rb"\b(?:nc|ncat|netcat)(?:\.\w+)?[ ]",
    b"sockets": rb"(?:[sS]ocket|fsockopen|/inet/tcp)",
}


class Command(NamedTuple):
    """One shape of a command: how it is called, what it does, and how bad it is where it was run."""

    name: str
    what: str
    severity: str
    template: bytes
    in_memory: bytes | None = None
    """What the engine looks for instead: some shapes make an automaton of gigabytes beside others."""

    def expression(self, between: dict[bytes, bytes]) -> bytes:
        """The regular expression over bytes, with `between` for what may stand between words."""
        return self.template % (WORDS | between)


COMMANDS = (
    Command(
        "dev-tcp-shell",
        "a shell whose words come over a connection of its own",
        "high",
        rb"\b(?:ba|da|z|k|a)?sh[ ]+-i%(part)b[<>]&?[ ]*/dev/(?:tcp|udp)/%(word)b/[\d${]"
        rb"|/dev/(?:tcp|udp)/%(word)b/[\d${]\w*\}?[ ]+(?:0[<>]&1|0?<&1)"
        rb"|/dev/(?:tcp|udp)/%(word)b/[\d${]%(line)b\b(?:ba|da|z|k|a)?sh[ ](?:-i[ ])?<&\d",
    ),
    Command(
        "netcat-shell",
        "netcat joined to a shell",
        "high",
        rb"%(nc)b%(part)b(?:-[a-z]*[ec]|--exec|--sh-exec)[ =]%(sh)b",
    ),
    Command(
        "fifo-shell",
        "a shell behind a named pipe and netcat",
        "high",
        rb"\bmkfifo[ ]%(line)b\b%(sh)b%(line)b\b(?:nc|ncat|netcat|telnet|openssl)[ ]",
    ),
    Command(
        "socat-shell",
        "socat joined to a shell",
        "high",
        rb"\bsocat[ ]%(line)b\b(?:exec|system|EXEC|SYSTEM):[\"']?%(sh)b",
    ),
    Command(
        "script-shell",
        "a remote shell in one line of a script language",
        "high",
        rb"\b(?:python[\d.]*|perl|ruby|php|lua|node|awk|gawk)[ ](?:-[a-zA-Z]+[ ])*-(?:c|e|r|rsocket[ ]-e)[ ]?"
        rb"%(line)b%(sockets)b%(text)b(?:/sh\b|/bash\b|pty\.spawn|dup2|\bsh[ ]-i)",
        rb"\bdup2\(s\w*\.fileno\(\),|\bpty\.spawn\([\"']/?(?:\w+/)*(?:ba)?sh\b|\buse Socket;\$i="
        rb"|[ ]-rsocket[ ]-e|\$sock=fsockopen\(|/inet/tcp/0/",
    ),
    Command(
        "download-run",
        "a download that goes straight into a shell",
        "medium",
        rb"%(fetch)b%(pipe)b\|[ ]*(?:sudo[ ]+)?%(sh)b",
    ),
    Command(
        "download-substituted",
        "a download that a shell runs",
        "medium",
        rb"\b(?:ba|da|z|k|a)?sh[ ]+(?:-c[ ]+)?[\"']?(?:<\(|\$\(|`)[ ]*(?:curl|wget|fetch)\b",
    ),
    Command(
        "download-temporary",
        "a download into a folder for everybody, then run",
        "medium",
        rb"%(fetch)b%(line)b(?:/tmp/|/dev/shm/|/var/tmp/)%(line)b\bchmod[ ]+(?:\+x|[ua]\+r?x|[0-7]{3,4})",
    ),
    Command(
        "encoded-run",
        "encoded words that a shell runs",
        "high",
        rb"\bbase64[ ]+(?:-d|-D|--decode|-di)\b%(line)b\|[ ]*%(sh)b",
    ),
    Command(
        "dev-tcp",
        "a shell's own connection to another machine",
        "low",
        rb"/dev/(?:tcp|udp)/%(word)b/[\d${]",
    ),
    Command(
        "history-off",
        "a shell told to remember nothing",
        "medium",
        rb"\bunset[ ]+HISTFILE\b|\bHISTFILE=/dev/null\b|\bhistory[ ]+-c\b|\bset[ ]\+o[ ]history\b",
    ),
)
"""In the order in which they are asked; of one text the first that fits counts."""

LINE = 4096
"""Bytes of a line that are looked at for what it runs."""

BY_NAME = {command.name: command for command in COMMANDS}
COMPILED = [(command, re.compile(command.expression(BOUND))) for command in COMMANDS]
TEMPORARY = re.compile(
    rb"(?:^|[;&|(`]|\bExec\w+=[@+!:-]*|@\w+[ \t]+(?:\w+[ \t]+)?"
    rb"|(?:[\d*/,A-Za-z-]{1,40}[ \t]+){5}(?:\w+[ \t]+)?|(?:^|[ \t;&])\.[ \t]+"
    rb"|\b(?:sh|bash|dash|zsh|exec|nohup|source|setsid|env|python[\d.]*|perl|php|ruby|node)[ \t]+)"
    rb"[ \t]*(?:/tmp|/var/tmp|/dev/shm|/run/shm)/[^\s;&|>]+"
)
"""Such a folder where a command stands: crontab(5), systemd.service(5), sh(1); not where it writes to."""


def hostile(data: bytes) -> Iterator[tuple[Command, bytes]]:
    """The commands of the table at the beginning of a text, with the bytes that are one."""
    for command, expression in COMPILED:
        found = expression.search(data, 0, limits.FINDING_COMMANDS)
        if found is not None:
            yield command, found.group()


def runs_temporary(line: str) -> bool:
    """Whether a line runs a file in a folder that everybody may write to."""
    return TEMPORARY.search(line.encode("utf-8", "surrogateescape")[:LINE]) is not None


def patterns() -> tuple[Pattern, ...]:
    """The table for a search."""
    return tuple(Pattern(each.name, each.in_memory or each.expression(ANY)) for each in COMMANDS)
