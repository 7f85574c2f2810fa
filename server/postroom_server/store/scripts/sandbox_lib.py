"""What the calls of every script that writes to a sandbox account have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from postroom_server.store.keys import AccountKeys
from postroom_server.store.scripts import Script, Value

HISTORY_RECORDS: Final = 5_000
"""Changes of messages that a sandbox account remembers; older cursors have expired."""


class Writing(Script):
    """A script that stands on sandbox_lib.lua."""

    __slots__ = ()

    account: AccountKeys

    def keys(self) -> Sequence[str]:
        """As sandbox_lib.lua says."""
        one = self.account
        return (
            one.sandbox,
            one.sandbox_mailboxes,
            one.sandbox_messages,
            one.sandbox_history,
            one.sandbox_references,
            one.sandbox_hints,
        )

    def args(self) -> Sequence[Value]:
        """As sandbox_lib.lua says, then what is the script's own."""
        return (self.account.sandbox_raw_prefix, HISTORY_RECORDS, *self.own())

    def own(self) -> Sequence[Value]:
        """From ARGV 3 on."""
        raise NotImplementedError
