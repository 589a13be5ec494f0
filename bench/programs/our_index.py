"""Our index of a tar: opens it and prints the number of members.

Usage: our_index.py FILE
"""

import sys


def main(path: str) -> int:
    """The members of the archive at `path`, without a cache."""
    from cryoscope.workflows.open import open_at

    archive = open_at(path)
    try:
        return len(archive.members)
    finally:
        archive.close()


if __name__ == "__main__":
    print(main(sys.argv[1]))
