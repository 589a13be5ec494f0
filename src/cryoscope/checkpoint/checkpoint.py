"""The checkpoint: the one object that everything else hangs on.

Each part is read when it is first asked for.  Joins across rooms are made here: which processes
hold a socket, whose file a ghost is, which object a mapping shows.
"""

from __future__ import annotations

from functools import cached_property
from types import TracebackType
from typing import Any, NamedTuple, Self

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive
from cryoscope.checkpoint.container import Container, DumpLog, Dumps, describe
from cryoscope.checkpoint.container.dumplog import read_log
from cryoscope.checkpoint.criu.imageset import ImageSet
from cryoscope.checkpoint.criu.names import MARCHES, named
from cryoscope.checkpoint.filesystem import filesystem_of
from cryoscope.checkpoint.layout import LOGS, images_prefix
from cryoscope.checkpoint.memory import AddressSpace, PageIndex
from cryoscope.checkpoint.memory.pages import guess_page_size
from cryoscope.checkpoint.memory.vma import Vma, vmas_of
from cryoscope.checkpoint.overview import Overview, overview_of
from cryoscope.checkpoint.process import Descriptor, FileTable, Mount, Namespace, Process, Variable
from cryoscope.checkpoint.process.descriptors import Describer
from cryoscope.checkpoint.process.holders import HeldSocket, held_sockets
from cryoscope.checkpoint.process.ipc import IpcObject, ipc_objects
from cryoscope.checkpoint.process.mounts import mounts_of
from cryoscope.checkpoint.process.namespaces import ids_of, namespaces_of
from cryoscope.checkpoint.process.network import FilterRules, NetworkDevice, devices_of, rules_of
from cryoscope.checkpoint.process.openers import openers
from cryoscope.checkpoint.process.queues import Queues
from cryoscope.checkpoint.process.task import TaskReader
from cryoscope.checkpoint.process.tree import Branch, branches, broken_cycles, unique
from cryoscope.checkpoint.rootfs import Change, FileTree, GhostFile, OpenIn, changes_of, ghosts_of
from cryoscope.checkpoint.statistics import Statistics, statistics_of
from cryoscope.errors import CryoscopeError, Damaged, UsageError


