"""What a provider shows whose keys are for life, in the numbers of the account's one space of slots.

It owns the translation of keyed pages into observations of that space, so that one diff serves all providers, and
refuses input and output: the worker looks keys up, asks where doubtful messages are, and commits. Where each scope is one
mailbox, a page speaks of that mailbox alone and may be late: what it says about a message that we hold elsewhere, or
that left, is not believed but located (`doubtful`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from pyroaring import BitMap

from postroom_server.domain.flags import Flag
from postroom_server.domain.keys import ItemKey, ItemKeys, MailboxKey, NumberedKeys, ScopeId
from postroom_server.domain.ports import (
    ItemEdit,
    Keyed,
    Location,
    Mark,
    MarkKind,
    Numbered,
    Observations,
    mailbox_mark,
    marked_mailbox,
)
from postroom_server.domain.storage import Chunk
from postroom_server.domain.sync import mailboxes

ACCOUNT_SCOPE: Final = ScopeId(b"account")
"""Scope of the observations of the account's space; it is never asked of a provider."""
EPOCH: Final = 1
"""Slots are numbered once and for all."""


class UnknownMailbox(Exception):
    """A page names a mailbox that was not listed yet.

    Args:
        mailbox: Its key.
    """

    def __init__(self, mailbox: MailboxKey) -> None:
        super().__init__(repr(mailbox))
        self.mailbox = mailbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What is known where a page is to be understood.

    `slots`: of those of its keys that have one. `next_slot`: the first that is free. `numbers`: of the mailboxes by key,
    0 for those whose members follow from others (virtual ones). `home`: the mailbox that the scope is, None where it is the
    account. `held`: per mailbox number, slots that are in it; complete for `slots`.
    `version` tells whether it still is so.
    """

    slots: Mapping[ItemKey, int]
    next_slot: int
    numbers: Mapping[MailboxKey, int]
    home: int | None
    held: Mapping[int, BitMap]
    version: int = 0

    def number(self, key: MailboxKey) -> int:
        """The number of a mailbox. Raises UnknownMailbox."""
        try:
            return self.numbers[key]
        except KeyError:
            raise UnknownMailbox(key) from None

    def holds(self, mailbox: int) -> BitMap:
        """The slots that are in a mailbox."""
        return self.held.get(mailbox, BitMap())


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotPage:
    """A page in slots: the observation, and the keys of slots that are dealt out by it."""

    observed: Numbered
    dealt: Mapping[int, ItemKey] = field(default_factory=dict)


def numbered(slots: Iterable[int]) -> NumberedKeys:
    """Slots as keys of the account's space."""
    return NumberedKeys(scope=ACCOUNT_SCOPE, epoch=EPOCH, numbers=BitMap(slots))


def held(chunks: Iterable[Chunk]) -> dict[int, BitMap]:
    """Per mailbox number, the slots in some chunks that are in it."""
    found: dict[int, BitMap] = {}
    for chunk in chunks:
        for mark, slots in chunk.marks.items():
            for mailbox in mailboxes((mark,)):
                found[mailbox] = found.get(mailbox, BitMap()) | slots
    return found


def doubtful(page: Keyed, ground: Ground) -> list[ItemKey]:
    """Keys of which the page alone does not tell where they are now: ask before it is translated.

    They have left the scope's mailbox, in which we hold them, or they appear there while we hold them in another one, or
    the page says both of them.
    """
    home = ground.home
    if home is None or page.gone_final:
        return []
    here, elsewhere, left = ground.holds(home), BitMap(), frozenset(page.gone)
    for mailbox, slots in ground.held.items():
        if mailbox != home:
            elsewhere |= slots
    asked = [key for key in page.gone if ground.slots.get(key, 0) in here]
    asked += [key for key in page.present if key in left or ground.slots.get(key, 0) in elsewhere]
    return list(dict.fromkeys(asked))


