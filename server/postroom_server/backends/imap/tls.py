"""TLS towards mail servers: contexts, and how much memory an idle connection may hold.

Owns the TLS defaults (threats T20): TLS 1.2 or later, certificate and host name checked, no switch to turn that off; an
operator's CA file is trusted beside the system's. Refuses connections: `connection.py` makes them.
"""

from __future__ import annotations

import ssl
from asyncio import sslproto

__all__ = ["client_context", "shrink_tls_buffers"]

TLS_BUFFER_BYTES = 16 << 10
"""Read buffer of one TLS connection: one TLS record. CPython's default of 256 KiB is six times the rest of it."""


def client_context(ca_file: str = "") -> ssl.SSLContext:
    """Return a context that checks certificate and host name.

    Args:
        ca_file: PEM file of further authorities; empty for the system's alone.

    Raises:
        OSError: The file cannot be read, or holds no certificate.
    """
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    return context


def shrink_tls_buffers() -> bool:
    """Give asyncio's TLS connections made from now on a small read buffer; return whether that could be done.

    `max_size` is a private attribute of CPython 3.11 and later; where it is missing nothing is changed.
    """
    if isinstance(getattr(sslproto.SSLProtocol, "max_size", None), int):
        sslproto.SSLProtocol.max_size = TLS_BUFFER_BYTES
        return True
    return False
