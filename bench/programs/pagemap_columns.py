"""A pagemap image into columns with our reader: prints the seconds that took, imports left out.

Usage: pagemap_columns.py FILE
"""

import sys
import time


def main(path: str) -> None:
    """Read `path` and time `columns` alone."""
    from cryoscope.checkpoint.criu import pagemap

    with open(path, "rb") as handle:
        data = handle.read()
    started = time.monotonic()
    pagemap.columns(data, page_size=4096, name="pagemap-1.img")
    print(f"{time.monotonic() - started:.3f}")


if __name__ == "__main__":
    main(sys.argv[1])
