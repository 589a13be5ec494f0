"""Names of kernel threads, which ps(1) shows in brackets, and those that their comm begins with.

A container has none: the kernel's threads live in the first pid namespace, and have no memory of their own.
"""

from __future__ import annotations

import re

THREAD = re.compile(
    r"(?:kworker|ksoftirqd|migration|cpuhp|watchdog|idle_inject|irq|card\d+-crtc\d+)/[\w:.+-]+"
    r"|kworker|kthreadd|pool_workqueue_release|rcu_(?:gp|par_gp|sched|bh|preempt|tasks\w*)|rcu[a-z]*/\d+|slub_flushwq"
    r"|mm_percpu_wq|kdevtmpfs|inet_frag_wq|kauditd|khungtaskd|oom_reaper|writeback|kcompactd\d+|ksmd|khugepaged"
    r"|kintegrityd|kblockd|blkcg_punt_bio|tpm_dev_wq|ata_sff|md_bitmap|edac-poller|devfreq_wq|watchdogd|kswapd\d+"
    r"|ecryptfs-kthrea\w*|kthrotld|acpi_thermal_pm|scsi_eh_\d+|scsi_tmf_\d+|mld|ipv6_addrconf|kstrp|zswap\d*-shrink"
    r"|charger_manager|jbd2/[\w-]+|ext4-rsv-conver\w*|xfs[-_][\w/-]+|btrfs-[\w-]+|nfsd|nfsiod|lockd|rpciod|xprtiod"
    r"|kpsmoused|cryptd|bioset|netns|crypto|raid5wq|dm_bufio_cache|loop\d+|nvme-[\w-]+|cfg80211|kvm-[\w-]+|vhost-\d+"
)
"""Threads of Linux 3 to 6 as their code names them."""

BRACKETED = re.compile(r"\[(?P<name>[^\[\]\s]{2,40})\](?:\s|$)")
"""What ps(1) writes for a process without a command line: a program has to put it there itself."""


def bracketed(argument: str) -> str | None:
    """The name in brackets that an argument consists of or begins with."""
    match = BRACKETED.match(argument.strip())
    return match["name"] if match else None


def is_thread(name: str) -> bool:
    """Whether a kernel thread is called so; names of 15 characters may be the beginning of a longer one."""
    return THREAD.fullmatch(name) is not None
