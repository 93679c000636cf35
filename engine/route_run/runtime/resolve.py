"""References to what they stand for: every endpoint and webhook made ready to be called.

Decides which references are missing or unfit, all at once. From here on secrets are `Secret`s.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from route_run.errors import Span, UnresolvedReferences
from route_run.policy import TRAITS, Dialect, Policy, Reference, Secret, Where
from route_run.policy.model import Auth, Destination, Endpoint, OAuth2, Webhook
from route_run.runtime.redact import forms_of, redacted
from route_run.schema.formats import url as url_problem
from route_run.transport.seam import Way
from route_run.wire.dialect import Codec, codec
from route_run.wire.webhook import signing_key

MAX_REFERENCED_FILE = 64 << 10
_SIMULATED_URL = "https://simulated.invalid"
_SIMULATED_TEXT = "simulated"
_AUTHORIZATION = "Authorization"
_TOKEN_PATH = TRAITS[Dialect.COGNIGY].token_path


@dataclass(frozen=True, slots=True)
class KeyAuth:
    """An API key in a header."""

    header: str
    value: Secret


@dataclass(frozen=True, slots=True)
class TokenAuth:
    """OAuth2 client credentials, and where the token comes from."""

    url: str
    client_id: str
    client_secret: Secret
    scope: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a destination is and how to log in there; ``headers`` may hold secrets."""

    name: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    auth: KeyAuth | TokenAuth | None
    way: Way = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReadyEndpoint:
    """An endpoint that can be called."""

    place: Place
    speaks: Codec


