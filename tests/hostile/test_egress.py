"""The egress guard: which addresses no tool reaches, however they are written or wrapped."""

from __future__ import annotations

import pytest

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.web.egress import EgressGuard, is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1",
        "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1",
        "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2001::1", "2001:db8::1", "fe80::1",
        "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "100::1", "not an address", "",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_known_as_such(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"],
)
def test_a_public_address_is_known_as_such(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST.",
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0177.0.0.1",
        "0",
        "::1",
        "169.254.169.254",
    ],
)
async def test_a_name_is_judged_by_what_it_resolves_to(host: str) -> None:
    with pytest.raises(ToolRefused, match=r"not a public address|cannot be resolved"):
        await EgressGuard().resolve(host, 80)


async def test_what_the_operator_allows_is_allowed_at_that_port_alone() -> None:
    guard = EgressGuard(["127.0.0.1:8080", "[::1]:9090", "localhost"])
    assert await guard.resolve("127.0.0.1", 8080) == ["127.0.0.1"]
    assert await guard.resolve("::1", 9090) == ["::1"]
    assert await guard.resolve("localhost", 443)
    for host, port in [("127.0.0.1", 8081), ("localhost", 8080), ("127.0.0.2", 8080)]:
        with pytest.raises(ToolRefused, match="not a public address"):
            await guard.resolve(host, port)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 300, "exa mple", "\udcff"])
async def test_a_name_that_does_not_resolve_is_said(host: str) -> None:
    with pytest.raises(ToolRefused, match="cannot be resolved"):
        await EgressGuard().resolve(host, 80)
