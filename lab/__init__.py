"""A node of its own for the tests: real engines, real containers, real checkpoints.

`python -m lab build` makes a Debian testing root filesystem with the engines and CRIU in it, in the
cache folder; `python -m lab run COMMAND` runs anything inside it as a node with namespaces and cgroups
of its own that leaves nothing behind.  The tests do the same through `lab.node.Node`.

It needs root, Debian and bash, and of Python the standard library only: it must run before anything
is installed.  Engines and what they can do are never assumed: `lab.manifest` says which versions are
there, `lab.probe` asks them.
"""
