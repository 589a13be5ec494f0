"""Questions asked of a checkpoint: a Checkpoint in, records out.

Pure and synchronous as the rooms below it: no settings, no printing, no network.  What needs a heavy
library has it to itself and imports it when it is used: pyperscan in `search`, yara-x in `search.yara`,
pystack in `stack`.
"""
