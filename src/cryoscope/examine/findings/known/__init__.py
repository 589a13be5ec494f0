"""What detectors know of the world outside a checkpoint: folders, programs, commands, ports, packages.

One kind of knowledge a file, each a table with the functions that ask it.  No detector has such a table of
its own where another may need it too.
"""
