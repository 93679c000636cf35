"""Documents against the JSON Schemas of the policy language."""

from route_run.schema.check import check
from route_run.schema.store import SCHEMA_NAMES, schema_text

__all__ = ["SCHEMA_NAMES", "check", "schema_text"]
