"""Policy folders to a routing table, or to everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from route_run import policy as policies
from route_run import schema
from route_run.errors import Code, Finding, PolicyError
from route_run.policy import PlacedRehearsal
from route_run.table.compile import compile_policy
from route_run.table.table import RoutingTable
from route_run.text import Reading, read_folders


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading found: ``partial`` is the table of all that could be compiled, findings or not.

    ``rehearsals`` are those that could be decoded.
    """

    reading: Reading
    findings: tuple[Finding, ...]
    partial: RoutingTable
    rehearsals: tuple[PlacedRehearsal, ...] = ()

    @property
    def table(self) -> RoutingTable:
        """The routing table; raises PolicyError with all findings when the policy is invalid."""
        errors = [finding for finding in self.findings if finding.is_error]
        if errors:
            raise PolicyError(errors)
        return self.partial

    @property
    def is_valid(self) -> bool:
        return not any(finding.is_error for finding in self.findings)

    @property
    def deferred(self) -> tuple[Finding, ...]:
        """Fields that are read but not enforced by this release."""
        return tuple(finding for finding in self.findings if finding.code is Code.DEFERRED)

    @property
    def sources(self) -> Mapping[str, str]:
        """The text of every file by its path, for excerpts."""
        return {document.path: document.text for document in self.reading.documents}


def load(folders: Sequence[Path | str], instead: Mapping[Path, bytes] | None = None) -> Loaded:
    """Read, check and compile policy folders as one policy; never raises for what is in them.

    Every phase runs on whatever the phases before it could make of the policy, so all findings come
    at once, in the order of their places. ``instead`` holds what to take for the content of some files.
    """
    return load_reading(read_folders([Path(folder) for folder in folders], instead=instead))


def load_reading(reading: Reading) -> Loaded:
    """Check and compile documents that have been read; never raises for what is in them."""
    findings = list(reading.findings)
    for document in reading.documents:
        findings += schema.check(document)
    policy, merging = policies.decode(reading, findings)
    findings += merging
    findings += policies.check(policy)
    compiled = compile_policy(policies.sound(policy, findings))
    findings += compiled.findings
    rehearsals = policies.decode_rehearsals(reading, findings)
    findings += policies.check_rehearsals(policy, rehearsals)
    wrong = {finding.span for finding in findings if finding.is_error}
    # how to quote a value is not worth saying where another one has to be written
    findings = [f for f in findings if f.code is not Code.LOOKS_LIKE_A_DATE or f.span not in wrong]
    ordered = sorted(dict.fromkeys(findings), key=lambda finding: finding.order)
    return Loaded(reading, tuple(ordered), compiled.table, rehearsals)
