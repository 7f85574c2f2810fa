"""Addresses and tokens as they are given to `postroom.connect`, checked before anything is opened.

It owns what an address means, and that what cannot be one is said at once and not by a call that fails later.
"""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

PLAIN_PORT: Final = 80
TLS_PORT: Final = 443


def target_of(address: str, *, secure: bool = False) -> tuple[str, bool]:
    """The target for gRPC of `host:port`, `http(s)://host:port` or `unix:///path`, and whether to connect to it by TLS.

    Without a scheme, loopback is plain and everything else is TLS, so that a token never travels in clear by accident;
    with `secure` loopback is TLS too. Without a port it is 80 or, by TLS, 443.

    Raises:
        ValueError: It is no such address.
    """
    if address.startswith("unix:"):
        return address, False
    parts = urlsplit(address if "://" in address else f"//{address}")
    host, beside = parts.hostname, f"{parts.path.removesuffix('/')}{parts.query}{parts.fragment}"
    if parts.scheme not in {"", "http", "https"} or not host or "@" in parts.netloc or beside:
        raise ValueError(
            "the address is none of host:port, http://host:port, https://host:port and unix:///path"
        )
    tls = parts.scheme == "https" or (not parts.scheme and (secure or not _is_loopback(host)))
    port = parts.port or (TLS_PORT if tls else PLAIN_PORT)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}", tls


def checked(token: str) -> str:
    """The token. Raises ValueError, which does not show it, for one that no header can carry."""
    if not token.isascii() or not token.isprintable():
        raise ValueError("the token holds a character that no header may hold, such as the end of a line")
    return token


def is_loopback(target: str) -> bool:
    """Whether a target is this machine."""
    return _is_loopback(urlsplit(f"//{target}").hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
