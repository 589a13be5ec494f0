"""`python -m cryoscope`."""

from cryoscope.cli import main

main()
