"""One world from one seed: a policy made of features, what its endpoints do, what its callers do.

A feature of the policy is one entry in `FEATURES`: it changes the `Shape` and is drawn by its chance. What a new
feature of the engine needs to be simulated is a feature here, and laws in `laws` where it promises something.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from route_run.policy import Dialect
from support.simulation.catalogue import CATALOGUE, MORE, Kind, Part

TOTAL = 60.0
FAST = 20.0
SHAPES = 250
"""Policies that the first worlds share; later worlds have more."""
ALL_KINDS = (
    "unusable unavailable overloaded timeout broken rate_limited out_of_credit unauthorized invalid_output".split()
)


EVERYBODY = "everybody"
"""The bound whose limits hold for all requests together."""


@dataclass(frozen=True)
class Breaker:
    """The fields of a breaker that differ from world to world."""

    consecutive: int = 5
    open: float = 10.0

    def text(self) -> str:
        if self == Breaker():
            return ""
        return f", breaker: {{consecutive: {self.consecutive}, open: {self.open:g}s}}"


@dataclass(frozen=True)
class Limits:
    """Limits of one owner; rates are per minute."""

    exceeded: str
    concurrent: int | None = None
    requests: int | None = None
    tokens: int | None = None
    spend: str = ""
    wait_at_most: float = 5.0

    def text(self) -> str:
        fields = [f"when_exceeded: {self.exceeded}"]
        fields += [f"wait_at_most: {self.wait_at_most:g}s"] if self.exceeded == "wait" else []
        fields += [f"concurrent: {self.concurrent}"] if self.concurrent else []
        fields += [f"requests: {self.requests}/min"] if self.requests else []
        fields += [f"tokens: {self.tokens}/min"] if self.tokens else []
        fields += [f"spend: {self.spend}"] if self.spend else []
        return f"{{{', '.join(fields)}}}"


@dataclass
class Shape:
    """A policy to be written, and what its laws need to know of it."""

    dialects: list[Dialect]
    logins: list[str] = field(default_factory=list)
    attempts: int = 1
    when: list[str] = field(default_factory=lambda: list(ALL_KINDS))
    first_content: float = 30.0
    idle: float = 30.0
    byte_idle: float | None = None
    total: float = TOTAL
    verify: bool = False
    deliver: str = ""
    on_failure: str = "refuse"
    tools: bool = False
    most_live: int = 1
    hedge: float | None = None
    restart: bool = False
    repair: bool = False
    balance: str = ""
    breaker: Breaker = field(default_factory=Breaker)
    retry_budget: tuple[float, int] | None = None
    """Share and floor."""
    limits: dict[str, Limits] = field(default_factory=dict)
    """Of endpoints by their names, and `everybody` for a bound."""
    crowd: int = 0
    """Callers that come in a short time, where there are more than a few."""
    upstream: list[str] = field(default_factory=list)
    """Fields of the upstream in flow style, for features that are nothing but a field."""

    @property
    def names(self) -> list[str]:
        return ["first", "second", "third"][: len(self.dialects)]

    @property
    def targets(self) -> str:
        """The targets in flow style; what is balanced comes last."""
        found = [f"{{endpoint: {name}, model: m}}" for name in self.names]
        if self.balance and len(found) > 1:
            grouped = ", ".join(found[-2:])
            found[-2:] = [f"{{balance: {self.balance}, targets: [{grouped}]}}"]
        return ", ".join(found)

    @property
    def holds(self) -> bool:
        """Whether text is held until its check has passed."""
        return self.verify and self.deliver != "streamed"

    def text(self) -> str:
        """The policy as YAML."""
        endpoints = "\n".join(
            f"  {name}: {{dialect: {dialect.value}, base_url: 'https://{name}.test/v1', serves: {{m: {{}}}}"
            f"{_LOGINS[login]}{self.breaker.text()}{self._budget()}{self._limits(name)}}}"
            for name, dialect, login in zip(self.names, self.dialects, self.logins, strict=True)
        )
        byte_idle = f", byte_idle: {self.byte_idle:g}s" if self.byte_idle else ""
        fields = [
            f"targets: [{self.targets}]",
            f"fallback: {{when: [{', '.join(self.when)}]{', after_content: restart' if self.restart else ''}}}",
            f"retry: {{attempts: {self.attempts}}}",
            (
                f"timeouts: {{connect: 5s, first_content: {self.first_content:g}s, idle: {self.idle:g}s{byte_idle}, "
                f"total: {self.total:g}s}}"
            ),
            *([f"hedge: {{after: {self.hedge:g}s}}"] if self.hedge else ()),
            *self.upstream,
        ]
        repair = ", repair: 1" if self.repair else ""
        check = f", verify: {{format: json{repair}}}" if self.verify else ""
        deliver = f", deliver: {self.deliver}" if self.deliver else ""
        return f"""\
