"""Which addresses tools may reach: the public internet, and what the operator allowed by name and port.

A name is resolved here, every address that it has is checked, and the connection goes to a checked address (see
egress_proxy.py): a name that resolves differently the second time gains nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable

from agent_runtime.errors import ToolRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_DEFAULT_PORTS = {"http": 80, "https": 443}

# What the standard library counts as global and is not, or wraps an IPv4 address that must be looked at itself.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_REFUSED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.64.0.0/10",  # carrier-grade NAT, RFC 6598; Alibaba's metadata too
        "168.63.129.16/32",  # Azure's own services inside a virtual machine
        "192.0.0.0/24",  # protocol assignments, RFC 6890; Oracle's metadata too
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "64:ff9b:1::/48",  # local NAT64, RFC 8215
        "2001::/32",  # Teredo, RFC 4380
        "fec0::/10",  # site-local, RFC 3879
    )
)


class EgressGuard:
    """`allow_hosts` are `host:port` (or a host alone, for 80 and 443) that may be reached although they are private."""

    def __init__(self, allow_hosts: Iterable[str] = ()) -> None:
        self._allowed = {pair for entry in allow_hosts for pair in _host_and_ports(entry)}

    async def resolve(self, host: str, port: int) -> list[str]:
        """The addresses of `host` that may be connected to, in the resolver's order.

        Raises `ToolRefused` when the name does not resolve or when any of its addresses is not public.
        """
        name = host.rstrip(".").lower()
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a host name"
            raise ToolRefused(
                f"{host} cannot be resolved ({reason}); check the address or try another source"
            ) from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if (name, port) in self._allowed:
            return addresses
        for address in addresses:
            if not is_public(address):
                raise ToolRefused(
                    f"{host}:{port} is refused: {address} is not a public address. Only an operator can allow it, by "
                    f"`allow_hosts` in the tool's configuration"
                )
        return addresses


def is_public(text: str) -> bool:
    """Whether an address belongs to the public internet; an IPv4 address inside an IPv6 one is judged itself."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return False
        inner = _inner(address)
        if inner is not None:
            return is_public(str(inner))
    if any(address in network for network in _REFUSED if network.version == address.version):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _inner(address: ipaddress.IPv6Address) -> Address | None:
    if address in _NAT64 or int(address) >> 32 == 0:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _host_and_ports(entry: str) -> list[tuple[str, int]]:
    host, separator, port = entry.strip().lower().rpartition(":")
    if separator and port.isdigit():
        return [(host.strip("[]"), int(port))]
    return [(entry.strip().lower().strip("[]"), number) for number in _DEFAULT_PORTS.values()]