def translate(page: Keyed, ground: Ground, located: Sequence[Location] = ()) -> SlotPage:
    """The page as an observation of the account's space.

    What is new gets slots in the order of the page. Where the scope is a mailbox, the observation names only marks of
    mailboxes that differ from what is held. `located` answers `doubtful`. Not whole: what a complete reading did not show
    is to be among `gone`.

    Raises:
        UnknownMailbox: A mailbox that is to be listed first.
    """
    answers = {one.key: one.mailboxes for one in located}
    slots, dealt = _deal(page, ground)
    lost = {key for key, mailboxes_now in answers.items() if not mailboxes_now}
    present = BitMap(slots[key] for key in page.present if key not in lost)
    gone = BitMap(slots[key] for key in lost if key in slots)
    if page.gone_final:
        gone |= BitMap(slots[key] for key in page.gone if key in slots) - present
    on, off = _flags(page.on, slots), _flags(page.off, slots)
    if ground.home is None:
        for mark, keys in _mailbox_marks(page.on, ground):
            _add(on, mark, (slots[key] for key in keys if key in slots))
        for mark, keys in _mailbox_marks(_listed(page.off, ground), ground):
            _add(off, mark, (slots[key] for key in keys if key in slots))
    else:
        _place(on, off, _wanted(page, ground, slots, answers), ground)
    observed: Numbered = Observations(
        scope=ACCOUNT_SCOPE,
        epoch=EPOCH,
        present=numbered(present),
        on={mark: numbered(found) for mark, found in on.items()},
        off={mark: numbered(found) for mark, found in off.items()},
        absolute=page.absolute if ground.home is None else page.absolute - {MarkKind.MAILBOX},
        gone=numbered(gone),
        cursor=page.cursor,
    )
    return SlotPage(observed=observed, dealt={slot: key for slot, key in dealt.items() if slot in present})


def _deal(page: Keyed, ground: Ground) -> tuple[dict[ItemKey, int], dict[int, ItemKey]]:
    """The slots of the page's keys, those that are new included; and these alone."""
    slots, dealt = dict(ground.slots), dict[int, ItemKey]()
    following = ground.next_slot
    for key in page.present:
        if key not in slots:
            slots[key] = following
            dealt[following] = key
            following += 1
    return slots, dealt


def _wanted(
    page: Keyed,
    ground: Ground,
    slots: Mapping[ItemKey, int],
    answers: Mapping[ItemKey, Sequence[MailboxKey]],
) -> dict[int, frozenset[int]]:
    """Per slot, the mailboxes that it is in now: the scope's, or what locating answered."""
    assert ground.home is not None
    wanted = {slots[key]: frozenset((ground.home,)) for key in page.present if key not in answers}
    for key, found in answers.items():
        if found and key in slots:
            wanted[slots[key]] = frozenset(map(ground.number, found)) - {0}
    return wanted


def _place(
    on: dict[Mark, BitMap], off: dict[Mark, BitMap], wanted: Mapping[int, frozenset[int]], ground: Ground
) -> None:
    """Marks of mailboxes, where they differ from what is held."""
    entered: dict[int, BitMap] = {}
    for slot, now in wanted.items():
        for mailbox in now:
            entered.setdefault(mailbox, BitMap()).add(slot)
    everything = BitMap(wanted)
    for mailbox in entered.keys() | ground.held.keys():
        before, now_in = ground.holds(mailbox) & everything, entered.get(mailbox, BitMap())
        _add(on, mailbox_number_mark(mailbox), now_in - before)
        _add(off, mailbox_number_mark(mailbox), before - now_in)


def mailbox_number_mark(number: int) -> Mark:
    """The mark of being in a mailbox, in the account's space."""
    return (MarkKind.MAILBOX, str(number))


def _flags(marked: Mapping[Mark, ItemKeys], slots: Mapping[ItemKey, int]) -> dict[Mark, BitMap]:
    found: dict[Mark, BitMap] = {}
    for mark, keys in marked.items():
        if mark[0] is MarkKind.FLAG:
            _add(found, mark, (slots[key] for key in keys if key in slots))
    return found


def _mailbox_marks(marked: Mapping[Mark, ItemKeys], ground: Ground) -> Iterable[tuple[Mark, ItemKeys]]:
    for mark, keys in marked.items():
        if mark[0] is MarkKind.MAILBOX:
            number = ground.number(marked_mailbox(mark))
            if number:
                yield mailbox_number_mark(number), keys


def _listed(marked: Mapping[Mark, ItemKeys], ground: Ground) -> dict[Mark, ItemKeys]:
    """The marks without those of mailboxes that are not known: nothing can have left them."""
    return {
        mark: keys
        for mark, keys in marked.items()
        if mark[0] is MarkKind.MAILBOX and marked_mailbox(mark) in ground.numbers
    }


def _add(into: dict[Mark, BitMap], mark: Mark, slots: Iterable[int]) -> None:
    found = BitMap(slots)
    if found:
        into[mark] = into.get(mark, BitMap()) | found


# --- what a call of ours has just done --------------------------------------------------------------------------


def edited(slots: BitMap, edit: ItemEdit, numbers: Mapping[MailboxKey, int]) -> Numbered:
    """A difference of flags and mailboxes that these messages have now."""
    on = _edit_marks(slots, edit.add_flags, (numbers.get(key, 0) for key in edit.add_mailboxes))
    off = _edit_marks(slots, edit.remove_flags, (numbers.get(key, 0) for key in edit.remove_mailboxes))
    return _told(on, off, BitMap())


