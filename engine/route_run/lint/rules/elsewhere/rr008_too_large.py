"""File beyond the caps of a document

Why: Caps on bytes, depth and number of values make the cost of reading a hostile file small and known.

Bad:
    version: 1
    labels: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]

Good:
    version: 1
    tags:
      desk: {}

Effect: reading stops here, and the engine refuses to open the policy.

Fix: Split the file: all files of a folder are one policy, and their order does not matter.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
