"""Internal signals: never said to a caller, each has one who catches it."""

from __future__ import annotations


class Fenced(Exception):
    """Another process holds the shard's lease: drop the shard at once."""


class Conflict(Exception):
    """The store is not where the writer thought: read it again and decide.

    Args:
        sequence: The feed's sequence in the store.
        incarnation: The account's incarnation in the store.
        field: The position that differed, empty when sequence or incarnation did.
    """

    def __init__(self, sequence: int, incarnation: str, field: str = "") -> None:
        super().__init__(f"at {incarnation}/{sequence}, {field or 'sequence'} differs")
        self.sequence, self.incarnation, self.field = sequence, incarnation, field


class AccountGone(Exception):
    """The account was deleted."""


class ProviderCursorExpired(Exception):
    """The provider no longer knows the position of a scope; it is read from nothing.

    Args:
        kind: `UIDVALIDITY_CHANGED`, `HISTORY_EXPIRED` or `DELTA_EXPIRED`.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind
