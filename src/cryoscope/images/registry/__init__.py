"""A registry of images: asked, read by range, written to.

distribution-spec 1.1; the way to a token as distribution's docs/spec/auth/token.md and oauth.md have it.
"""

from cryoscope.images.registry.registry import Registry

__all__ = ["Registry"]
