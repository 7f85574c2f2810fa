"""Where the server may connect to: the spellings of threats T01."""

import asyncio
import ipaddress
import socket

import pytest
from postroom_server.backends.egress import GuardedEgress
from postroom_server.errors import AddressDenied, ProviderUnreachable

INSIDE = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "0",
    "0.0.0.0", "127.0.0.1.", "localhost", "LOCALHOST", "localhost.", "127.255.255.254", "[::1]", "::1", "0:0:0:0:0:0:0:1",
    "::", "[::]", "::ffff:127.0.0.1", "::ffff:7f00:1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::10.0.0.1",
    "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::", "2001:0:7f00:1::", "10.0.0.1", "0xa000001",
    "10.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "3232235521", "0300.0250.0.1", "169.254.169.254",
    "0xa9fea9fe", "2852039166", "::ffff:169.254.169.254", "100.64.0.1", "100.100.100.200", "fd00:ec2::254", "fc00::1",
    "fe80::1", "fe80::1%1", "fec0::1", "ff02::1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "100::1", "１２７.0.0.1",
    "⑫7.0.0.1",
]  # fmt: skip
MALFORMED = [
    "", " ", "a b", "user@127.0.0.1", "a@b", "http://127.0.0.1", "127.0.0.1:80", "127.0.0.1/", "a..b", ".a", "-a", "a\r\nb",
    "a\x00b", "[::1", "[127.0.0.1", "::1%lo:", "x" * 300, "a." + "x" * 64, "\u202e", "a\\b", "*", "%31",
]  # fmt: skip


@pytest.mark.parametrize("host", INSIDE)
async def test_no_spelling_leads_inside(host):
    """Threats T01. A spelling that the resolver does not know is unreachable, which is as good."""
    with pytest.raises((AddressDenied, ProviderUnreachable)) as refused:
        await GuardedEgress().resolve(host, 993)
    assert "127.0.0.1" not in str(refused.value)


@pytest.mark.parametrize("host", MALFORMED)
async def test_what_is_no_host_is_refused(host):
    with pytest.raises(AddressDenied):
        await GuardedEgress(allow_loopback=True).resolve(host, 993)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("8.8.8.8", "8.8.8.8"),
        ("134744072", "8.8.8.8"),
        ("2606:4700:4700::1111", "2606:4700:4700::1111"),
        ("[2606:4700:4700::1111]", "2606:4700:4700::1111"),
    ],
)
async def test_public_addresses_are_given_back(host, address):
    assert await GuardedEgress().resolve(host, 993) == [address]


@pytest.mark.parametrize("port", [0, -1, 22, 80, 443, 6379, 65_536, 3306])
async def test_ports_that_are_none_of_mail_are_refused(port):
    with pytest.raises(AddressDenied):
        await GuardedEgress().resolve("8.8.8.8", port)


async def test_development_allows_loopback_on_any_port_and_nothing_else():
    egress = GuardedEgress(allow_loopback=True)
    assert await egress.resolve("127.0.0.1", 54_321) == ["127.0.0.1"]
    assert await egress.resolve("::1", 54_321) == ["::1"]
    assert "127.0.0.1" in await egress.resolve("localhost", 54_321)
    assert egress.allows("::ffff:127.0.0.1")
    for address in ("10.0.0.1", "169.254.169.254", "0.0.0.0", "fd00::1", "64:ff9b::a00:1"):
        assert not egress.allows(address)


async def test_the_operator_lists_networks_but_metadata_stays_out():
    everything = [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")]
    egress = GuardedEgress(everything)
    assert egress.allows("10.1.2.3")
    for address in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "224.0.0.1", "0.0.0.0", "::"):
        assert not egress.allows(address)
    assert GuardedEgress([ipaddress.ip_network("169.254.7.0/24")]).allows("169.254.7.1")
    assert not GuardedEgress([ipaddress.ip_network("10.0.0.0/8")]).allows("192.168.0.1")


async def test_one_refused_address_refuses_the_host(monkeypatch):
    """A name that answers with a public and a private address, in any order, leads nowhere."""
    loop = asyncio.get_running_loop()

    async def both(host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in ("8.8.8.8", "10.0.0.1")]

    monkeypatch.setattr(loop, "getaddrinfo", both)
    with pytest.raises(AddressDenied):
        await GuardedEgress().resolve("alternates.example", 993)


async def test_a_name_is_looked_up_once(monkeypatch):
    """The addresses that were checked are the ones that are connected to: rebinding has no second lookup to answer."""
    loop = asyncio.get_running_loop()
    asked = []

    async def once(host, port, **_):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", port))] * 2

    monkeypatch.setattr(loop, "getaddrinfo", once)
    assert await GuardedEgress().resolve("Bücher.example", 993) == ["8.8.8.8"]
    assert asked == ["xn--bcher-kva.example"]


async def test_a_name_without_addresses_is_unreachable(monkeypatch):
    loop = asyncio.get_running_loop()

    async def fails(host, port, **_):
        raise socket.gaierror(-2, "unknown")

    monkeypatch.setattr(loop, "getaddrinfo", fails)
    with pytest.raises(ProviderUnreachable) as refused:
        await GuardedEgress().resolve("none.example", 993)
    assert refused.value.metadata["stage"] == "dns"
