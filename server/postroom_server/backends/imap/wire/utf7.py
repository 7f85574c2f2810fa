"""Modified UTF-7, the spelling of mailbox names before IMAP4rev2 (RFC 3501 section 5.1.3).

Owns the two directions. Refuses to guess: bytes that are no modified UTF-7 are read as UTF-8 or else Latin-1, for
people to see; whoever sends a name back to the server sends the bytes that came.
"""

from __future__ import annotations

import binascii
import re

from postroom_server.backends.imap.wire.faults import NotEncodable

__all__ = ["decode_utf7", "encode_utf7"]

_SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*)-")
_PLAIN_OR_NOT = re.compile(r"[\x20-\x7e]+|[^\x20-\x7e]+")


def _decode_run(match: re.Match[bytes]) -> bytes:
    run = match.group(1)
    if not run:
        return b"&"
    padded = run.replace(b",", b"/") + b"=" * (-len(run) % 4)
    return binascii.a2b_base64(padded).decode("utf-16-be").encode()


def decode_utf7(name: bytes) -> str:
    """Return a mailbox name for people; never raises."""
    try:
        if name.isascii():
            return _SHIFTED.sub(_decode_run, name).decode()
    except (ValueError, UnicodeError):
        return name.decode("ascii")
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")


def encode_utf7(name: str) -> bytes:
    """Return a mailbox name for the wire: printable ASCII.

    Raises:
        NotEncodable: a lone surrogate.
    """
    encoded = bytearray()
    for run in _PLAIN_OR_NOT.findall(name):
        if run[0].isascii() and run[0].isprintable():
            encoded += run.replace("&", "&-").encode("ascii")
            continue
        try:
            wide = run.encode("utf-16-be")
        except UnicodeEncodeError as error:
            raise NotEncodable("a mailbox name with half a character") from error
        encoded += b"&" + binascii.b2a_base64(wide, newline=False).rstrip(b"=").replace(b"/", b",") + b"-"
    return bytes(encoded)
