"""Credentials as kubectl finds them: contexts, several files, tokens, certificates, plugins, a pod's own."""

from __future__ import annotations

import base64
import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("httpx2")
pytest.importorskip("yaml")

from kubelet_rig import Authority, Rig, rigged

from cryoscope.kubeapi import config
from cryoscope.kubeapi.client import Client, connect
from cryoscope.kubeapi.errors import (
    BadAnswer,
    BadConfig,
    Exists,
    Forbidden,
    KubeError,
    NotFound,
    PluginFailed,
    TimedOut,
    Unauthorized,
    Unreachable,
    asked,
    of_answer,
)
from cryoscope.kubeapi.http import Answer
from cryoscope.testing.wire import Reply, Request, Server


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[Rig]:
    yield from rigged(tmp_path_factory, data)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and no cluster around."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def _ok(client: Client) -> bool:
    return client.pod("default", "counters")["metadata"]["name"] == "counters"


def _data(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _plugin(folder: Path, script: str) -> str:
    path = folder / "plugin"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def _credential(**status: Any) -> str:
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    return f"cat <<'X'\n{json.dumps(answer)}\nX\n"


V1 = {"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never"}


# --- who ------------------------------------------------------------------------------------------


def test_a_token_a_token_file_and_a_certificate_are_taken(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("admin\n")
    chain, key = rig.authority.leaf("admin")
    users: list[dict[str, Any]] = [
        {"token": "admin"},
        {"tokenFile": "token"},
        {"client-certificate": str(chain), "client-key": str(key)},
        {"client-certificate-data": _data(chain), "client-key-data": _data(key)},
    ]
    shutil.copy(tmp_path / "token", rig.folder / "token")
    for user in users:
        assert _ok(connect(rig.kubeconfig(user)))


def test_options_replace_the_contexts_credentials(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("admin")
    chain, key = rig.authority.leaf("admin")
    path = rig.kubeconfig({"token": "nobody"})
    assert _ok(connect(path, token_file=str(tmp_path / "token")))
    assert _ok(connect(path, certificate=str(chain), key=str(key)))
    with pytest.raises(BadConfig):
        connect(path, certificate=str(chain))


def test_a_token_file_is_read_again_when_the_server_does_not_take_it_any_more(
    rig: Rig, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("admin")
    client = connect(rig.kubeconfig({"tokenFile": str(token)}))
    assert _ok(client)
    rig.cluster.users["admin"].token = "rotated"
    try:
        token.write_text("rotated")
        assert _ok(client)
        token.write_text("wrong")
        rig.cluster.users["admin"].token = "rotated again"
        with pytest.raises(Unauthorized):
            _ok(client)
    finally:
        rig.cluster.users["admin"].token = "admin"


def test_a_plugin_gives_a_token_and_is_asked_again_when_it_expires(rig: Rig, tmp_path: Path) -> None:
    count = tmp_path / "count"
    script = f"echo x >> {count}\n[ -f {tmp_path}/new ] && T=fresh || T=admin\n"
    script += 'printf \'{"status":{"token":"%s"}}\' $T\n'
    plugin = {**V1, "command": _plugin(tmp_path, script)}
    client = connect(rig.kubeconfig({"exec": plugin}))
    assert _ok(client)
    assert _ok(client)
    assert len(count.read_text().split()) == 1
    (tmp_path / "new").touch()
    rig.cluster.users["admin"].token = "fresh"
    try:
        assert _ok(client)
    finally:
        rig.cluster.users["admin"].token = "admin"
    assert len(count.read_text().split()) == 2


def test_a_plugin_gives_a_certificate(rig: Rig, tmp_path: Path) -> None:
    chain, key = rig.authority.leaf("admin")
    script = _credential(clientCertificateData=chain.read_text(), clientKeyData=key.read_text())
    assert _ok(connect(rig.kubeconfig({"exec": {**V1, "command": _plugin(tmp_path, script)}})))


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha1"])
def test_a_plugin_is_told_version_cluster_arguments_and_environment(
    rig: Rig, tmp_path: Path, version: str
) -> None:
    out = tmp_path / "out"
    script = f'printf "%s|%s|%s" "$KUBERNETES_EXEC_INFO" "$1" "$SET" > {out}\n' + _credential(token="admin")
    plugin = {
        "apiVersion": f"client.authentication.k8s.io/{version}",
        "command": "./" + Path(_plugin(rig.folder, script)).name,
        "args": ["first arg"],
        "env": [{"name": "SET", "value": "by kubeconfig"}],
        "provideClusterInfo": True,
    }
    assert _ok(connect(rig.kubeconfig({"exec": plugin})))
    info, argument, variable = out.read_text().split("|")
    assert (argument, variable) == ("first arg", "by kubeconfig")
    told = json.loads(info)
    assert told["apiVersion"].endswith("/" + version)
    assert told["spec"]["cluster"]["server"] == rig.api.url


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'please log in' >&2; exit 3", "please log in"),
        ("echo not json", "gives no credential"),
        (_credential(), "gives no credential"),
        (_credential(clientCertificateData="only"), "gives no credential"),
    ],
)
def test_a_plugin_that_fails_is_told_with_its_words(rig: Rig, tmp_path: Path, script: str, said: str) -> None:
    with pytest.raises(PluginFailed, match=said) as raised:
        connect(rig.kubeconfig({"exec": {**V1, "command": _plugin(tmp_path, script)}}))
    assert raised.value.code == "k8s.exec-plugin"


def test_a_plugin_that_is_not_there_is_told_with_the_kubeconfigs_hint(rig: Rig) -> None:
    plugin = {**V1, "command": "no-such-plugin-here", "installHint": "brew install it"}
    with pytest.raises(PluginFailed) as raised:
        connect(rig.kubeconfig({"exec": plugin}))
    assert raised.value.hint == "brew install it"


@pytest.mark.parametrize(
    "user",
    [
        {"auth-provider": {"name": "gcp"}},
        {"token": "admin", "as": "other"},
        {"client-certificate": "/nowhere/x.pem", "client-key": "/nowhere/x.key"},
        {"client-certificate-data": "bm9uc2Vuc2U=", "client-key-data": "bm9uc2Vuc2U="},
        {"client-certificate-data": "bm9uc2Vuc2U="},
        {"tokenFile": "/nowhere/token"},
        {"exec": {"apiVersion": "client.authentication.k8s.io/v9", "command": "true"}},
    ],
    ids=lambda user: next(iter(user)),
)
def test_credentials_that_cannot_be_used_are_told(rig: Rig, user: dict[str, Any]) -> None:
    with pytest.raises(KubeError) as raised:
        _ok(connect(rig.kubeconfig(user)))
    assert raised.value.code in ("k8s.config", "k8s.exec-plugin")
    assert raised.value.hint


def test_an_encrypted_key_fails_and_does_not_ask(rig: Rig, tmp_path: Path) -> None:
    chain, key = rig.authority.leaf("admin")
    locked = tmp_path / "locked.key"
    subprocess.run(
        ["openssl", "pkey", "-in", str(key), "-aes256", "-passout", "pass:secret", "-out", str(locked)],
        check=True,
        capture_output=True,
    )
    with pytest.raises(BadConfig, match="client certificate cannot be used"):
        connect(rig.kubeconfig({"client-certificate": str(chain), "client-key": str(locked)}))


# --- which ----------------------------------------------------------------------------------------


def _write(path: Path, document: dict[str, Any]) -> Path:
    path.write_text(json.dumps(document))
    return path


def _named(name: str, server: str, **more: Any) -> dict[str, Any]:
    return {
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "ns-" + name}}],
        "clusters": [{"name": name, "cluster": {"server": server}}],
        "users": [{"name": name, "user": {"token": name}}],
        **more,
    }


