"""The patterns of a policy as they are written, and what each guard makes of them.

Decides which patterns a guard searches for, in the same way as the guard does: packs in their order, the first of
an id counts, a guard's own replaces one of a pack.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

from route_run.errors import Span
from route_run.guard.budget import MOST_STEPS, STEPS_OF_A_REFUSED
from route_run.guard.packs import find_pack
from route_run.guard.probe import Probe, views_of
from route_run.lint.everyday import EVERYDAY
from route_run.lint.regex import cannot_match
from route_run.text import Document, Kind

DEFAULT_THRESHOLD = 0.8
MOST_EXAMPLES = 100
LONGEST_EXAMPLE = 4000
"""What the schema allows: examples in one list, and characters of one."""


@dataclass(frozen=True)
class WrittenPattern:
    """One pattern with its place; ``document`` None for one of a pack that ships with route-run."""

    document: Document | None
    keys: tuple[str | int, ...]
    id: str
    regex: str
    score: float
    must_match: tuple[tuple[int, str], ...] = ()
    must_not_match: tuple[tuple[int, str], ...] = ()
    pack: str = ""

    @cached_property
    def probe(self) -> Probe:
        return Probe(self.regex)

    @cached_property
    def cannot_match(self) -> bool:
        """Whether it is proved that no text matches it."""
        return cannot_match(self.regex)

    @cached_property
    def everyday(self) -> tuple[str, ...]:
        """The everyday texts that it finds."""
        return tuple(text for text, views in _everyday_views() if self.probe.finds(views))

    def samples(self, key: str) -> Iterator[tuple[int, str]]:
        """The examples of `must_match` or `must_not_match`, each with its place in the list."""
        return iter(self.must_match if key == "must_match" else self.must_not_match)

    def finds(self, text: str) -> bool:
        """Whether a guard would find it in a text: case ignored, and once more with disguises undone."""
        return self.probe.finds(views_of(text))

    def span(self, *keys: str | int) -> Span:
        """Where a part of it stands; raises LookupError for a pattern that ships with route-run."""
        if self.document is None:
            raise LookupError(f"{self.id} stands in no document of the policy")
        return self.document.span_of((*self.keys, *keys))

    @property
    def source(self) -> str:
        """In words where it comes from."""
        return f"`{self.id}` of the pack `{self.pack}`" if self.pack else f"`{self.id}`"


@dataclass(frozen=True)
class GuardPatterns:
    """One guard with all that it searches for.

    ``is_whole`` is false when something it names could not be read; ``dropped`` are patterns of packs that another
    pack's pattern of the same id stands in for, each with that other.
    """

    name: str
    document: Document
    threshold: float
    members: tuple[WrittenPattern, ...]
    dropped: tuple[tuple[int, WrittenPattern, WrittenPattern], ...] = ()
    is_whole: bool = True

    def span(self, *keys: str | int) -> Span:
        """Where a part of it stands; its name when no key is given."""
        path = ("guards", self.name, *keys)
        return self.document.span_of(path) if keys else self.document.span_of_key(path)


@cache
def _everyday_views() -> tuple[tuple[str, tuple[bytes, ...]], ...]:
    return tuple((text, views_of(text)) for text in EVERYDAY)


def patterns_of(documents: Iterable[Document], unusable: Container[Span] = ()) -> Iterator[WrittenPattern]:
    """Every pattern that has an id and a regular expression RE2 can use, in the order of documents.

    ``unusable`` are places of expressions that loading could not compile. It says so too where all of them together
    are too large; those after that place are left out here as well.
    """
    left = MOST_STEPS
    for document in documents:
        for keys, pack, raw in _written(document):
            pattern = _pattern(document, keys, pack, raw)
            if pattern is None or pattern.span("regex") in unusable:
                continue
            try:
                left -= pattern.probe.steps
            except ValueError:
                left -= STEPS_OF_A_REFUSED  # there is a finding for it
                if left < 0:
                    return
                continue
            if left < 0:
                return
            yield pattern


def guards_of(documents: Iterable[Document], patterns: Iterable[WrittenPattern]) -> Iterator[GuardPatterns]:
    """Every guard, with its packs looked up among the policy's own and those that ship."""
    found = _Found(patterns)
    for document in documents:
        for name, raw in _mapping(document.data, "guards").items():
            if document.kind is Kind.POLICY and isinstance(raw, dict):
                yield _guard(document, name, raw, found)


