"""What lies in the memory of processes: strings, bytes, sizes, mappings as files.

`regions` says whose memory is asked about, `reading` gives its bytes in address order, and says why
others are missing; the rest are the questions.  numpy is imported by `runs` alone, which nothing
imports before it is used.
"""
