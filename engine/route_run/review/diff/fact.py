"""Facts: what a policy does with requests of one region, in pieces that can be compared one by one.

Decides nothing; gives each piece a name, a value to compare and words.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from enum import Enum


class Area(Enum):
    """What a fact is about, in the order in which differences are shown."""

    OUTCOME = "outcome"
    ROUTE = "route"
    TARGETS = "targets"
    REACHES = "reaches"
    ALLOWED = "allowed label"
    GUARD = "guard"
    DEFAULT = "default"
    RANGE = "range"
    SENT = "sent"
    LIMIT = "limit"
    CEILING = "price ceiling"
    PRICE = "price"
    MODEL = "model"
    MODEL_RANGE = "range at"
    OWN_LIMIT = "own limit"
    VERIFY = "verify"
    DELIVER = "deliver"
    UPSTREAM = "upstream"
    ENDPOINT = "endpoint"
    WEBHOOK = "webhook"
    LEDGER = "ledger"


ORDER = {area: number for number, area in enumerate(Area)}
IN_BOTH = frozenset(
    {
        Area.REACHES,
        Area.SENT,
        Area.CEILING,
        Area.PRICE,
        Area.MODEL,
        Area.MODEL_RANGE,
        Area.OWN_LIMIT,
        Area.UPSTREAM,
        Area.ENDPOINT,
        Area.VERIFY,
        Area.DELIVER,
    }
)
"""Areas of facts that exist only for what is asked: one that is there on one side only is no difference of its own."""


@dataclass(frozen=True, slots=True)
class Topic:
    """The name of a fact: its area, and the item of that area where there are several."""

    area: Area
    item: str = ""

    def __str__(self) -> str:
        return f"{self.area.value} {self.item}".rstrip()


_ROUTE = Topic(Area.ROUTE)
_ALWAYS = frozenset({Area.OUTCOME, Area.ROUTE, Area.WEBHOOK})


@dataclass(frozen=True, slots=True)
class Fact:
    """A value: facts are the same when ``data`` is; ``text`` is for people and holds no secret."""

    data: Hashable
    text: str


Facts = Mapping[Topic, Fact]


@dataclass(frozen=True, slots=True)
class Change:
    """One fact that differs; None where it does not exist on that side."""

    topic: Topic
    before: Fact | None
    after: Fact | None
    order: tuple[int, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "order", (ORDER[self.topic.area], self.topic.item))

    @property
    def before_text(self) -> str:
        return self.before.text if self.before is not None else "none"

    @property
    def after_text(self) -> str:
        """The words after the change; they say so when the words before were the same."""
        text = self.after.text if self.after is not None else "none"
        return f"{text} (another)" if text == self.before_text else text


def changes(before: Facts, after: Facts) -> tuple[Change, ...]:
    """The facts that differ, in their order."""
    found = []
    are_routed = all(_ROUTE in side for side in (before, after))
    for topic in {*before, *after}:
        old, new = before.get(topic), after.get(topic)
        # where no route takes a request there is nothing to say of what would come after
        is_told = topic.area not in IN_BOTH if are_routed else topic.area in _ALWAYS
        if not is_told and (old is None or new is None):
            continue
        if (old and old.data) != (new and new.data):
            found.append(Change(topic, old, new))
    return tuple(sorted(found, key=lambda change: change.order))
