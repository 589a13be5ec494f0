"""Archives for the tests of reports: many processes, many files, and one full of things that mean harm."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from hostile_archives import EVIL, evil_strings, pstree, read, tar

DATA = Path(__file__).resolve().parent / "data"
GOOD = DATA / "podman-looper-crun.tar"

SCRIPT = "<script>window.pwned=1</script><img src=x onerror=window.pwned=1><svg onload=window.pwned=1>"
BREAKS = (
    f"</script>{SCRIPT}<!--<script>{{{{7*7}}}}{{% raw %}}\"'`${{window.pwned=1}}javascript:window.pwned=1"
)
"""What would end a script element, begin one, or be a template's or a literal's."""

EVIL_PATHS = (BREAKS, f"etc/{SCRIPT}", f"etc/{EVIL}", "etc/passwd", "tmp/\u202egnp.exe")


def layer(paths: list[str], mtime: int = 1_790_000_000) -> bytes:
    """A rootfs diff with small files at these paths."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for number, path in enumerate(paths):
            info = tarfile.TarInfo(path.replace("\0", ""))
            info.size, info.mtime, info.mode = 3, mtime + number % 5000, 0o644
            archive.addfile(info, io.BytesIO(b"abc"))
    return buffer.getvalue()


def crowd(processes: int, files: int) -> bytes:
    """A checkpoint of so many processes in families of ten, all with memory, and so many changed files."""
    found = read(GOOD)
    own = {name: data for name, data in found.items() if name.startswith("checkpoint/") and "-1.img" in name}
    copied = [
        name for name in own if name.split("/")[1].split("-")[0] in ("core", "mm", "pagemap", "fs", "ids")
    ]
    parents = {
        pid: 0 if pid == 1 else 1 if pid % 10 == 2 else max(1, pid - (pid - 2) % 10)
        for pid in range(1, processes + 1)
    }
    for pid in range(2, processes + 1):
        for name in copied:
            found[name.replace("-1.img", f"-{pid}.img")] = own[name]
    found["checkpoint/pstree.img"] = pstree(parents)
    found["rootfs-diff.tar"] = layer([f"srv/data/{n // 500:03d}/record-{n:06d}.json" for n in range(files)])
    return tar(found)


def evil() -> bytes:
    """A checkpoint whose every string is hostile to terminals, and whose files and logs are to browsers."""
    files = read(GOOD)
    files["rootfs-diff.tar"] = layer([path.replace("\0", "") for path in EVIL_PATHS])
    raw = evil_strings(files)
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        found = {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}  # type: ignore[union-attr]
    for name in ("config.dump", "spec.dump"):
        if name in found:
            found[name] = found[name].replace(b"localhost", BREAKS.replace('"', "").encode())
    found["container.log"] = f"2026-11-22T00:00:00Z stdout F {BREAKS}\n".encode() * 5
    return tar(found)
