"""Documents to a policy: frozen typed models, references and secrets, what one policy must agree on."""

from route_run.policy.check import check
from route_run.policy.condition import Atom, Condition
from route_run.policy.decode import decode, sound
from route_run.policy.dialect import TRAITS, Capability, Dialect, Parameter, Range, Traits
from route_run.policy.policy import Origin, Policy
from route_run.policy.reference import Reference, Secret, Where

__all__ = [
    "TRAITS",
    "Atom",
    "Capability",
    "Condition",
    "Dialect",
    "Origin",
    "Parameter",
    "Policy",
    "Range",
    "Reference",
    "Secret",
    "Traits",
    "Where",
    "check",
    "decode",
    "sound",
]
