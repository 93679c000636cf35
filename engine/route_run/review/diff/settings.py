"""What policies say of guards, limits, upstreams, endpoints, webhooks and the ledger, as facts.

Decides what of it a request can tell apart; names, places and descriptions are not among it. Values of secrets
are unknown here, a reference counts by its name, and a literal header is never shown.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import urlsplit

from route_run.policy import TRAITS, Reference, placed_targets
from route_run.policy.model import Auth, BalanceGroup, Destination, Endpoint, Limits
from route_run.review.diff.fact import Area, Fact, Topic
from route_run.review.diff.risk import FALLBACK_KINDS
from route_run.table import Bound, Hook, Route, RoutingTable, Target

Named = Iterator[tuple[Topic, Fact]]
_COUNTED = ("requests", "tokens", "spend", "concurrent")
_DAYS = {"h": Decimal(24), "day": Decimal(1), "month": Decimal(1) / 30}


def guard_facts(table: RoutingTable, bounds: Sequence[Bound]) -> Named:
    """The guards that are asked about a request: threshold, what they do, what they find."""
    for name in sorted({guard for bound in bounds for guard in bound.guards}):
        scanner = table.scanners[name]
        does = (scanner.action.value, scanner.destination)
        patterns = frozenset((p.id, p.regex, p.score) for p in scanner.patterns)
        words = f"{' '.join(part for part in does if part)} at {scanner.threshold:g}, {len(patterns)} patterns"
        yield Topic(Area.GUARD, name), Fact((scanner.threshold, does, patterns), words)


# -- limits ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Tightest:
    """All that limit one thing: the lowest of them decides, all are shown."""

    lowest: Decimal | None = None
    words: list[str] = field(default_factory=list)

    def add(self, amount: Decimal, words: str) -> None:
        self.lowest = amount if self.lowest is None else min(self.lowest, amount)
        self.words.append(words)


def limit_facts(table: RoutingTable, bounds: Sequence[Bound]) -> Named:
    """The limits that bounds set, by what they count and per which tag; the tightest of several decides."""
    found: dict[str, _Tightest] = {}
    for bound in bounds:
        written = table.policy.bounds[bound.name]
        per = f" per {written.per.removeprefix('tags.')}" if written.per else ""
        _add_limits(found, written.limits, per, "reject")
        for value, limits in written.except_.items():
            _add_limits(found, limits, f"{per} {value}", "reject")
    yield from _limits(found)


def own_limit_facts(table: RoutingTable, route: Route, targets: Sequence[Target]) -> Named:
    """The limits of targets, of their endpoints and of their models, none included."""
    flat = [placed.target for placed in placed_targets(table.policy.upstreams[route.upstream.name])]
    asked = {(target.endpoint, target.model) for target in targets}
    owners = {f"endpoint {name}": table.policy.endpoints[name].limits for name, _ in asked}
    owners |= {f"model {name}": table.policy.models[name].limits for _, name in asked}
    owners |= {f"target {t.endpoint}/{t.model}": t.limits for t in flat if (t.endpoint, t.model) in asked}
    for owner, limits in sorted(owners.items(), key=lambda item: item[0]):
        found: dict[str, _Tightest] = {f"{counted} of {owner}": _Tightest() for counted in _COUNTED}
        _add_limits(found, limits, f" of {owner}", "next")
        yield from ((Topic(Area.OWN_LIMIT, topic.item), fact) for topic, fact in _limits(found))


def _add_limits(found: dict[str, _Tightest], limits: Limits | None, whose: str, else_: str) -> None:
    if limits is None:
        return
    then = f", else {limits.when_exceeded or else_}"
    if limits.wait_at_most is not None:
        then += f" up to {limits.wait_at_most:g} s"
    for name, rate in (("requests", limits.requests), ("tokens", limits.tokens)):
        if rate is not None:
            amount = Decimal(str(rate.count)) / Decimal(str(rate.seconds))
            found.setdefault(name + whose, _Tightest()).add(amount, f"{rate}{then}")
    if limits.spend is not None:
        amount = limits.spend.usd * _DAYS[limits.spend.period]
        words = f"{limits.spend}{then}"
        found.setdefault("spend" + whose, _Tightest()).add(amount, words)
    if limits.concurrent is not None:
        words = f"{limits.concurrent} at a time{then}"
        found.setdefault("concurrent" + whose, _Tightest()).add(Decimal(limits.concurrent), words)


def _limits(found: Mapping[str, _Tightest]) -> Named:
    for name, tightest in sorted(found.items()):
        words = tuple(sorted(tightest.words))
        yield Topic(Area.LIMIT, name), Fact((tightest.lowest, words), " and ".join(words) or "none")


# -- upstreams ---------------------------------------------------------------------------------------


def upstream_facts(table: RoutingTable, route: Route) -> Named:
    """Timeouts, retries, fallback and the order of balanced targets."""
    upstream = route.upstream
    written = table.policy.upstreams[upstream.name]
    for name in ("connect", "first_content", "idle", "total"):
        seconds = getattr(upstream.timeouts, name)
        yield _upstream(f"timeout {name}", seconds, f"{seconds:g} s")
    yield _upstream("timeout byte_idle", upstream.byte_idle, f"{upstream.byte_idle:g} s")
    yield _upstream("attempts per target", upstream.attempts, str(upstream.attempts))
    waits = (upstream.backoff_first, upstream.backoff_max)
    yield _upstream("backoff", waits, f"{waits[0]:g} s, at most {waits[1]:g} s")
    kinds = upstream.fallback_kinds
    yield _upstream(FALLBACK_KINDS, kinds, ", ".join(sorted(kinds)) or "nothing")
    yield _upstream("after content", written.fallback.after_content, written.fallback.after_content)
    hedge = written.hedge.after if written.hedge is not None else None
    yield _upstream("hedge", hedge, f"after {hedge:g} s" if hedge is not None else "off")
    orders = tuple(_order(entry) for entry in written.targets if isinstance(entry, BalanceGroup))
    if orders:
        yield _upstream("balance", orders, "; ".join(orders))


def _upstream(item: str, data: Hashable, words: str) -> tuple[Topic, Fact]:
    return Topic(Area.UPSTREAM, item), Fact(data, words)


def _order(group: BalanceGroup) -> str:
    weights = ", ".join(f"{t.endpoint}/{t.model} {t.weight}" for t in group.targets)
    return f"{group.balance} over {weights}" + (f" by {group.hash_on}" if group.hash_on else "")


# -- destinations --------------------------------------------------------------------------------------


def endpoint_facts(table: RoutingTable, name: str, labels: Iterable[str]) -> Named:
    """Where an endpoint is and how it is reached."""
    endpoint = table.policy.endpoints[name]
    url = _url(endpoint.base_url) + (endpoint.path or TRAITS[endpoint.dialect].path)
    yield _endpoint(name, "URL", (endpoint.base_url, endpoint.path), url)
    yield _endpoint(name, "dialect", endpoint.dialect.value, endpoint.dialect.value)
    yield from ((Topic(Area.ENDPOINT, f"{name} {item}"), fact) for item, fact in _destination(endpoint))
    for label in sorted(labels):
        value = endpoint.labels.get(label)
        yield _endpoint(name, f"label {label}", value, value or "none")
    yield from _health(name, endpoint)


def _health(name: str, endpoint: Endpoint) -> Named:
    breaker, budget = endpoint.breaker, endpoint.retry_budget
    numbers = (breaker.consecutive, breaker.ratio, breaker.of, breaker.within, breaker.open)
    words = "{} in a row, {:.0%} of {} within {:g} s, open {:g} s".format(*numbers)
    yield _endpoint(name, "breaker", numbers, words)
    share = (budget.share, budget.floor, budget.within)
    yield _endpoint(name, "retry budget", share, "{:.0%}, at least {} within {:g} s".format(*share))
    windows = tuple(f"{w.from_.isoformat()} to {w.to.isoformat()}" for w in endpoint.maintenance)
    yield _endpoint(name, "maintenance", windows, "; ".join(windows) or "none")


def _endpoint(name: str, item: str, data: Hashable, words: str) -> tuple[Topic, Fact]:
    return Topic(Area.ENDPOINT, f"{name} {item}"), Fact(data, words)


def hook_facts(table: RoutingTable, hooks: Sequence[Hook]) -> Named:
    """Who is told of a request, of what, and how."""
    for hook in hooks:
        webhook = table.policy.webhooks[hook.name]
        events = ", ".join(sorted(hook.events))
        yield Topic(Area.WEBHOOK, hook.name), Fact(hook.events, events)
        yield Topic(Area.WEBHOOK, f"{hook.name} URL"), Fact(webhook.url, _url(webhook.url))
        secrets = tuple(map(str, webhook.secrets))
        yield Topic(Area.WEBHOOK, f"{hook.name} secrets"), Fact(secrets, ", ".join(secrets) or "unsigned")
        yield from ((Topic(Area.WEBHOOK, f"{hook.name} {item}"), fact) for item, fact in _destination(webhook))


def ledger_facts(table: RoutingTable) -> Named:
    """What is kept of every request."""
    ledger = table.policy.ledger
    retention = f"{ledger.retention / 86400:g} days" if ledger.retention is not None else "for ever"
    for name, data, words in (
        ("capture", ledger.capture, ledger.capture),
        ("retention", ledger.retention, retention),
        ("hash key", ledger.hash_key, str(ledger.hash_key or "none")),
        ("durability", ledger.durability, ledger.durability),
        ("on failure", ledger.on_failure, ledger.on_failure),
    ):
        yield Topic(Area.LEDGER, name), Fact(data, words)


def _destination(written: Destination) -> Iterator[tuple[str, Fact]]:
    yield "login", _login(written.auth)
    headers = tuple(sorted((name.lower(), value) for name, value in written.headers.items()))
    shown = (f"{name}: {value if isinstance(value, Reference) else '(set)'}" for name, value in headers)
    yield "headers", Fact(headers, ", ".join(shown) or "none")
    yield "proxy", Fact(written.proxy, _url(written.proxy) if written.proxy is not None else "none")
    yield "CA file", Fact(written.ca_file, written.ca_file or "the system's")
    networks = tuple(sorted(written.allow_networks))
    yield "private networks", Fact(networks, ", ".join(networks) or "none")


def _login(auth: Auth | None) -> Fact:
    if auth is None:
        return Fact(None, "none")
    if auth.api_key is not None:
        header = f" in {auth.header}" if auth.header else ""
        return Fact((auth.api_key, auth.header, auth.scheme), f"API key {auth.api_key}{header}")
    found = auth.oauth2
    assert found is not None
    data = (found.client_id, found.client_secret, found.scope, found.token_path, found.token_url)
    scope = f", scope {found.scope}" if found.scope else ""
    return Fact(data, f"OAuth2 by {found.client_secret}{scope}")


def _url(written: Reference | str) -> str:
    """A URL without what may be secret in it: a user's name and the query."""
    if isinstance(written, Reference):
        return str(written)
    parts = urlsplit(written)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" + ("?…" if parts.query else "")
