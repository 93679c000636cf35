"""Which addresses may be connected to: a table of every family that leads somewhere private."""

from __future__ import annotations

import ipaddress

import pytest

from route_run.transport.addresses import denial, networks

DENIED = {
    "loopback": "127.0.0.1 127.0.0.53 127.1.2.3 127.255.255.255 ::1",
    "this network": "0.0.0.0 0.0.0.1 0.1.2.3 0.255.255.255 ::",
    "private": "10.0.0.0 10.0.0.1 10.255.255.255 172.16.0.1 172.20.1.1 172.31.255.255 192.168.0.1 192.168.255.255",
    "carrier": "100.64.0.0 100.64.0.1 100.100.0.1 100.127.255.255",
    "link-local": "169.254.0.1 169.254.1.1 169.254.170.2 169.254.255.255 fe80::1 fe80::ffff:ffff febf::1",
    "metadata": "169.254.169.254 100.100.100.200 168.63.129.16 fd00:ec2::254",
    "protocol assignments": "192.0.0.0 192.0.0.1 192.0.0.8 192.0.0.170 192.0.0.255",
    "documentation": "192.0.2.1 198.51.100.1 203.0.113.1 203.0.113.255 2001:db8::1 2001:db8:ffff::1",
    "6to4 relays": "192.88.99.1 192.88.99.254",
    "benchmarks": "198.18.0.1 198.19.255.255 2001:2::1",
    "multicast": "224.0.0.1 224.0.0.251 232.1.1.1 239.255.255.250 ff01::1 ff02::1 ff02::fb ff05::2 ff0e::1",
    "reserved": "240.0.0.1 250.1.1.1 255.255.255.254 255.255.255.255",
    "unique local": "fc00::1 fd00::1 fd12:3456:789a::1 fdff:ffff::1 fd20:ce::254",
    "site-local": "fec0::1 fed0::1 feff::1",
    "discard": "100::1 100::ffff",
    "NAT64": "64:ff9b::7f00:1 64:ff9b::a00:1 64:ff9b::a9fe:a9fe 64:ff9b::808:808 64:ff9b:1::1 64:ff9b:1:ffff::a00:1",
    "6to4": "2002:7f00:1::1 2002:a00:1::1 2002:a9fe:a9fe::1 2002:808:808::1 2002:c0a8:101::",
    "Teredo": "2001::1 2001:0:7f00:1::1 2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "ORCHID": "2001:10::1 2001:1f::1",
    "mapped": (
        "::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:172.16.0.1 ::ffff:192.168.1.1 ::ffff:169.254.169.254 "
        "::ffff:168.63.129.16 ::ffff:100.100.100.200 ::ffff:0.0.0.0 ::ffff:100.64.0.1 ::ffff:224.0.0.1 "
        "::ffff:255.255.255.255 ::ffff:7f00:1 ::ffff:c0a8:101"
    ),
    "IPv4-compatible": "::127.0.0.1 ::10.0.0.1 ::192.168.1.1 ::169.254.169.254 ::8.8.8.8",
    "IPv4-translated": "::ffff:0:127.0.0.1 ::ffff:0:10.0.0.1 ::ffff:0:169.254.169.254",
}
ALLOWED = (
    "1.1.1.1 8.8.8.8 9.9.9.9 11.0.0.1 93.184.216.34 99.255.255.255 100.63.255.255 100.128.0.1 126.255.255.255 "
    "128.0.0.1 169.253.255.255 169.255.0.1 172.15.255.255 172.32.0.1 192.167.255.255 192.169.0.1 198.17.255.255 "
    "198.20.0.1 223.255.255.255 ::ffff:8.8.8.8 ::ffff:1.1.1.1 2606:4700:4700::1111 2001:4860:4860::8888 "
    "2a00:1450:4001::1 2003::1 2400:cb00::1 2620:fe::fe 2c0f:f248::1"
)


@pytest.mark.parametrize(
    "address", [pytest.param(a, id=f"{family} {a}") for family, listed in DENIED.items() for a in listed.split()]
)
def test_an_address_that_is_not_public_is_denied_in_words(address: str) -> None:
    reason = denial(ipaddress.ip_address(address), ())

    assert reason is not None
    assert any(words in reason for words in ("address", "leads to"))


@pytest.mark.parametrize("address", ALLOWED.split())
def test_a_public_address_is_allowed(address: str) -> None:
    assert denial(ipaddress.ip_address(address), ()) is None


def test_the_table_holds_more_than_a_hundred_denied_addresses() -> None:
    assert sum(len(listed.split()) for listed in DENIED.values()) >= 100


@pytest.mark.parametrize(
    ("allowed", "inside", "outside"),
    [
        ("loopback", "127.0.0.1 127.9.9.9 ::1 ::ffff:127.0.0.1", "10.0.0.1 0.0.0.0 :: fe80::1"),
        ("10.1.0.0/16", "10.1.0.1 10.1.255.255 ::ffff:10.1.2.3", "10.2.0.1 127.0.0.1 ::1"),
        ("192.168.7.7/32", "192.168.7.7", "192.168.7.6 192.168.7.8"),
        ("192.168.7.7", "192.168.7.7", "192.168.7.8"),
        ("fd12::/16", "fd12::1 fd12:ffff::1", "fd13::1 10.0.0.1 ::1"),
        ("100.64.0.0/10", "100.64.0.1", "100.100.100.200"),
        ("127.0.0.0/8", "127.0.0.1", "::1"),
        ("fec0::/10", "fec0::1", "fe80::1"),
    ],
)
def test_a_named_network_opens_itself_and_nothing_beside(allowed: str, inside: str, outside: str) -> None:
    named = networks([allowed])

    assert [denial(ipaddress.ip_address(a), named) for a in inside.split()] == [None] * len(inside.split())
    assert all(denial(ipaddress.ip_address(a), named) for a in outside.split())


@pytest.mark.parametrize(
    ("address", "wide", "exact"),
    [
        ("169.254.169.254", "169.254.0.0/16", "169.254.169.254/32"),
        ("169.254.169.254", "0.0.0.0/0", "169.254.169.254"),
        ("169.254.169.254", "169.254.169.254/31", "169.254.169.254/32"),
        ("::ffff:169.254.169.254", "169.254.0.0/16", "169.254.169.254/32"),
        ("100.100.100.200", "100.64.0.0/10", "100.100.100.200/32"),
        ("168.63.129.16", "168.63.129.0/24", "168.63.129.16/32"),
        ("fd00:ec2::254", "fd00::/8", "fd00:ec2::254/128"),
    ],
)
def test_a_metadata_address_opens_only_when_it_is_named_exactly(address: str, wide: str, exact: str) -> None:
    meant = ipaddress.ip_address(address)

    assert "metadata" in (denial(meant, networks([wide])) or "")
    assert denial(meant, networks([wide, exact])) is None


@pytest.mark.parametrize(
    ("address", "allowed"),
    [("64:ff9b::a9fe:a9fe", "64:ff9b::/96"), ("2002:a9fe:a9fe::1", "2002::/16"), ("::169.254.169.254", "::/96")],
)
def test_a_network_that_carries_other_addresses_does_not_open_metadata(address: str, allowed: str) -> None:
    assert denial(ipaddress.ip_address(address), networks([allowed])) is not None


def test_several_networks_may_be_named_together() -> None:
    named = networks(["loopback", "10.0.0.0/8", "fd00::/8"])

    assert all(denial(ipaddress.ip_address(a), named) is None for a in ("127.0.0.1", "::1", "10.9.9.9", "fd01::1"))
    assert denial(ipaddress.ip_address("192.168.1.1"), named) is not None
