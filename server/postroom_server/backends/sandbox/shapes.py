"""The three kinds of provider that a sandbox account can be, each a translation of the same store.

It owns scopes, keys and how steps of history are shown, and refuses to ask the store. IMAP numbers messages per mailbox;
labels (Gmail) and folders (Graph) give each a key for life, and tell their changes per account or per folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol, TypeAlias

from pyroaring import BitMap

from postroom_server.backends.sandbox import matching
from postroom_server.backends.sandbox.positions import (
    ACCOUNT_SCOPE,
    Place,
    lasting_key,
    lasting_place,
    mailbox_key,
    mailbox_number,
    numbered_key,
    numbered_place,
)
from postroom_server.domain.accounts import SandboxProfile
from postroom_server.domain.flags import SYSTEM_FLAGS
from postroom_server.domain.keys import ItemKey, ItemKeys, NumberedKeys, ScopeId
from postroom_server.domain.ports import (
    Capabilities,
    K,
    Keyed,
    Mark,
    MarkKind,
    Membership,
    Numbering,
    Observations,
    ProviderCursor,
    mailbox_mark,
)
from postroom_server.domain.sandbox_store import ANY, SandboxRow, SandboxStep
from postroom_server.errors import MailboxNotFound

MAX_MESSAGE_BYTES: Final = 32 * 1024 * 1024
PUSH: Final = frozenset({"SANDBOX"})
REPEATED_STEPS: Final = 2
"""Steps before the cursor that a folder tells once more, as Graph's delta queries do."""
_FLAGS: Final = frozenset({MarkKind.FLAG})


class Shape(Protocol[K]):
    """How a kind of provider shows the account."""

    capabilities: Capabilities
    expired: str
    """Why a cursor of another epoch has no meaning."""
    forgotten: str
    """Why a cursor beyond the history has none."""
    repeats: int
    """Steps before a cursor that are told again."""
    provisional: bool
    """Whether what has left a scope may be in another one."""

    def scope_of(self, mailbox: int) -> ScopeId:
        """The scope that covers a mailbox."""
        ...

    def mailbox_of(self, scope: ScopeId) -> int:
        """The mailbox that a scope covers, ANY for all. Raises MailboxNotFound."""
        ...

    def key(self, epoch: int, number: int, mailbox: int) -> ItemKey:
        """The key of a message as it is in a mailbox."""
        ...

    def place(self, key: ItemKey) -> Place:
        """What a key says. Raises MessageNotFound."""
        ...

    def whole(
        self, scope: ScopeId, epoch: int, rows: Sequence[SandboxRow], cursor: ProviderCursor
    ) -> Observations[K]:
        """A scope of which these are all messages, the oldest first."""
        ...

    def steps(
        self, scope: ScopeId, epoch: int, steps: Sequence[SandboxStep], cursor: ProviderCursor | None
    ) -> Observations[K]:
        """What these steps, in their order, did to a scope."""
        ...


def _capabilities(
    words: str, membership: Membership, numbering: Numbering, *, one_scope: bool = False
) -> Capabilities:
    return Capabilities(
        membership=membership,
        numbering=numbering,
        one_scope=one_scope,
        push=PUSH,
        settable_flags=SYSTEM_FLAGS,
        keywords=True,
        search=dict(matching.FIELDS.values()),
        append="ANY",
        permanent_delete=True,
        begins_empty=True,
        max_source_bytes=MAX_MESSAGE_BYTES,
        provider={"sandbox": words},
    )


class _ByMailbox(Protocol[K]):
    """A scope, and so a position, per mailbox."""

    provisional: bool

    def keys_of(self, scope: ScopeId, epoch: int, numbers: Iterable[int]) -> K:
        """The keys of messages of a mailbox."""
        ...

    def scope_of(self, mailbox: int) -> ScopeId:
        """Each mailbox is one."""
        return ScopeId(mailbox_key(mailbox))

    def mailbox_of(self, scope: ScopeId) -> int:
        """Its mailbox."""
        return mailbox_number(scope)

    def whole(
        self, scope: ScopeId, epoch: int, rows: Sequence[SandboxRow], cursor: ProviderCursor
    ) -> Observations[K]:
        """All rows with their flags."""
        flags = {row.number: row.flags for row in rows}
        return self._shown(scope, epoch, flags, (), cursor, whole=True)

    def steps(
        self, scope: ScopeId, epoch: int, steps: Sequence[SandboxStep], cursor: ProviderCursor | None
    ) -> Observations[K]:
        """Rows as they are after the steps, and what has left."""
        flags, gone = _rows_of(mailbox_number(scope), steps)
        return self._shown(scope, epoch, flags, gone, cursor, whole=False)

    def _shown(
        self,
        scope: ScopeId,
        epoch: int,
        flags: dict[int, frozenset[str]],
        gone: Iterable[int],
        cursor: ProviderCursor | None,
        *,
        whole: bool,
    ) -> Observations[K]:
        return Observations(
            scope=scope,
            epoch=epoch,
            present=self.keys_of(scope, epoch, flags),
            on={mark: self.keys_of(scope, epoch, numbers) for mark, numbers in _by_flag(flags).items()},
            absolute=_FLAGS,
            gone=self.keys_of(scope, epoch, gone),
            gone_final=not self.provisional,
            whole=whole,
            cursor=cursor,
        )


