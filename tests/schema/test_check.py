"""Findings about single documents: one for each fault, with the right answer, and never a secret in them."""

from __future__ import annotations

import pytest

from route_run import schema
from route_run.lint.report import as_text, finding_as_json
from route_run.text import Kind
from support.reading import checked, codes, fragment, read

ENDPOINT = """\
version: 1
endpoints:
  local:
    dialect: openai
    base_url: http://127.0.0.1/v1
    serves: {small: {}}
"""


def test_a_valid_document_has_no_findings():
    assert checked(ENDPOINT) == []


def test_a_document_that_is_no_mapping_is_left_to_the_reader():
    document, _ = read("- a")
    assert schema.check(document) == []


def test_a_rehearsal_is_held_to_the_schema_of_rehearsals():
    document, _ = read("version: 1\nroutes: {}\n", Kind.TEST)
    assert [finding.code.value for finding in schema.check(document)] == ["RR102", "RR103"]


ONE_FAULT = [
    ("version as text", 'version: "1"', "RR101"),
    ("version as a reference", "version: ${VERSION}", "RR101"),
    ("number for a word", "version: 1\nledger: {capture: 5}", "RR101"),
    ("list for a word", "version: 1\nledger: {capture: [none]}", "RR101"),
    ("nothing for a word", "version: 1\nledger: {capture: }", "RR101"),
    ("reference for a word", "version: 1\nledger: {capture: '${CAPTURE}'}", "RR106"),
    (
        "reference for a word in a list",
        ("version: 1\nupstreams: {m: {targets: [{endpoint: a, model: b}], fallback: {when: ['${KIND}']}}}"),
        "RR106",
    ),
    ("number for a pattern", "version: 1\nguards: {g: {packs: [5]}}", "RR101"),
    ("number for a duration", "version: 1\nledger: {retention: 5}", "RR107"),
    ("misspelt required field", "version: 1\nroutes: {a: {upstraem: main}}", "RR103"),
    ("misspelt key of a login", ENDPOINT + "    auth: {api_kye: '${K}'}", "RR103"),
    ("reference for a network", ENDPOINT + "    allow_networks: ['${NETWORK}']", "RR106"),
    ("misspelt choice of a login", ENDPOINT + "    auth: {oath2: {client_id: a, client_secret: '${S}'}}", "RR103"),
    (
        "misspelt list of references",
        "version: 1\nwebhooks: {w: {match: {}, events: [failed], url: '${URL}', secret: ['${S}']}}",
        "RR103",
    ),
    ("misspelt choice of a check", "version: 1\nroutes: {a: {upstream: main, verify: {json_shema: a.json}}}", "RR103"),
    ("a value the reader refused", "version: 1\nledger: {capture: no}", "RR004"),
    ("a list with a value the reader refused", "version: 1\ntags: {desk: {values: [gold, no]}}", "RR004"),
]


@pytest.mark.parametrize(
    ("text", "code"), [row[1:] for row in ONE_FAULT], ids=[row[0].replace(" ", "-") for row in ONE_FAULT]
)
def test_one_fault_is_one_finding(text, code):
    assert codes(checked(text)) == [code]


@pytest.mark.parametrize("token", ["17", "true", "1.10", "1e3", "+5", "True"])
@pytest.mark.parametrize(
    "text",
    [
        "version: 1\nroutes: {{a: {{match: {{tags: {{desk: {} }}}}, upstream: main}}}}",
        "version: 1\ntags: {{desk: {{values: [{}]}}}}",
    ],
    ids=["condition", "values"],
)
def test_the_fix_quotes_a_value_as_it_is_written(text, token):
    (finding,) = checked(text.format(token))
    assert finding.help == f'quote it: `"{token}"`'


def test_a_condition_without_a_value_is_not_told_to_quote_it():
    (finding,) = checked("version: 1\nroutes: {a: {match: {tags: {desk: }}, upstream: main}}")
    assert "quote" not in finding.help


def test_nothing_is_told_to_be_an_empty_mapping_only_where_that_would_do():
    (match, route) = checked("version: 1\nroutes: {a: {match: , upstream: main}, b: }")
    assert "`{}`" in match.help
    assert "`{}`" not in route.help


def test_a_quoted_truth_value_is_told_to_lose_its_quotes():
    (finding,) = checked('version: 1\nroutes: {a: {upstream: main, callable: "true"}}')
    assert "quotes" in finding.help


@pytest.mark.parametrize(("written", "meant"), [("0.1", "10%"), ("0.05", "5%"), ("10", "10%"), ("50", "50%")])
def test_a_bare_share_is_offered_as_the_percentage_it_means(written, meant):
    findings = checked(ENDPOINT + f"    retry_budget: {{share: {written}}}")
    (finding,) = [finding for finding in findings if finding.is_error]
    assert f"write `{meant}`" in finding.help


