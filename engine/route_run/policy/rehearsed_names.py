"""What rehearsals name: endpoints, routes, tags, guards, bounds, webhooks have to be those of the policy.

Decides which names hold. A rehearsal that expects its request to be refused may ask for what is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from route_run.errors import Code, Finding, Label
from route_run.policy.policy import Policy
from route_run.policy.rehearsal import Expect, PlacedRehearsal, RequestScript
from route_run.policy.rehearsed_quota import check_quota
from route_run.text.nearest import listed, nearest

Findings = Iterator[Finding]
Keys = tuple[str | int, ...]


def check_rehearsals(policy: Policy, rehearsals: Sequence[PlacedRehearsal]) -> list[Finding]:
    """All findings about the names that rehearsals use."""
    findings = list(_same_names(rehearsals))
    if policy.reading.is_complete:  # else a file that could not be read to its end may define what seems missing
        for placed in rehearsals:
            findings += _Names(policy, placed).findings()
            findings += check_quota(policy, placed)
    return findings


def _same_names(rehearsals: Iterable[PlacedRehearsal]) -> Findings:
    first: dict[str, PlacedRehearsal] = {}
    for placed in rehearsals:
        earlier = first.setdefault(placed.name, placed)
        if earlier is not placed:
            yield Finding(
                Code.SAME_REHEARSAL,
                placed.span,
                f"a second rehearsal is called `{placed.name}`",
                labels=(Label(earlier.span, "first here"),),
                help="say in the name what is different",
            )


class _Names:
    def __init__(self, policy: Policy, placed: PlacedRehearsal) -> None:
        self._policy = policy
        self._placed = placed

    def findings(self) -> Findings:
        written = self._placed.written
        yield from self._listed("endpoints", written.down, ("down",))
        for section, named in (("endpoints", written.endpoints), ("tokens", written.tokens)):
            for name in named:
                yield from self._known("endpoints", name, (section, name), is_key=True)
        for name in written.tokens:
            yield from self._has_tokens(name)
        for name in written.exchanges:
            yield from self._known("endpoints", name, ("exchanges", name), is_key=True)
        for number, scene in enumerate(written.scenes):
            keys = self._placed.scene_keys(number)
            if scene.expect.outcome != "refused":
                yield from self._request(scene.request, (*keys, "request"))
            yield from self._expect(scene.expect, (*keys, "expect"))

    def _request(self, request: RequestScript, keys: Keys) -> Findings:
        if request.route is not None:
            yield from self._known("routes", request.route, (*keys, "route"))
        for tag, value in request.tags.items():
            if tag not in self._policy.names["tags"]:
                yield self._unknown(
                    f"the tag `{tag}` is not declared", tag, self._policy.names["tags"], (*keys, "tags", tag), True
                )
                continue
            declared = self._policy.tags.get(tag)
            if declared is not None and declared.values is not None and value not in declared.values:
                message = f"`{value}` is not a declared value of the tag `{tag}`, so the request is refused"
                yield self._unknown(message, value, declared.values, (*keys, "tags", tag))

    def _expect(self, expect: Expect, keys: Keys) -> Findings:
        if expect.route is not None:
            yield from self._known("routes", expect.route, (*keys, "route"))
        yield from self._listed("endpoints", expect.targets or (), (*keys, "targets"))
        for name in expect.skipped:
            yield from self._known("endpoints", name, (*keys, "skipped", name), is_key=True)
        yield from self._listed("endpoints", expect.never, (*keys, "never"))
        yield from self._listed("bounds", expect.bounds or (), (*keys, "bounds"))
        for number, attempt in enumerate(expect.attempts or ()):
            place: Keys = (*keys, "attempts", number)
            yield from self._known("endpoints", attempt.endpoint, (*place, "endpoint"))
            if attempt.model is not None:
                yield from self._known("models", attempt.model, (*place, "model"))
        for name in expect.guards:
            yield from self._known("guards", name, (*keys, "guards", name), is_key=True)
        if isinstance(expect.webhooks, dict):
            for name in expect.webhooks:
                yield from self._known("webhooks", name, (*keys, "webhooks", name), is_key=True)

    def _has_tokens(self, name: str) -> Findings:
        endpoint = self._policy.endpoints.get(name)
        if endpoint is None or (endpoint.auth is not None and endpoint.auth.oauth2 is not None):
            return
        yield Finding(
            Code.UNKNOWN_IN_REHEARSAL,
            self._placed.origin.key_span("tokens", name),
            f"the endpoint `{name}` has no token endpoint: it does not log in with `oauth2`",
            help="remove it; a login that is refused is `status: 401` of the endpoint",
        )

    def _listed(self, section: str, names: Sequence[str], keys: Keys) -> Findings:
        for number, name in enumerate(names):
            yield from self._known(section, name, (*keys, number))

    def _known(self, section: str, name: str, keys: Keys, *, is_key: bool = False) -> Findings:
        known = self._policy.names[section]
        if name not in known:
            yield self._unknown(f"there is no {section.removesuffix('s')} `{name}`", name, known, keys, is_key)

    def _unknown(self, message: str, name: str, known: Iterable[str], keys: Keys, is_key: bool = False) -> Finding:
        similar = nearest(name, known)
        choice = f"known: {listed(known)}" if known else "the policy has none"
        origin = self._placed.origin
        return Finding(
            Code.UNKNOWN_IN_REHEARSAL,
            origin.key_span(*keys) if is_key else origin.span(*keys),
            message,
            help=f"did you mean `{similar}`? {choice}" if similar else choice,
        )
