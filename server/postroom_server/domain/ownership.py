"""Where an account is run: here, on another node, or nowhere at the moment.

It owns the answer's shape and refuses how it is found (leases and their cache are the workers').
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from postroom_server.ids import AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """This node runs the account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """Another node runs it; `address` is `host:port` or `unix:///path`."""

    address: str


class Directory(Protocol):
    """Which node runs an account."""

    async def owner(self, account: AccountId) -> Local | Remote | None:
        """None: no node at the moment, or it is not known; ask again soon.

        An answer may be old: the owner itself refuses a call for an account that it does not run.
        """
        ...

    def forget(self, account: AccountId) -> None:
        """The answer was wrong: look at the leases again."""
        ...
