"""Value that YAML readers take for different things

Why: `no` is text in YAML 1.2 and false in YAML 1.1, `010` is ten here and eight there, `1:30` is ninety to some.
What a person sees in an editor has to be what runs.

Bad:
    version: 1
    tags:
      country: {values: [de, no]}

Good:
    version: 1
    tags:
      country: {values: [de, "no"]}

Effect: an editor and the engine could disagree about the value; the engine refuses to open the policy.

Fix: Quote it where text is meant; else write `true`, `false` or a plain decimal number.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
