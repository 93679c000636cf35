"""Whatever the bytes: parsing never raises, and on plain data it agrees with PyYAML."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from route_run.text.scalar import resolve
from support.design_example import POLICY
from support.properties import examples
from support.reading import read

VALID = POLICY.encode()
PIECES = [b"\n", b"  ", b"\t", b": ", b"- ", b"{", b"}", b"[", b"]", b"'", b'"', b"#", b"&a ", b"*a", b"<<: ", b"!!x "]
PIECES += [
    b"? ",
    b"|\n",
    b"---\n",
    b"...\n",
    b"${X}",
    b"no",
    b".nan",
    b"1:30",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\0",
    b"%YAML",
]
PIECES += ["\u2028".encode(), "ä".encode(), rb'"\ud83d"', rb'"\x"', b"9" * 30]


@st.composite
def mutated(draw):
    """A valid policy, a few stretches of it cut, doubled, moved or replaced."""
    text = VALID
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 60)))
        piece = draw(st.sampled_from([b"", text[start:end] * 2, text[end : end + 20], *PIECES]) | st.binary(max_size=8))
        text = text[:start] + piece + text[end:]
    return text


def check(source: bytes) -> None:
    document, findings = read(source)
    assert document.complete or findings
    for finding in findings:
        assert finding.message
        assert finding.span.start <= finding.span.end
        assert finding.span.start.line <= max(1, len(document.text.splitlines()) + 1) or not document.text


@examples(250)
@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_parsing_never_raises_for_any_bytes(source):
    check(source)


@examples(250)
@given(st.lists(st.sampled_from(PIECES) | st.text("ab 1", max_size=4).map(str.encode), max_size=25).map(b"".join))
def test_parsing_never_raises_for_pieces_of_yaml(source):
    check(source)


@examples(150)
@given(mutated())
def test_parsing_never_raises_for_a_mutated_policy(source):
    check(source)


@pytest.mark.long
@pytest.mark.timeout(3600)
@examples(100_000)
@given(mutated() | st.binary(max_size=400) | st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join))
def test_parsing_never_raises_for_very_many_sources(source):
    check(source)


def is_text_to_all(text: str) -> bool:
    """Whether PyYAML may write a text without quotes and we read it as text too."""
    return resolve(text) == text


PLAIN = st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="\x85\u2028\u2029\ufeff\ufffe\uffff")
TEXTS = st.text(PLAIN, max_size=20).filter(is_text_to_all)
NUMBERS = st.integers(-(10**15), 10**15) | st.integers(-(10**6), 10**6).map(lambda n: n / 64)
DATA = st.recursive(
    TEXTS | NUMBERS | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@examples(150)
@given(st.dictionaries(TEXTS, DATA, min_size=1, max_size=4), st.booleans(), st.booleans(), st.integers(20, 200))
def test_plain_data_reads_as_pyyaml_reads_it(data, flow, unicode, width):
    text = yaml.safe_dump(data, default_flow_style=flow, allow_unicode=unicode, width=width)
    document, findings = read(text)
    assert findings == []
    assert document.data == yaml.safe_load(text) == data
