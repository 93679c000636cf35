"""What rehearsals name has to be there; every mistake is a finding with its place and the right answers."""

from __future__ import annotations

import pytest

from route_run.rehearse.request import check_requests
from route_run.table import load
from support.policies import write_policy
from support.rehearsals import SMALL, loaded_with, rehearsal


def findings_of(folder, *rehearsals):
    import yaml

    written = yaml.safe_dump({"version": 1, "rehearsals": list(rehearsals)}, sort_keys=False)
    return load([write_policy(folder / "policy", {"policy.yaml": SMALL, "cases.test.yaml": written})]).findings


UNKNOWN = [
    ({"down": ["frist"]}, "there is no endpoint `frist`", "did you mean `first`?"),
    ({"endpoints": {"frist": [{}]}}, "there is no endpoint `frist`", "did you mean `first`?"),
    ({"tokens": {"frist": [{}]}}, "there is no endpoint `frist`", "did you mean `first`?"),
    ({"tokens": {"second": [{}]}}, "the endpoint `second` has no token endpoint", "remove it"),
    ({"exchanges": {"frist": 1}}, "there is no endpoint `frist`", "did you mean `first`?"),
    ({"request": {"prompt": "a", "tags": {"dsk": "support"}}}, "the tag `dsk` is not declared", "did you mean `desk`?"),
    (
        {"request": {"prompt": "a", "tags": {"desk": "suport"}}},
        "`suport` is not a declared value",
        "did you mean `support`?",
    ),
    ({"request": {"prompt": "a", "route": "suport"}}, "there is no route `suport`", "did you mean `support`?"),
    ({"expect": {"route": "suport"}}, "there is no route `suport`", "did you mean `support`?"),
    ({"expect": {"targets": ["frist"]}}, "there is no endpoint `frist`", "did you mean `first`?"),
    ({"expect": {"never": ["frist"]}}, "there is no endpoint `frist`", "did you mean `first`?"),
    ({"expect": {"attempts": ["frist"]}}, "there is no endpoint `frist`", "did you mean `first`?"),
    ({"expect": {"attempts": [{"endpoint": "first", "model": "n"}]}}, "there is no model `n`", "known: `m`"),
    ({"expect": {"guards": {"word": "fires"}}}, "there is no guard `word`", "did you mean `words`?"),
    ({"expect": {"bounds": ["al"]}}, "there is no bound `al`", "did you mean `all`?"),
    ({"expect": {"webhooks": {"op": []}}}, "there is no webhook `op`", "did you mean `ops`?"),
]


@pytest.mark.parametrize(("fields", "message", "help_"), UNKNOWN, ids=[row[1] + str(row[0]) for row in UNKNOWN])
def test_an_unknown_name_is_one_finding(tmp_path, fields, message, help_):
    tokens_too = "tokens" in fields and "frist" in str(fields)
    (finding, *more) = findings_of(tmp_path, rehearsal(**fields))
    assert not more or tokens_too
    assert (finding.code.value, finding.is_error) == ("RR701", True)
    assert finding.message.startswith(message)
    assert finding.help.startswith(help_)
    assert finding.span.start.line > 3


def test_a_request_that_is_to_be_refused_may_ask_for_what_is_not_there(tmp_path):
    request = {"prompt": "a", "route": "nowhere", "tags": {"desk": "kitchen"}}
    assert findings_of(tmp_path, rehearsal(request=request, expect={"outcome": "refused"})) == ()


def test_a_name_is_used_once(tmp_path):
    (finding,) = findings_of(tmp_path, rehearsal(), rehearsal())
    assert (finding.code.value, finding.message) == ("RR702", "a second rehearsal is called `tried`")
    assert finding.labels[0].span.start.line == 3


SCHEMA = [
    ({"expect": {"outcom": "completed"}}, "RR103", "unknown field `outcom` in `rehearsals[0].expect`"),
    ({"expect": {"outcome": "complete"}}, "RR104", "`complete` is not a value of `rehearsals[0].expect.outcome`"),
    ({"endpoints": {"first": [{"fault": "stal"}]}}, "RR104", "`stal` is not a value of"),
    ({"endpoints": {"first": [{"first_content": 5}]}}, "RR107", "`5` has no unit"),
    ({"endpoints": {"first": [{"status": 503, "fault": "stall"}]}}, "RR109", "cannot stand beside `status`"),
    ({"endpoints": {"first": [{"retry_after": "5s"}]}}, "RR102", "`retry_after` goes with a `status`"),
    ({"endpoints": {"first": [{"say": "a", "pieces": ["a"]}]}}, "RR109", "cannot stand beside `say`"),
    ({"request": {"prompt": "a", "prompt_tokens": 9}}, "RR109", "cannot stand beside `prompt`"),
    ({"request": {"tags": {"desk": "support"}}}, "RR102", "a request has a `prompt`, `messages`, or `prompt_tokens`"),
    ({"expect": {}}, "RR105", "it has to be at least 1 field"),
    ({"quota": {"first": "95%"}}, "RR103", "unknown field `first` in `rehearsals[0].quota`"),
]


@pytest.mark.parametrize(("fields", "code", "words"), SCHEMA, ids=[row[2] for row in SCHEMA])
def test_a_rehearsal_is_held_to_its_schema(tmp_path, fields, code, words):
    (finding,) = findings_of(tmp_path, rehearsal(**fields))
    assert finding.code.value == code
    assert words in finding.message


def test_a_rehearsal_needs_a_request_or_a_sequence(tmp_path):
    (finding, *_) = findings_of(tmp_path, {"name": "empty"})
    assert "a `sequence` of them" in finding.message


BAD = [
    ({"prompt": "  "}, "the prompt is empty"),
    ({"messages": [{"role": "system", "content": "Be brief."}]}, "no message has any content"),
    ({"prompt": "a", "tool_choice": "auto"}, "`tool_choice` needs `tools`"),
    (
        {"prompt": "a", "parameters": {"max_tokens": 5}, "response_format": {"type": "json_schema"}},
        "needs `json_schema`",
    ),
]


@pytest.mark.parametrize(("request_", "words"), BAD, ids=[row[1] for row in BAD])
def test_a_request_that_no_caller_could_make_is_a_finding(tmp_path, request_, words):
    loaded = loaded_with(tmp_path, [rehearsal(request=request_)])
    (finding,) = check_requests(loaded.rehearsals)
    assert (finding.code.value, finding.span.start.line) == ("RR703", 5)
    assert words in finding.message


def test_a_made_up_prompt_has_just_its_size(tmp_path):
    from route_run.rehearse.request import request_of

    loaded = loaded_with(
        tmp_path, [rehearsal(name=str(n), request={"prompt_tokens": n}) for n in (5, 6, 7, 100, 16001)]
    )
    sizes = [request_of(placed.written.scenes[0].request).prompt_tokens for placed in loaded.rehearsals]
    assert sizes == [5, 6, 7, 100, 16001]
