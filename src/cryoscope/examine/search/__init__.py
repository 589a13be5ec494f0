"""Bytes in a checkpoint: what matches, where it lies, whose it is.

    patterns = [*literal("hunter2"), *regex(r"AKIA[0-9A-Z]{16}", name="aws-key")]
    with open_archive(source) as archive:
        result = search(Checkpoint(archive), patterns, where=Where(pids=(7,)))
        for hit in result.hits: ...                     # one record a distinct place (`hits.Hit`)

`search` scans each member that holds pages once, in the order of its bytes and whatever the page maps
say, and asks afterwards whose bytes those were (`layout`): by then most of an archive is done with.
That is why it works while a compressed archive streams by, too:

    tap = StreamScan(patterns)
    with open_archive(source, tap=tap) as archive:      # every tar that is unpacked passes through it
        result = search(Checkpoint(archive), patterns, tap=tap)

What a hit is: what `re.finditer` gives on each run of contiguous addresses of a process, with bytes
from this checkpoint and its parents put together.  Matches are at most `limits.SEARCH_SPAN` bytes long.
A page that several processes map, or that a fork left in several at one address with equal bytes, is
one hit with all of them.  Pages that are known to be zero are no part of a run.

Consumers that want whole buffers (strings, YARA) take regions instead of hits:

    for region in scan_regions(checkpoint):             # each run of contiguous bytes, lazily
        for start, block in region.blocks(1 << 20, overlap=256): ...
        where = region.owners                           # [Owner(pid, comm, address, vma)], or holders

    region.kind     memory, shared, pipe, socket, tty, message, ghost, rootfs (see `hits.PLACES`)
    region.address  of its first byte, None outside of memory
    region.at(i)    archive member and offset of byte i

Who has (member, offset) of bytes in pages and wants to know whose they are asks `Layout.spots`.
pyperscan is imported by `engine` when the first pattern is compiled; where there is none, `re` does
the same work, slower.
"""

from cryoscope.examine.search.hits import Hit, Owner, SearchResult
from cryoscope.examine.search.patterns import Pattern, hexadecimal, literal, pattern_file, regex
from cryoscope.examine.search.regions import Region, scan_regions
from cryoscope.examine.search.search import search
from cryoscope.examine.search.tapped import StreamScan
from cryoscope.examine.search.where import Where

__all__ = [
    "Hit",
    "Owner",
    "Pattern",
    "Region",
    "SearchResult",
    "StreamScan",
    "Where",
    "hexadecimal",
    "literal",
    "pattern_file",
    "regex",
    "scan_regions",
    "search",
]
