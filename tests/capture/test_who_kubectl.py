"""`kubectl cryoscope`: what it makes of pods, and that kubectl itself runs it."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from cryoscope.cli import COMMANDS, kubectl
from cryoscope.errors import UsageError
from cryoscope.testing import pods

CONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "one",
    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
    "contexts": [
        {"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "shop"}},
        {"name": "two", "context": {"cluster": "c", "user": "u", "namespace": "bank"}},
        {"name": "bare", "context": {"cluster": "c", "user": "u"}},
    ],
    "users": [{"name": "u", "user": {}}],
}


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch) -> Path:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(CONFIG))
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path


@pytest.fixture
def given(monkeypatch) -> list[dict]:
    """What the command proper is called with."""
    seen: list[dict] = []
    for name in ("capture", "doctor"):
        from importlib import import_module

        command = import_module(f"cryoscope.cli.{name}").command
        monkeypatch.setattr(command, "callback", lambda **more: seen.append(more))
    return seen


def ran(*arguments: str) -> None:
    kubectl.plugin.main([*arguments], standalone_mode=False)


@pytest.mark.parametrize(
    ("arguments", "target"),
    [
        (["web"], "k8s://shop/web"),
        (["pod/web"], "k8s://shop/web"),
        (["po/web", "-c", "nginx"], "k8s://shop/web/nginx"),
        (["web", "--container", "nginx", "-n", "bank"], "k8s://bank/web/nginx"),
        (["-n", "bank", "web"], "k8s://bank/web"),
        (["web", "--context", "two"], "k8s://bank/web"),
        (["web", "--context", "bare"], "k8s://default/web"),
        (["k8s://a/b/c?via=apiserver"], "k8s://a/b/c?via=apiserver"),
        (["we b"], "k8s://shop/we%20b"),
    ],
)
def test_a_pod_becomes_a_target(given, arguments, target):
    ran("capture", *arguments)
    assert given[0]["target"] == target


def test_context_and_kubeconfig_reach_the_command_as_kubectl_has_them(given, tmp_path, monkeypatch):
    monkeypatch.delenv("KUBECONFIG")
    ran("capture", "web", "--kubeconfig", str(tmp_path / "config"), "--context", "two", "-o", "x.tar")
    assert given[0]["target"] == "k8s://bank/web"
    assert given[0]["kubeconfig"] == str(tmp_path / "config")
    assert given[0]["context"] == "two"
    assert given[0]["output"] == "x.tar"


def test_every_option_of_the_command_proper_is_handed_on(given):
    from cryoscope.cli.capture import command

    ran("capture", "web", "--fetch", "none", "--all-containers")
    assert {*given[0]} == {each.name for each in command.params}
    assert given[0]["fetch"] == "none"
    assert given[0]["all_containers"] is True


def test_doctor_asks_for_rights_or_for_a_pod(given):
    ran("doctor")
    ran("doctor", "web", "-c", "nginx")
    assert [each["target"] for each in given] == ["k8s", "k8s://shop/web/nginx"]
    with pytest.raises(UsageError):
        ran("doctor", "-c", "nginx")


@pytest.mark.parametrize("name", ["deployment/web", "deploy/web", "a/b/c"])
def test_only_pods_are_taken(given, name):
    with pytest.raises(UsageError) as caught:
        ran("capture", name)
    assert caught.value.code == "kubectl.kind"


def test_a_context_that_is_not_there_is_a_usage_error(given):
    with pytest.raises(Exception) as caught:
        ran("capture", "web", "--context", "three")
    assert caught.value.exit_code == 2


def test_no_option_has_two_meanings():
    for name in (*kubectl.TAKES_POD, "targets"):
        if name not in COMMANDS:
            continue
        command = kubectl.plugin.get_command(click.Context(kubectl.plugin), name)
        flags = [flag for each in command.params if isinstance(each, click.Option) for flag in each.opts]
        assert len(flags) == len({*flags}), name


def test_the_other_commands_are_the_same(data):
    answer = CliRunner().invoke(kubectl.plugin, ["show", str(data / "crio-counter.tar"), "-f", "json"])
    assert answer.exit_code == 0
    assert json.loads(answer.stdout)["schema"].startswith("cryoscope.")


def test_help_is_about_pods():
    text = CliRunner().invoke(kubectl.plugin, ["capture", "--help"]).stdout
    assert "POD" in text
    assert "podman://" not in text
    assert "--host" not in text
    assert "completion" not in CliRunner().invoke(kubectl.plugin, ["--help"]).stdout


# --- with a cluster -------------------------------------------------------------------------


def pod(namespace, name):
    status = {
        "phase": "Running",
        "containerStatuses": [
            {"name": "c", "containerID": "containerd://" + "ab" * 32, "state": {"running": {}}}
        ],
    }
    return {
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"nodeName": "node1", "containers": [{"name": "c", "image": "i"}]},
        "status": status,
    }


@pytest.fixture
def cluster(config):
    there = pods.Pods({}, namespaces=("shop", "bank"))
    there.there = {
        (ns, name): pod(ns, name) for ns, name in [("shop", "web"), ("shop", "wiki"), ("bank", "db")]
    }
    with pods.serve(there) as address:
        CONFIG["clusters"][0]["cluster"]["server"] = address
        config.write_text(yaml.safe_dump(CONFIG))
        yield there


def listed(*arguments):
    """The targets that a process of its own lists."""
    program = "from cryoscope.cli.kubectl import main; main()"
    argv = [sys.executable, "-c", program, "targets", "-f", "json", *arguments]
    answer = subprocess.run(argv, capture_output=True, check=True)
    [part] = json.loads(answer.stdout)["archives"]
    return sorted(each["target"] for each in part["containers"])


def test_targets_are_those_of_the_namespace_unless_all_are_wanted(cluster):
    assert listed() == ["k8s://shop/web/c", "k8s://shop/wiki/c"]
    assert listed("-n", "bank") == listed("--context", "two") == ["k8s://bank/db/c"]
    assert len(listed("-A")) == 3


def completed(capsys, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["kubectl_complete-cryoscope", *arguments])
    kubectl.complete()
    *found, directive = capsys.readouterr().out.splitlines()
    return [line.partition("\t")[0] for line in found], directive


def test_tab_completes_commands_options_and_pods(cluster, capsys, monkeypatch):
    assert completed(capsys, monkeypatch, "capt") == (["capture"], ":4")
    assert completed(capsys, monkeypatch, "capture", "--fetch", "re") == (["reader-pod"], ":4")
    assert completed(capsys, monkeypatch, "capture", "w") == (["web", "wiki"], ":4")
    assert completed(capsys, monkeypatch, "capture", "-n", "bank", "") == (["db"], ":4")
    assert completed(capsys, monkeypatch, "show", "") == ([], ":0")


def test_tab_is_silent_where_no_cluster_answers(capsys, monkeypatch, config):
    CONFIG["clusters"][0]["cluster"]["server"] = "http://127.0.0.1:1"
    config.write_text(yaml.safe_dump(CONFIG))
    assert completed(capsys, monkeypatch, "capture", "w") == ([], ":4")


@pytest.mark.skipif(not shutil.which("kubectl"), reason="no kubectl here")
def test_kubectl_runs_it_as_its_own_command(tmp_path, data):
    program = tmp_path / "kubectl-cryoscope"
    program.write_text(f"#!{sys.executable}\nfrom cryoscope.cli.kubectl import main\nmain()\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }

    def kubectl_says(*arguments):
        return subprocess.run(
            ["kubectl", "cryoscope", *arguments], env=environment, capture_output=True, text=True
        )

    assert kubectl_says("show", str(data / "crio-counter.tar"), "-f", "json").returncode == 0
    refused = kubectl_says("capture", "deployment/web")
    assert refused.returncode == 2
    assert "only pods can be captured" in refused.stderr
    assert "Traceback" not in refused.stderr
