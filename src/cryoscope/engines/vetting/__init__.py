"""Before an engine sees an archive: its claims are held against a policy, and the engine gets a clean copy.

Everything in an archive was chosen by whoever made it, and engines restore as root: Podman takes the whole
configuration of a container from it, CRIU every mount, credential and control group.  `vet` says what an
archive claims beyond what a policy grants, and which edits answer that; `clean_copy` writes the copy.  What
cannot be cleaned is refused by its weight.  A new class of claims is a file in `checks` and its line there.

No check proves that an archive is harmless: the processes in it are programs that run again.
"""

from cryoscope.engines.vetting.cleaning import clean_copy
from cryoscope.engines.vetting.edits import merged
from cryoscope.engines.vetting.records import Claim, Policy, Verdict, kernel_of
from cryoscope.engines.vetting.vet import vet

__all__ = ["Claim", "Policy", "Verdict", "clean_copy", "kernel_of", "merged", "vet"]
