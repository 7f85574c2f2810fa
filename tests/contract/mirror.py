"""What a reader of observations knows of one mailbox: the shortest possible snapshot.

It owns the meaning of an observation, written a second time and as plainly as can be, so that the suite does not lean on
the product's own diff. Messages go by the number at the end of their keys, which every world deals out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from postroom_server.domain.flags import Flag
from postroom_server.domain.keys import ItemKey, MailboxKey, ScopeId
from postroom_server.domain.ports import (
    MAX_PROVIDER_CURSOR,
    Call,
    MailAccount,
    Mark,
    MarkKind,
    ProviderCursor,
    mailbox_mark,
)

from tests.fixtures.worlds import mailbox_row

State = dict[int, frozenset[Flag]]


def number_of(key: ItemKey) -> int:
    """What the world calls the message."""
    return int.from_bytes(key[-4:], "big")


@dataclass
class Mirror:
    """Number -> flags of one mailbox, kept by reading changes of its scope from cursor to cursor."""

    account: MailAccount
    scope: ScopeId
    mailbox: MailboxKey
    marks: dict[int, frozenset[Mark]] = field(default_factory=dict)
    """Of everything in the scope."""
    keys: dict[int, ItemKey] = field(default_factory=dict)
    cursor: ProviderCursor | None = None
    epoch: int = 0
    shown: set[int] = field(default_factory=set)
    """Numbers that the last look named as present."""
    gone: set[int] = field(default_factory=set)
    """Numbers that were in the mailbox before the last look and no longer."""

    @property
    def state(self) -> State:
        """The mailbox as it was last seen."""
        scoped = self.account.capabilities.one_scope
        return {
            number: frozenset(Flag(name) for kind, name in marks if kind is MarkKind.FLAG)
            for number, marks in self.marks.items()
            if not scoped or mailbox_mark(self.mailbox) in marks
        }

    def again(self) -> Mirror:
        """Another reader that knows the same."""
        return Mirror(self.account, self.scope, self.mailbox, dict(self.marks), dict(self.keys), self.cursor)

    async def look(self, call: Call) -> State:
        """Reads from the cursor on and returns the state that follows."""
        before, self.shown = set(self.state), set()
        cursor = None
        async for page in self.account.changes(call, self.scope, self.cursor):
            assert cursor is None, "the cursor comes on the last page only"
            assert page.scope == self.scope
            self.epoch, cursor = page.epoch, page.cursor
            present = self._numbers(page.present)
            assert not present & self._numbers(page.gone), "a key is there or it is not"
            left = self.marks.keys() - present if page.whole else self._numbers(page.gone)
            self.shown |= present
            for number in left & self.marks.keys():
                del self.marks[number]
            for number in present:
                known = self.marks.get(number, frozenset())
                self.marks[number] = frozenset(one for one in known if one[0] not in page.absolute)
            for mark, keys in page.on.items():
                for number in self._numbers(keys) & self.marks.keys():
                    self.marks[number] |= {mark}
            for mark, keys in page.off.items():
                for number in self._numbers(keys) & self.marks.keys():
                    self.marks[number] -= {mark}
        assert cursor is not None, "the last page carries the cursor"
        assert len(cursor) <= MAX_PROVIDER_CURSOR
        self.cursor = cursor
        self.gone = before - self.state.keys()
        return self.state

    def _numbers(self, keys: Iterable[ItemKey]) -> set[int]:
        found = {number_of(key): key for key in keys}
        self.keys.update(found)
        return set(found)


async def mirror_of(account: MailAccount, path: str = "INBOX") -> Mirror:
    """A mailbox by its path, not looked at yet."""
    row = await mailbox_row(account, path)
    assert row.scope is not None
    return Mirror(account, ScopeId(row.scope), row.key)
