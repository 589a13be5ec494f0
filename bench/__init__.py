"""Side-by-side measurements of Cryoscope and its peers; not part of the package."""
