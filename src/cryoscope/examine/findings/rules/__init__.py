"""Users' own suspicions: rules in YAML, a closed grammar of which nothing is ever evaluated as code.

    rules = load_rules(text, "mine.yaml")
    result = find_findings(checkpoint, [*DETECTORS, *detectors_of(rules)])
    result = with_rules(result, rules)                   # rules about the findings themselves

`tree` reads YAML without its traps, `grammar` checks a rule's words, `conditions` its condition against
`subjects` (what rules can be about) and `fields` (taken from the records), `operators` what is compared;
`expression` is a matcher of regular expressions whose cost is bounded.  A mistake is an error with its line
before anything is opened.
"""

from cryoscope.examine.findings.rules.fields import KEY
from cryoscope.examine.findings.rules.grammar import Rule, load_rules
from cryoscope.examine.findings.rules.operators import OPERATORS
from cryoscope.examine.findings.rules.running import detectors_of, with_rules
from cryoscope.examine.findings.rules.subjects import SUBJECTS, described

__all__ = ["KEY", "OPERATORS", "SUBJECTS", "Rule", "described", "detectors_of", "load_rules", "with_rules"]
