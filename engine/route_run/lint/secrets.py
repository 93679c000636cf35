"""Texts that look like secrets: the shapes in which providers write theirs, and random letters.

Decides by shape alone. What it finds is a stretch of a text; the stretch itself is for blotting out, never for
showing.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

_SHAPES = tuple(
    (what, tuple(markers.split("|")), shape)
    for what, markers, shape in (
        ("a private key", "-----BEGIN ",
         r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----(?:[^-]{1,8000}-----END [A-Z ]{0,30}-----)?"),
        ("an API key of Anthropic", "sk-ant-", r"sk-ant-[A-Za-z0-9_-]{16,}"),
        ("an API key of OpenRouter", "sk-or-", r"sk-or-v1-[A-Za-z0-9]{16,}"),
        ("an API key of Stripe", "sk_live_|sk_test_|rk_live_|rk_test_", r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}"),
        ("an API key in the form of OpenAI's", "sk-", r"sk-(?=[A-Za-z_-]{0,60}[0-9])[A-Za-z0-9_-]{16,}"),
        ("an access key of AWS", "AKIA|ASIA|ABIA|ACCA", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}"),
        ("an API key of Google", "AIza", r"AIza[A-Za-z0-9_-]{35}"),
        ("an access token of Google", "ya29.", r"ya29\.[A-Za-z0-9_-]{20,}"),
        ("a token of GitHub", "ghp_|gho_|ghu_|ghs_|ghr_|github_pat_",
         r"gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,}"),
        ("a token of GitLab", "glpat-|gldt-|glrt-|glcbt-|glptt-|glft-|glsoat-",
         r"gl(?:pat|dt|rt|cbt|ptt|ft|soat)-[A-Za-z0-9_-]{18,}"),
        ("a token of Slack", "xox|xapp-", r"xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}"),
        ("a webhook address of Slack, which is a secret", "hooks.slack.com/",
         r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/]{20,}"),
        ("a webhook address of Discord, which is a secret", "discord.com/api/webhooks/|discordapp.com/api/webhooks/",
         r"discord(?:app)?\.com/api/webhooks/\d{6,}/[A-Za-z0-9_-]{20,}"),
        ("a webhook address of Teams, which is a secret", "webhook.office.com/",
         r"webhook\.office\.com/webhookb2/[A-Za-z0-9@/-]{20,}"),
        ("a webhook's signing secret", "whsec_", r"whsec_[A-Za-z0-9+/=_-]{16,}"),
        ("a token of Hugging Face", "hf_", r"hf_[A-Za-z0-9]{30,}"),
        ("an API key of Groq", "gsk_", r"gsk_[A-Za-z0-9]{30,}"),
        ("an API key of xAI", "xai-", r"xai-[A-Za-z0-9]{40,}"),
        ("an API key of Perplexity", "pplx-", r"pplx-[A-Za-z0-9]{32,}"),
        ("a token of Replicate", "r8_", r"r8_[A-Za-z0-9]{30,}"),
        ("a token of Databricks", "dapi", r"dapi[0-9a-f]{32}"),
        ("an API key of SendGrid", "SG.", r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
        ("a token of npm", "npm_", r"npm_[A-Za-z0-9]{36}"),
        ("a token of PyPI", "pypi-", r"pypi-[A-Za-z0-9_-]{40,}"),
        ("a token of HashiCorp Vault", "hvs.|hvb.|hvr.", r"hv[sbr]\.[A-Za-z0-9_-]{20,}"),
        ("a token of DigitalOcean", "dop_v1_|doo_v1_|dor_v1_", r"do[opr]_v1_[0-9a-f]{40,}"),
        ("a JSON web token", "eyJ", r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
        ("a bearer token", "Bearer ", r"Bearer (?=[A-Za-z._~+/-]*[0-9])[A-Za-z0-9._~+/-]{16,}=*"),
        ("a user and password in Base64", "Basic ",
         r"Basic (?=[A-Za-z+/]*[0-9])(?=[a-z0-9+/]*[A-Z])[A-Za-z0-9+/]{12,}={0,2}"),
    )
)  # fmt: skip
"""What it is, a text that every such secret holds, and its shape; the longer shape of two comes first.