@dataclass(frozen=True, slots=True)
class ReadyWebhook:
    """A webhook that can be told; without keys it is not signed."""

    place: Place
    keys: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Everything a policy refers to. ``redact`` takes the secrets out of a text."""

    endpoints: Mapping[str, ReadyEndpoint]
    webhooks: Mapping[str, ReadyWebhook]
    hash_key: bytes | None = field(repr=False)
    _secrets: tuple[str, ...] = field(repr=False)

    def redact(self, text: str) -> str:
        """A text in which no secret of the policy stands any more."""
        return redacted(text, self._secrets)


def resolve(policy: Policy, environ: Mapping[str, str] | None) -> Resolved:
    """Resolve all references of a policy; ``environ`` None resolves none, for simulation.

    Raises UnresolvedReferences that lists everything missing or unfit.
    """
    resolver = _Resolver(policy, environ)
    endpoints = {name: resolver.endpoint(name, endpoint) for name, endpoint in policy.endpoints.items()}
    webhooks = {name: resolver.webhook(name, webhook) for name, webhook in policy.webhooks.items()}
    key = None
    if policy.ledger.hash_key is not None:
        key = resolver.text(policy.ledger.hash_key, _Item("ledger", ""), "hash_key", is_secret=True).encode()
    if resolver.problems:
        raise UnresolvedReferences(sorted(set(resolver.problems), key=lambda problem: (problem[1], problem[0])))
    return Resolved(endpoints, webhooks, key, tuple(forms_of(resolver.secrets)))


class _Resolver:
    def __init__(self, policy: Policy, environ: Mapping[str, str] | None) -> None:
        self.problems: list[tuple[str, Span]] = []
        self.secrets: set[str] = set()
        self._policy = policy
        self._environ = environ

    def endpoint(self, name: str, endpoint: Endpoint) -> ReadyEndpoint:
        traits = TRAITS[endpoint.dialect]
        item = _Item("endpoints", name)
        base = self._url(endpoint.base_url, item, "base_url")
        auth = self._auth(endpoint.auth, item, traits.key_header, base, traits.token_path)
        url = base.rstrip("/") + (endpoint.path or traits.path)
        speaks = codec(endpoint.dialect)
        return ReadyEndpoint(self._place(item, endpoint, url, auth, speaks.headers), speaks)

    def webhook(self, name: str, webhook: Webhook) -> ReadyWebhook:
        item = _Item("webhooks", name)
        url = self._url(webhook.url, item, "url")
        parts = urlsplit(url)
        auth = self._auth(webhook.auth, item, _AUTHORIZATION, f"{parts.scheme}://{parts.netloc}", _TOKEN_PATH)
        keys = tuple(self._keys(item, webhook))
        return ReadyWebhook(self._place(item, webhook, url, auth, {}), keys)

    def text(self, written: Reference | str, item: _Item, *keys: str | int, is_secret: bool = False) -> str:
        """The text a field stands for; an empty one when there is a problem with it, which is noted."""
        if isinstance(written, str):
            return written
        if self._environ is None:
            return _SIMULATED_TEXT
        found = self._looked_up(written)
        if isinstance(found, _Missing):
            self._note(found.why, item, *keys)
            return ""
        if is_secret:
            self.secrets |= {found}
        return found

    def _looked_up(self, reference: Reference) -> str | _Missing:
        if reference.where is Where.FILE:
            return _file_text(Path(reference.name))
        assert self._environ is not None
        value = self._environ.get(reference.name)
        if value is None:
            return _Missing(f"{reference.name} is not set")
        return value if value.strip() else _Missing(f"{reference.name} is empty")

    def _url(self, written: Reference | str, item: _Item, *keys: str | int) -> str:
        if isinstance(written, Reference) and self._environ is None:
            return _SIMULATED_URL
        text = self.text(written, item, *keys).strip()
        if text and (problem := url_problem(text)) is not None:
            self._note(f"{written} holds no usable URL: {problem}", item, *keys)
        return text

    def _auth(
        self, auth: Auth | None, item: _Item, header: str, base: str, token_path: str
    ) -> KeyAuth | TokenAuth | None:
        if auth is None:
            return None
        if auth.oauth2 is not None:
            return self._oauth2(auth.oauth2, item, base, token_path)
        assert auth.api_key is not None  # the schema asks for one or the other
        name = auth.header or header
        scheme = auth.scheme or ("Bearer" if name.lower() == "authorization" else "")
        key = self._header_value(auth.api_key, item, "auth", "api_key", is_secret=True)
        return KeyAuth(name.lower(), Secret(f"{scheme} {key}".strip()))

    def _oauth2(self, oauth2: OAuth2, item: _Item, base: str, token_path: str) -> TokenAuth:
        url = base.rstrip("/") + (oauth2.token_path or token_path)
        if oauth2.token_url is not None:
            url = self._url(oauth2.token_url, item, "auth", "oauth2", "token_url")
        secret = self.text(oauth2.client_secret, item, "auth", "oauth2", "client_secret", is_secret=True).strip()
        client_id = self.text(oauth2.client_id, item, "auth", "oauth2", "client_id").strip()
        return TokenAuth(url, client_id, Secret(secret), oauth2.scope)

    def _place(
        self, item: _Item, written: Destination, url: str, auth: KeyAuth | TokenAuth | None, own: Mapping[str, str]
    ) -> Place:
        headers = {
            name.lower(): self._header_value(value, item, "headers", name, is_secret=isinstance(value, Reference))
            for name, value in written.headers.items()
        }
        pem = self._policy.files.get((item.section, item.name, "ca_file"), b"").decode("ascii", "replace")
        if pem and not _is_usable(pem):
            self._note(f"`{written.ca_file}` holds no certificate that can be used", item, "ca_file")
        proxy = self._url(written.proxy, item, "proxy") if written.proxy is not None else None
        return Place(item.name, url, {**own, **headers}, auth, Way(written.allow_networks, pem, proxy))

    def _header_value(self, written: Reference | str, item: _Item, *keys: str | int, is_secret: bool) -> str:
        text = self.text(written, item, *keys, is_secret=is_secret).strip()
        if not text.isascii() or not text.isprintable():
            self._note(f"{written} holds characters that a header cannot carry", item, *keys)
        return text

    def _keys(self, item: _Item, webhook: Webhook) -> Iterator[bytes]:
        if self._environ is None:
            return
        for index, reference in enumerate(webhook.secrets):
            secret = self.text(reference, item, "secrets", index, is_secret=True).strip()
            try:
                if secret:
                    yield signing_key(secret)
            except ValueError as error:
                self._note(f"{reference}: {error}", item, "secrets", index)

    def _note(self, problem: str, item: _Item, *keys: str | int) -> None:
        self.problems.append((problem, self._policy.origin(item.section, item.name).span(*keys)))


@dataclass(frozen=True, slots=True)
class _Item:
    section: str
    name: str


@dataclass(frozen=True, slots=True)
class _Missing:
    why: str


def _file_text(path: Path) -> str | _Missing:
    try:
        if path.stat().st_size > MAX_REFERENCED_FILE:
            return _Missing(f"the file {path} is larger than {MAX_REFERENCED_FILE:,} bytes")
        text = path.read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        return _Missing(f"the file {path} cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}")
    return text if text.strip() else _Missing(f"the file {path} is empty")


def _is_usable(pem: str) -> bool:
    try:
        ssl.create_default_context(cadata=pem)
    except (ssl.SSLError, ValueError):
        return False
    return True