def test_two_contexts_of_one_file_are_told_apart(tmp_path: Path) -> None:
    one, two = _named("one", "https://one:1"), _named("two", "https://two:2")
    both = {**{kind: one[kind] + two[kind] for kind in one}, "current-context": "two"}
    path = str(_write(tmp_path / "c", both))
    assert config.choose(path).cluster["server"] == "https://two:2"
    assert config.choose(path, "one").cluster["server"] == "https://one:1"
    assert config.choose(path, "one").namespace == "ns-one"


def test_of_several_files_the_first_that_says_a_thing_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    first = _named("one", "https://one:1")
    second = _named("two", "https://two:2", **{"current-context": "two"})
    second["clusters"].append({"name": "one", "cluster": {"server": "https://other:9"}})
    second["users"][0]["user"] = {"tokenFile": "tok"}
    paths = [_write(tmp_path / "a", first), tmp_path / "missing", _write(tmp_path / "sub" / "b", second)]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, paths)))
    assert config.choose().context == "two"
    assert config.choose().user["tokenFile"] == str(tmp_path / "sub" / "tok")
    assert config.choose(None, "one").cluster["server"] == "https://one:1"


def test_the_usual_file_is_found_in_the_home(home: Path) -> None:
    assert not config.is_there()
    (home / ".kube").mkdir()
    _write(home / ".kube" / "config", _named("one", "https://one:1", **{"current-context": "one"}))
    assert config.is_there()
    assert config.choose().context == "one"


