"""Guards and output checks of a policy, compiled; what cannot be compiled is a finding."""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Span
from route_run.guard.budget import Budget
from route_run.guard.output import OutputCheck, compile_schema
from route_run.guard.packs import builtin_names, find_pack
from route_run.guard.scanner import Action, Scanner
from route_run.guard.unsupported import unsupported
from route_run.policy import LEFT_OUT, Policy
from route_run.policy.model import Guard, Pattern, Route, RouteTo
from route_run.text.nearest import listed, nearest

_EFFECT = "the guard cannot run; the engine refuses to open the policy"


def compile_guards(policy: Policy) -> tuple[dict[str, Scanner], list[Finding]]:
    """Every guard whose patterns all compile, and findings for the others."""
    budget = Budget()
    of_packs = {key: list(_pack_findings(policy, key, budget)) for key in policy.packs}
    findings = [finding for found in of_packs.values() for finding in found]
    scanners: dict[str, Scanner] = {}
    for name, guard in policy.read(Guard):
        problems = [*_unknown_packs(policy, name, guard), *_bad_patterns(policy, name, guard, budget)]
        is_usable = name in policy.guards and not problems and not budget.is_spent
        if is_usable and not any(of_packs.get(reference) for reference in guard.packs):
            scanners[name] = _scanner(name, guard, policy)
            if not _is_shipped(guard):
                problems += _too_large(policy, scanners[name])
        findings += problems
    return scanners, findings


def _is_shipped(guard: Guard) -> bool:
    """Whether all patterns ship with route-run: a test proves that these fit, so nobody has to wait to see it."""
    return not guard.patterns and all(reference.startswith("builtin/") for reference in guard.packs)


def compile_output_checks(policy: Policy) -> tuple[dict[str, OutputCheck], list[Finding]]:
    """The output check of every route that has one, by route."""
    checks: dict[str, OutputCheck] = {}
    findings: list[Finding] = []
    for name, route in policy.read(Route):
        if route.verify is None:
            continue
        content = policy.files.get(("routes", name, "json_schema"))
        if content is None:
            checks[name] = OutputCheck()  # `format: json`, or a file that has its finding already
            continue
        compiled = compile_schema(content)
        if isinstance(compiled, OutputCheck):
            checks[name] = compiled
        else:
            span = policy.origin("routes", name).span("verify", "json_schema")
            findings.append(
                Finding(Code.NAMED_FILE, span, f"the schema cannot be used: {compiled}", help="correct the file")
            )
    return checks, findings


def _scanner(name: str, guard: Guard, policy: Policy) -> Scanner:
    patterns: dict[str, Pattern] = {}
    for reference in guard.packs:
        pack = find_pack(reference, policy.packs)
        for pattern in pack.patterns if pack is not None else ():
            patterns.setdefault(pattern.id, pattern)
    patterns.update((pattern.id, pattern) for pattern in guard.patterns)
    destination = guard.then.route if isinstance(guard.then, RouteTo) else ""
    action = Action.ROUTE if destination else Action(guard.then)
    return Scanner(name, list(patterns.values()), guard.threshold, action, destination)


def _unknown_packs(policy: Policy, name: str, guard: Guard) -> Iterator[Finding]:
    origin = policy.origin("guards", name)
    known = [*policy.packs, *builtin_names(), *(key for section, key in policy.origins if section == "packs")]
    for index, reference in enumerate(guard.packs):
        if reference in known or reference == LEFT_OUT:
            continue
        similar = nearest(reference, known)
        choice = f"known: {listed(set(known))}"
        yield Finding(
            Code.UNKNOWN_NAME,
            origin.span("packs", index),
            f"there is no pattern pack `{reference}`",
            help=f"did you mean `{similar}`? {choice}" if similar else choice,
        )


def _bad_patterns(policy: Policy, name: str, guard: Guard, budget: Budget) -> Iterator[Finding]:
    origin = policy.origin("guards", name)
    for index, pattern in enumerate(guard.patterns):
        yield from _bad_pattern(pattern, origin.span("patterns", index, "regex"), budget)


def _too_large(policy: Policy, scanner: Scanner) -> Iterator[Finding]:
    if scanner.problem:
        yield Finding(
            Code.BAD_PATTERN,
            policy.origin("guards", scanner.guard).key_span(),
            f"the guard `{scanner.guard}` cannot be used: {scanner.problem}",
            help="use smaller repetitions, or divide the patterns among several guards",
        )


def _pack_findings(policy: Policy, key: str, budget: Budget) -> Iterator[Finding]:
    document = policy.origin("packs", key).document
    seen: set[str] = set()
    for index, pattern in enumerate(policy.packs[key].patterns):
        yield from _bad_pattern(pattern, document.span_of(("patterns", index, "regex")), budget)
        if pattern.id in seen:
            yield Finding(
                Code.DEFINED_TWICE,
                document.span_of(("patterns", index, "id")),
                f"a second pattern has the id `{pattern.id}`",
                help="ids are unique within a pack",
            )
        seen.add(pattern.id)


def _bad_pattern(pattern: Pattern, span: Span, budget: Budget) -> Iterator[Finding]:
    if budget.is_spent or pattern.regex == LEFT_OUT:
        return  # it has its finding
    if problem := budget.problem_of(pattern.regex):
        reason, instead = unsupported(pattern.regex, problem)
        yield Finding(
            Code.BAD_PATTERN, span, f"the pattern `{pattern.id}` cannot be used: {reason}", help=instead, effect=_EFFECT
        )
    if budget.is_spent:
        yield Finding(
            Code.BAD_PATTERN,
            span,
            f"the patterns up to `{pattern.id}` are too large together; the ones after it have not been looked at",
            help="use smaller repetitions and fewer patterns",
            effect=_EFFECT,
        )
