"""Mining of coins: programs, their settings, and the pools they work for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope import limits
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_file, of_hit, of_process
from cryoscope.examine.findings.known.evidences import distinct, in_files
from cryoscope.examine.findings.known.files import written
from cryoscope.examine.findings.known.programs import MINERS, names
from cryoscope.examine.findings.scene import Scene
from cryoscope.examine.search.hits import Hit
from cryoscope.examine.search.patterns import Pattern

POOLS = (
    rb"supportxmr\.com|nanopool\.org|minexmr\.com|moneroocean\.stream|xmrpool\.eu|hashvault\.pro|c3pool\.(?:com|org)"
    rb"|2miners\.com|f2pool\.com|ethermine\.org|herominers\.com|unmineable\.com|nicehash\.com|miningpoolhub\.com"
    rb"|dwarfpool\.com|crypto-pool\.fr|monerohash\.com|minergate\.com|viabtc\.com|woolypooly\.com|rplant\.xyz"
    rb"|kryptex\.network|p2pool\.observer|donate\.(?:v2\.)?xmrig\.com"
)
URL = Pattern("url", rb"\bstratum\d?\+(?:tcp|ssl|tls|udp)://[\w.-]+:\d{2,5}")
POOL = Pattern("pool", rb"(?:" + POOLS + rb"):\d{2,5}\b")
SETTING = Pattern("settings", rb"\"(?:donate-level|rig-id|randomx|nicehash|cryptonight)\"[ ]{0,4}:")
LOGIN = Pattern(
    "login", rb"\"method\"[ ]{0,4}:[ ]{0,4}\"(?:mining\.(?:subscribe|authorize|submit)|keepalived)\""
)
ARGUMENTS = re.compile(
    r"stratum\d?\+\w+://|--donate-level|--coin[= ]\w|--algo[= ](?:rx|cn|kawpow|argon2|randomx|cryptonight)"
    r"|--randomx-|--nicehash\b|(?:^| )-o \S+:\d+ .*-u (?:4|8)[0-9AB][1-9A-HJ-NP-Za-km-z]{93}"
)
CONFIG = re.compile(rb"\"(?:donate-level|rig-id|randomx|cryptonight)\"")
SETTINGS = (".json", ".conf", ".cfg", ".ini", ".txt")
TITLE = "Words of miners stand in memory or files"


def look(scene: Scene) -> Iterator[Suspicion]:
    """Processes, settings in written files, and words in memory."""
    yield from _processes(scene)
    yield from _settings(scene)
    for hit in distinct(scene.hits("miner")):
        yield Suspicion([of_hit(hit, _what(hit))], "medium", TITLE)


def _processes(scene: Scene) -> Iterator[Suspicion]:
    for process in scene.processes:
        name = next((name for name in names(process) if name.lower() in MINERS), None)
        if ARGUMENTS.search(process.command):
            yield Suspicion([of_process(process, "runs with the arguments of a miner")])
        elif name:
            yield Suspicion([of_process(process, f"is called {name}, as a miner is")])


def _settings(scene: Scene) -> Iterator[Suspicion]:
    """Files of settings that name both a pool and what only miners know."""
    for entry in written(scene):
        if (
            entry.path.endswith((".json", ".conf", ".cfg", ".ini", ".txt"))
            and (entry.size or 0) < limits.FINDING_FILE
        ):
            data = scene.content(entry, limits.FINDING_FILE)
            if b'"pools"' in data and CONFIG.search(data):
                yield Suspicion([of_file(entry, "settings of a miner")])


def _what(hit: Hit) -> str:
    kind = {"url": "the address of a pool", "pool": "the name of a pool"}.get(hit.pattern, "words of a miner")
    return f"{kind} in {'a file' if in_files(hit) else hit.place}"


DETECTOR = Detector(
    name="miner",
    title="A miner of coins runs or is set up",
    severity="high",
    why="Mining is what most break-ins into clusters are for. A pool's address in a command line or in "
    "settings is no accident; in memory alone it may be a list of things to block.",
    next=[
        "cryoscope sockets ARCHIVE: the connection to the pool; cryoscope search for the wallet",
        "how it came in: cryoscope timeline, and the findings about new programs and timed commands",
    ],
    techniques=["T1496.001"],
    references=[
        "MITRE ATT&CK T1496.001, Resource Hijacking: Compute Hijacking",
    ],
    look=look,
    patterns=(URL, POOL, SETTING, LOGIN),
)
