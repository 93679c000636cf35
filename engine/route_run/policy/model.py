"""The typed models of the policy language: one class per shape of the schema, frozen, units parsed.

They decode what the schema has passed; a test holds the two together. A failure to decode what the
schema accepts is a defect of ours, never of a policy. Annotations are evaluated here: they are what is decoded.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from route_run.policy import units
from route_run.policy.condition import Condition, condition
from route_run.policy.dialect import Capability, Dialect, Parameter, Range
from route_run.policy.reference import Reference, is_reference, parse_reference
from route_run.policy.shape import NOTHING, Model


def _from_text(parse: Callable[[str], Any]) -> Callable[[Any], Any]:
    """A unit as it is written; what is no text is one already."""
    return lambda value: parse(value) if isinstance(value, str) else value


Duration = Annotated[float, _from_text(units.duration)]
Rate = Annotated[units.Rate, _from_text(units.rate)]
Spend = Annotated[units.Spend, _from_text(units.spend)]
Share = Annotated[float, _from_text(units.share)]
SecretReference = Annotated[Reference, _from_text(parse_reference)]
TextOrReference = Annotated[
    Reference | str, _from_text(lambda text: parse_reference(text) if is_reference(text) else text)
]
FailureKind = Literal[
    "unusable", "unavailable", "overloaded", "timeout", "broken", "rate_limited", "out_of_credit",
    "unauthorized", "invalid_output", "too_long", "content_refused",
]  # fmt: skip
DEFAULT_FALLBACK: tuple[FailureKind, ...] = (
    "unusable", "unavailable", "overloaded", "timeout", "broken", "rate_limited", "out_of_credit",
    "unauthorized", "invalid_output",
)  # fmt: skip
"""The kinds of failure that fall back when `fallback.when` is left out."""


class _Described(Model):
    description: str = ""
    owner: str = ""


class Tag(_Described):
    """A declared attribute of requests; ``values`` None means that any text can be its value."""

    values: tuple[str, ...] | None = None
    required: bool = False


class OAuth2(Model):
    client_id: TextOrReference
    client_secret: SecretReference
    scope: str | None = None
    token_path: str | None = None
    token_url: TextOrReference | None = None


class Auth(Model):
    api_key: SecretReference | None = None
    header: str | None = None
    scheme: str | None = None
    oauth2: OAuth2 | None = None


class Price(Model):
    """US dollars per million tokens."""

    input: float
    output: float


class Limits(Model):
    requests: Rate | None = None
    tokens: Rate | None = None
    spend: Spend | None = None
    concurrent: int | None = None
    when_exceeded: Literal["next", "wait", "reject"] | None = None
    wait_at_most: Duration | None = None


class ServedModel(Model):
    as_: str | None = None
    price: Price | None = None


class Window(Model):
    from_: datetime
    to: datetime
    why: str = ""


class RetryBudget(Model):
    share: Share = 0.1
    floor: int = 3
    within: Duration = 10.0


class Breaker(Model):
    consecutive: int = 5
    ratio: Share = 0.5
    of: int = 20
    within: Duration = 20.0
    open: Duration = 10.0


class Destination(_Described):
    """What endpoints and webhooks share: how to get there and which networks may be entered."""

    auth: Auth | None = None
    headers: Mapping[str, TextOrReference] = NOTHING
    ca_file: str | None = None
    proxy: TextOrReference | None = None
    allow_networks: tuple[str, ...] = ()


class Endpoint(Destination):
    dialect: Dialect
    base_url: TextOrReference
    path: str | None = None
    serves: Mapping[str, ServedModel]
    limits: Limits | None = None
    labels: Mapping[str, str] = NOTHING
    maintenance: tuple[Window, ...] = ()
    drain: bool = False
    retry_budget: RetryBudget = RetryBudget()
    breaker: Breaker = Breaker()


class NumberRange(Model):
    min: float | None = None
    max: float | None = None

    @property
    def range(self) -> Range:
        return Range(self.min, self.max)


class LanguageModel(_Described):
    """Limits, parameter ranges and price of one model."""

    context_window: int
    max_output_tokens: int
    parameters: Mapping[Parameter, NumberRange] = NOTHING
    price: Price | None = None
    capabilities: frozenset[Capability] = frozenset()
    limits: Limits | None = None


class Target(Model):
    endpoint: str
    model: str
    weight: int = 1
    limits: Limits | None = None


class BalanceGroup(Model):
    balance: Literal["weighted", "fastest", "least_busy", "cheapest"]
    hash_on: str | None = None
    targets: tuple[Target, ...]


class Fallback(Model):
    after_content: Literal["fail", "restart"] = "fail"
    when: tuple[FailureKind, ...] = DEFAULT_FALLBACK


class Backoff(Model):
    first: Duration = 0.2
    max: Duration = 5.0


class Retry(Model):
    attempts: int = 1
    backoff: Backoff = Backoff()


class Hedge(Model):
    after: Duration


class Timeouts(Model):
    """Seconds; ``byte_idle`` None means as long as ``idle``."""

    connect: Duration = 5.0
    first_content: Duration = 30.0
    idle: Duration = 30.0
    byte_idle: Duration | None = None
    total: Duration = 120.0


class Upstream(_Described):
    targets: tuple[Target | BalanceGroup, ...]
    fallback: Fallback = Fallback()
    retry: Retry = Retry()
    hedge: Hedge | None = None
    timeouts: Timeouts = Timeouts()


class Pattern(Model):
    id: str
    regex: str
    score: float
    why: str = ""
    must_match: tuple[str, ...] = ()
    must_not_match: tuple[str, ...] = ()


class RouteTo(Model):
    route: str


class Guard(_Described):
    packs: tuple[str, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    threshold: float = 0.8
    then: Literal["reject", "flag"] | RouteTo = "reject"


class TokenRange(Model):
    min: int | None = None
    max: int | None = None


class Needs(Model):
    json_: bool | None = None
    tools: bool | None = None
    images: bool | None = None


class Match(Model):
    tags: Mapping[str, Annotated[Condition, condition]] = NOTHING
    requested_model: Annotated[Condition, condition] | None = None
    prompt_tokens: TokenRange = TokenRange()
    needs: Needs = Needs()


class ParameterBound(Model):
    min: float | None = None
    max: float | None = None
    outside: Literal["clamp", "reject"] = "reject"

    @property
    def range(self) -> Range:
        return Range(self.min, self.max)


class ParameterRule(ParameterBound):
    default: Any = None


class Bound(_Described):
    match: Match
    guards: tuple[str, ...] = ()
    targets: Mapping[str, tuple[str, ...]] = NOTHING
    parameters: Mapping[Parameter, ParameterBound] = NOTHING
    per: str | None = None
    limits: Limits | None = None
    except_: Mapping[str, Limits] = NOTHING


class Verify(Model):
    format: Literal["json"] | None = None
    json_schema: str | None = None
    repair: int = 0


class Route(_Described):
    match: Match | None = None
    upstream: str
    precedence: int = 0
    callable: bool = False
    parameters: Mapping[Parameter, ParameterRule] = NOTHING
    verify: Verify | None = None
    deliver: Literal["verified", "streamed"] | None = None


WebhookEvent = Literal[
    "completed", "rejected", "refused", "failed", "output_invalid", "interrupted", "cancelled", "fell_back", "flagged"
]


class Webhook(Destination):
    match: Match
    events: tuple[WebhookEvent, ...]
    url: TextOrReference
    secrets: tuple[SecretReference, ...] = ()


class Ledger(_Described):
    capture: Literal["none", "full"] = "none"
    retention: Duration | None = None
    hash_key: SecretReference | None = None
    durability: Literal["strict", "grouped", "off"] = "grouped"
    on_failure: Literal["refuse", "continue"] = "refuse"


class Pack(_Described):
    """A pattern pack as its file holds it."""

    version: int
    pack: str
    release: int
    patterns: tuple[Pattern, ...]
