"""Where this server may connect to: every address of a host is looked at before any of them is used (threats T01).

It owns the name lookup and the table of refused networks, and refuses to guess: one refused address of a host refuses the
host, so that a name that alternates gains nothing, and callers connect to the returned addresses only, so that a second
lookup never happens. What the operator lists is allowed; nothing else inside the machine or its networks is.

See IANA's special-purpose registries (RFC 6890), RFC 6052 (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo).
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Sequence
from typing import Final, TypeAlias

from postroom_server.errors import AddressDenied, ProviderUnreachable

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

MAIL_PORTS: Final = frozenset(
    {25, 110, 143, 465, 587, 993, 995, 1025, 1143, 1465, 1587, 1993, 2143, 2465, 2525, 2587, 2993, 4190}
)
"""Ports of mail protocols and the usual spellings of them beyond 1024; with loopback allowed, any port."""
MAX_HOST: Final = 253
MAX_ADDRESSES: Final = 16
"""Addresses of one host that are looked at; a host with more is refused."""
RESOLVE_SECONDS: Final = 10.0

_HOST: Final = re.compile(
    r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?"
)
_REFUSED: Final = tuple(
    ipaddress.ip_network(one)
    for one in (
        # IPv4: this network, private, shared (holds 100.100.100.200), loopback, link-local (holds 169.254.169.254),
        # protocol assignments, documentation, 6to4 relays, benchmarks, multicast, reserved, broadcast.
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        # IPv6: everything that is not global unicast, and of that Teredo, ORCHID, documentation, benchmarks.
        "::/3",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
        "4000::/2",
        "8000::/1",
    )
)
_LOOPBACK: Final = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
_NAT64: Final = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
_NEVER: Final = tuple(
    ipaddress.ip_network(one)
    for one in (
        "169.254.0.0/16",
        "fe80::/10",
        "fd00:ec2::254/128",
        "100.100.100.200/32",
        "0.0.0.0/8",
        "::/128",
        "224.0.0.0/4",
        "ff00::/8",
    )
)
"""Link-local and the addresses of clouds' metadata: not even inside a listed network, unless that network lies in it."""


class GuardedEgress:
    """The rule of one node.

    Args:
        allow_private: Networks that may be connected to although they are not public.
        allow_loopback: Also this machine, on any port (development).
    """

    def __init__(self, allow_private: Sequence[Network] = (), *, allow_loopback: bool = False) -> None:
        self._allowed = (*allow_private, *(_LOOPBACK if allow_loopback else ()))
        self._any_port = allow_loopback

    async def resolve(self, host: str, port: int) -> list[str]:
        """IP addresses of `host` to try in order, each checked; see `providers.Egress`.

        Raises:
            AddressDenied: The port, the spelling of the host or one of its addresses is not allowed; which one is not said.
            ProviderUnreachable: The name has no address (`stage="dns"`).
        """
        if not 0 < port < 65_536 or not (self._any_port or port in MAIL_PORTS):
            raise AddressDenied("the port is not one of mail", port=str(port))
        name = ascii_host(host)
        found = await self._lookup(name, port)
        if len(found) > MAX_ADDRESSES or not all(self.allows(one) for one in found):
            raise AddressDenied(host=name)
        return found

    def allows(self, address: str) -> bool:
        """Whether this server may connect to the IP address, in whatever notation it is."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(found, ipaddress.IPv6Address) and found.scope_id is not None:
            return False
        return all(self._allows(one) for one in _reached(found))

    def _allows(self, address: IpAddress) -> bool:
        listed = [network for network in self._allowed if address in network]
        for never in _NEVER:
            if address in never and not any(_inside(network, never) for network in listed):
                return False
        return bool(listed) or not any(address in network for network in _REFUSED)

    @staticmethod
    async def _lookup(name: str, port: int) -> list[str]:
        """All addresses of a name, or what a numeric spelling of any kind stands for; each once, in order."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                rows = await loop.getaddrinfo(name, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        except (OSError, UnicodeError, TimeoutError) as error:
            raise ProviderUnreachable("the host has no address", stage="dns", host=name) from error
        found = list(dict.fromkeys([str(row[4][0]) for row in rows]))
        if not found:
            raise ProviderUnreachable("the host has no address", stage="dns", host=name)
        return found


def ascii_host(host: str) -> str:
    """A host name with A-labels, or an IP address without brackets. Raises AddressDenied for any other spelling."""
    text = host.strip()
    if len(text) > MAX_HOST or "%" in text:
        raise AddressDenied("the host is not well formed")
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    if ":" in text:
        try:
            return str(ipaddress.IPv6Address(text))
        except ValueError as error:
            raise AddressDenied("the host is not well formed") from error
    if not text.isascii():
        try:
            text = text.encode("idna").decode("ascii")
        except UnicodeError as error:
            raise AddressDenied("the host is not well formed") from error
    if len(text) > MAX_HOST or not _HOST.fullmatch(text):
        raise AddressDenied("the host is not well formed")
    return text.lower()


def _inside(network: Network, wide: Network) -> bool:
    if isinstance(network, ipaddress.IPv4Network) and isinstance(wide, ipaddress.IPv4Network):
        return network.subnet_of(wide)
    if isinstance(network, ipaddress.IPv6Network) and isinstance(wide, ipaddress.IPv6Network):
        return network.subnet_of(wide)
    return False


def _reached(address: IpAddress) -> list[IpAddress]:
    """The address itself, or the IPv4 address that an IPv6 one leads to, beside itself where it is a real one."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if any(address in network for network in _NAT64):
        return [address, ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)]
    if address.sixtofour is not None:
        return [address, address.sixtofour]
    return [address]
