"""The position in one mailbox, as the bytes that the account's snapshot keeps.

Owns its form: UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ, the number of messages and, where the server counts no modifications,
a digest of what was seen, so that two different positions never have equal bytes. Refuses bytes that it did not make.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from postroom_server.domain.ports import ProviderCursor
from postroom_server.errors import ProviderCursorExpired

__all__ = ["Position"]

VERSION = 1
_FORM = struct.Struct(">BIIQIQ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a mailbox was when it was last read; `modseq` 0: the server counts no modifications."""

    uidvalidity: int
    uidnext: int
    modseq: int
    messages: int
    digest: int = 0

    def pack(self) -> ProviderCursor:
        """Return the cursor."""
        return ProviderCursor(
            _FORM.pack(VERSION, self.uidvalidity, self.uidnext, self.modseq, self.messages, self.digest)
        )

    @classmethod
    def unpack(cls, cursor: ProviderCursor) -> Position:
        """Read a cursor.

        Raises:
            ProviderCursorExpired: It is of another version or kind of backend; the scope is to be read from nothing.
        """
        try:
            version, uidvalidity, uidnext, modseq, messages, digest = _FORM.unpack(cursor)
        except struct.error:
            version = 0
        if version != VERSION:
            raise ProviderCursorExpired("HISTORY_EXPIRED")
        return cls(uidvalidity=uidvalidity, uidnext=uidnext, modseq=modseq, messages=messages, digest=digest)

    def is_current(self, numbers: Mapping[str, int]) -> bool:
        """Whether STATUS numbers show this very position; flags are covered only where modifications are counted."""
        if numbers.get("UIDVALIDITY") != self.uidvalidity or numbers.get("UIDNEXT") != self.uidnext:
            return False
        return numbers.get("MESSAGES") == self.messages and numbers.get("HIGHESTMODSEQ", 0) == self.modseq
