"""The cluster that the transcripts were recorded on, as a model, and the transcripts.

tests/data/kubelet/transcripts.jsonl.xz has one JSON object a line: name, user, method, path, request headers,
status, reason, headers in their order, body.  Users are known to the doubles by tokens of their names.
"""

from __future__ import annotations

import json
import lzma
from datetime import datetime
from pathlib import Path
from typing import Any

from cryoscope.testing.cluster import CLIENT, Cluster, Container, Node, Pod, User

DATA = Path(__file__).resolve().parent.parent / "data" / "kubelet" / "transcripts.jsonl.xz"
IDS = {
    "counter1": "0e16ff4739aba5ace5bbe75e181840c309952a84fb0dec4606539a0bc2c852b6",
    "redis1": "8ff52f4780e1e72c16dc4ad9dca8ba4dc780d89025adfc177950c13ab4b3bb3a",
    "redis1-again": "735ebb1270624519aae807c804dd56bc133a55ef1ec212687bb9ecea06ccc62c",
    "counter2": "0f52839be291adbd427a337ef00ff2faafd3d0b36cb8c622878cd69b185d1cef",
    "redis2": "dd1025f392a18372ab085d69fcf366fad537a568885f08269d7bcaf776ac1917",
    "crun": "db5ab0db95a831641eb1e5cacfffff714e25405ab25c582ddd0e27f6fd65d133",
}
PLAIN = "kube-apiserver-kubelet-client-plain"
ALL = ("*", "*")
CHECKPOINT, PROXY = ("create", "nodes/checkpoint"), ("create", "nodes/proxy")
USERS = {
    "admin": {ALL},
    "ckpt-direct": {CHECKPOINT},
    "ckpt-proxy": {PROXY},
    "ckpt-both": {CHECKPOINT, PROXY},
    "ckpt-getonly": {("get", "nodes/checkpoint"), ("get", "nodes/proxy")},
    "ckpt-star": {("*", "nodes/*")},
    "nobody": set(),
    "system:serviceaccount:default:checkpointer": {CHECKPOINT},
    "system:serviceaccount:default:default": set(),
    CLIENT: {ALL},
    PLAIN: {("create", "nodes/proxy"), ("get", "nodes/proxy")},
}


def transcripts() -> list[dict[str, Any]]:
    """All of them."""
    with lzma.open(DATA, "rt") as lines:
        return [json.loads(line) for line in lines]


def world(clock: Any = None) -> Cluster:
    """The cluster as it was when nothing was wrong."""
    cluster = Cluster(**({"clock": clock} if clock else {}))
    cluster.add(*(User(name, rights, name) for name, rights in USERS.items()))
    cluster.add(Node("node1"), Node("node2", runtime="cri-o", version="1.37.0", port=10260))
    for number, namespace in (("1", "default"), ("2", "team-b")):
        cluster.add(*(_pods(namespace, f"node{number}", number)))
    return cluster


def _pods(namespace: str, node: str, number: str) -> list[Pod]:
    counters = [
        Container("setup", "1" * 64, kind="init", state="ended"),
        Container("counter", IDS["counter" + number]),
        Container("redis", IDS["redis" + number], image="localhost/redis:8"),
        Container("dbg", "2" * 64, kind="ephemeral", state="waiting"),
        Container("dbg2", "3" * 64, kind="ephemeral"),
    ]
    web = {"1": "web-74f4bf8b5-xkjgj", "2": "web-5d7984999d-vqm9m"}[number]
    return [
        Pod(namespace, "counters", node, counters, volumes=["sec", "scratch"]),
        Pod(namespace, "regcounters", node, [Container("counter"), Container("redis")]),
        *(Pod(namespace, name, node, [Container("c")]) for name in ("hostnet", "sharedpid", "tty")),
        Pod(namespace, "rr-counter", node, [Container("counter")]),
        Pod(namespace, web, node, [Container("web")]),
        Pod(namespace, "crunpod", node, [Container("c", IDS["crun"], runtime="/usr/bin/crun")]),
    ]


def arrange(cluster: Cluster, said: dict[str, Any]) -> None:
    """Let the cluster be as it was at a transcript."""
    name = said["name"]
    node1, node2 = cluster.nodes["node1"], cluster.nodes["node2"]
    for pod in cluster.pods:
        for container in pod.containers:
            container.busy = 1 if name in ("086-parallel-b", "088-parallel-crio-b") else 0
            container.connected = "established" in name
            if name == "172-containerd-main-established-tcp" and container.name == "redis":
                container.id = IDS["redis1-again"]
    for waits, of in (
        ("028-container-waiting-errimagepull-crio", "regcounters"),
        ("123-sharedpid-crio", "sharedpid"),
    ):
        pod = cluster.pod("team-b", of)
        assert pod is not None
        pod.containers[0].state = "waiting" if name == waits else "running"
    node1.criu = name != "130-no-criu-containerd"
    node2.criu = name != "131-criu-removed-crio"
    node1.disk_full = node2.disk_full = "disk-full" in name
    node1.gate = not (name.startswith("14") and name[:3] in ("140", "141", "142", "143", "147"))
    node1.anonymous = "anonymous-on" in name
    node2.criu_support = name != "145-crio-enable_criu_support-false"
    node2.hangs, node2.request_timeout = "runtime-hangs" in name, 0.01
    node2.libcriu = "without-libcriu" not in name
    cluster.client = PLAIN if name.startswith(("143", "144")) else CLIENT


def token(said: dict[str, Any]) -> str | None:
    """How the doubles know who asked."""
    accounts = {"sa.tok": "checkpointer", "sadef.tok": "default"}
    user = str(said["user"])
    if user == "none":
        return None
    name = user.removeprefix("token:")
    return "system:serviceaccount:default:" + accounts[name] if name in accounts else name


def when(said: dict[str, Any]) -> float:
    """The time of its Date header."""
    dates = dict(said["headers"])
    return datetime.strptime(dates["Date"], "%a, %d %b %Y %H:%M:%S %Z").timestamp()