class Numbers(_ByMailbox[NumberedKeys]):
    """Mailboxes that number their messages; a position per mailbox."""

    capabilities = _capabilities("mailboxes and UIDs", Membership.ONE, Numbering.PROVIDER)
    expired = "UIDVALIDITY_CHANGED"
    forgotten = "HISTORY_EXPIRED"
    repeats = 0
    provisional = False

    def key(self, epoch: int, number: int, mailbox: int) -> ItemKey:
        """Good for as long as the message stays in the mailbox."""
        return numbered_key(epoch, number, mailbox)

    def place(self, key: ItemKey) -> Place:
        """A message in its mailbox."""
        return numbered_place(key)

    def keys_of(self, scope: ScopeId, epoch: int, numbers: Iterable[int]) -> NumberedKeys:
        """By number, in this mailbox."""
        return NumberedKeys(scope=scope, epoch=epoch, numbers=BitMap(numbers))


class _Lasting:
    """Keys for life."""

    def key(self, epoch: int, number: int, mailbox: int) -> ItemKey:
        """The same wherever the message is."""
        return lasting_key(epoch, number)

    def place(self, key: ItemKey) -> Place:
        """A message, wherever it is."""
        return lasting_place(key)


class Folders(_Lasting, _ByMailbox[ItemKeys]):
    """A message is in exactly one folder; a position per folder, which tells what has left it but not where to."""

    capabilities = _capabilities("folders and lasting ids", Membership.ONE, Numbering.SLOT)
    expired = forgotten = "DELTA_EXPIRED"
    repeats = REPEATED_STEPS
    provisional = True

    def keys_of(self, scope: ScopeId, epoch: int, numbers: Iterable[int]) -> ItemKeys:
        """The same in every folder."""
        return _keys(epoch, numbers)


class Labels(_Lasting):
    """A message may be in many mailboxes and in none; one history for the account, told by differences."""

    capabilities = _capabilities("labels", Membership.MANY, Numbering.SLOT, one_scope=True)
    expired = forgotten = "HISTORY_EXPIRED"
    repeats = 0
    provisional = False

    def scope_of(self, mailbox: int) -> ScopeId:
        """The account."""
        return ACCOUNT_SCOPE

    def mailbox_of(self, scope: ScopeId) -> int:
        """All of them."""
        if scope != ACCOUNT_SCOPE:
            raise MailboxNotFound
        return ANY

    def whole(self, scope: ScopeId, epoch: int, rows: Sequence[SandboxRow], cursor: ProviderCursor) -> Keyed:
        """All messages with their flags and mailboxes."""
        marked = _by_flag({row.number: row.flags for row in rows})
        for row in rows:
            for mailbox in row.mailboxes:
                marked.setdefault(mailbox_mark(mailbox_key(mailbox)), []).append(row.number)
        return Observations(
            scope=scope,
            epoch=epoch,
            present=_keys(epoch, (row.number for row in rows)),
            on={mark: _keys(epoch, numbers) for mark, numbers in marked.items()},
            absolute=frozenset(MarkKind),
            gone=ItemKeys(),
            whole=True,
            cursor=cursor,
        )

    def steps(
        self, scope: ScopeId, epoch: int, steps: Sequence[SandboxStep], cursor: ProviderCursor | None
    ) -> Keyed:
        """Marks as the last step that touched them left them."""
        there: dict[int, bool] = {}
        marks: dict[Mark, dict[int, bool]] = {}
        for step in steps:
            there[step.number] = step.after is not None
            for mark, on in _differences(step):
                marks.setdefault(mark, {})[step.number] = on

        def marked(*, wanted: bool) -> dict[Mark, ItemKeys]:
            found = {
                mark: [number for number, on in touched.items() if on is wanted and there[number]]
                for mark, touched in marks.items()
            }
            return {mark: _keys(epoch, numbers) for mark, numbers in found.items() if numbers}

        return Observations(
            scope=scope,
            epoch=epoch,
            present=_keys(epoch, (number for number, stays in there.items() if stays)),
            on=marked(wanted=True),
            off=marked(wanted=False),
            gone=_keys(epoch, (number for number, stays in there.items() if not stays)),
            cursor=cursor,
        )


AnyShape: TypeAlias = Shape[NumberedKeys] | Shape[ItemKeys]


def shape_of(profile: SandboxProfile) -> Numbers | Labels | Folders:
    """The shape of a profile."""
    match profile:
        case SandboxProfile.IMAP:
            return Numbers()
        case SandboxProfile.GMAIL:
            return Labels()
        case SandboxProfile.GRAPH:
            return Folders()


def _keys(epoch: int, numbers: Iterable[int]) -> ItemKeys:
    return ItemKeys(keys=tuple(lasting_key(epoch, number) for number in sorted(numbers)))


def _by_flag(flags: dict[int, frozenset[str]]) -> dict[Mark, list[int]]:
    numbers: dict[Mark, list[int]] = {}
    for number, words in flags.items():
        for word in words:
            numbers.setdefault((MarkKind.FLAG, word), []).append(number)
    return numbers


def _rows_of(mailbox: int, steps: Sequence[SandboxStep]) -> tuple[dict[int, frozenset[str]], set[int]]:
    """(flags of what the steps left in a mailbox, what they took out of it)."""
    flags: dict[int, frozenset[str]] = {}
    gone: set[int] = set()
    for step in steps:
        if step.after is not None and mailbox in step.after:
            flags[step.number] = step.flags
            gone.discard(step.number)
        elif step.before is not None and mailbox in step.before:
            flags.pop(step.number, None)
            gone.add(step.number)
    return flags, gone


def _differences(step: SandboxStep) -> Iterable[tuple[Mark, bool]]:
    before, after = step.before or frozenset(), step.after or frozenset()
    for mailbox in before ^ after:
        yield mailbox_mark(mailbox_key(mailbox)), mailbox in after
    for flag in step.flags_before ^ step.flags:
        yield (MarkKind.FLAG, flag), flag in step.flags
