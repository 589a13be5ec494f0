"""The forms that evidence is kept in, and the way back to the identical original bytes.

    archive -> frames of zstd (a plain tar) -> age (where there are recipients) -> stored bytes

    kept = keep(source, upload, recipients=["age1…"])
    original(stored, blobs.source(stored.key), identities=load_identities(["key.txt"]))

What is read anywhere in the original costs the chunk and the frame that it lies in.
"""

from cryoscope.checkpoint.archive.packed import PackedSource, packed
from cryoscope.evidence.forms.age import AgeChunkError, AgeSource
from cryoscope.evidence.forms.age_header import AgeHeaderError, NoIdentity
from cryoscope.evidence.forms.identities import (
    Identity,
    IdentityError,
    RecipientError,
    check_recipients,
    load_identities,
)
from cryoscope.evidence.forms.index import index_cache, index_key
from cryoscope.evidence.forms.keep import Kept, keep
from cryoscope.evidence.forms.original import original

__all__ = [
    "AgeChunkError",
    "AgeHeaderError",
    "AgeSource",
    "Identity",
    "IdentityError",
    "Kept",
    "NoIdentity",
    "PackedSource",
    "RecipientError",
    "check_recipients",
    "index_cache",
    "index_key",
    "keep",
    "load_identities",
    "original",
    "packed",
]
