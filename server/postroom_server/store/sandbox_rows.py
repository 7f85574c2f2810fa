"""How sandbox accounts stand in the store: rows of mailboxes and messages, and steps of their history, read back.

It owns these texts on the reading side (`scripts/sandbox_lib.lua` writes them) and refuses to ask the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from postroom_server.domain.accounts import SandboxProfile
from postroom_server.domain.flags import SEEN
from postroom_server.domain.mailboxes import Role
from postroom_server.domain.sandbox_store import (
    Deed,
    Refusal,
    SandboxMailbox,
    SandboxResult,
    SandboxRow,
    SandboxState,
    SandboxStep,
)
from postroom_server.store import records

NO_WORD = "-"
"""Stands where a role or a status is empty, and for the mailboxes of a message that is not there."""
FOREVER_MS = -1


def state(facts: Mapping[bytes, bytes], now_ms: int) -> SandboxState:
    """The hash of an account at a time of the store's clock."""
    until = int(facts.get(b"off", b"0"))
    return SandboxState(
        profile=SandboxProfile(facts[b"k"].decode()),
        epoch=int(facts[b"e"]),
        modseq=int(facts[b"mod"]),
        floor=int(facts[b"floor"]),
        next_number=int(facts[b"next"]),
        offline=until == FOREVER_MS or until > now_ms,
    )


def message(number: bytes, stored: bytes) -> SandboxRow:
    """One message of the hash of messages."""
    modseq, size, received, _, mailboxes, flags = stored.decode().split(" ", 5)
    return SandboxRow(
        number=int(number),
        modseq=int(modseq),
        mailboxes=_numbers(mailboxes),
        flags=frozenset(flags.split()),
        received=records.time_of(int(received)),
        size_bytes=int(size),
    )


def raw_number(stored: bytes) -> bytes:
    """Under which message's number the bytes of a message lie."""
    return stored.split(b" ", 4)[3]


def mailboxes(
    account: SandboxState, stored: Mapping[bytes, bytes], rows: Iterable[SandboxRow]
) -> list[SandboxMailbox]:
    """The hash of mailboxes with what is counted, by number."""
    found = sorted((int(number), row.decode().split(" ", 3)) for number, row in stored.items())
    hidden = {number for number, (_, _, role, _) in found if role in (Role.TRASH, Role.JUNK)}
    counts = {number: [0, 0] for number, _ in found}
    everything = [number for number, (_, _, role, _) in found if role == Role.ALL]
    for row in rows:
        for number in (*row.mailboxes, *(() if row.mailboxes & hidden else everything)):
            if number in counts:
                counts[number][0] += 1
                counts[number][1] += SEEN not in row.flags
    return [
        SandboxMailbox(
            number=number,
            path=tuple(path.split("/")),
            role=None if role == NO_WORD else role,
            subscribed=subscribed == "1",
            epoch=account.epoch,
            modseq=account.modseq if role == Role.ALL else int(modseq),
            messages=counts[number][0],
            unseen=counts[number][1],
        )
        for number, (modseq, subscribed, role, path) in found
    ]


def step(stored: bytes) -> SandboxStep:
    """One record of the history."""
    places, flags_before, flags = stored.decode().split("\t")
    number, before, after = places.split(" ")
    return SandboxStep(
        number=int(number),
        before=None if before == NO_WORD else _numbers(before),
        after=None if after == NO_WORD else _numbers(after),
        flags_before=frozenset(flags_before.split()),
        flags=frozenset(flags.split()),
    )


def results(flat: list[bytes]) -> list[SandboxResult]:
    """The answer of a change, four words per message."""
    found = []
    for at in range(0, len(flat), 4):
        number, deed, new, flags = flat[at : at + 4]
        found.append(
            SandboxResult(
                number=int(number),
                deed=Deed(deed.decode()),
                new_number=int(new) or None,
                flags=frozenset(flags.decode().split()),
            )
        )
    return found


def refusal(stored: bytes) -> Refusal:
    """The words of a refusal."""
    code, status, text = stored.decode().split(" ", 2)
    return Refusal(code=int(code), enhanced_status="" if status == NO_WORD else status, text=text)


def refusal_words(one: Refusal, count: int) -> str:
    """How refusals are kept."""
    return f"{count} {one.code} {one.enhanced_status or NO_WORD} {one.text}"


def _numbers(joined: str) -> frozenset[int]:
    return frozenset(int(number) for number in joined.split(",") if number)
