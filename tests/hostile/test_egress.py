"""The egress guard: which addresses no tool reaches, however they are written, wrapped, resolved or redirected to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import httpcore
import httpx
import pytest

from agent_runtime.config import Settings
from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.web.addresses import is_public, is_this_machine
from agent_runtime.toolbox.web.client import HttpLimits, check_url, guarded_client
from agent_runtime.toolbox.web.egress import EgressGuard, system_resolver
from agent_runtime.toolbox.web.egress_proxy import EgressProxy, ProxyLimits, egress_proxy
from agent_runtime.toolbox.web.exchange import exchange
from agent_runtime.toolbox.web.own import own_hosts
from tests.hostile.site import site

NOT_PUBLIC = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "ff0e::1", "100::1",
    "2001:db8::1", "3fff::1", "5f00::1", "4000::1",
    # Wrapped, whatever is inside: mapped, compatible, translated, NAT64 of both kinds, 6to4, Teredo, ISATAP.
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8", "::127.0.0.1", "::8.8.8.8", "::ffff:0:8.8.8.8",
    "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "2002:7f00:1::", "2002:808:808::1", "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2a00:1450::5efe:7f00:1", "2a00:1450::200:5efe:a00:1",
    "not an address", "", "8.8.8.8/32", "1.1.1", "0x8.8.8.8",
]  # fmt: skip

SPELLINGS = [
    "2130706433", "0x7f000001", "017700000001", "0x7f.1", "127.1", "127.0.1", "0177.0.0.1", "0x7f.0x0.0x0.0x1",
    "127.0.0.01", "127.0.0.1.", "0", "0.0.0.0", "00.0.0.0", "8.8.2056", "134744072", "0x08080808", "010.8.8.8",
    "１２７.0.0.1", "①②⑦.0.0.1", "127。0。0。1", "localhost", "LOCALHOST.", "ｌｏｃａｌｈｏｓｔ",
    "169.254.169.254", "100.100.100.200", "100.64.0.1", "[::1]", "::1", "[::ffff:7f00:1]", "[::ffff:127.0.0.1]",
    "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1%eth0]", "[fe80::1%25lo]", "[0:0:0:0:0:0:0:1]",
    "[ff02::1]", "1.2.3.4.5", "256.1.1.1", "127.0.0.1:80", "127.0.0.1@8.8.8.8", "127.0.0.1#.example", "a b", "x\0y",
    "8.8.8.8\r\nHost: x", "no-such-host.invalid", "a" * 300, "\udcff", "xn--", "",
]  # fmt: skip


def resolver(**names: Iterable[str]) -> EgressGuard:
    """A guard whose names lead where the test says, dots written as `_`; what it was asked is in `asked`."""

    async def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        known = names.get(host.replace(".", "_"))
        return list(known) if known is not None else await system_resolver(host, port)

    asked: list[tuple[str, int]] = []
    guard = EgressGuard(resolver=resolve)
    guard.asked = asked  # type: ignore[attr-defined]
    return guard


def test_an_address_that_is_not_public_is_known_as_such() -> None:
    assert [address for address in NOT_PUBLIC if is_public(address)] == []


def test_a_public_address_is_known_as_such() -> None:
    public = ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e"]
    assert [address for address in public if not is_public(address)] == []


async def test_no_spelling_of_an_address_gets_past_the_guard() -> None:
    for host in SPELLINGS:
        with pytest.raises(ToolRefused) as refusal:
            await EgressGuard().resolve(host, 80)
        assert str(refusal.value).isprintable(), host


async def test_no_spelling_gets_past_the_client_as_a_url() -> None:
    async with guarded_client(EgressGuard(), HttpLimits(seconds=5)) as http:
        for host in [*SPELLINGS, "user:pass@8.8.8.8", "8.8.8.8:99999", "8.8.8.8:0"]:
            with pytest.raises(ToolRefused):
                await http.get(check_url(f"http://{host}/"))
        for url in ("file:///etc/passwd", "ftp://8.8.8.8/", "gopher://8.8.8.8/", "//8.8.8.8/", "http:///x", "x", ""):
            with pytest.raises(ToolRefused, match=r"http:// or https://"):
                check_url(url)


async def test_every_address_of_a_name_is_checked_and_one_private_one_refuses_it() -> None:
    guard = resolver(two_test=["93.184.216.34", "10.0.0.1"], six_test=["2606:4700:4700::1111", "::ffff:8.8.8.8"])
    for host in ("two.test", "six.test"):
        with pytest.raises(ToolRefused, match="not a public address"):
            await guard.resolve(host, 443)


async def test_ports_of_other_protocols_are_refused_on_public_hosts() -> None:
    guard = resolver(mail_test=["93.184.216.34"])
    for port in (22, 25, 53, 587, 5432, 6379, 11211):
        with pytest.raises(ToolRefused, match="another protocol"):
            await guard.resolve("mail.test", port)
    assert await guard.resolve("mail.test", 8443) == ["93.184.216.34"]


async def test_what_the_operator_allows_is_allowed_at_that_port_alone() -> None:
    guard = EgressGuard(["127.0.0.1:8080", "[::1]:9090", "localhost"])
    assert await guard.resolve("127.0.0.1", 8080) == ["127.0.0.1"]
    assert await guard.resolve("::1", 9090) == ["::1"]
    assert await guard.resolve("localhost", 443)
    for host, port in [("127.0.0.1", 8081), ("localhost", 8080), ("127.0.0.2", 8080)]:
        with pytest.raises(ToolRefused, match="not a public address"):
            await guard.resolve(host, port)
    with pytest.raises(ToolRefused, match="is not a list"):
        guard.allowing("127.0.0.1")
    again = EgressGuard.from_json(guard.allowing(["127.0.0.1:8081"]).to_json())
    assert await again.resolve("127.0.0.1", 8081) == ["127.0.0.1"]


async def test_where_a_cloud_keeps_its_keys_is_never_reached_though_it_was_allowed() -> None:
    guard = EgressGuard(["169.254.169.254", "[fd00:ec2::254]:80"])
    for host in ("169.254.169.254", "fd00:ec2::254"):
        with pytest.raises(ToolRefused, match="keeps a machine's keys"):
            await guard.resolve(host, 80)


async def test_the_runtime_itself_is_never_reached_by_no_name_or_address_though_it_was_allowed() -> None:
    settings = Settings.model_validate(
        {
            "DATABASE_URL": "postgresql://u:p@127.0.0.1:5499/x",
            "SUPABASE_URL": "http://localhost:54321",
            "own_hosts": ["127.0.0.1:8080"],
        }
    )
    own = own_hosts(settings, {"ollama_base_url": "http://localhost:11434"})
    assert sorted(own) == ["127.0.0.1:5499", "127.0.0.1:8080", "localhost:11434", "localhost:54321"]
    hosts = ("127.0.0.1", "localhost", "127.0.0.2", "[::1]", "0.0.0.0")
    allowed = [f"{host}:{port}" for host in hosts for port in (5499, 8080, 11434, 54321, 9)]
    guard = EgressGuard(allowed, own=own)
    for host in ("127.0.0.1", "localhost", "127.0.0.2", "::1", "0.0.0.0"):
        for port in (5499, 8080, 11434, 54321):
            with pytest.raises(ToolRefused, match="belongs to the runtime itself"):
                await guard.resolve(host, port)
    assert await guard.resolve("127.0.0.2", 9)
    assert is_this_machine("127.0.0.1")
    assert not is_this_machine("93.184.216.34")


class LocalNetwork(httpcore.AnyIOBackend):
    """The internet of a test: each public address that is connected to is the test's own server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connected: list[str] = []

    async def connect_tcp(self, host: str, port: int, *rest: object, **more: object) -> httpcore.AsyncNetworkStream:
        self.connected.append(f"{host}:{port}")
        return await super().connect_tcp("127.0.0.1", self.port)


