"""Targets: what their URLs say, and what no target is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoscope.engines.port import Ability, AmbiguousTarget, Container, NoSuchContainer, matching
from cryoscope.engines.target import BadTarget, Target, parse

READ = {
    "podman://looper": Target(scheme="podman", reference="looper"),
    "docker://0123456789ab": Target(scheme="docker", reference="0123456789ab"),
    "cri://containerd/0123456789ab": Target(scheme="cri", runtime="containerd", reference="0123456789ab"),
    "cri://crio/web": Target(scheme="cri", runtime="crio", reference="web"),
    "cri://web": Target(scheme="cri", reference="web"),
    "pid://1234": Target(scheme="pid", reference="1234"),
    "k8s://team-b/counters": Target(scheme="k8s", namespace="team-b", pod="counters"),
    "k8s://team-b/counters/redis?context=prod": Target(
        scheme="k8s", namespace="team-b", pod="counters", reference="redis", context="prod"
    ),
    "k8s://a/b/c?via=apiserver&node=n1": Target(
        scheme="k8s", namespace="a", pod="b", reference="c", via="apiserver", node="n1"
    ),
}


@pytest.mark.parametrize("text", READ)
def test_a_url_is_the_target_it_says_and_is_said_again(text: str) -> None:
    assert parse(text) == READ[text]
    assert parse(str(READ[text])) == READ[text]


def test_the_way_through_the_api_server_is_another_engine() -> None:
    assert [parse(f"k8s://a/b{more}").kind for more in ("", "?via=apiserver")] == ["k8s", "k8s+apiserver"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "looper",
        "http://x",
        "podman://",
        "podman://a/b",
        "podman://..",
        "podman://a%2Fb",
        "podman://a?context=x",
        "docker://" + "a" * 300,
        "cri://other/ID/x",
        "pid://0",
        "pid://-1",
        "pid://12x",
        "k8s://ns",
        "k8s://ns/pod/c/d",
        "k8s://NS/pod",
        "k8s://ns/pod/..",
        "k8s://ns/pod?via=ssh",
        "k8s://ns/pod?token=x",
        "k8s://ns/pod?node=a%2Fb",
        "k8s://[x/y",
    ],
)
def test_what_no_target_is_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadTarget) as caught:
        parse(text)
    assert caught.value.exit_code == 2
    assert caught.value.hint


@given(st.text(max_size=60))
def test_any_text_is_a_target_or_a_usage_error(text: str) -> None:
    for scheme in ("", "podman://", "cri://", "pid://", "k8s://"):
        try:
            found = parse(scheme + text)
        except BadTarget:
            continue
        assert "/" not in (found.reference or "")
        assert parse(str(found)) == found


def container(id_: str, name: str) -> Container:
    yes = Ability(can=True)
    return Container(engine="x", id=id_, name=name, state="running", target="", capture=yes, restore=yes)


def test_a_container_is_found_by_name_id_and_the_first_digits() -> None:
    there = [container("aaaabbbbcccc", "web"), container("aaaaddddeeee", "db"), container("ffff", "aaaab")]
    assert matching(there, "db", engine="x").name == "db"
    assert matching(there, "aaaad", engine="x").name == "db"
    assert matching(there, "aaaab", engine="x").name == "aaaab"  # a name goes before digits
    with pytest.raises(AmbiguousTarget, match="web"):
        matching(there, "aaaa", engine="x")
    for nobody in ("aa", "zzz"):
        with pytest.raises(NoSuchContainer):
            matching(there, nobody, engine="x")