class _Found:
    """Patterns by the pack or the guard that holds them."""

    def __init__(self, patterns: Iterable[WrittenPattern]) -> None:
        self.by_pack: dict[str, list[WrittenPattern]] = {}
        self.by_guard: dict[tuple[str, str], list[WrittenPattern]] = {}
        for pattern in patterns:
            if pattern.pack:
                self.by_pack.setdefault(pattern.pack, []).append(pattern)
            elif pattern.document is not None:
                self.by_guard.setdefault((pattern.document.path, str(pattern.keys[1])), []).append(pattern)

    def pack(self, reference: str) -> list[WrittenPattern] | None:
        if reference in self.by_pack:
            return self.by_pack[reference]
        shipped = find_pack(reference, {})
        if shipped is None:
            return None
        return [WrittenPattern(None, (), p.id, p.regex, p.score, pack=reference) for p in shipped.patterns]


def _guard(document: Document, name: str, raw: Mapping[str, object], found: _Found) -> GuardPatterns:
    members: dict[str, WrittenPattern] = {}
    dropped: list[tuple[int, WrittenPattern, WrittenPattern]] = []
    packs = raw.get("packs")
    references = packs if isinstance(packs, list) else []
    is_whole = packs is None or isinstance(packs, list)
    for index, reference in enumerate(references):
        pack = found.pack(reference) if isinstance(reference, str) else None
        is_whole = is_whole and pack is not None
        for pattern in pack or ():
            first = members.setdefault(pattern.id, pattern)
            if first is not pattern:
                dropped.append((index, pattern, first))
    own = found.by_guard.get((document.path, name), [])
    written = raw.get("patterns")
    is_whole = is_whole and len(own) == (len(written) if isinstance(written, list) else 0)
    members.update((pattern.id, pattern) for pattern in own)
    threshold = raw.get("threshold", DEFAULT_THRESHOLD)
    is_number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
    lost = tuple(entry for entry in dropped if members[entry[1].id] is entry[2] and entry[1].regex != entry[2].regex)
    return GuardPatterns(
        name,
        document,
        float(threshold) if is_number else DEFAULT_THRESHOLD,  # type: ignore[arg-type]  # is_number says so
        tuple(members.values()),
        lost,
        is_whole and is_number,
    )


def _written(document: Document) -> Iterator[tuple[tuple[str | int, ...], str, object]]:
    data = document.data
    if not isinstance(data, dict):
        return
    if document.kind is Kind.PACK:
        pack = f"{data.get('pack')}@{data.get('release')}"
        for index, raw in enumerate(_list(data.get("patterns"))):
            yield ("patterns", index), pack, raw
    elif document.kind is Kind.POLICY:
        for name, guard in _mapping(data, "guards").items():
            for index, raw in enumerate(_list(guard.get("patterns") if isinstance(guard, dict) else None)):
                yield ("guards", name, "patterns", index), "", raw


def _pattern(document: Document, keys: tuple[str | int, ...], pack: str, raw: object) -> WrittenPattern | None:
    if not isinstance(raw, dict):
        return None
    name, regex, score = raw.get("id"), raw.get("regex"), raw.get("score")
    if not isinstance(name, str) or not isinstance(regex, str) or not isinstance(score, int | float):
        return None
    samples = {key: tuple(_examples(raw.get(key))) for key in ("must_match", "must_not_match")}
    return WrittenPattern(document, keys, name, regex, float(score), pack=pack, **samples)


def _examples(raw: object) -> Iterator[tuple[int, str]]:
    """The examples that the schema allows; those that are too many or too long have a finding."""
    for index, text in enumerate(_list(raw)[:MOST_EXAMPLES]):
        if isinstance(text, str) and len(text) <= LONGEST_EXAMPLE:
            yield index, text


def _mapping(value: object, key: str) -> Mapping[str, object]:
    inner = value.get(key) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