class Checkpoint:
    """One checkpoint of one container, whoever made it.

    Raises `NotACheckpoint` where the archive holds no CRIU images.  What could not be read is in
    `damaged`, which grows as parts are read.  Not safe for use by several threads at once.
    """

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.prefix = images_prefix(archive)
        self._own: list[Damaged] = []
        self._dumps = Dumps(archive, self._own)
        self._spaces: dict[int, AddressSpace | None] = {}
        self._shared: dict[int, PageIndex | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.archive.close()

    @cached_property
    def images(self) -> ImageSet:
        """CRIU's images; raises `ImageUnsupported` for a version that this release does not know."""
        found = ImageSet(self.archive, self.prefix)
        _ = found.inventory
        return found

    @property
    def damaged(self) -> list[Damaged]:
        """Everything that could not be read so far, each named once."""
        found = [*self.archive.damaged, *self._own]
        images: ImageSet | None = self.__dict__.get("images")
        while images is not None:
            found += images.damaged
            images = images.__dict__.get("parent")
        return list(dict.fromkeys(found))

    # --- whose it is ------------------------------------------------------------------------
    @cached_property
    def container(self) -> Container:
        """What the engine wrote beside the images."""
        found = describe(self._dumps, images_prefix=self.prefix)
        if found.hostname is None and found.engine in ("docker", "criu"):
            found = msgspec.structs.replace(found, hostname=self._hostname())
        return found

    def _hostname(self) -> str | None:
        names = (space.hostname for space in self.namespaces if space.kind == "uts")
        return next((name for name in names if name), None)

    @cached_property
    def overview(self) -> Overview:
        """The one line that says what this is."""
        return overview_of(self.archive, self.container, self.prefix)

    @cached_property
    def statistics(self) -> Statistics | None:
        """What CRIU measured during the dump (stats-dump)."""
        name = self._beside("stats-dump")
        try:
            return statistics_of(self.archive.read(name), name) if name else None
        except CryoscopeError as error:
            self._own.append(Damaged(name or "", error.message, error.code))
        return None

    @cached_property
    def dump_log(self) -> DumpLog | None:
        """CRIU's own log, summed up."""
        name = self.dump_log_name
        try:
            return read_log(self.archive.read_at(name, 0, limits.DUMP_LOG)) if name else None
        except CryoscopeError as error:
            self._own.append(Damaged(name or "", error.message, error.code))
        return None

    def _beside(self, base: str) -> str | None:
        """Where a file that engines move out of the images' folder lies."""
        return next((name for name in (base, self.prefix + base) if name in self.archive), None)

    @cached_property
    def dump_log_name(self) -> str | None:
        """Archive member that holds CRIU's log of the dump."""
        return self._beside("dump.log")

    @cached_property
    def log_name(self) -> str | None:
        """Archive member that holds the container's own output."""
        return next((name for name in LOGS if name in self.archive), None)

    # --- who was running --------------------------------------------------------------------
    @cached_property
    def machine(self) -> str:
        """Architecture as CRIU names it (`x86_64`), unknown where no core says."""
        for name, _ in self.images.matching("core-*"):
            core = self.images.first(name)
            if core is not None:
                return named(core.mtype, MARCHES)
        return "unknown"

    @cached_property
    def page_size(self) -> int:
        """Bytes a page on the machine that was dumped."""
        return guess_page_size(self.images, self.machine)

    @cached_property
    def files(self) -> FileTable:
        """All open files by id."""
        return FileTable(self.images)

    @cached_property
    def queues(self) -> Queues:
        """Data that was written and not yet read."""
        return Queues(self.images)

    @cached_property
    def _tasks(self) -> TaskReader:
        return TaskReader(self.images, self.files, self.memory, self._own)

    @cached_property
    def _pstree(self) -> list[Any]:
        """The entries of pstree.img; without it, one for each core image of a process.

        Archives that a full disk cut short have lost it first: it comes behind the pages.
        """
        entries = self.images.messages("pstree.img")
        if len(entries) > limits.PROCESSES:
            problem = f"names {len(entries)} processes: those from number {limits.PROCESSES} on are left out"
            self._own.append(Damaged(self.prefix + "pstree.img", problem, "limit.processes"))
        if entries:
            return entries[: limits.PROCESSES]
        problem = "is missing: processes are told by their core images, who started whom is not known"
        self._own.append(Damaged(self.prefix + "pstree.img", problem, "process.pstree-missing"))
        cores = ((int(pid), self.images.first(name)) for name, pid in self.images.matching("core-*"))
        return [Orphan(pid, [pid]) for pid, core in cores if core is not None and core.HasField("tc")]

    @cached_property
    def processes(self) -> list[Process]:
        """Every process, in the order of pstree.img."""
        found = unique([self._tasks.read(entry) for entry in self._pstree], self._own)
        for pid in broken_cycles({process.pid: process.ppid for process in found}):
            self._own.append(Damaged(f"pid {pid}", "is its own ancestor in pstree.img", "process.cycle"))
        return found

    @cached_property
    def tree(self) -> list[Branch]:
        """The processes as a tree, depth first."""
        return branches(self.processes)

    def process(self, pid: int) -> Process:
        """The process with this pid; raises `UsageError` if there is none."""
        for process in self.processes:
            if process.pid == pid:
                return process
        pids = ", ".join(str(process.pid) for process in self.processes[:20])
        raise UsageError(
            f"there is no process {pid} in this checkpoint", hint=f"there are: {pids}", code="process.unknown"
        )

    def environment(self, pid: int) -> list[Variable] | None:
        """The environment that a process was started with; None if it cannot be read."""
        return self._tasks.environment(pid)

    # --- what they had open -----------------------------------------------------------------
    @cached_property
    def _describer(self) -> Describer:
        return Describer(self.images, self.files, self.queues, self._files_id)

    @cached_property
    def _files_ids(self) -> dict[int, int]:
        found = {}
        for name, pid in self.images.matching("ids-*"):
            entry = self.images.first(name)
            if entry is not None:
                found[int(pid)] = entry.files_id
        return found

    def _files_id(self, pid: int) -> int:
        """The number of the table of descriptors that a process uses; before ids-*.img it is its own."""
        return self._files_ids.get(pid, 0 if self._files_ids else pid)

    def descriptors(self, pid: int) -> list[Descriptor]:
        """The open descriptors of a process, by number."""
        return self._describer.of_task(pid)

    @cached_property
    def sockets(self) -> list[HeldSocket]:
        """Every socket, with the processes that hold it."""
        held = [(process, self.descriptors(process.pid)) for process in self.processes]
        return held_sockets(held, self.files, self.queues)

    @cached_property
    def openers(self) -> dict[int, list[OpenIn]]:
        """The processes that use each file, by its id."""
        return openers(self.images, self.files, self._files_id)

    @cached_property
    def mounts(self) -> list[Mount]:
        """The mounts of every mount namespace, as CRIU saw them."""
        return mounts_of(self.images)

    @cached_property
    def namespaces(self) -> list[Namespace]:
        """The namespaces of the processes."""
        ids = {}
        for process in self._pstree:
            entry = self.images.first(f"ids-{process.pid}.img")
            if entry is not None:
                ids[process.pid] = ids_of(entry)
        return namespaces_of(self.images, ids)

    @cached_property
    def devices(self) -> list[NetworkDevice]:
        """Network devices of every network namespace."""
        return devices_of(self.images)

    @cached_property
    def filter_rules(self) -> list[FilterRules]:
        """Packet filter rules that were in force."""
        return rules_of(self.images)

    @cached_property
    def ipc(self) -> list[IpcObject]:
        """System V shared memory, queues and semaphores."""
        return ipc_objects(self.images)

    # --- memory -----------------------------------------------------------------------------
    def memory(self, pid: int) -> AddressSpace | None:
        """The address space of a process; None for one without (a zombie)."""
        if pid not in self._spaces:
            self._spaces[pid] = self._space(pid)
        return self._spaces[pid]

    def _space(self, pid: int) -> AddressSpace | None:
        mm = self.images.first(f"mm-{pid}.img")
        if mm is None:
            return None
        own = PageIndex(self.images, f"pagemap-{pid}.img", self.page_size)
        return AddressSpace(self._vmas(pid, mm), own, self._shared_object, self.page_size)

    def _vmas(self, pid: int, mm: Any) -> list[Vma]:
        """Mappings of a process, each shared one with the object that it shows."""
        entries = mm if mm.vmas else _OldVmas(self.images.messages(f"vmas-{pid}.img"), mm)
        found = vmas_of(entries, self.files.path, self.page_size)
        bad = len(entries.vmas) - len(found)
        if bad:
            problem = f"{bad} mappings are left out: they end before they start, or begin inside another"
            self._own.append(Damaged(f"mm-{pid}.img", problem, "memory.vma"))
        return [self._with_object(vma) for vma in found]

    def _with_object(self, vma: Vma) -> Vma:
        """A mapping as /proc/PID/maps shows it, where that takes the tables of files and segments."""
        if vma.kind == "memfd":
            return self._memfd(vma, vma.shmid or 0)
        if vma.kind == "sysv-shm" and vma.shmid in self._segments:
            return msgspec.structs.replace(vma, path=f"/SYSV{self._segments[vma.shmid]:08x}", deleted=True)
        return vma

    def _memfd(self, vma: Vma, file_id: int) -> Vma:
        """The mapping refers to a file, whose object holds the pages.

        The kernel keeps shared anonymous memory as a file named /dev/zero, and CRIU as a memfd.
        """
        anonymous = self.files.memfd_name(file_id) == b"/dev/zero" and vma.perms.endswith("s")
        changes = {"kind": "shared-anon", "path": "/dev/zero"} if anonymous else {}
        return msgspec.structs.replace(vma, shmid=self.files.shmid(file_id), **changes)

    @cached_property
    def _segments(self) -> dict[int, int]:
        """Keys of the System V shared memory segments by their numbers."""
        return {found.id: int(found.key, 16) for found in self.ipc if found.kind == "shm"}

    def _shared_object(self, shmid: int) -> PageIndex | None:
        if shmid not in self._shared:
            name = f"pagemap-shmem-{shmid}.img"
            there = name in self.images
            self._shared[shmid] = PageIndex(self.images, name, self.page_size) if there else None
        return self._shared[shmid]

    # --- the file system --------------------------------------------------------------------
    @cached_property
    def changes(self) -> list[Change]:
        """Files that the container wrote or deleted."""
        return changes_of(self.filesystem.entries)

    @cached_property
    def filesystem(self) -> FileTree:
        """Every file that the container wrote, deleted or held, wherever the archive has it."""
        return filesystem_of(self, self._own)

    @cached_property
    def ghosts(self) -> list[GhostFile]:
        """Files that were deleted but still open, whose contents CRIU saved."""
        return ghosts_of(self.images, {file.id: file.name for file in self.files})


class Orphan(NamedTuple):
    """What a `pstree_entry` would say of a process of which only the pid is known."""

    pid: int
    threads: list[int]
    ppid: int = 0
    pgid: int = 0
    sid: int = 0


class _OldVmas:
    """The entries of a vmas-<pid>.img in the shape of a `mm_entry`: CRIU wrote them apart before 1.3."""

    def __init__(self, vmas: list[Any], mm: Any) -> None:
        self.vmas = vmas
        self.mm_start_stack = mm.mm_start_stack
