"""Page tokens: opaque, signed, bound to the caller's parameters.

It owns their form: base64url of (kind, check over kind, parameters and position, position). A token of another listing,
of changed parameters or of another store's key is PAGE_TOKEN_INVALID; nobody can build a position by hand. It refuses
to keep state.

See Also:
    https://google.aip.dev/158
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

from postroom_server.errors import PageTokenInvalid, RequestInvalid

MAX_TOKEN: Final = 2_000
"""Characters of a token that are looked at."""
MAX_POSITION: Final = 1_000
"""Bytes of the position inside a token."""
_CHECK_BYTES: Final = 12


def page_size(given: int, *, default: int, most: int) -> int:
    """The number of rows to send: 0 means `default`, more than `most` is cut. Raises RequestInvalid below 0."""
    if given < 0:
        raise RequestInvalid("pageSize", "must not be negative")
    return min(given or default, most)


class Pager:
    """Signs and reads page tokens under one key.

    Args:
        key: At least 16 bytes, the same on every node.
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = hashlib.blake2b(key, person=b"postroom-pages", digest_size=32).digest()

    def token(self, listing: str, parameters: Sequence[object], position: bytes) -> str:
        """A token for the rows after `position`.

        Args:
            listing: The method's name.
            parameters: What the caller asked for; order matters, the page size does not belong here.
            position: At most MAX_POSITION bytes; empty means that nothing follows, and makes an empty token.
        """
        if not position:
            return ""
        if len(position) > MAX_POSITION:
            raise ValueError("position is too long for a page token")
        return (
            base64.urlsafe_b64encode(self._check(listing, parameters, position) + position)
            .decode()
            .rstrip("=")
        )

    def position(self, listing: str, parameters: Sequence[object], token: str) -> bytes:
        """The position in a caller's token; empty for an empty token. Raises PageTokenInvalid."""
        if not token:
            return b""
        if len(token) > MAX_TOKEN or not token.isascii():
            raise PageTokenInvalid
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raise PageTokenInvalid from None
        check, position = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
        if not position or not hmac.compare_digest(check, self._check(listing, parameters, position)):
            raise PageTokenInvalid
        return position

    def _check(self, listing: str, parameters: Sequence[object], position: bytes) -> bytes:
        parts = [listing, *map(repr, parameters)]
        text = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
        return hashlib.blake2b(text + position, key=self._key, digest_size=_CHECK_BYTES).digest()
