"""Secrets in a checkpoint: which, whose, where, and how sure that is.

    tap = secret_scan()
    with open_archive(source, tap=tap) as archive:       # compressed archives are scanned as they stream by
        result = find_secrets(Checkpoint(archive), tap=tap)

One pass of the search engine finds what has the outer form of a secret (`rules`, one family a file); what is
found is then judged by parsing: keys by their arithmetic, tokens by their checksums, JSON Web Tokens by what
they say, values behind names by what they are made of.  A rule is two things: regular expressions over
bytes, and a function from bytes to verdicts that never raises.

Environments, command lines and what the engine wrote of the container are asked, too: pages may
be missing.  Equal values are one finding with all its places.  Nothing is masked here; workflows do that.
"""

from cryoscope.examine.secrets.records import (
    CONFIDENCES,
    Finding,
    Known,
    Place,
    Rule,
    SecretsResult,
    Verdict,
    Who,
)
from cryoscope.examine.secrets.rules import BY_ID, RULES
from cryoscope.examine.secrets.scan import find_secrets, secret_scan

__all__ = [
    "BY_ID",
    "CONFIDENCES",
    "RULES",
    "Finding",
    "Known",
    "Place",
    "Rule",
    "SecretsResult",
    "Verdict",
    "Who",
    "find_secrets",
    "secret_scan",
]
