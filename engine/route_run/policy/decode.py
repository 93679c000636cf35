"""Documents to a policy: merging, names defined twice, files that items name.

Decides which items take part. An item with findings is skipped, but its name stays defined.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from route_run.errors import Code, Finding, Label, Position, Span
from route_run.policy.model import Ledger, Pack
from route_run.policy.policy import SECTIONS, Origin, Policy, digest_of
from route_run.schema.cut import is_cut
from route_run.text import Document, Kind, Reading, read_named_file

_NAMED_FILES = (("endpoints", ("ca_file",)), ("webhooks", ("ca_file",)), ("routes", ("verify", "json_schema")))


@dataclass(slots=True)
class _Merged:
    items: dict[str, dict[str, Any]] = field(default_factory=lambda: {section: {} for section in SECTIONS})
    origins: dict[tuple[str, str], Origin] = field(default_factory=dict)
    ledger: Any = None
    packs: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def decode(reading: Reading, findings: Sequence[Finding]) -> tuple[Policy, list[Finding]]:
    """The policy of all documents, given what reading and schema found; and the findings of merging."""
    merged = _Merged()
    for document in reading.documents:
        if isinstance(document.data, dict):
            _merge(merged, document)
    faulty = Faults(findings)
    files = _named_files(merged, faulty)
    decoded = {
        section: {
            name: model.decode(raw)
            for name, raw in merged.items[section].items()
            if not faulty.touch(merged.origins[section, name])
        }
        for section, model in SECTIONS.items()
    }
    policy = Policy(
        reading=reading,
        **decoded,  # type: ignore[arg-type]  # the sections are fields of the same names
        ledger=_ledger(merged, faulty),
        packs=_packs(merged, faulty),
        names={section: frozenset(items) for section, items in merged.items.items()},
        origins=merged.origins,
        files=files,
        digest=digest_of({**merged.items, "ledger": merged.ledger, "packs": merged.packs}, files),
    )
    return policy, merged.findings


def sound(policy: Policy, findings: Sequence[Finding]) -> Policy:
    """The policy without the items that have an error, so that one fault makes one finding."""
    if not any(finding.is_error for finding in findings):
        return policy
    faulty = Faults(findings)
    kept: dict[str, dict[str, Any]] = {
        section: {
            name: item
            for name, item in getattr(policy, section).items()
            if not faulty.touch(policy.origin(section, name))
        }
        for section in SECTIONS
    }
    return replace(policy, **kept)  # type: ignore[arg-type]  # the sections are fields of the same names


class Faults:
    """Which items have an error within them, or were being read where their document breaks off."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self._starts: dict[str, list[Position]] = {}
        self._unread: set[str] = set()
        for finding in findings:
            if finding.is_error:
                self._starts.setdefault(finding.span.path, []).append(finding.span.start)
                if finding.code is Code.TOO_LARGE and finding.span == Span.of_file(finding.span.path):
                    self._unread.add(finding.span.path)
        for starts in self._starts.values():
            starts.sort()

    def in_file(self, document: Document) -> bool:
        return document.path in self._starts

    def touch(self, origin: Origin) -> bool:
        if is_cut(origin.document, origin.keys) or origin.document.path in self._unread:
            return True
        starts = self._starts.get(origin.document.path)
        if not starts:
            return False
        start = origin.key_span().start
        end = max(origin.document.span_of(origin.keys).end, origin.key_span().end)
        first = bisect_left(starts, start)
        return first < len(starts) and starts[first] <= end


def _merge(merged: _Merged, document: Document) -> None:
    data = document.data
    assert isinstance(data, dict)
    if document.kind is Kind.PACK:
        _merge_pack(merged, document, data)
    if document.kind is not Kind.POLICY:
        return
    for section in SECTIONS:
        items = data.get(section)
        if isinstance(items, dict):
            for name, raw in items.items():
                _merge_item(merged, document, section, name, raw)
    if "ledger" in data:
        _merge_ledger(merged, document, data["ledger"])


def _merge_item(merged: _Merged, document: Document, section: str, name: str, raw: Any) -> None:
    origin = Origin(document, (section, name))
    first = merged.origins.setdefault((section, name), origin)
    if first is origin:
        merged.items[section][name] = raw
        return
    merged.findings.append(
        Finding(
            Code.DEFINED_TWICE,
            origin.key_span(),
            f"`{name}` is defined a second time in `{section}`",
            labels=(Label(first.key_span(), "first here"),),
            help="names are unique over the whole policy; rename or remove one",
        )
    )


def _merge_ledger(merged: _Merged, document: Document, raw: Any) -> None:
    origin = Origin(document, ("ledger",))
    first = merged.origins.setdefault(("ledger", ""), origin)
    if first is origin:
        merged.ledger = raw
        return
    label = Label(first.key_span(), "first here")
    merged.findings.append(
        Finding(
            Code.SECOND_LEDGER,
            origin.key_span(),
            "`ledger` stands once per policy; this is a second one",
            labels=(label,),
            help="keep one of them",
        )
    )


def _merge_pack(merged: _Merged, document: Document, data: dict[str, Any]) -> None:
    name, release = data.get("pack"), data.get("release")
    if not isinstance(name, str) or not isinstance(release, int | float) or release != int(release):
        return  # the schema has said so
    key = f"{name}@{int(release)}"
    origin = Origin(document, ("pack",))
    first = merged.origins.setdefault(("packs", key), origin)
    if name.startswith("builtin/"):
        merged.findings.append(
            Finding(
                Code.FORMAT,
                document.span_of(("pack",)),
                "names that start with `builtin/` are those of the packs that ship with route-run",
                help="choose another name",
            )
        )
    if first is origin:
        merged.packs[key] = data
        return
    merged.findings.append(
        Finding(
            Code.DEFINED_TWICE,
            origin.span(),
            f"the pack `{key}` is defined a second time",
            labels=(Label(first.span(), "first here"),),
            help="a released pack never changes; give the new one a release of its own",
        )
    )


def _ledger(merged: _Merged, faulty: Faults) -> Ledger:
    origin = merged.origins.get(("ledger", ""))
    if origin is None or not isinstance(merged.ledger, dict) or faulty.touch(origin):
        return Ledger()
    return Ledger.decode(merged.ledger)


def _packs(merged: _Merged, faulty: Faults) -> dict[str, Pack]:
    return {
        key: Pack.decode(raw)
        for key, raw in merged.packs.items()
        if not faulty.in_file(merged.origins["packs", key].document)
    }


def _named_files(merged: _Merged, faulty: Faults) -> dict[tuple[str, str, str], bytes]:
    files: dict[tuple[str, str, str], bytes] = {}
    for section, name, keys, file_name in _file_names(merged):
        origin = merged.origins[section, name]
        if faulty.touch(origin):
            continue  # its finding comes first
        found = read_named_file(origin.document.folder, file_name)
        if found.problem:
            merged.findings.append(
                Finding(
                    Code.NAMED_FILE, origin.span(*keys), f"the file `{file_name}` cannot be used", help=found.problem
                )
            )
        else:
            files[section, name, keys[-1]] = found.content
    return files


def _file_names(merged: _Merged) -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    for section, keys in _NAMED_FILES:
        for name, raw in merged.items[section].items():
            value = raw
            for key in keys:
                value = value.get(key) if isinstance(value, dict) else None
            if isinstance(value, str) and value:
                yield section, name, keys, value
