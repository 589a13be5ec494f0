"""A container that somebody broke into: the checkpoint, and what the intruder says was left where.

The intruder (lab/programs/intruder.py) is in a container of its own, or beside the victim where the engine
gives no network; the victim's shell comes to it, and it types the attack.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from lab.engines import Engine, Running, wait_for_word
from lab.workloads import BROKEN_INTO, INTRUDER, VICTIM, Workload

COMMAND = "criu dump -t 1 -D /tmp/.x/images"
SHARED_NETWORK = {"criu"}
"""Engines of the lab whose workloads reach one another without a network of their own."""


class Fact(NamedTuple):
    """A trace: the process that has it, and where (0 where no address was told)."""

    pid: int
    address: int


@dataclass(frozen=True)
class Attacked:
    """A checkpoint of the victim, and the traces by name."""

    engine: str
    path: Path
    facts: dict[str, Fact]
    intruder: str

    @property
    def files(self) -> bool:
        """Whether the checkpoint holds changed files."""
        return self.path.is_file()


Attack = Callable[[str], Attacked]


def attack(engine: Engine) -> Attacked:
    """Break into a container, checkpoint it and end both."""
    needs = VICTIM.needs - ({"network"} if engine.name in SHARED_NETWORK else set())
    given = {"LOOT": loot()} | ({"MEMORY_ONLY": "1"} if engine.name == "criu" else {})
    intruder = engine.start(replace(INTRUDER, needs=needs, environment=tuple(given.items())))
    running = [intruder]
    try:
        address = engine.address(intruder)
        victim = engine.start(replace(VICTIM, needs=needs).given(address))
        running.append(victim)
        log = _finished(engine, intruder)
        return Attacked(engine.name, engine.checkpoint(victim), told(log), address)
    finally:
        for one in running[::-1]:
            engine.remove(one)


def _finished(engine: Engine, intruder: Running) -> str:
    over: Workload = replace(intruder.workload, word=BROKEN_INTO)
    return engine.log(wait_for_word(engine, replace(intruder, workload=over)))


def told(log: str) -> dict[str, Fact]:
    """The traces that the intruder's log tells of."""
    found = re.findall(r"fact (\S+) (\d+) (0x[0-9a-f]+|0)", log)
    return {name: Fact(int(pid), int(address, 16)) for name, pid, address in found}


def loot() -> str:
    """Made-up secrets of this run: a token of a service account, a command line of CRIU, a private key."""
    claims = {
        "aud": ["https://kubernetes.default.svc"],
        "exp": 1900000000,
        "iat": 1700000000,
        "iss": "https://kubernetes.default.svc",
        "kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "cart", "uid": "made-up"}},
        "sub": "system:serviceaccount:shop:cart",
    }
    head = {"alg": "RS256", "kid": "made-up", "typ": "JWT"}
    said = [json.dumps(part, separators=(",", ":")).encode() for part in (head, claims)]
    parts = [*said, secrets.token_bytes(256)]
    token = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    return f"{token}\n{COMMAND}\n{private_key()}"


def private_key() -> str:
    """A key for P-256 as PKCS #8 (RFC 5208) around RFC 5915, without its public half, which is optional."""
    number = b"\x01" + secrets.token_bytes(31)  # below the curve's order
    curve = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
    inner = bytes.fromhex("30250201010420") + number
    whole = b"\x30\x41\x02\x01\x00" + curve + b"\x04\x27" + inner
    text = base64.b64encode(whole).decode()
    body = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"
