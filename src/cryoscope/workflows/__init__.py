"""The use cases that the front doors call, one a file.

Here, and only here, archives are opened, caches found and secrets masked; what comes out are
records, ready to be drawn or encoded.
"""