def test_a_pod_uses_its_service_account(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text("admin")
    (account / "namespace").write_text("team-b")
    shutil.copy(rig.authority.certificate, account / "ca.crt")
    monkeypatch.setattr(config, "ACCOUNT", str(account))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(rig.api.port))
    client = connect()
    assert (client.namespace, client.context) == ("team-b", "in-cluster")
    assert _ok(client)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{{{", "k8s.config"),
        ("[]", "k8s.config"),
        ("clusters: [{name: x}]", "k8s.config"),
        ("clusters: 7", "k8s.config"),
        ("users: [{name: x, user: {token: !!python/object:os.system x}}]", "k8s.config"),
        ("{}", "k8s.context-unknown"),
        ("current-context: x", "k8s.context-unknown"),
        ("{current-context: x, contexts: [{name: x, context: {cluster: y, user: z}}]}", "k8s.config"),
    ],
)
def test_a_kubeconfig_that_is_none_is_told(tmp_path: Path, text: str, code: str) -> None:
    (tmp_path / "c").write_text(text)
    with pytest.raises(BadConfig) as raised:
        config.choose(str(tmp_path / "c"))
    assert raised.value.code == code
    assert raised.value.exit_code == 2


def test_no_kubeconfig_at_all_and_a_missing_one_are_told() -> None:
    with pytest.raises(BadConfig) as raised:
        connect()
    assert raised.value.code == "k8s.no-config"
    with pytest.raises(BadConfig) as raised:
        connect("/nowhere/config")
    assert raised.value.code == "k8s.config"


# --- the wire -------------------------------------------------------------------------------------


def test_an_unknown_authority_is_refused_and_the_right_one_taken(rig: Rig, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    path = rig.kubeconfig({"token": "admin"}, **{"certificate-authority-data": _data(other.certificate)})
    with pytest.raises(Unreachable) as raised:
        _ok(connect(path))
    assert raised.value.code == "k8s.tls"
    assert "--certificate-authority" in raised.value.hint
    assert _ok(connect(path, authority=str(rig.authority.certificate)))


def test_without_any_authority_insecure_goes_without(rig: Rig) -> None:
    path = rig.kubeconfig({"token": "admin"}, **{"certificate-authority-data": None})
    with pytest.raises(Unreachable):
        _ok(connect(path))
    assert _ok(connect(path, insecure=True))


@pytest.mark.parametrize("user", [{"token": "admin"}, {"username": "a", "password": "b"}])
def test_credentials_do_not_go_without_tls_to_another_machine(rig: Rig, user: dict[str, str]) -> None:
    for server in ("http://kubernetes.example:6443", "http://192.0.2.1"):
        with pytest.raises(BadConfig) as raised:
            connect(rig.kubeconfig(user, server=server))
        assert raised.value.code == "k8s.cleartext"
        assert "https://" in raised.value.hint
    connect(rig.kubeconfig(user, server="http://127.0.0.1:8001")).close()
    connect(rig.kubeconfig({}, server="http://kubernetes.example:6443")).close()


def test_a_name_that_the_certificate_does_not_have_is_refused(rig: Rig) -> None:
    with pytest.raises(Unreachable) as raised:
        _ok(connect(rig.kubeconfig({"token": "admin"}, **{"tls-server-name": "kubernetes.example"})))
    assert raised.value.code == "k8s.tls"
    assert _ok(connect(rig.kubeconfig({"token": "admin"}, **{"tls-server-name": "localhost"})))


def test_a_server_that_does_not_answer_is_unreachable(rig: Rig) -> None:
    with pytest.raises(Unreachable) as raised:
        _ok(connect(rig.kubeconfig({"token": "admin"}, server="https://127.0.0.1:1")))
    assert raised.value.code == "k8s.unreachable"


def test_reviews_say_what_credentials_may(rig: Rig) -> None:
    client = connect(rig.kubeconfig({"token": "ckpt-direct"}))
    assert client.can_i("create", "nodes", "checkpoint")
    assert not client.can_i("create", "nodes", "proxy")


def test_what_is_forbidden_names_verb_and_resource(rig: Rig) -> None:
    with pytest.raises(Forbidden) as raised:
        _ok(connect(rig.kubeconfig({"token": "nobody"})))
    assert (raised.value.verb, raised.value.resource) == ("get", "pods")
    assert "kubectl auth can-i get pods -n default" in raised.value.hint


def test_objects_are_made_and_taken_away(rig: Rig) -> None:
    client = connect(rig.kubeconfig({"token": "admin"}))
    made = client.post("/api/v1/namespaces/default/pods", {"metadata": {"name": "reader"}})
    assert made["metadata"]["name"] == "reader"
    client.delete("/api/v1/namespaces/default/pods/reader")
    with pytest.raises(NotFound):
        client.get("/api/v1/namespaces/default/pods/reader")


def test_lists_are_read_page_by_page(rig: Rig) -> None:
    rig.api.page = 2
    try:
        client = connect(rig.kubeconfig({"token": "admin"}))
        assert len(list(client.pods())) == len(rig.cluster.pods)
        assert len(list(client.pods("team-b"))) == len(rig.cluster.pods) // 2
        assert {pod["spec"]["nodeName"] for pod in client.pods(node="node1")} == {"node1"}
        assert [node["metadata"]["name"] for node in client.nodes()] == ["node1", "node2"]
    finally:
        rig.api.page = None


# --- a server that is none --------------------------------------------------------------------------


def _against(tmp_path: Path, handle: Callable[[Request], Reply]) -> tuple[Server, Client]:
    server = Server(handle)
    path = _write(tmp_path / "hostile", _named("h", server.url, **{"current-context": "h"}))
    return server, connect(str(path))


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(200, b"<html>"), "k8s.answer"),
        (Reply(200, b"[1]"), "k8s.answer"),
        (Reply(200, b"[" * 200_000), "k8s.answer"),
        (Reply(200, b'{"a":' * 200_000), "k8s.answer"),
        (Reply(302, b"", {"Location": "http://127.0.0.1:1/"}), "k8s.answer"),
        (Reply(500, b"\x1b[31mboom"), "k8s.failed"),
        (Reply(503, b""), "k8s.busy"),
        (Reply(404, b'{"kind":"Status","message":7}'), "k8s.not-found"),
    ],
    ids=range(8),
)
def test_a_hostile_answer_ends_in_a_code(tmp_path: Path, reply: Reply, code: str) -> None:
    server, client = _against(tmp_path, lambda _: reply)
    with server, pytest.raises(KubeError) as raised:
        client.get("/api/v1/nodes/x")
    assert raised.value.code == code
    assert "\x1b" not in raised.value.message


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/api/v1/namespaces/a/pods/nope", "there is no pod nope: "),
        ("/api/v1/namespaces/a/pods/nope/log", "there is no log of pod nope: "),
        ("/apis/x.io/v1/policies/strict", "there is no policy strict: "),
        ("/apis/x.io/v1/things", "there is no resource things: "),
    ],
)
def test_what_is_not_there_is_told_as_one(tmp_path: Path, path: str, shown: str) -> None:
    server, client = _against(tmp_path, lambda _: Reply(404, b'{"kind":"Status","message":"gone"}'))
    with server, pytest.raises(KubeError) as raised:
        client.get(path)
    assert raised.value.message == shown + "gone"


