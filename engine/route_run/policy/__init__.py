"""Documents to a policy: frozen typed models, references and secrets, what one policy must agree on."""

from route_run.policy.check import check
from route_run.policy.condition import Atom, Condition
from route_run.policy.decode import decode, sound
from route_run.policy.dialect import TRAITS, Capability, Dialect, Parameter, Range, Traits
from route_run.policy.placed import PlacedTarget, placed_targets
from route_run.policy.policy import Origin, Policy
from route_run.policy.reference import Reference, Secret, Where
from route_run.policy.rehearsal import PlacedRehearsal, decode_rehearsals
from route_run.policy.rehearsed_names import check_rehearsals

__all__ = [
    "TRAITS",
    "Atom",
    "Capability",
    "Condition",
    "Dialect",
    "Origin",
    "Parameter",
    "PlacedRehearsal",
    "PlacedTarget",
    "Policy",
    "Range",
    "Reference",
    "Secret",
    "Traits",
    "Where",
    "check",
    "check_rehearsals",
    "decode",
    "decode_rehearsals",
    "placed_targets",
    "sound",
]
