"""The doubles of kubelet and API server answer as real ones did: every recorded request, byte for byte."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from typing import Any

import pytest
from kubelet_world import arrange, token, transcripts, world

from cryoscope.testing.apiserver import ApiServer
from cryoscope.testing.cluster import Cluster
from cryoscope.testing.kubelet import Kubelet

SAID = transcripts()
CHANGING = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"  # times in paths and logs
    r"|(?<=\()\d\d\.\d{6}(?=\))"  # seconds since CRIU began
)
ENDS = {"127.0.0.1:10250": "node1", "127.0.0.1:10260": "node2"}


class Doubles:
    """A model, its two kubelets and its API server."""

    def __init__(self) -> None:
        self.cluster: Cluster = world()
        self.kubelets = {name: Kubelet(self.cluster, name) for name in self.cluster.nodes}
        self.api = ApiServer(self.cluster, self.kubelets)

    def ask(self, said: dict[str, Any]) -> tuple[int, str, list[tuple[str, str]], str]:
        """Send a recorded request."""
        arrange(self.cluster, said)
        self.api.loopback = not said["name"].startswith("loopback")
        end = ENDS.get(dict(said["request"])["Host"])
        port = self.kubelets[end].port if end else self.api.port
        headers = {"User-Agent": dict(said["request"])["User-Agent"]}
        who = token(said)
        if who is not None:
            headers["Authorization"] = f"Bearer {who}"
        connection = http.client.HTTPConnection("127.0.0.1", port)
        try:
            connection.request(said["method"], said["path"], headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.reason, answer.getheaders(), answer.read().decode()
        finally:
            connection.close()

    def close(self) -> None:
        self.api.close()
        for kubelet in self.kubelets.values():
            kubelet.close()


@pytest.fixture(scope="module")
def doubles() -> Iterator[Doubles]:
    found = Doubles()
    yield found
    found.close()


def test_all_transcripts_are_there() -> None:
    assert len(SAID) == 112
    assert len({said["name"] for said in SAID}) == 112


@pytest.mark.parametrize("said", SAID, ids=[said["name"] for said in SAID])
def test_a_double_answers_as_recorded(doubles: Doubles, said: dict[str, Any]) -> None:
    status, reason, headers, body = doubles.ask(said)
    assert (status, reason) == (said["status"], said["reason"])
    assert CHANGING.sub("T", body) == CHANGING.sub("T", said["body"])
    assert _steady(headers) == _steady([(name, value) for name, value in said["headers"]])


def _steady(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Headers in their order, without what changes each time."""
    return [(name, "" if name in ("Date", "Audit-Id") else value) for name, value in headers]