def test_an_endless_answer_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server, client = _against(tmp_path, lambda _: Reply(200, b" " * 3_000_000))
    with server, pytest.raises(BadAnswer) as raised:
        client.request("GET", "/api/v1/x", most=1_000_000)
    assert raised.value.code == "k8s.too-large"


def test_an_answer_that_does_not_come_is_given_up(tmp_path: Path) -> None:
    def handle(_: Request) -> Reply:
        server.wait(60)
        return Reply(200)

    server, client = _against(tmp_path, handle)
    with server, pytest.raises(TimedOut) as raised:
        client.request("GET", "/api/v1/x", timeout=0.2)
    assert raised.value.code == "k8s.timeout"
    assert raised.value.exit_code == 5


def test_a_list_that_never_ends_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cryoscope import limits

    monkeypatch.setattr(limits, "KUBE_OBJECTS", 10)
    page = b'{"items":[{},{},{}],"metadata":{"continue":"again"}}'
    server, client = _against(tmp_path, lambda _: Reply(200, page, {"Content-Type": "application/json"}))
    with server, pytest.raises(BadAnswer):
        list(client.pods())


def test_a_list_that_says_go_on_and_gives_nothing_ends(tmp_path: Path) -> None:
    page = b'{"items":[],"metadata":{"continue":"again"}}'
    server, client = _against(tmp_path, lambda _: Reply(200, page, {"Content-Type": "application/json"}))
    with server:
        assert list(client.pods()) == []