async def test_a_public_address_on_a_permitted_host_is_reached_at_the_address_that_was_checked() -> None:
    async with site() as ours:
        network, guard = LocalNetwork(ours.port), resolver(shop_test=["93.184.216.34"])
        async with guarded_client(guard, network=network) as http:
            answer = await exchange(http, HttpLimits(), "GET", check_url("http://shop.test/echo"))
    assert answer.status == 200
    assert network.connected == ["93.184.216.34:80"]
    assert b"host: shop.test" in answer.body.lower()


async def test_a_name_that_leads_elsewhere_the_second_time_gains_nothing() -> None:
    answers = iter([["93.184.216.34"], ["127.0.0.1"], ["127.0.0.1"]])

    async def rebinding(host: str, port: int) -> list[str]:
        return next(answers)

    async with site() as ours:
        network = LocalNetwork(ours.port)
        async with guarded_client(EgressGuard(resolver=rebinding), network=network) as http:
            await http.get("http://rebind.test/echo")
            assert network.connected == ["93.184.216.34:80"]
            # The server ended the first connection, so this is a new one.
            with pytest.raises(ToolRefused, match=r"127\.0\.0\.1 is not a public address"):
                await http.get("http://rebind.test/echo")
        assert network.connected == ["93.184.216.34:80"]


