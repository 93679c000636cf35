r"""Pattern that cannot be used

Why: Prompts are long and come from strangers, so patterns run on an engine that is linear in the text. It has no
look-around, no back-references and no repetition above 1000.

Bad:
    version: 1
    guards:
      injection:
        patterns:
          - {id: word-twice, regex: '(\w+) \1', score: 1}

Good:
    version: 1
    guards:
      injection:
        patterns:
          - {id: ignore-rules, regex: 'ignore (all|previous) rules', score: 1}

Effect: the guard could not run; the engine refuses to open the policy.

Fix: Write the pattern in RE2 syntax.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