version: 1
tags: {{n: {{}}}}
endpoints:
{endpoints}
models:
  m: {{context_window: 100000, max_output_tokens: 1000, price: {{input: 1, output: 2}}, capabilities: [json, tools]}}
upstreams:
  main: {{{", ".join(fields)}}}
{self._bounds()}routes:
  all: {{match: {{}}, upstream: main{check}{deliver}}}
ledger: {{capture: none, on_failure: {self.on_failure}}}
"""

    def _budget(self) -> str:
        if self.retry_budget is None:
            return ""
        share, floor = self.retry_budget
        return f", retry_budget: {{share: {share:.0%}, floor: {floor}}}"

    def _limits(self, name: str) -> str:
        return f", limits: {self.limits[name].text()}" if name in self.limits else ""

    def _bounds(self) -> str:
        if EVERYBODY not in self.limits:
            return ""
        return f"bounds:\n  everybody: {{match: {{}}, limits: {self.limits[EVERYBODY].text()}}}\n"


_LOGINS = {
    "": "",
    "key": ", auth: {api_key: '${KEY}'}",
    "oauth2": ", auth: {oauth2: {client_id: '${ID}', client_secret: '${SECRET}', scope: chat}}",
}


@dataclass(frozen=True)
class Feature:
    """A feature of the policy: how often it is drawn, and what it changes."""

    name: str
    chance: float
    apply: Callable[[Shape, Random], None]


def _logins(shape: Shape, dice: Random) -> None:
    shape.logins = [dice.choice(("", "key", "oauth2", "oauth2")) for _ in shape.dialects]


def _retries(shape: Shape, dice: Random) -> None:
    shape.attempts = dice.choice((2, 3))


def _few_kinds(shape: Shape, dice: Random) -> None:
    shape.when = [kind for kind in ALL_KINDS if dice.random() < 0.5] or ["broken"]


def _all_kinds(shape: Shape, dice: Random) -> None:
    shape.when = [*ALL_KINDS, "too_long", "content_refused"]


def _short_clocks(shape: Shape, dice: Random) -> None:
    shape.first_content, shape.idle, shape.total = 4.0, 3.0, FAST


def _byte_idle(shape: Shape, dice: Random) -> None:
    shape.byte_idle = 1.5


def _verify(shape: Shape, dice: Random) -> None:
    shape.verify, shape.deliver = True, dice.choice(("", "", "streamed"))


def _ledger_goes_on(shape: Shape, dice: Random) -> None:
    shape.on_failure = "continue"


def _tools(shape: Shape, dice: Random) -> None:
    shape.tools = True


def _hedges(shape: Shape, dice: Random) -> None:
    shape.hedge, shape.most_live = dice.choice((0.2, 1.0, 4.0)), 2


def _restarts(shape: Shape, dice: Random) -> None:
    shape.restart = True


def _repairs(shape: Shape, dice: Random) -> None:
    shape.verify, shape.deliver, shape.repair = True, "", True


def _balances(shape: Shape, dice: Random) -> None:
    shape.balance = dice.choice(("weighted", "fastest", "least_busy", "cheapest"))


def _touchy_breakers(shape: Shape, dice: Random) -> None:
    shape.breaker = Breaker(dice.choice((1, 2, 3)), dice.choice((2.0, 10.0)))


def _small_budgets(shape: Shape, dice: Random) -> None:
    shape.retry_budget = dice.choice(((0.0, 0), (0.0, 1), (0.5, 1)))


def _limits(shape: Shape, dice: Random) -> None:
    for name in (*shape.names, EVERYBODY):
        if dice.random() < 0.5:
            exceeded = dice.choice(("next", "wait", "reject"))
            shape.limits[name] = dice.choice(
                (
                    Limits(exceeded, concurrent=dice.choice((1, 2))),
                    Limits(exceeded, requests=dice.choice((2, 6, 60))),
                    Limits(exceeded, tokens=dice.choice((2_500, 9_000))),
                    Limits(exceeded, spend=dice.choice(("0.005 USD/h", "0.02 USD/day"))),
                )
            )


def _crowds(shape: Shape, dice: Random) -> None:
    shape.crowd = dice.choice((8, 12, 24))


FEATURES = [
    Feature("logins", 0.5, _logins),
    Feature("retries", 0.4, _retries),
    Feature("few kinds fall back", 0.2, _few_kinds),
    Feature("all kinds fall back", 0.2, _all_kinds),
    Feature("short clocks", 0.3, _short_clocks),
    Feature("byte idle", 0.2, _byte_idle),
    Feature("verify", 0.25, _verify),
    Feature("a ledger that may fail", 0.2, _ledger_goes_on),
    Feature("tools", 0.4, _tools),
    Feature("hedges", 0.2, _hedges),
    Feature("restarts", 0.2, _restarts),
    Feature("repairs", 0.15, _repairs),
    Feature("balances", 0.2, _balances),
    Feature("touchy breakers", 0.2, _touchy_breakers),
    Feature("small budgets", 0.2, _small_budgets),
    Feature("limits", 0.25, _limits),
    Feature("crowds", 0.15, _crowds),
]


@dataclass(frozen=True)
class Caller:
    """What one caller does; times in seconds."""

    number: int
    starts: float
    streamed: bool
    leaves_after: float | None = None
    leaves_at_event: int | None = None
    reads_every: float = 0.0


@dataclass
class Scenario:
    """A world. ``meets`` gives what the n-th call to an endpoint meets; None is a healthy answer."""

    seed: int
    shape: Shape
    features: list[str]
    callers: list[Caller]
    kinds: dict[str, list[Kind]]
    fault_chance: float
    token_life: float
    token_faults: list[Kind]
    ledger_faults: list[Kind]
    skew: float
    jump_at: float | None
    jump: float
    suspend_at: float | None

    def dice(self, *what: object) -> Random:
        """Dice of their own for one thing in this world: what others do does not change them."""
        return Random(f"{self.seed}/{what}")

    def meets(self, endpoint: str, call: int) -> Kind | None:
        """The fault that a call meets, the first call being 0."""
        dice = self.dice("meets", endpoint, call)
        kinds = self.kinds[endpoint]
        return dice.choice(kinds) if kinds and dice.random() < self.fault_chance else None


def scenario(seed: int) -> Scenario:
    """The world of a seed."""
    dice = Random(f"world {seed}")
    # few policies for few worlds: reading one takes as long as a world
    shape, features = _shape(Random(f"policy {dice.randrange(SHAPES + seed // 10)}"))
    token_faults = _of(Part.TOKENS) if "oauth2" in shape.logins and dice.random() < 0.7 else []
    return Scenario(
        seed,
        shape,
        features,
        _callers(dice, shape.crowd),
        {name: [_fault(dice) for _ in range(dice.randint(0, 3))] for name in shape.names},
        dice.choice((0.3, 0.7, 1.0)),
        dice.choice((3600.0, 60.0, 5.0)),
        dice.sample(token_faults, min(len(token_faults), dice.randint(0, 2))),
        [dice.choice(_of(Part.LEDGER))] if dice.random() < (0.5 if shape.on_failure == "continue" else 0.05) else [],
        dice.choice((0.0, 0.0, 1800.0, -90.0)),
        dice.uniform(0, 30) if dice.random() < 0.1 else None,
        dice.choice((-3600.0, 3600.0)),
        dice.uniform(0, 10) if dice.random() < 0.05 else None,
    )


def _shape(dice: Random) -> tuple[Shape, list[str]]:
    shape = Shape([dice.choice(list(Dialect)) for _ in range(dice.choice((1, 2, 2, 3)))])
    shape.logins = ["" for _ in shape.dialects]
    drawn = [feature for feature in FEATURES if dice.random() < feature.chance]
    for feature in drawn:
        feature.apply(shape, dice)
    return shape, [feature.name for feature in drawn]


def _fault(dice: Random) -> Kind:
    """A fault of an endpoint: each group as often as any other, whatever its size."""
    faulty = [*_of(Part.ENDPOINT), *MORE]
    group = dice.choice(sorted({kind.group for kind in faulty}))
    return dice.choice([kind for kind in faulty if kind.group == group])


def _of(part: Part) -> list[Kind]:
    return [kind for kind in CATALOGUE if kind.part is part]


def _callers(dice: Random, crowd: int) -> list[Caller]:
    callers = []
    for number in range(crowd or dice.choice((1, 1, 2, 4))):
        habit = dice.random()
        callers.append(
            Caller(
                number,
                dice.choice((0.0, 0.0, dice.uniform(0, 20))),
                dice.random() < 0.75,
                leaves_after=dice.choice((0.0, dice.uniform(0, 1), dice.uniform(0, 40))) if habit < 0.15 else None,
                leaves_at_event=dice.randint(1, 12) if 0.15 < habit < 0.3 else None,
                reads_every=dice.choice((0.05, 3.0)) if 0.3 < habit < 0.4 else 0.0,
            )
        )
    return callers
