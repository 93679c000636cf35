"""Webhooks on the wire: signatures that the Standard Webhooks library accepts, secrets that are never shown."""

from __future__ import annotations

import base64
import json
import time
import traceback
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from route_run.flow.outcome import Outcome
from route_run.wire.webhook import payload, signed_headers, signing_key
from support.examples import BEGAN, planned, record, records

KEY, NEW_KEY = bytes(range(24)), bytes(range(100, 132))
MESSAGE = "msg_01ka6y8m1x0000000000000000"


def secret(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


def verified(headers: dict[str, str], body: bytes, key: bytes) -> object:
    return Webhook(secret(key)).verify(body, headers)


def now() -> int:
    return int(time.time())  # the library refuses what is older than five minutes by its own clock


# -- signatures --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", records().values(), ids=records())
def test_every_payload_is_verified_by_the_library(kept):
    body = payload(kept, kept.outcome.value)
    assert verified(signed_headers(MESSAGE, now(), body, [KEY]), body, KEY) == json.loads(body)


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3), st.binary(min_size=24, max_size=64))
def test_every_body_and_every_key_is_verified_by_the_library(value, key):
    body = json.dumps(value, ensure_ascii=True).encode()
    assert verified(signed_headers(MESSAGE, now(), body, [key]), body, key) == value


def test_a_signature_is_as_the_specification_computes_it():
    """A vector of our own, computed with openssl: HMAC-SHA-256 over id.timestamp.body."""
    headers = signed_headers("msg_1", 1_700_000_000, b'{"a":1}', [KEY])
    assert headers == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1700000000",
        "webhook-signature": "v1,YOREwC5BRUvI4ezImQEgEteB7JbPr/Iy2YCZe049/5g=",
    }


def test_during_a_rotation_the_old_and_the_new_secret_both_verify():
    body = payload(record(), "completed")
    headers = signed_headers(MESSAGE, now(), body, [KEY, NEW_KEY])
    assert len(headers["webhook-signature"].split(" ")) == 2
    assert verified(headers, body, KEY) == verified(headers, body, NEW_KEY)


TAMPERED = {
    "body": lambda headers, body: (headers, body + b" "),
    "id": lambda headers, body: (headers | {"webhook-id": "msg_other"}, body),
    "timestamp": lambda headers, body: (
        headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) - 1)},
        body,
    ),
}


@pytest.mark.parametrize("tamper", TAMPERED.values(), ids=TAMPERED)
def test_what_was_tampered_with_is_not_verified(tamper):
    body = payload(record(), "completed")
    headers, changed = tamper(signed_headers(MESSAGE, now(), body, [KEY]), body)
    with pytest.raises(WebhookVerificationError):
        verified(headers, changed, KEY)


def test_another_secret_does_not_verify():
    body = payload(record(), "completed")
    headers = signed_headers(MESSAGE, now(), body, [KEY])
    with pytest.raises(WebhookVerificationError):
        verified(headers, body, NEW_KEY)


def test_each_attempt_has_its_own_signature_and_the_same_id():
    first, second = (signed_headers(MESSAGE, moment, b"{}", [KEY]) for moment in (1_000, 1_005))
    assert first["webhook-id"] == second["webhook-id"] == MESSAGE
    assert first["webhook-signature"] != second["webhook-signature"]


def test_without_secrets_nothing_is_signed():
    assert signed_headers(MESSAGE, 5, b"{}", []) == {"webhook-id": MESSAGE, "webhook-timestamp": "5"}


# -- secrets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [24, 32, 64])
def test_a_secret_of_24_to_64_bytes_is_taken(length):
    assert signing_key(secret(bytes(length))) == bytes(length)


def test_a_secret_may_come_without_its_prefix():
    assert signing_key(base64.b64encode(KEY).decode()) == KEY


BAD_SECRETS = {
    "empty": "",
    "prefix-alone": "whsec_",
    "too-short": secret(b"canary-canary-canary-23"),
    "too-long": secret(b"canary" * 11),
    "not-base64": "whsec_canary!canary!canary!canary!canary!",
    "url-safe-base64": "whsec_canary-_canary-_canary-_canary-_canary-_",
    "wrong-padding": "whsec_canarycanarycanarycanarycanarycanary1",
    "another-prefix": "secret_canarycanarycanarycanarycanarycan",
    "space-inside": "whsec_canary canarycanarycanarycanarycanary",
    "line-feed-at-the-end": secret(KEY) + "canary\n",
    "other-letters": "whsec_cänarycanarycanarycanarycanary",
    "surrogate": "whsec_canary\ud800canarycanarycanarycanary",
}


@pytest.mark.parametrize("bad", BAD_SECRETS.values(), ids=BAD_SECRETS)
def test_a_bad_secret_is_refused_and_never_shown(bad):
    with pytest.raises(ValueError, match="a webhook secret") as refused:
        signing_key(bad)
    shown = "".join(traceback.format_exception(refused.value)) + repr(refused.value)
    assert "canary" not in shown
    if bad.removeprefix("whsec_"):
        assert bad.removeprefix("whsec_") not in shown


# -- payloads ----------------------------------------------------------------------------------------


def test_the_payload_of_a_completed_request():
    kept = record(git_revision="0123abc")
    assert json.loads(payload(kept, "completed")) == {
        "type": "llm.inference.completed",
        "timestamp": "2026-11-23T08:50:53.500+00:00",
        "data": {
            "request_id": "req_01ka6y8m1x0000000000000000",
            "outcome": "completed",
            "model": "m",
            "endpoint": "first",
            "route": "support",
            "latency_ms": 1250.0,
            "first_content_ms": 380.5,
            "tokens": {"prompt": 12, "completion": 20},
            "attempts": 1,
            "cost_usd": "0.000036",
            "guards": [],
            "policy": kept.plan.policy,
            "git_revision": "0123abc",
            "timestamp": "2026-11-23T08:50:53.500+00:00",
        },
    }


def test_the_time_of_a_payload_is_the_end_of_the_request_in_utc():
    written = json.loads(payload(record(ended_at=BEGAN), "completed"))
    assert datetime.fromisoformat(written["timestamp"]) == datetime.fromtimestamp(BEGAN, UTC)


def test_a_payload_names_the_guards_that_fired():
    kept = record(Outcome.REJECTED, plan=planned("about Zephyr"), attempts=(), usage=None, cost=Decimal(0))
    written = json.loads(payload(kept, "rejected"))["data"]
    assert (written["guards"], written["attempts"], written["endpoint"]) == (["secrets"], 0, None)
    assert written["tokens"] == {"prompt": None, "completion": None}


def test_a_cost_that_is_not_known_is_null():
    assert json.loads(payload(record(cost=None), "completed"))["data"]["cost_usd"] is None


@pytest.mark.parametrize("event", ["completed", "failed", "fell_back", "flagged", "output_invalid"])
def test_the_event_names_the_type(event):
    assert json.loads(payload(record(), event))["type"] == f"llm.inference.{event}"


@pytest.mark.parametrize("kept", records().values(), ids=records())
def test_a_payload_is_thin_and_holds_no_text(kept):
    body = payload(kept, kept.outcome.value)
    assert len(body) < 2_000
    assert b"Hello" not in body
    assert b"Zephyr" not in body
