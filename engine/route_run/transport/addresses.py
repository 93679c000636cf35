"""Which addresses may be connected to: public ones, and private ones only where the policy names their network.

Decides about one address, whoever asks: the egress guard before it connects, lint before anything runs.
Knows no names and no sockets.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.0.23", "100.100.100.200", "168.63.129.16",
        "192.0.0.192", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
    )
)  # fmt: skip
"""Where the machines of clouds ask who they are: AWS with its containers, Google, Azure, Alibaba, Oracle, Tencent."""
# is_global calls these public although they lead to other addresses, or to none
_CARRIERS = tuple(
    ipaddress.ip_network(text)
    for text in (
        "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "fec0::/10", "::/96", "::ffff:0:0:0/96",
        "192.88.99.0/24", "192.0.0.0/24",
    )
)  # fmt: skip

_EMBEDDING = tuple(ipaddress.ip_network(text) for text in ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96"))


def networks(names: Iterable[str]) -> tuple[Network, ...]:
    """The networks that `allow_networks` names."""
    return tuple(
        network for name in names for network in (_LOOPBACK if name == "loopback" else (ipaddress.ip_network(name),))
    )


def denial(address: Address, allowed: Sequence[Network]) -> str | None:
    """Why an address may not be connected to, in words; None when it may."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return denial(address.ipv4_mapped, allowed)
    carried = _carried(address)
    if carried in _METADATA:
        return f"{address} leads to {carried}, a cloud's metadata address"
    holding = [network for network in allowed if network.version == address.version and address in network]
    if address in _METADATA:
        # a cloud's metadata service gives out credentials: a wide network does not mean it
        is_named = any(network.num_addresses == 1 for network in holding)
        return None if is_named else f"{address} is a cloud's metadata address"
    if holding:
        return None
    if any(address in network for network in _CARRIERS if network.version == address.version):
        return f"{address} leads to another address"
    if address.is_multicast or not address.is_global:
        return f"{address} is a {_kind(address)} address"
    return None


def _carried(address: Address) -> Address | None:
    """The IPv4 address that an IPv6 one leads to: by NAT64, 6to4, or written into its last 32 bits."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.sixtofour is not None:
        return address.sixtofour
    return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF) if any(address in n for n in _EMBEDDING) else None


def _kind(address: Address) -> str:
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link-local"
    if address.is_multicast:
        return "multicast"
    return "private" if address.is_private else "reserved"
