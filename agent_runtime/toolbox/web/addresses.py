"""Which IP addresses belong to the public internet."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress

# What the standard library counts as global and is not, or carries an IPv4 address inside: wrapped forms are refused
# whatever they wrap, since what unwraps them is not here and may judge otherwise.
_REFUSED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.64.0.0/10",  # carrier-grade NAT, RFC 6598; Alibaba's metadata too
        "168.63.129.16/32",  # Azure's own services inside a virtual machine
        "192.0.0.0/24",  # protocol assignments, RFC 6890; Oracle's metadata too
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "::/96",  # IPv4-compatible, RFC 4291
        "::ffff:0:0/96",  # IPv4-mapped, RFC 4291
        "::ffff:0:0:0/96",  # IPv4-translated, RFC 2765
        "64:ff9b::/96",  # NAT64, RFC 6052
        "64:ff9b:1::/48",  # local NAT64, RFC 8215
        "2001::/23",  # protocol assignments, RFC 2928; Teredo and ORCHID among them
        "2002::/16",  # 6to4, RFC 3056
        "3fff::/20",  # documentation, RFC 9637
        "3ffe::/16",  # the former 6bone, RFC 3701
        "5f00::/16",  # segment routing, RFC 9602
        "fec0::/10",  # site-local, RFC 3879
    )
)
# ISATAP, RFC 5214: the lower half of any prefix holds an IPv4 address.
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})
_UNICAST = ipaddress.IPv6Network("2000::/3")
_METADATA = frozenset({
    ipaddress.ip_address("169.254.169.254"),
    ipaddress.ip_address("169.254.170.2"),
    ipaddress.ip_address("100.100.100.200"),
    ipaddress.ip_address("168.63.129.16"),
    ipaddress.ip_address("192.0.0.192"),
    ipaddress.ip_address("fd00:ec2::254"),
    ipaddress.ip_address("fd20:ce::254"),
})  # fmt: skip


def is_public(text: str) -> bool:
    """Whether an address is one of the public internet's, global unicast and nothing that is wrapped in another."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and (
        address.scope_id is not None or address not in _UNICAST or (int(address) >> 32) & 0xFFFFFFFF in _ISATAP
    ):
        return False
    if any(address in network for network in _REFUSED if network.version == address.version):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def is_metadata(text: str) -> bool:
    """Whether a cloud gives out a machine's own credentials at that address; never reached, allowed or not."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    inner = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (inner or address) in _METADATA


def is_this_machine(text: str) -> bool:
    """Whether the address is one of this machine's own, loopback and its public ones included."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if address.is_loopback or address.is_unspecified:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        # Sends nothing: it asks the routing table which address of ours would speak with that one.
        probe.connect((text, 9))
        return bool(probe.getsockname()[0] == text)
    return False
