"""The README of a bundle: what it is and which commands check it, without Cryoscope."""

from __future__ import annotations

from cryoscope.evidence import custody, statement
from cryoscope.evidence.bundle.layout import EVIDENCE, ORIGINALS, Index, evidence
from cryoscope.evidence.records import AGE, FRAMES, Piece, Stored
from cryoscope.text import escape, readable

TEXT = """\
Evidence of the case {case}
{line}

Exported on {exported} by {by} with Cryoscope {version}: {count} of evidence, the signed
manifests and the custody log ({head} entries).  Everything below runs in this folder with the tools of any
system: sha256sum, openssl (3.0 or newer){more}.{file_count}

1. Is every file whole?

    sha256sum -c SHA256SUMS

2. Whose signatures are these?

   keys/ holds the public keys.  A key is only worth what you know of it from elsewhere: compare its id,
   the SHA-256 that the file is named for, with one that you were given on another way.

    openssl pkey -pubin -in keys/ID.pub -outform DER | sha256sum

3. Are the manifests signed by that key?

   A manifest is an in-toto statement in a DSSE envelope (manifests/*.dsse.json).  Beside it lie the
   statement (.json), what was signed (.pae: "DSSEv1", the type {media}, the
   statement, and their lengths) and the signature (.sig).  For each:

    openssl pkeyutl -verify -pubin -inkey keys/ID.pub -rawin \\
        -in manifests/M.pae -sigfile manifests/M.sig
    tail -c "$(wc -c < manifests/M.json)" manifests/M.pae | cmp - manifests/M.json
    sha256sum manifests/M.dsse.json        # M, and what the custody log says under "manifest"

   {key_of}

4. Is the evidence what was sealed?

   "subject" in a manifest names the SHA-256 of the archive as it was given and, where it differs, of the
   bytes in the store.  Member by member their SHA-256 stand under "members".
{commands}
5. Is the custody log whole?

   Each line of custody/entries.jsonl is one entry, exactly as it was signed; "previous" is the SHA-256 of
   the line before.  This compares both lists (bash) and must print nothing:

    diff <(while read -r line; do printf %s "$line" | sha256sum | cut -c1-64; done < custody/entries.jsonl) \\
        <(sed 's/.*"previous":"\\([0-9a-f]*\\)".*/\\1/' custody/entries.jsonl | tail -n +2; \\
        sha256sum < custody/last.json | cut -c1-64)

   The last entry, which by that holds all before it, is signed (type {entry_media}):

    openssl pkeyutl -verify -pubin -inkey keys/{last}.pub -rawin \\
        -in custody/last.pae -sigfile custody/last.sig
    tail -c "$(wc -c < custody/last.json)" custody/last.pae | cmp - custody/last.json

   custody/signatures.jsonl has the signature of every entry.  A witness (`cryoscope case head`) that was
   kept elsewhere names a number and a hash: the hash of that line must be the same.

6. Was the list of files signed by whoever exported it?

{signed}
With Cryoscope: cryoscope case verify --bundle . --trusted-key keys/ID.pub
case.jsonld says the same in CASE/UCO for other tools.

The evidence
------------
{pieces}"""

SIGNED = """\
    openssl pkeyutl -verify -pubin -inkey keys/{key}.pub -rawin \\
        -in SHA256SUMS.pae -sigfile SHA256SUMS.sig
    tail -c "$(wc -c < SHA256SUMS)" SHA256SUMS.pae | cmp - SHA256SUMS
"""


def readme(index: Index, signers: dict[str, str], last: str, exporter: str | None) -> bytes:
    """The text; `signers` are key ids by manifest, of the log's `last` entry, and of SHA256SUMS."""
    stored = [(piece, index.files[piece.sha256]) for piece in index.pieces if piece.sha256 in index.files]
    forms = {form for _, one in stored for form in one.forms}
    tools = [name for form, name in ((AGE, "age"), (FRAMES, "zstd")) if form in forms]
    text = TEXT.format(
        case=_shown(index.case.name),
        line="=" * (21 + len(_shown(index.case.name))),
        exported=index.exported,
        by=_shown(index.by),
        version=index.version,
        count=f"{len(index.pieces)} piece{'s' * (len(index.pieces) != 1)}",
        head=index.case.head,
        more="".join(f", {name}" for name in tools),
        file_count=f"\nThe bytes of {len(stored)} of them are here."
        if len(stored) < len(index.pieces)
        else "",
        media=statement.MEDIA,
        entry_media=custody.ENTRY_MEDIA,
        key_of=_keys(signers),
        last=last,
        commands="".join(_command(piece, one) for piece, one in stored),
        signed=SIGNED.format(key=exporter) if exporter else "    It was not.\n",
        pieces="".join(_piece(piece, index.files.get(piece.sha256)) for piece in index.pieces),
    )
    return text.encode()


def _keys(signers: dict[str, str]) -> str:
    """Which key signed which manifests."""
    keys = sorted({*signers.values()})
    if len(keys) < 2:
        return "\n   ".join(f"All of them are signed by {key}" for key in keys)
    return "\n   ".join(f"{name} is signed by {key}" for name, key in sorted(signers.items()))


def _command(piece: Piece, stored: Stored) -> str:
    """How the original bytes come out of a file."""
    name = evidence(piece, stored)
    if not stored.forms:
        return f"\n    sha256sum {name}\n    # {piece.sha256}\n"
    steps = {AGE: "age -d -i YOUR-KEY", FRAMES: "zstd -dc"}
    first, *others = [steps.get(form, form) for form in reversed(stored.forms)]
    pipe = " | ".join([f"{first} {name}", *others, "sha256sum"])
    return f"\n    {pipe}\n    # {piece.sha256} (see {ORIGINALS})\n"


def _piece(piece: Piece, stored: Stored | None) -> str:
    facts = ("engine", "container", "pod", "namespace", "node", "image", "captured")
    known = [f"{name} {_shown(value)}" for name in facts if (value := getattr(piece, name))]
    place = evidence(piece, stored) if stored else f"no bytes in {EVIDENCE}/ ({piece.state})"
    return (
        "\n  ".join(
            [
                _shown(piece.name),
                f"SHA-256 {piece.sha256}, {piece.size} bytes",
                f"added {piece.added} by {_shown(piece.operator)}",
                place,
                f"manifests/{piece.manifest}.dsse.json",
                ", ".join(known) or "nothing else is known of it",
            ]
        )
        + "\n"
    )


def _shown(text: str) -> str:
    return escape(readable(text))