def moved(slots: BitMap, to: int, out_of: Iterable[int]) -> Numbered:
    """These messages are in `to` now and in none of `out_of`; mailboxes by number, 0 for a virtual one."""
    on = _edit_marks(slots, (), (to,))
    return _told(on, _edit_marks(slots, (), (one for one in out_of if one != to)), BitMap())


def removed(slots: BitMap) -> Numbered:
    """These messages are gone for good."""
    return _told({}, {}, slots)


def _told(on: dict[Mark, NumberedKeys], off: dict[Mark, NumberedKeys], gone: BitMap) -> Numbered:
    return Observations(
        scope=ACCOUNT_SCOPE, epoch=EPOCH, present=numbered(()), on=on, off=off, gone=numbered(gone)
    )


def _edit_marks(slots: BitMap, flags: Iterable[Flag], boxes: Iterable[int]) -> dict[Mark, NumberedKeys]:
    marks: list[Mark] = [(MarkKind.FLAG, flag) for flag in flags]
    marks += [mailbox_number_mark(number) for number in boxes if number]
    return {mark: numbered(slots) for mark in marks}


def shown(
    keys: Sequence[ItemKey], found: Mapping[ItemKey, tuple[Iterable[Flag], Iterable[MailboxKey]]]
) -> Keyed:
    """A page of messages that were looked at one by one: flags and mailboxes of each, absent ones gone."""
    on: dict[Mark, list[ItemKey]] = {}
    for key, (flags, boxes) in found.items():
        marks = [*((MarkKind.FLAG, str(flag)) for flag in flags), *map(mailbox_mark, boxes)]
        for mark in marks:
            on.setdefault(mark, []).append(key)
    return Observations(
        scope=ACCOUNT_SCOPE,
        epoch=EPOCH,
        present=ItemKeys(keys=tuple(key for key in keys if key in found)),
        on={mark: ItemKeys(keys=tuple(marked)) for mark, marked in on.items()},
        absolute=frozenset(MarkKind),
        gone=ItemKeys(keys=tuple(key for key in keys if key not in found)),
    )


def less(page: Keyed, keys: Iterable[ItemKey]) -> Keyed:
    """The page without some keys."""
    left = frozenset(keys)
    if not left:
        return page
    return replace(_of(page, lambda key: key not in left), gone=_kept(page.gone, lambda key: key not in left))


def cut(page: Keyed, size: int) -> Iterator[Keyed]:
    """The page in pieces that show at most `size` keys each; what is gone, and the cursor, come with the last one."""
    keys = page.present.keys
    for start in range(0, max(len(keys), 1), size):
        if start + size >= len(keys):
            yield page if not start else _of(page, frozenset(keys[start:]).__contains__, beside=keys[:start])
        else:
            piece = _of(page, frozenset(keys[start : start + size]).__contains__)
            yield replace(piece, gone=ItemKeys(), cursor=None)


def _of(page: Keyed, wanted: Callable[[ItemKey], bool], beside: Sequence[ItemKey] | None = None) -> Keyed:
    """What the page shows of some keys; with `beside`, also the marks of keys that are not among these."""
    others = frozenset(beside or ())

    def take(key: ItemKey) -> bool:
        return wanted(key) or (beside is not None and key not in others)

    return replace(
        page,
        present=_kept(page.present, wanted),
        on={mark: _kept(marked, take) for mark, marked in page.on.items()},
        off={mark: _kept(marked, take) for mark, marked in page.off.items()},
    )


def _kept(keys: ItemKeys, wanted: Callable[[ItemKey], bool]) -> ItemKeys:
    return ItemKeys(keys=tuple(key for key in keys if wanted(key)))


def joined(one: Keyed, other: Keyed) -> Keyed:
    """Two pages of one complete reading as one; the second one follows the first."""

    def both(before: ItemKeys, after: ItemKeys) -> ItemKeys:
        return ItemKeys(keys=before.keys + after.keys)

    def marks(before: Mapping[Mark, ItemKeys], after: Mapping[Mark, ItemKeys]) -> dict[Mark, ItemKeys]:
        found = {**before, **after}
        return {mark: both(before.get(mark, ItemKeys()), after.get(mark, ItemKeys())) for mark in found}

    return replace(
        other,
        present=both(one.present, other.present),
        on=marks(one.on, other.on),
        off=marks(one.off, other.off),
        gone=both(one.gone, other.gone),
        summaries={**one.summaries, **other.summaries},
    )
