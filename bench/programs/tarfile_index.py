"""The standard library's way to an index of a tar: prints the number of members.

Usage: tarfile_index.py FILE
"""

import sys
import tarfile

if __name__ == "__main__":
    with tarfile.open(sys.argv[1], "r:") as archive:
        print(len(archive.getmembers()))
