"""The compiled policy: attributes, the match algebra, the routing table."""

from route_run.table.agreement import Agreement, agreement
from route_run.table.attributes import (
    BYTES_PER_TOKEN,
    ESTIMATE,
    MODEL,
    TOKENS_PER_IMAGE,
    TOKENS_PER_MESSAGE,
    Attributes,
    smallest_prompt,
)
from route_run.table.loading import Loaded, load, load_reading
from route_run.table.match import Region, Relation, Vocabulary
from route_run.table.table import Bound, Deliver, Hook, Outside, Route, RoutingTable, Rule, Target, Upstream
from route_run.table.values import ValueSet, from_condition

__all__ = [
    "BYTES_PER_TOKEN",
    "ESTIMATE",
    "MODEL",
    "TOKENS_PER_IMAGE",
    "TOKENS_PER_MESSAGE",
    "Agreement",
    "Attributes",
    "Bound",
    "Deliver",
    "Hook",
    "Loaded",
    "Outside",
    "Region",
    "Relation",
    "Route",
    "RoutingTable",
    "Rule",
    "Target",
    "Upstream",
    "ValueSet",
    "Vocabulary",
    "agreement",
    "from_condition",
    "load",
    "load_reading",
    "smallest_prompt",
]