async def test_each_redirect_is_checked_again() -> None:
    targets = (
        "http://127.0.0.1:1/", "http://169.254.169.254/latest/", "http://[::1]/", "http://2130706433/",
        "http://inner.test/", "file:///etc/passwd", "http://u:p@shop.test/", "//127.0.0.1/x", "javascript:alert(1)",
    )  # fmt: skip
    async with site() as ours:
        guard = resolver(shop_test=["93.184.216.34"], inner_test=["10.0.0.1"])
        network, limits = LocalNetwork(ours.port), HttpLimits()
        async with guarded_client(guard, network=network) as http:
            for target in targets:
                ours.target = target
                with pytest.raises(ToolRefused):
                    await exchange(http, limits, "GET", check_url("http://shop.test/redirect"))
    assert set(network.connected) == {"93.184.216.34:80"}


async def _asked(proxy: EgressProxy, request: bytes, then: bytes = b"") -> bytes:
    """What the proxy says to a request, and what comes after `then` was sent."""
    if proxy.path:
        reader, writer = await asyncio.open_unix_connection(proxy.path)
    else:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        writer.write(request)
        found = b""
        if then:
            found = await reader.readuntil(b"\r\n\r\n")
            writer.write(then)
        with_end = await reader.read(-1)
        return found + with_end
    finally:
        writer.close()


async def test_the_proxy_on_a_socket_carries_http_and_nothing_else(tmp_path: Path) -> None:
    async with site() as ours, egress_proxy(EgressGuard([f"127.0.0.1:{ours.port}"]), path=tmp_path / "out") as proxy:
        host = f"127.0.0.1:{ours.port}".encode()
        connect = b"CONNECT " + host + b" HTTP/1.1\r\n\r\n"
        get = b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert b"get /echo" in (await _asked(proxy, connect, get)).lower()
        # A host that is not the one that was checked is not passed on.
        plain = await _asked(proxy, b"GET http://" + host + b"/echo HTTP/1.1\r\nHost: other.test\r\n\r\n")
        assert b"host: " + host in plain.lower()
        assert b"other.test" not in plain
        for speech in (b"EHLO me\r\n", b"SSH-2.0-x\r\n", b"\x00\x00\x00\x08\x04\xd2\x16\x2f", b"*1\r\n$4\r\nPING\r\n"):
            assert await _asked(proxy, connect, speech) == b"HTTP/1.1 200 Connection established\r\n\r\n"
        assert proxy.refusals[host.decode()] == "only http and https go out, no other protocol"
        for target in (b"127.0.0.1:1", b"[::1]:80", b"169.254.169.254:80", b"2130706433:80"):
            assert (await _asked(proxy, b"CONNECT " + target + b" HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 403")
        for broken in (b"GET / HTTP/1.1\r\n\r\n", b"GET ftp://x/ HTTP/1.1\r\n\r\n", b"CONNECT :80 HTTP/1.1\r\n\r\n"):
            assert (await _asked(proxy, broken)).startswith(b"HTTP/1.1 400")
    assert not (tmp_path / "out").exists()


async def test_the_proxy_ends_what_carries_too_much_and_asks_for_its_password() -> None:
    async with site() as ours:
        guard, limits = EgressGuard([f"127.0.0.1:{ours.port}"]), ProxyLimits(carried_bytes=100_000)
        async with egress_proxy(guard, limits=limits) as proxy:
            assert (await _asked(proxy, b"GET http://x/ HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 407")
            async with httpx.AsyncClient(proxy=proxy.url, trust_env=False) as http:
                with pytest.raises(httpx.TransportError):
                    await http.get(f"http://127.0.0.1:{ours.port}/endless")
            assert "carried_bytes" in proxy.refusals["limit"]
