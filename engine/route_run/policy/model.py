"""The typed models of the policy language: one class per shape of the schema, frozen, units parsed.

They decode what the schema has passed; a test holds the two together. A failure to decode what the
schema accepts is a defect of ours, never of a policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from route_run.policy import units
from route_run.policy.condition import Condition, condition
from route_run.policy.dialect import Capability, Dialect, Parameter, Range
from route_run.policy.reference import Reference, is_reference, parse_reference

Duration = Annotated[float, BeforeValidator(lambda v: units.duration(v) if isinstance(v, str) else v)]
Rate = Annotated[units.Rate, BeforeValidator(lambda v: units.rate(v) if isinstance(v, str) else v)]
Spend = Annotated[units.Spend, BeforeValidator(lambda v: units.spend(v) if isinstance(v, str) else v)]
Share = Annotated[float, BeforeValidator(lambda v: units.share(v) if isinstance(v, str) else v)]
SecretReference = Annotated[Reference, BeforeValidator(lambda v: parse_reference(v) if isinstance(v, str) else v)]
TextOrReference = Annotated[
    Reference | str, BeforeValidator(lambda v: parse_reference(v) if isinstance(v, str) and is_reference(v) else v)
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


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, protected_namespaces=(), defer_build=True
    )


class _Described(_Model):
    description: str = ""
    owner: str = ""


class Tag(_Described):
    """A declared attribute of requests; ``values`` None means that any text can be its value."""

    values: tuple[str, ...] | None = None
    required: bool = False


class OAuth2(_Model):
    client_id: TextOrReference
    client_secret: SecretReference
    scope: str | None = None
    token_path: str | None = None
    token_url: TextOrReference | None = None


class Auth(_Model):
    api_key: SecretReference | None = None
    header: str | None = None
    scheme: str | None = None
    oauth2: OAuth2 | None = None


class Price(_Model):
    """US dollars per million tokens."""

    input: float
    output: float


class Limits(_Model):
    requests: Rate | None = None
    tokens: Rate | None = None
    spend: Spend | None = None
    concurrent: int | None = None
    when_exceeded: Literal["next", "wait", "reject"] | None = None
    wait_at_most: Duration | None = None


class ServedModel(_Model):
    as_: str | None = Field(default=None, alias="as")
    price: Price | None = None


class Window(_Model):
    from_: datetime = Field(alias="from")
    to: datetime
    why: str = ""


class RetryBudget(_Model):
    share: Share = 0.1
    floor: int = 3
    within: Duration = 10.0


class Breaker(_Model):
    consecutive: int = 5
    ratio: Share = 0.5
    of: int = 20
    within: Duration = 20.0
    open: Duration = 10.0


class Destination(_Described):
    """What endpoints and webhooks share: how to get there and which networks may be entered."""

    auth: Auth | None = None
    headers: Mapping[str, TextOrReference] = Field(default_factory=dict)
    ca_file: str | None = None
    proxy: TextOrReference | None = None
    allow_networks: tuple[str, ...] = ()


class Endpoint(Destination):
    dialect: Dialect
    base_url: TextOrReference
    path: str | None = None
    serves: Mapping[str, ServedModel]
    limits: Limits | None = None
    labels: Mapping[str, str] = Field(default_factory=dict)
    maintenance: tuple[Window, ...] = ()
    drain: bool = False
    retry_budget: RetryBudget = Field(default_factory=RetryBudget)
    breaker: Breaker = Field(default_factory=Breaker)


class NumberRange(_Model):
    min: float | None = None
    max: float | None = None

    @property
    def range(self) -> Range:
        return Range(self.min, self.max)


class LanguageModel(_Described):
    """Limits, parameter ranges and price of one model."""

    context_window: int
    max_output_tokens: int
    parameters: Mapping[Parameter, NumberRange] = Field(default_factory=dict)
    price: Price | None = None
    capabilities: frozenset[Capability] = frozenset()
    limits: Limits | None = None


class Target(_Model):
    endpoint: str
    model: str
    weight: int = 1
    limits: Limits | None = None


class BalanceGroup(_Model):
    balance: Literal["weighted", "fastest", "least_busy", "cheapest"]
    hash_on: str | None = None
    targets: tuple[Target, ...]


class Fallback(_Model):
    after_content: Literal["fail", "restart"] = "fail"
    when: tuple[FailureKind, ...] = DEFAULT_FALLBACK


class Backoff(_Model):
    first: Duration = 0.2
    max: Duration = 5.0


class Retry(_Model):
    attempts: int = 1
    backoff: Backoff = Field(default_factory=Backoff)


class Hedge(_Model):
    after: Duration


class Timeouts(_Model):
    """Seconds; ``byte_idle`` None means as long as ``idle``."""

    connect: Duration = 5.0
    first_content: Duration = 30.0
    idle: Duration = 30.0
    byte_idle: Duration | None = None
    total: Duration = 120.0


class Upstream(_Described):
    targets: tuple[BalanceGroup | Target, ...]
    fallback: Fallback = Field(default_factory=Fallback)
    retry: Retry = Field(default_factory=Retry)
    hedge: Hedge | None = None
    timeouts: Timeouts = Field(default_factory=Timeouts)


class Pattern(_Model):
    id: str
    regex: str
    score: float
    why: str = ""
    must_match: tuple[str, ...] = ()
    must_not_match: tuple[str, ...] = ()


class RouteTo(_Model):
    route: str


class Guard(_Described):
    packs: tuple[str, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    threshold: float = 0.8
    then: Literal["reject", "flag"] | RouteTo = "reject"


class TokenRange(_Model):
    min: int | None = None
    max: int | None = None


class Needs(_Model):
    json_: bool | None = Field(default=None, alias="json")
    tools: bool | None = None
    images: bool | None = None


class Match(_Model):
    tags: Mapping[str, Annotated[Condition, BeforeValidator(condition)]] = Field(default_factory=dict)
    requested_model: Annotated[Condition, BeforeValidator(condition)] | None = None
    prompt_tokens: TokenRange = Field(default_factory=TokenRange)
    needs: Needs = Field(default_factory=Needs)


class ParameterBound(_Model):
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
    targets: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    parameters: Mapping[Parameter, ParameterBound] = Field(default_factory=dict)
    per: str | None = None
    limits: Limits | None = None
    except_: Mapping[str, Limits] = Field(default_factory=dict, alias="except")


class Verify(_Model):
    format: Literal["json"] | None = None
    json_schema: str | None = None
    repair: int = 0


class Route(_Described):
    match: Match | None = None
    upstream: str
    precedence: int = 0
    callable: bool = False
    parameters: Mapping[Parameter, ParameterRule] = Field(default_factory=dict)
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
