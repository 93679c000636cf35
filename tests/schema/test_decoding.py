"""What passes a schema decodes: documents drawn from the schemas themselves go through every phase."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from route_run import policy as policies
from route_run import schema
from route_run.policy.policy import SECTIONS
from route_run.table.compile import compile_policy
from route_run.text import Kind, Reading
from support.properties import examples
from support.reading import read
from support.schema_documents import documents


def errors(findings):
    return [f"{finding.code.value} {finding.message}" for finding in findings if finding.is_error]


def read_data(data, kind):
    document, findings = read(json.dumps(data, ensure_ascii=False), kind)
    assert findings == []
    assert document.data == data
    return document


@examples(50)
@given(documents("policy"))
def test_a_policy_document_that_passes_its_schema_decodes_whole(data):
    document = read_data(data, Kind.POLICY)
    assert errors(schema.check(document)) == []
    policy, _ = policies.decode(Reading((document,), ()), [])
    for section in SECTIONS:
        assert set(getattr(policy, section)) == set(data.get(section, {}))


@examples(30)
@given(documents("pack"))
def test_a_pack_that_passes_its_schema_decodes_whole(data):
    document = read_data(data, Kind.PACK)
    assert errors(schema.check(document)) == []
    policy, _ = policies.decode(Reading((document,), ()), [])
    assert list(policy.packs) == [f"{data['pack']}@{data['release']}"]


@examples(30)
@given(documents("policy"))
def test_what_decodes_is_checked_and_compiled_without_an_error_of_ours(data):
    document = read_data(data, Kind.POLICY)
    policy, _ = policies.decode(Reading((document,), ()), [])
    policies.check(policy)
    compile_policy(policy)


def test_a_whole_number_written_as_a_fraction_is_a_release_too():
    text = "version: 1\npack: company/names\nrelease: 2.0\npatterns: [{id: a, regex: a, score: 1}]\n"
    document, _ = read(text, Kind.PACK)
    assert errors(schema.check(document)) == []
    policy, _ = policies.decode(Reading((document,), ()), [])
    assert list(policy.packs) == ["company/names@2"]


@pytest.mark.parametrize("instant", ["20261201T220000Z", "2026-W49-2T22:00:00Z", "2026-12-01T22:00:00.5+01:00"])
def test_an_instant_that_passes_its_schema_decodes(instant):
    text = f"""\
version: 1
endpoints:
  a:
    dialect: openai
    base_url: https://x.example
    serves: {{m: {{}}}}
    maintenance: [{{from: "{instant}", to: "2027-01-01T00:00:00Z"}}]
"""
    document, _ = read(text)
    if not errors(schema.check(document)):
        policy, _ = policies.decode(Reading((document,), ()), [])
        assert policy.endpoints["a"].maintenance[0].from_.year == 2026
