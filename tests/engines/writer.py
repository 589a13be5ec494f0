"""A program that does to files whatever can be done to them, then stands still with some of them open.

It runs in the image `workloads` by `python3 -c`; its image has what it changes.
"""

from __future__ import annotations

from lab.workloads import Workload

PROGRAM = r"""
import mmap, os, shutil, sys, time

def put(path, data, mode=0o644):
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)

lab = "/opt/lab"
# added
os.makedirs("/new/deep")
put("/new/plain", b"added\n")
put("/new/deep/binary", bytes(range(256)) * 5000)
put("/new/empty", b"")
put("/new/setuid", b"#!/bin/sh\n", 0o4755)
put(b"/new/od\xffd \x1b[31m", b"odd\n")
put("/new/" + "n" * 200, b"long name\n")
with open("/new/holes", "wb") as file:
    file.truncate(4_000_000)
    file.seek(2_000_000)
    file.write(b"middle")
os.mkfifo("/new/fifo", 0o640)
os.symlink("../etc/passwd", "/new/soft")
os.link("/new/plain", "/new/hard")
put("/new/owned", b"owned\n")
os.chown("/new/owned", 1234, 5678)
put("/new/attributes", b"attributes\n")
os.setxattr("/new/attributes", "security.capability", bytes.fromhex("010000020004" + "00" * 14))
try:
    os.setxattr("/new/attributes", "user.lab", b"said")
except OSError:
    print("no user attributes")
os.utime("/new/empty", ns=(1_000_000_000_123_456_789, 1_000_000_000_123_456_789))
# changed
with open("/etc/passwd", "ab") as file:
    file.write(b"intruder:x:0:0::/:/bin/sh\n")
os.chmod(lab + "/src/heap.c", 0o600)
os.chown(lab + "/src/threads.c", 7, 8)
os.utime(lab + "/src/locals.c", (5, 5))
os.close(os.open(lab + "/src/registers.c", os.O_RDWR))
os.chmod("/var/lib", 0o711)
# deleted, renamed, replaced
os.unlink(lab + "/src/dlopened.c")
os.rename(lab + "/etc/redis.conf", lab + "/etc/moved.conf")
shutil.rmtree("/var/log/nginx")
put("/var/log/nginx", b"a file now\n")
if "no-folder-for-a-file" not in sys.argv:
    os.unlink(lab + "/src/marker.c")
    os.mkdir(lab + "/src/marker.c")
    put(lab + "/src/marker.c/in-a-folder", b"x\n")
shutil.rmtree(lab + "/bin/kinds")
os.mkdir(lab + "/bin/kinds")
put(lab + "/bin/kinds/anew", b"anew\n")
shutil.rmtree(lab + "/www")
# elsewhere
put("/dev/shm/shared", b"in shm\n")
for place in ("/scratch", "/kept"):
    if os.path.ismount(place):
        os.makedirs(place + "/sub")
        put(place + "/sub/file", b"in " + place.encode() + b"\n", 0o600)
# in use
opened = open("/new/plain", "rb")
mapped = mmap.mmap(os.open("/new/deep/binary", os.O_RDWR), 4096)
ghost = open("/new/ghost", "w+b")
ghost.write(b"deleted while open\n" * 100)
ghost.flush()
os.unlink("/new/ghost")
os.chdir("/new/deep")
print("ready", flush=True)
while True:
    time.sleep(10000)
"""

WRITER = Workload(
    "writer", "workloads", ("python3", "-B", "-c", PROGRAM), still=True, needs=frozenset({"places"})
)
GHOST = b"deleted while open\n" * 100