def test_a_repeated_entry_is_named():
    (finding,) = checked("version: 1\ntags: {desk: {values: [gold, silver, gold]}}")
    assert finding.code.value == "RR105"
    assert "gold" in finding.message
    assert finding.span.start.column == 38


@pytest.mark.parametrize("value", ["text\n", "a\n"], ids=["word", "letter"])
def test_a_name_that_ends_in_a_line_break_is_no_name(value):
    findings = checked(f'version: 1\nroutes: {{a: {{upstream: "{value!r}"}}}}'.replace("'", ""))
    assert codes(findings) == ["RR106"]


def test_a_missing_field_points_at_the_key_of_its_item():
    text = "version: 1\nupstreams:\n  main: {}\n"
    (finding,) = checked(text)
    assert fragment(text, finding.span) == "main"


def test_what_may_stand_after_the_break_of_a_document_is_not_missed():
    findings = checked("routes: {a: {callable: 5, upstream: main}, b: {callable: true")
    assert set(codes(findings)) == {"RR101", "RR002"}


def test_a_wrong_value_points_at_the_value():
    text = "version: 1\nledger: {capture: all}\n"
    (finding,) = checked(text)
    assert fragment(text, finding.span) == "all"


def test_an_unknown_field_points_at_its_key():
    text = "version: 1\nledger: {colour: red}\n"
    (finding,) = checked(text)
    assert fragment(text, finding.span) == "colour"


def test_every_fault_of_a_document_is_found_at_once():
    findings = checked("tags: 5\nroutes: {a: {upstream: 5}, b: {}}\ncolour: red\n")
    assert sorted(codes(findings)) == ["RR101", "RR101", "RR102", "RR102", "RR103"]


# -- secrets -----------------------------------------------------------------------------------------

CANARY = "sk-live-4711"
SECRETS = {
    "as-it-is": f"auth: {{api_key: {CANARY}}}",
    "quoted": f'auth: {{api_key: "{CANARY}"}}',
    "beside-another-fault": f"auth: {{api_key: {CANARY}, colour: red}}",
    "half-a-reference": f"auth: {{api_key: '{CANARY}-${{KEY}}'}}",
    "in-a-block": f"auth:\n      api_key: |\n        {CANARY}\n      colour: red",
    "over-two-lines": f"auth:\n      api_key: 'first\n        {CANARY}'\n      colour: red",
    "in-a-mapping": f"auth: {{api_key: {{value: {CANARY}}}}}",
    "in-a-list": f"auth: {{api_key: [{CANARY}]}}",
    "of-digits": "auth: {api_key: 4711471147114711}",
    "of-too-many-digits": "auth: {api_key: 47114711471147114711}",
    "with-a-tag": f"auth: {{api_key: !env {CANARY}}}",
    "with-an-anchor": f"auth: {{api_key: &key {CANARY}}}",
    "in-a-misspelt-field": f"auth: {{api_kye: {CANARY}}}",
    "of-oauth2": f"auth: {{oauth2: {{client_id: a, client_secret: {CANARY}}}}}",
    "before-a-syntax-error": f"auth: {{api_key: {CANARY}, x: [}}",
    "of-a-url": "proxy: http://desk:4711@proxy.example:3128",
    "of-a-url-with-a-slash": "proxy: http://desk:k4711/x@proxy.example:3128",
    "of-a-user-alone": "proxy: http://4711@proxy.example:3128",
    "of-a-url-beside-a-reference": "proxy: http://desk:4711@${PROXY_HOST}",
    "for-a-list-of-them": (
        f"labels: {{}}\nwebhooks: {{w: {{match: {{}}, events: [failed], url: '${{URL}}', secrets: {CANARY}}}}}"
    ),
    "twice-in-a-list": (
        "labels: {}\nwebhooks: {w: {match: {}, events: [failed], url: '${URL}', "
        f"secrets: [{CANARY}, {CANARY}]}}}}"
    ),
}


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_a_secret_in_a_document_is_in_no_report_of_it(text):
    source = ENDPOINT + f"    {text}\n"
    findings = checked(source)
    assert any(finding.is_error for finding in findings)
    assert "4711" not in as_text(findings, {"policy.yaml": source})
    assert "4711" not in repr([finding_as_json(finding) for finding in findings])


def test_one_reference_where_a_list_of_them_is_due_is_no_secret():
    findings = checked("version: 1\nwebhooks: {w: {match: {}, events: [failed], url: '${URL}', secrets: '${KEY}'}}")
    assert codes(findings) == ["RR101"]
    assert "is a list, not" in findings[0].message


@pytest.mark.parametrize("value", ["${KEY}", "${file:/run/secrets/key}", "${_k1}"])
def test_a_reference_is_what_a_secret_field_takes(value):
    assert checked(ENDPOINT + f"    auth: {{api_key: '{value}'}}") == []
