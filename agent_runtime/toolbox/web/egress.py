"""Which addresses tools may reach: the public internet, and what the operator allowed by name and port.

A name is resolved here once, every address that it has is checked, and the connection goes to a checked address (see
client.py and egress_proxy.py): a name that resolves differently the second time gains nothing.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.web.addresses import is_metadata, is_public, is_this_machine

Resolver = Callable[[str, int], Awaitable[list[str]]]
"""Host and port to the addresses that a connection may go to. Raises `OSError` or `UnicodeError`."""

DEFAULT_PORTS = {"http": 80, "https": 443}
# Where others speak than HTTP, who may obey what stands in a request: browsers do not go there either (port blocking in
# the Fetch standard); databases and caches besides.
_OTHER_PROTOCOLS = frozenset({
    1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
    111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532,
    540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3306, 3659, 4045, 4190, 5060,
    5061, 5432, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080, 11211, 27017,
})  # fmt: skip
_RESOLVE_SECONDS = 10.0

# What resolvers take for an IPv4 address beside its usual form: 2130706433, 0x7f.1, 0177.0.0.1, 127.1.
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)\Z", re.IGNORECASE)
_USUAL_IPV4 = re.compile(r"(?:(?:0|[1-9][0-9]{0,2})\.){3}(?:0|[1-9][0-9]{0,2})\Z")


async def system_resolver(host: str, port: int) -> list[str]:
    """What the machine's resolver answers, without repeats, in its order."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class EgressGuard:
    """`allow_hosts` are `host:port` (or a host alone, for 80 and 443) that may be reached although they are private.

    `own` are `host:port` of the runtime itself (its database, its API, its model server): nothing reaches these.
    """

    def __init__(
        self, allow_hosts: Iterable[str] = (), *, own: Iterable[str] = (), resolver: Resolver = system_resolver
    ) -> None:
        self.allow_hosts, self.own = tuple(allow_hosts), tuple(own)
        self._resolver = resolver
        self._allowed = {pair for entry in self.allow_hosts for pair in _host_and_ports(entry)}
        self._own = {pair for entry in self.own for pair in _host_and_ports(entry)}

    def allowing(self, allow_hosts: Any) -> EgressGuard:
        """This guard with more hosts allowed: the list that stands in a tool's configuration, or None.

        Raises `ToolRefused` for what is no list of texts.
        """
        if allow_hosts is None:
            return self
        if not isinstance(allow_hosts, list) or not all(isinstance(entry, str) for entry in allow_hosts):
            raise ToolRefused('`allow_hosts` in the tool\'s configuration is not a list like ["wiki.internal:8080"]')
        return EgressGuard([*self.allow_hosts, *allow_hosts], own=self.own, resolver=self._resolver)

    def to_json(self) -> dict[str, Any]:
        """What `from_json` makes the same guard of, in another process."""
        return {"allow_hosts": list(self.allow_hosts), "own": list(self.own)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> EgressGuard:
        """See `to_json`."""
        return cls(value["allow_hosts"], own=value["own"])

    async def resolve(self, host: str, port: int) -> list[str]:
        """The addresses of `host` that may be connected to, in the resolver's order.

        Raises `ToolRefused` when the name does not resolve, when any of its addresses is not public, or when it is the
        runtime itself.
        """
        name = _plain(host)
        addresses = await self._addresses(name, port)
        await self._refuse_own(name, port, addresses)
        allowed = (name, port) in self._allowed
        if not allowed and port in _OTHER_PROTOCOLS:
            raise ToolRefused(f"{_shown(host)}:{port} is refused: another protocol than http and https is spoken there")
        for address in addresses:
            if not allowed and not is_public(address):
                raise ToolRefused(
                    f"{_shown(host)}:{port} is refused: {address} is not a public address. Only an operator can allow "
                    "it, by `allow_hosts` of the tenant or of the tool"
                )
            if is_metadata(address):
                raise ToolRefused(
                    f"{_shown(host)}:{port} is refused: {address} is where a cloud keeps a machine's keys"
                )
            if not allowed and is_this_machine(address):
                raise ToolRefused(f"{_shown(host)}:{port} is refused: {address} is this machine itself")
        return addresses

    async def _addresses(self, name: str, port: int) -> list[str]:
        try:
            if not name or len(name) > 253 or not 0 < port < 65_536:
                raise UnicodeError
            async with asyncio.timeout(_RESOLVE_SECONDS):
                addresses = await self._resolver(name, port)
        except TimeoutError:
            reason = f"no answer within {_RESOLVE_SECONDS:g} seconds"
        except (OSError, UnicodeError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or "not a host name"
        else:
            if addresses:
                return addresses
            reason = "it has no address"
        raise ToolRefused(f"{_shown(name)} cannot be resolved ({reason}); check the address or try another source")

    async def _refuse_own(self, name: str, port: int, addresses: list[str]) -> None:
        """By address, of this machine and of private networks: what is on the internet is there for everybody."""
        for own_host, own_port in self._own:
            if port != own_port:
                continue
            local = {address for address in addresses if not is_public(address) or is_this_machine(address)}
            if local and await self._leads_to(local, own_host, own_port):
                raise ToolRefused(f"{_shown(name)}:{port} is refused: it belongs to the runtime itself")

    async def _leads_to(self, local: set[str], own_host: str, own_port: int) -> bool:
        try:
            own = await self._resolver(own_host, own_port)
        except (OSError, UnicodeError):
            return False
        return bool(local & set(own)) or (any(map(is_this_machine, local)) and any(map(is_this_machine, own)))


def _plain(host: str) -> str:
    """The host in lower case, without brackets and last dot. Raises `ToolRefused` for what is written to be misread."""
    name = host.strip("[]").removesuffix(".").lower()
    if "%" in name:
        raise ToolRefused(f"{_shown(host)} is refused: an address with a zone leads into a private network")
    if not name.isprintable() or any(sign in name for sign in " /\\@?#<>|^`{}\"'"):
        raise ToolRefused(f"{_shown(host)} cannot be resolved (not a host name); check the address")
    if not name.isascii():
        try:
            name = name.encode("idna").decode()
        except UnicodeError:
            raise ToolRefused(f"{_shown(host)} cannot be resolved (not a host name); check the address") from None
    if _NUMBER.match(name.rpartition(".")[2]) and not _USUAL_IPV4.match(name):
        raise ToolRefused(f"{_shown(host)} is refused: write an IPv4 address as four decimal numbers, like 192.0.2.1")
    return name


def _shown(host: str) -> str:
    return host[:100].encode("unicode_escape").decode()


def _host_and_ports(entry: str) -> list[tuple[str, int]]:
    text = entry.strip().lower()
    host, separator, port = text.rpartition(":")
    if separator and port.isdigit() and (":" not in host or host.endswith("]")):
        return [(host.strip("[]"), int(port))]
    return [(text.strip("[]"), number) for number in DEFAULT_PORTS.values()]
