"""Opens sockets to checked addresses, and says in one word why that failed.

Owns socket options: no delay for small commands, keep-alive and user timeout so that a peer that has vanished is noticed
while nothing is sent (F02). Refuses names: the egress rule has resolved and checked them.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl

__all__ = ["connect", "encryption", "why"]

KEEPALIVE_IDLE_SECONDS = 30
KEEPALIVE_INTERVAL_SECONDS = 10
KEEPALIVE_PROBES = 3
USER_TIMEOUT_MILLISECONDS = 60_000
"""Bytes that nobody acknowledged for so long: the peer is gone."""

_TCP_OPTIONS = (
    ("TCP_NODELAY", 1),
    ("TCP_KEEPIDLE", KEEPALIVE_IDLE_SECONDS),
    ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL_SECONDS),
    ("TCP_KEEPCNT", KEEPALIVE_PROBES),
    ("TCP_USER_TIMEOUT", USER_TIMEOUT_MILLISECONDS),
)


async def connect(address: str, port: int) -> socket.socket:
    """Return a connected, non-blocking socket.

    Args:
        address: An IP address, of either family.
        port: TCP port.

    Raises:
        OSError: The connection was refused or is impossible.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    link = socket.socket(family, socket.SOCK_STREAM)
    try:
        link.setblocking(False)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _TCP_OPTIONS:
            if hasattr(socket, name):
                link.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        await asyncio.get_running_loop().sock_connect(link, (address, port))
    except BaseException:
        link.close()
        raise
    return link


def encryption(transport: asyncio.BaseTransport | None) -> str:
    """Return how a connection is encrypted, for people."""
    tls = transport.get_extra_info("ssl_object") if transport is not None else None
    if tls is None:
        return "connected, not encrypted"
    return f"encrypted: {tls.version()}, {(tls.cipher() or ('?',))[0]}"


def why(fault: BaseException) -> str:
    """Return the cause of a failed connection in a few words, without addresses or paths."""
    if isinstance(fault, ssl.SSLCertVerificationError):
        return str(fault.verify_message)
    if isinstance(fault, ssl.SSLError):
        return str(fault.reason or "the handshake failed").lower().replace("_", " ")
    if isinstance(fault, TimeoutError):
        return "no answer"
    if isinstance(fault, OSError) and fault.errno:
        return os.strerror(fault.errno).lower()
    return "the connection was closed"
