"""Where the URLs of a policy lead, as far as their text tells: no name is ever resolved.

Decides which address a host spells, in every spelling that resolvers take (decimal, hexadecimal, octal, short
and IPv4 within IPv6), and which names are known to lead to the inside.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from route_run.errors import Span
from route_run.schema.formats import network, url
from route_run.text import Document
from route_run.transport.addresses import Address, Network, denial, networks

_NUMBER = re.compile(r"(?:0[xX][0-9a-fA-F]*|[0-9]+)\Z")
_METADATA_NAMES = frozenset(
    (
        "metadata.google.internal metadata.goog metadata instance-data instance-data.ec2.internal "
        "metadata.tencentyun.com metadata.azure.internal metadata.platformequinix.com"
    ).split()
)
_WILDCARD = re.compile(
    r"(?:^|[.-])(?P<address>\d{1,3}(?:[.-]\d{1,3}){3}|[0-9a-f]{8})\.(?:nip\.io|sslip\.io|xip\.io|traefik\.me|1u\.ms)\Z"
)
_LOOPBACK_NAMES = re.compile(r"(?:^|\.)(?:localtest\.me|lvh\.me|lacolhost\.com|vcap\.me|localho\.st|local\.gd)\Z")
_INSIDE_NAMES = re.compile(
    r"(?:^[^.]+\Z)|(?:\.(?:internal|local|localdomain|lan|home\.arpa|corp|intranet|private|svc|consul)\Z)"
)


@dataclass(frozen=True, slots=True)
class Host:
    """The host of a URL: the address it spells (None for a name), and whether it is spelt as people do."""

    text: str
    address: Address | None
    is_plain: bool

    @property
    def is_metadata_name(self) -> bool:
        return self.text in _METADATA_NAMES

    @property
    def is_loopback(self) -> bool:
        mapped = getattr(self.address, "ipv4_mapped", None)
        return self.address is not None and (mapped or self.address).is_loopback

    @property
    def hint(self) -> str:
        """Why a name seems to lead to a private address, in words; empty when it does not seem to."""
        if self.address is not None or self.is_metadata_name:
            return ""
        if (found := _WILDCARD.search(self.text)) is not None:
            return _wildcard_hint(found["address"])
        if _LOOPBACK_NAMES.search(self.text):
            return "is known to lead to this machine"
        if _INSIDE_NAMES.search(self.text):
            return "looks like a name of a private network"
        return ""


@dataclass(frozen=True, slots=True)
class Link:
    """One URL of an endpoint or webhook; ``keys`` lead to it, ``owner`` names the item that holds it."""

    document: Document
    keys: tuple[str, ...]
    scheme: str
    host: Host
    allowed: tuple[Network, ...]
    is_proxied: bool
    sends_credentials: bool

    @property
    def span(self) -> Span:
        return self.document.span_of(self.keys)

    @property
    def owner(self) -> str:
        return f"{self.keys[0].removesuffix('s')} `{self.keys[1]}`"

    @property
    def field(self) -> str:
        return self.keys[-1]

    @property
    def denial(self) -> str | None:
        """Why the egress guard refuses the address that the host spells; None when it does not, or for a name."""
        return denial(self.host.address, self.allowed) if self.host.address is not None else None


def links_of(documents: Iterable[Document]) -> Iterator[Link]:
    """Every URL that is written out; references and texts that are no URL are left to others."""
    for document in documents:
        for section, own in (("endpoints", "base_url"), ("webhooks", "url")):
            for name, item in _mapping(document.data, section).items():
                if isinstance(item, dict):
                    yield from _links(document, (section, name), item, own)


def _links(document: Document, keys: tuple[str, str], item: Mapping[str, object], own: str) -> Iterator[Link]:
    named = item.get("allow_networks")
    names = [n for n in named if isinstance(n, str) and network(n) is None] if isinstance(named, list) else []
    written: tuple[tuple[tuple[str, ...], object], ...] = (
        ((own,), item.get(own)),
        (("auth", "oauth2", "token_url"), _mapping(_mapping(item, "auth"), "oauth2").get("token_url")),
        (("proxy",), item.get("proxy")),
    )
    for path, text in written:
        if isinstance(text, str) and "${" not in text and url(text) is None:
            parts = urlsplit(text)
            yield Link(
                document=document,
                keys=(*keys, *path),
                scheme=parts.scheme,
                host=host_of(parts.hostname or ""),
                allowed=networks(names),
                is_proxied="proxy" in item and path != ("proxy",),
                sends_credentials="auth" in item or "headers" in item,
            )


def host_of(text: str) -> Host:
    """What the host of a URL spells."""
    name = unquote(text).lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return Host(name, ipaddress.IPv4Address("127.0.0.1"), is_plain=True)
    try:
        return Host(name, ipaddress.ip_address(name.partition("%")[0]), is_plain="%" not in text)
    except ValueError:
        return Host(name, _old_spelling(name), is_plain=False)


def _old_spelling(name: str) -> ipaddress.IPv4Address | None:
    """An IPv4 address as inet_aton reads it: 1 to 4 parts, each decimal, octal or hexadecimal, the last fills up."""
    parts = name.split(".")
    if len(parts) > 4 or not all(_NUMBER.match(part) for part in parts) or len(name) > 64:
        return None
    try:
        *heads, last = [_number(part) for part in parts]
        if any(head > 255 for head in heads) or last >= 256 ** (4 - len(heads)):
            return None
    except ValueError:
        return None
    whole = sum(head << (24 - 8 * index) for index, head in enumerate(heads)) + last
    return ipaddress.IPv4Address(whole)


def _number(part: str) -> int:
    if part[:2].lower() == "0x":
        return int(part[2:] or "0", 16)
    return int(part, 8) if part.startswith("0") and len(part) > 1 else int(part)


def _wildcard_hint(spelt: str) -> str:
    numbers = re.split(r"[.-]", spelt) if "." in spelt or "-" in spelt else [str(b) for b in bytes.fromhex(spelt)]
    if any(int(number) > 255 for number in numbers):
        return ""
    address = ipaddress.IPv4Address(".".join(str(int(number)) for number in numbers))
    return f"leads to {address}, the address within it" if denial(address, ()) else ""


def _mapping(value: object, key: str) -> Mapping[str, object]:
    inner = value.get(key) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}