def test_credentials_do_not_follow_a_redirect(tmp_path: Path) -> None:
    seen: list[Request] = []

    def away(request: Request) -> Reply:
        seen.append(request)
        return Reply(200, b"{}")

    with Server(away) as other:
        server, client = _against(tmp_path, lambda _: Reply(307, b"", {"Location": other.url + "/x"}))
        with server, pytest.raises(BadAnswer):
            client.get("/api/v1/nodes/x")
    assert seen == []


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("GET", "/api/v1/namespaces/a/pods/b/log?x=1", ("get", "pods/log", "b", "a")),
        ("GET", "/api/v1/pods", ("list", "pods", "", "")),
        ("POST", "/api/v1/nodes/n/proxy/checkpoint/x", ("create", "nodes/proxy", "n", "")),
        ("DELETE", "/apis/batch/v1/namespaces/a/jobs/j", ("delete", "jobs", "j", "a")),
        ("GET", "/api/v1/namespaces/a", ("get", "namespaces", "a", "")),
    ],
)
def test_requests_are_told_in_rbacs_words(method: str, path: str, words: tuple[str, ...]) -> None:
    about = asked(method, path)
    assert (about.verb, about.resource, about.name, about.namespace) == words


def test_conflicts_are_told_apart() -> None:
    about = asked("POST", "/api/v1/namespaces/a/pods")
    assert isinstance(of_answer(Answer(409, {}, b"{}"), about), Exists)
