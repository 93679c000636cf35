"""What a change of policy changes: regions of requests, each with what is different and a request to prove it."""

from route_run.review.diff.difference import Difference, Group, difference
from route_run.review.diff.risk import Risk

__all__ = ["Difference", "Group", "Risk", "difference"]