A shape is compiled when a text first holds what it begins with, which most texts never do.
"""
_BEFORE = re.compile(r"[A-Za-z0-9_]")
_TOKEN = re.compile(r"[A-Za-z0-9+/_=~.-]{20,}")
_PART = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_PATH_PART = re.compile(r"[A-Za-z0-9+]+={0,2}")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_DIGEST_BEFORE = re.compile(
    r"(?:sha-?(?:1|256|384|512)|md5|digest|commit|revision|checksum)[\s:=@-]{0,3}\Z", re.IGNORECASE
)
_PLACEHOLDER = re.compile(
    r"example|xxxx|\*\*\*|placeholder|changeme|change-me|your[-_]|dummy|redacted|1234567890?|abcdef(?:gh|12)|\.\.\.",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where in a text something looks like a secret, and like which."""

    start: int
    end: int
    looks_like: str


SHORTEST = 20
"""Characters that random text has at least; what is shorter could be a name."""
MOST_CANDIDATES = 5_000
"""Places of one text that are looked at more closely."""
MOST_LOOKED_AT = 10_000
"""Characters of one text in which random stretches are looked for."""


def known_shapes(text: str) -> list[Stretch]:
    """Stretches in a shape that some provider gives its secrets, in their order; placeholders are none."""
    found: list[Stretch] = []
    left = MOST_CANDIDATES
    for what, markers, shape in _SHAPES:
        for marker in markers:
            at = text.find(marker)
            while at >= 0 and left > 0:
                left -= 1
                match = None if _BEFORE.match(text[max(0, at - 1) : at]) else _compiled(shape).match(text, at)
                if match is not None and not _is_placeholder(match.group()):
                    found.append(Stretch(match.start(), match.end(), what))
                at = text.find(marker, match.end() if match is not None else at + len(marker))
            if at >= 0:
                found.append(Stretch(at, at + len(marker), f"{what}, and more such texts than lint looks at"))
    return list(_apart(found))


@cache
def _compiled(shape: str) -> re.Pattern[str]:
    return re.compile(shape)


def _apart(found: list[Stretch]) -> Iterator[Stretch]:
    """Of stretches that overlap the first, and of two with the same start the one whose shape says more."""
    end = 0
    for stretch in sorted(found, key=lambda stretch: stretch.start):
        if stretch.start >= end:
            yield stretch
            end = stretch.end


def random_stretches(text: str) -> Iterator[Stretch]:
    """Stretches of letters and digits without the order that names and words have."""
    for token in _TOKEN.finditer(text, 0, MOST_LOOKED_AT):
        if _UUID.search(token.group()) or _DIGEST_BEFORE.search(text[max(0, token.start() - 20) : token.start()]):
            continue
        is_path = token.group().startswith("/") or ("/" in token.group() and text[token.start() - 1] == ":")
        for part in (_PATH_PART if is_path else _PART).finditer(token.group()):
            if _is_random(part.group()):
                start = token.start() + part.start()
                yield Stretch(start, start + len(part.group()), "a random text such as a key or token")
                break


def _is_placeholder(text: str) -> bool:
    return _PLACEHOLDER.search(text) is not None or (len(text) < 4000 and _entropy(text[-40:]) < 2.8)


def _is_random(part: str) -> bool:
    core = part.rstrip("=")
    digits = sum(c.isdigit() for c in core)
    if len(core) < 20 or digits < 2 or digits == len(core) or _PLACEHOLDER.search(core):
        return False
    is_hex = re.fullmatch(r"[0-9a-f]+|[0-9A-F]+", core) is not None
    if is_hex:
        return len(core) >= 32 and _entropy(core) >= 3.0
    has_both_cases = any(c.islower() for c in core) and any(c.isupper() for c in core)
    changes = sum(a.isdigit() != b.isdigit() for a, b in pairwise(core))
    if has_both_cases:
        return _entropy(core) >= 3.6 and changes >= 3
    return len(core) >= 24 and _entropy(core) >= 3.5 and changes >= 6


def _entropy(text: str) -> float:
    """Shannon's entropy in bits per character."""
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts) if text else 0.0
