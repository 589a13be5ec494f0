"""pycriu, CRIU's own library, over all images of a folder in one process, as JSON.

Usage: python3 pycriu_loop.py STYLE FOLDER NAME...; run by the Python that has pycriu. STYLE is `indented`,
as `crit show` prints, or `compact`, which Python's C encoder can do. Prints the images decoded and the
pages that their pagemaps count on standard error; the JSON goes nowhere.
"""

import json
import os
import sys
from typing import Any

import pycriu  # type: ignore[import-not-found]


def _plain(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def main(style: str, folder: str, names: list[str]) -> None:
    """Decode each image and write its JSON to /dev/null."""
    done = pages = 0
    with open(os.devnull, "w", encoding="utf-8") as out:
        for name in names:
            with open(os.path.join(folder, name), "rb") as handle:
                image: dict[str, Any] = pycriu.images.load(handle, True)
            out.write(json.dumps(image, default=_plain, indent=4 if style == "indented" else None))
            done += 1
            if name.startswith("pagemap-") and "shmem" not in name:
                pages += sum(entry.get("nr_pages", 0) for entry in image["entries"][1:])
    print(f"{done} images, {pages} pages", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
