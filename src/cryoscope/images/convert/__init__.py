"""An archive of one engine as another would have written it, where that can be; one way a file.

CRI-O and containerd keep the same images of CRIU and differ in the documents beside them, so long as the same
runtime made them.  Podman's containers have other mounts and namespaces than those of a pod: no edit changes
that.
"""

from cryoscope.images.convert.ways import Conversion, conversion

__all__ = ["Conversion", "conversion"]
