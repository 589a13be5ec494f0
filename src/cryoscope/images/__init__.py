"""Checkpoints as OCI images: built without a daemon or root, pushed, pulled, looked into where they lie.

archive -> build (one layer, all families of annotations) -> layout folder | tar | registry
registry | https -> a ByteSource over ranges -> the same opener as any file
"""
