"""Webhooks on the wire: the payload and its signature, as Standard Webhooks 1.0.0 has them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from route_run.flow.record import Record
from route_run.wire.body import encode

EVENT_PREFIX = "llm.inference."
_SECRET_PREFIX = "whsec_"
SHORTEST_SECRET, LONGEST_SECRET = 24, 64


def payload(record: Record, event: str) -> bytes:
    """What a webhook is told of a request: ids, sizes and times, never text."""
    written = record.as_json()
    usage = written["usage"] or {}
    moment = datetime.fromtimestamp(record.ended_at, UTC).isoformat(timespec="milliseconds")
    data: dict[str, Any] = {
        "request_id": record.request_id,
        "outcome": written["outcome"],
        "model": written["model"],
        "endpoint": written["endpoint"],
        "route": written["route"],
        "latency_ms": written["latency_ms"],
        "first_content_ms": written["first_content_ms"],
        "tokens": {"prompt": usage.get("prompt_tokens"), "completion": usage.get("completion_tokens")},
        "attempts": len(record.attempts),
        "cost_usd": written["cost_usd"],
        "guards": [verdict.guard for verdict in record.plan.verdicts if verdict.fired],
        "policy": written["policy"],
        "git_revision": written["git_revision"],
        "timestamp": moment,
    }
    return encode({"type": EVENT_PREFIX + event, "timestamp": moment, "data": data})


def signing_key(secret: str) -> bytes:
    """The key in a `whsec_…` secret; raises ValueError that does not show the secret."""
    try:
        key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a webhook secret is `whsec_` and base64") from None  # the cause would show the secret
    if not SHORTEST_SECRET <= len(key) <= LONGEST_SECRET:
        raise ValueError(f"a webhook secret holds {SHORTEST_SECRET} to {LONGEST_SECRET} bytes, this one {len(key)}")
    return key


def signed_headers(message_id: str, timestamp: int, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """The headers of one delivery; ``timestamp`` is the time of this very attempt, in seconds."""
    headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
    if keys:
        signed = f"{message_id}.{timestamp}.".encode() + body
        signatures = (base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys)
        headers["webhook-signature"] = " ".join(f"v1,{signature}" for signature in signatures)
    return headers
