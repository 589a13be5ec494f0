"""Run in the node, where crit's library is: every image below a folder as `crit show` shows it."""

import json
import pathlib
import sys

import pycriu

shown = {}
for file in sorted(pathlib.Path(sys.argv[1]).rglob("*.img")):
    with open(file, "rb") as image:
        try:
            shown[str(file)] = pycriu.images.load(image, True)
        except (
            Exception
        ) as error:  # crit cannot read files without a magic, and stumbles over some that have one
            shown[str(file)] = {"error": f"{type(error).__name__}: {error}"}
json.dump(shown, sys.stdout, default=str)
