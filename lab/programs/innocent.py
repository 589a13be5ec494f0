"""Everything odd that decent software does, and that a search for intruders must not take for their work.

It is what one meets in images that run for years: an entry point that adds its user and a job, a library
preloaded, code made at run time, a program that updated itself, a library unpacked below /tmp, a terminal in
a browser, a script behind a super-server, the rules of a security agent.  argv[1] is a folder to work in
where the root cannot be written.
"""

import base64
import ctypes
import json
import mmap
import os
import pathlib
import pty
import shutil
import signal
import socket
import subprocess
import sys

BARE = len(sys.argv) > 1
BASE = pathlib.Path(sys.argv[1] if BARE else "/home") / "app"
HERE = pathlib.Path(__file__).parent
LIBRARY = str(HERE / "libmarker.so")
PORT = 9100
PR_SET_NAME = 15
KEPT = []
"""Whatever must not be collected."""


def changes_files():
    """OpenShift's way to a user with a name, a job of the application, a key with a command of its own."""
    with open("/etc/passwd", "a") as passwd:
        passwd.write("app:x:1000640000:0:application:/home/app:/sbin/nologin\n")
    write("/etc/cron.d/app", "0 3 * * * root /usr/local/bin/backup\n")
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJvVqlUGKnkWuUVn8kYVq3nhb7v2pOvEdtJ2zLQh7cFk someone"
    write("/home/app/.ssh/authorized_keys", f'command="/usr/local/bin/serve 7",no-pty {key}\n')
    write("/usr/local/bin/backup", "#!/bin/sh\nexec tar -cf /data/backup.tar /home/app\n", 0o755)
    write("/var/log/app.log", "")


def write(path, text, mode=0o644):
    """A file, with the folders it takes."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def quiet(*argv, **options):
    """A program that stays, with nothing of its parent's."""
    null = subprocess.DEVNULL
    KEPT.append(subprocess.Popen(argv, **{"stdin": null, "stdout": null, "stderr": null} | options))


def updates_itself():
    """The old program runs on, and its path has a new one."""
    agent, new = BASE / "agent", BASE / "agent.new"
    for path in (agent, new):
        shutil.copy("/usr/bin/sleep", path)
    quiet(str(agent), "100000")
    os.replace(new, agent)


def has_code():
    """Made at run time, for calls back from C, read from a file, and unpacked from an archive."""
    everything = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    made = mmap.mmap(-1, 1 << 16, prot=everything)
    made.write(b"\x55\x48\x89\xe5\x5d\xc3" * 1000)
    program = pathlib.Path("/usr/bin/sleep").read_bytes()
    read = mmap.mmap(-1, len(program))
    read.write(program)
    unpacked = pathlib.Path("/tmp") / "native-1234" / "libnative.so"
    unpacked.parent.mkdir(exist_ok=True)
    shutil.copy(LIBRARY, unpacked)
    back = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 1)
    KEPT.extend([made, read, program, back, ctypes.CDLL(str(unpacked))])


def knows():
    """The words of attacks, and a token of its own."""
    KEPT.append((HERE.parent / "etc" / "agent.conf").read_bytes())
    claims = {"iss": "https://kubernetes.default.svc", "sub": "system:serviceaccount:shop:cart"}
    said = [json.dumps(part, separators=(",", ":")).encode() for part in ({"alg": "RS256"}, claims)]
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=") for part in (*said, os.urandom(256))]
    KEPT.append(b".".join(parts))


def serves():
    """A script has the connection that was taken for it."""
    server = socket.create_server(("127.0.0.1", PORT))
    client = socket.create_connection(("127.0.0.1", PORT))
    taken, _ = server.accept()
    quiet("sh", str(HERE / "answer.sh"), stdin=taken, stdout=taken)
    client.sendall(b"hello\n")
    assert client.recv(100) == b"you said hello\n"
    taken.close()
    KEPT.extend([server, client])


def has_a_terminal():
    """A shell for a person who looks at a page."""
    pid, tty = pty.fork()
    if pid == 0:
        os.environ.update(PS1="there> ", HISTFILE="/dev/null")
        os.execlp("bash", "bash", "--norc", "-i")
    said = b""
    while b"there> " not in said:
        said += os.read(tty, 4096)
    KEPT.append(tty)


def has_workers():
    """Under names of their own."""
    for number in range(2):
        if os.fork() == 0:
            ctypes.CDLL(None).prctl(PR_SET_NAME, f"app-worker-{number}".encode())
            while True:
                signal.pause()


BASE.mkdir(parents=True, exist_ok=True)
write(BASE / ".local/bin/tool", "#!/bin/sh\necho a tool\n", 0o755)
write(BASE / ".cache/state", "{}\n")
if not BARE:
    changes_files()
has_workers()
updates_itself()
quiet("sleep", "100000", env=os.environ | {"LD_PRELOAD": LIBRARY, "API_PASSWORD": "made-up-and-long"})
has_code()
knows()
serves()
has_a_terminal()
print("ready", flush=True)
while True:
    signal.pause()
