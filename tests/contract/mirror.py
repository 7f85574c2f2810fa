"""What a reader of observations knows of one scope: the shortest possible snapshot.

It owns the meaning of an observation, written a second time and as plainly as can be, so that the suite does not lean on
the product's own diff.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from postroom_server.domain.flags import Flag
from postroom_server.domain.keys import ScopeId
from postroom_server.domain.ports import MAX_PROVIDER_CURSOR, Call, MailAccount, MarkKind, ProviderCursor

State = dict[int, frozenset[Flag]]


@dataclass
class Mirror:
    """Number -> flags of one scope, kept by reading changes from cursor to cursor."""

    account: MailAccount
    scope: ScopeId
    state: State = field(default_factory=dict)
    cursor: ProviderCursor | None = None
    epoch: int = 0
    shown: set[int] = field(default_factory=set)
    """Numbers that the last look named as present."""
    gone: set[int] = field(default_factory=set)
    """Known numbers that the last look named as gone, or left out of a whole reading."""

    async def look(self, call: Call) -> State:
        """Reads from the cursor on and returns the state that follows."""
        self.shown, self.gone = set(), set()
        cursor = None
        async for page in self.account.changes(call, self.scope, self.cursor):
            assert cursor is None, "the cursor comes on the last page only"
            assert page.scope == self.scope
            self.epoch, cursor = page.epoch, page.cursor
            present = set(page.present.numbers)
            left = set(page.gone.numbers) & self.state.keys()
            if page.whole:
                left = self.state.keys() - present
            self.shown |= present
            self.gone |= left
            for number in left - present:
                del self.state[number]
            absolute = MarkKind.FLAG in page.absolute
            for number in present:
                self.state[number] = frozenset() if absolute else self.state.get(number, frozenset())
            for (kind, name), keys in page.on.items():
                for number in set(keys.numbers) & self.state.keys() if kind is MarkKind.FLAG else ():
                    self.state[number] |= {Flag(name)}
            for (kind, name), keys in page.off.items():
                for number in set(keys.numbers) & self.state.keys() if kind is MarkKind.FLAG else ():
                    self.state[number] -= {Flag(name)}
        assert cursor is not None, "the last page carries the cursor"
        assert len(cursor) <= MAX_PROVIDER_CURSOR
        self.cursor = cursor
        return dict(self.state)
