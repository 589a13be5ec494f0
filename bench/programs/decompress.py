"""The least a Python program can do with a .zst file: decompress it all with the library we use.

Usage: decompress.py FILE; prints the decompressed bytes. The fastest way found: pieces of
128 KiB through one decompressor object, nothing kept. With pieces of 1 MiB the outputs are so large
that each is mapped and unmapped anew, which costs half as much again.
"""

import sys

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdDecompressor
else:
    from backports.zstd import ZstdDecompressor

PIECE = 128 << 10


def main(path: str) -> int:
    """Decompress `path`; returns the bytes that came out."""
    total, decompressor = 0, ZstdDecompressor()
    with open(path, "rb", buffering=0) as handle:
        while piece := handle.read(PIECE):
            while piece:
                if decompressor.eof:  # several frames in a row are one file
                    decompressor = ZstdDecompressor()
                total += len(decompressor.decompress(piece))
                piece = decompressor.unused_data if decompressor.eof else b""
    return total


if __name__ == "__main__":
    print(main(sys.argv[1]))
