"""Findings (mistakes in a policy, as values) and the exception tree.

A mistake in a policy is a ``Finding``: it is collected, never raised on its own.
Exceptions are for what a caller of the engine has to handle:

    RouteRunError
    ├── PolicyError           the policy is invalid; carries its findings
    ├── UnresolvedReferences  what the policy refers to is not there, or is not what is needed
    ├── RequestError          the caller's request is malformed; names the field
    ├── LedgerError           the ledger cannot be opened or written
    └── MisuseError           the engine is used in a way its documentation rules out

The outcome of a request (rejected, refused, failed, …) is never an exception.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a text; both numbers count from 1, columns count Unicode code points."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of one file, ``end`` excluded; ``path`` is what a person would open."""

    path: str
    start: Position
    end: Position

    @classmethod
    def of_file(cls, path: str) -> Span:
        """The span that stands for a file as a whole: its very first position."""
        return cls(path, Position(1, 1), Position(1, 1))

    def __str__(self) -> str:
        return f"{self.path}:{self.start.line}:{self.start.column}"


class Severity(Enum):
    """How much a finding weighs; only ``ERROR`` makes a policy invalid."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Code(Enum):
    """Stable codes of what can be wrong with a policy; a code is never reused."""

    UNREADABLE = "RR001"
    SYNTAX = "RR002"
    DUPLICATE_KEY = "RR003"
    AMBIGUOUS_SCALAR = "RR004"
    NUMBER = "RR005"
    ALIAS = "RR006"
    YAML_TAG = "RR007"
    TOO_LARGE = "RR008"
    SECOND_DOCUMENT = "RR009"
    NOT_A_MAPPING = "RR010"
    KEY = "RR011"
    FILE_NAME = "RR012"
    SYMLINK = "RR013"
    NO_POLICY = "RR014"
    LOOKS_LIKE_A_DATE = "RR015"

    TYPE = "RR101"
    MISSING_FIELD = "RR102"
    UNKNOWN_FIELD = "RR103"
    NOT_ALLOWED = "RR104"
    OUT_OF_RANGE = "RR105"
    FORMAT = "RR106"
    UNIT = "RR107"
    LITERAL_SECRET = "RR108"
    EXCLUSIVE = "RR109"
    DEFERRED = "RR110"

    UNKNOWN_NAME = "RR201"
    DEFINED_TWICE = "RR202"
    UNDECLARED_TAG = "RR203"
    UNDECLARED_VALUE = "RR204"
    SECOND_LEDGER = "RR205"
    NAMED_FILE = "RR206"
    NO_WAY_IN = "RR207"
    NOT_SERVED = "RR208"

    UNREACHABLE_ROUTE = "RR301"
    AMBIGUOUS_ROUTES = "RR302"
    EMPTY_MATCH = "RR303"
    IDLE_CATCH_ALL = "RR304"
    IDLE_MATCH = "RR305"
    NEEDLESS_PRECEDENCE = "RR306"
    VALUE_WITHOUT_ROUTE = "RR307"
    NO_CATCH_ALL = "RR308"
    NOT_PROVED = "RR309"
    NO_ELIGIBLE_TARGET = "RR310"
    CONTRADICTING_BOUNDS = "RR311"
    STRANDED_REQUESTS = "RR312"
    TARGET_NEVER_CHOSEN = "RR313"
    UNUSED_ITEM = "RR314"
    UNUSED_TAG = "RR315"
    REROUTE_LOOP = "RR316"
    TWO_DESTINATIONS = "RR317"
    LOOKED_THROUGH = "RR318"

    SECRET_IN_TEXT = "RR401"
    PLAIN_HTTP = "RR402"
    METADATA_ADDRESS = "RR403"
    PRIVATE_ADDRESS = "RR404"
    DISGUISED_ADDRESS = "RR405"
    INSIDE_NAME = "RR406"
    CREDENTIALS_IN_PATH = "RR407"
    WIDE_NETWORK = "RR408"
    UNSIGNED_WEBHOOK = "RR409"
    TEXT_DIRECTION = "RR410"
    INVISIBLE_CHARACTER = "RR411"
    LOOKALIKE = "RR412"
    KEPT_FOR_EVER = "RR413"
    NO_HASH_KEY = "RR414"
    REFERENCE_IN_TEXT = "RR415"
    SECRET_IN_PLAIN_FIELD = "RR416"

    EMPTY_RANGE = "RR501"
    DEFAULT_OUTSIDE = "RR502"
    SMALLER_FALLBACK = "RR503"
    LACKING_FALLBACK = "RR504"
    CAPABILITY_LOST = "RR505"
    PARAMETER_MISFIT = "RR506"
    RANGES_APART = "RR507"
    DEFAULT_REFUSED = "RR508"
    REGION_CHANGES = "RR509"
    LIMIT_TOO_LOW = "RR510"
    SHARED_FATE = "RR511"
    NO_SURVIVOR = "RR512"
    MAINTENANCE_OF_ALL = "RR513"
    UNPRICED = "RR514"
    STARVING_TARGET = "RR515"
    SPEND_IN_ONE_REQUEST = "RR516"
    RETRIES_NEVER_MADE = "RR517"
    PROMPT_TOO_LARGE = "RR518"
    HEDGE_NEVER_STARTS = "RR519"
    RETRIES_WITHOUT_BUDGET = "RR520"
    PAST_MAINTENANCE = "RR521"
    BREAKER_OUT_OF_REACH = "RR522"
    IDLE_WAIT = "RR523"
    IDLE_EXCEPTION = "RR524"
    RESTART_NEVER_NEEDED = "RR525"
    TIMEOUT_BEYOND_TOTAL = "RR526"
    IDLE_WEIGHT = "RR527"
    PATH_TWICE = "RR528"

    BAD_PATTERN = "RR601"
    EXAMPLE_FAILS = "RR602"
    MATCHES_EVERYTHING = "RR603"
    NEVER_MATCHES = "RR604"
    ADDS_NOTHING = "RR605"
    NO_EXAMPLES = "RR606"
    OUT_OF_REACH = "RR607"
    EVERYDAY_TEXT = "RR608"
    SEEMS_COVERED = "RR609"
    PATTERN_DROPPED = "RR610"

    UNKNOWN_IN_REHEARSAL = "RR701"
    SAME_REHEARSAL = "RR702"
    BAD_REQUEST = "RR703"
    NO_SUCH_LIMIT = "RR704"
    BEYOND_LIMIT = "RR705"

    RULE_FAILED = "RR900"
    MALFORMED_SUPPRESSION = "RR901"
    UNKNOWN_SUPPRESSION = "RR902"
    EXPIRED_SUPPRESSION = "RR903"
    STALE_SUPPRESSION = "RR904"
    NOT_SUPPRESSIBLE = "RR905"
    STALE_BASELINE = "RR906"


@dataclass(frozen=True, slots=True)
class Label:
    """A second place that a finding points at, with what is to be seen there."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Edit:
    """A text to put in the place of a span; an empty span inserts."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits that mend a finding, all or none of them.

    ``is_safe`` when there is one thing the author can have meant; else a person has to look first.
    """

    title: str
    edits: tuple[Edit, ...]
    is_safe: bool

    @classmethod
    def writing(cls, span: Span, text: str, *, is_safe: bool = True) -> Fix:
        """The fix that writes a text in the place of one span."""
        return cls(f"write `{text}`", (Edit(span, text),), is_safe)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing lint has to say: the place, the offender, its effect and the fix.

    ``help`` says in words what would be right, ``effect`` what happens if this ships,
    ``fix`` is the same help as edits where a program can make them.
    """

    code: Code
    span: Span
    message: str
    severity: Severity = Severity.ERROR
    labels: tuple[Label, ...] = ()
    help: str = ""
    effect: str = ""
    fix: Fix | None = None
    order: tuple[object, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "order", (self.span, self.code.value, self.message))

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR


class RouteRunError(Exception):
    """The root of every exception that route-run raises on purpose."""


class PolicyError(RouteRunError):
    """Raised when an invalid policy is opened; ``findings`` says what is wrong and where."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        shown = "\n".join(f"{f.span}: {f.message} [{f.code.value}]" for f in self.findings[:20])
        more = len(self.findings) - 20
        super().__init__(shown + (f"\n… and {more} more" if more > 0 else ""))


class UnresolvedReferences(RouteRunError):
    """Raised when the engine is opened and references do not resolve to what is needed; lists all of them.

    ``problems`` are (what is wrong, where it is wanted); no value of a reference is ever in them.
    """

    def __init__(self, problems: Sequence[tuple[str, Span]]) -> None:
        self.problems = tuple(problems)
        wanted: dict[str, list[str]] = {}
        for problem, span in self.problems:
            wanted.setdefault(problem, []).append(str(span))
        lines = (f"  {problem}, wanted at {', '.join(places)}" for problem, places in wanted.items())
        super().__init__("what the policy refers to is not there:\n" + "\n".join(lines))


class RequestError(RouteRunError):
    """Raised when a request is malformed; ``field`` names the part of it that is."""

    def __init__(self, field_name: str, message: str) -> None:
        self.field = field_name
        super().__init__(f"{field_name}: {message}")


class LedgerError(RouteRunError):
    """Raised when the ledger cannot be opened or a record cannot be stored durably."""


class MisuseError(RouteRunError):
    """Raised when the engine is used in a way that its documentation rules out."""
