"""What containerd and CRI-O say when a checkpoint fails, as kubelets pass it on.

containerd 2.1 (internal/cri/server/container_checkpoint_linux.go) and CRI-O 1.37
(internal/lib/checkpoint.go), with runc and crun.
"""

from __future__ import annotations

from datetime import UTC, datetime

from cryoscope.testing.cluster import Container, Node

STORAGE = "/var/lib/containers/storage/overlay-containers"
NO_CRIU = 'failed to check for criu version: exec: "criu": executable file not found in $PATH'


def failure(node: Node, container: Container, timeout: int, path: str, now: float) -> str | None:
    """Why the kubelet says that a checkpoint to `path` failed at Unix time `now`; None if it went well."""
    if node.hangs:
        return "rpc error: code = DeadlineExceeded desc = context deadline exceeded"
    if container.state != "running":
        return f"container {container.name} not found"
    if timeout < 0:
        return "CheckpointContainer requires the timeout value to be > 0"
    said = (
        _containerd(node, container, path)
        if node.runtime == "containerd"
        else _crio(node, container, path, now)
    )
    return f"rpc error: code = Unknown desc = {said}" if said and not said.startswith("rpc error") else said


def _containerd(node: Node, container: Container, path: str) -> str | None:
    name = container.id
    if not node.criu:
        return (
            f'CRIU binary not found or too old (<31600). Failed to checkpoint container "{name}": {NO_CRIU}'
        )
    if node.fault:
        return node.fault
    if _raced(container):
        return (
            f"open /var/lib/containerd/io.containerd.grpc.v1.cri/containers/{name}/ctrd-checkpoint/status: "
            "no such file or directory"
        )
    if container.connected:
        return (
            f'checkpointing container "{name}" failed: {container.runtime} did not terminate successfully: '
            "exit status 1: criu failed: type DUMP errno 0 path= "
            f"/run/containerd/io.containerd.runtime.v2.task/k8s.io/{name}/criu-dump.log"
        )
    return f"write {path}: no space left on device" if node.disk_full else None


def _crio(node: Node, container: Container, path: str, now: float) -> str | None:
    name = container.id
    if not node.criu_support:
        return "checkpoint/restore support not available"
    if not node.criu:
        return f"failed to checkpoint container {name}: check for CRIU {NO_CRIU}"
    if node.fault:
        return node.fault
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if _raced(container):
        return (
            f'failed to pause container "{name}" before checkpointing: `{container.runtime} --root /run/runc '
            f'pause {name}` failed: time="{stamp}" level=error msg="container not running"\n'
            " : container process not found"
        )
    if not node.libcriu:
        lost = "`libcriu.so.2: cannot open shared object file: No such file or directory`"
        return _failed(container, f"could not load `libcriu.so.2`: {lost}\n")
    if container.connected:
        return _failed(container, _quoted(container, stamp))
    if node.disk_full:
        return (
            f"failed to write file system changes of container {name}: write {path}: no space left on device"
        )
    return None


def _raced(container: Container) -> bool:
    if container.busy:
        container.busy -= 1
        return True
    return False


def _failed(container: Container, said: str) -> str:
    folder = f"{STORAGE}/{container.id}/userdata"
    words = ["checkpoint", "--file-locks", "--image-path", f"{folder}/checkpoint", "--work-path", folder]
    words += ["--leave-running", container.id]
    quoted = " ".join(f'"{word}"' for word in words)
    root = f"/run/{container.runtime.rpartition('/')[2]}"
    return (
        f'failed to checkpoint container {container.id}: running "{container.runtime}" [{quoted}] failed: '
        f"`{container.runtime} --root {root} {' '.join(words)}` failed: {said} : exit status 1"
    )


FPU = "cpu: fpu: {:<33}xstate_offsets {:>6} / {:<4}   xstate_sizes {:>6} / {:<6}"
LOG = (
    (16, FPU.format("AVX-512 ZMM_Hi256", 1664, 1408, 1024, 1024)),
    (17, FPU.format("Protection Keys User registers", 2688, 2432, 8, 8)),
    (18, "========================================"),
    (19, "Dumping processes (pid: 618 comm: redis-server)"),
    (20, "========================================"),
    (21, "Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted"),
    (0, "..."),
    (784, "Dumping data from pipe 0x463b1 fd 27"),
    (785, "618 fdinfo 10: pos:                0 flags:             4001/0x1"),
    (786, "Dumping pipe 28 with id 0x19 pipe_id 0x463b1"),
    (787, "618 fdinfo 11: pos:                0 flags:             4002/0x1"),
    (788, "sockets: Searching for socket 0x4a3bb family 2"),
    (789, "Error (criu/sk-inet.c:200): inet: Connected TCP socket, consider using --tcp-established option."),
    (790, "----------------------------------------"),
    (791, "Error (criu/cr-dump.c:1545): Dump files (pid: 618) failed with -1"),
    (0, "..."),
    (802, "Running network-unlock scripts"),
    (803, "\\tRPC"),
    (804, "Unfreezing tasks into 1"),
    (805, "\\tUnseizing 618 into 1"),
    (806, "\\tUnseizing 1970 into 1"),
    (807, "Error (criu/cr-dump.c:1975): Dumping FAILED."),
    (0, "---"),
)
"""The parts of CRIU's log that runc quotes of a container with an open connection: line and text."""


def _quoted(container: Container, stamp: str) -> str:
    at = f'time="{stamp}" level='
    lines = [f'{at}warning msg="--- Quoting \\"{STORAGE}/{container.id}/userdata/dump.log\\""']
    for number, text in LOG:
        message = f'"{number}:({number / 37000:09.6f}) {text}"' if number else text
        lines.append(f"{at}warning msg={message}")
    return "\n".join([*lines, f'{at}error msg="criu failed: type DUMP errno 0"', ""])
