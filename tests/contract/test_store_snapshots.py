"""SnapshotStore: a commit is everything or nothing, by the owner, from the place where it thinks the account is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from postroom_server.domain.accounts import State, StateError, Status
from postroom_server.domain.keys import ItemKey, MailboxKey, ScopeId
from postroom_server.domain.mailboxes import MailboxRecord, MailboxRow, Role, RoleSource
from postroom_server.domain.storage import Bucket, Chunk, Commit, KeyChunk, Nonce, Position
from postroom_server.errors import AccountGone, Conflict, Fenced
from postroom_server.ids import AccountId
from postroom_server.store import Store
from pyroaring import BitMap

from tests.fixtures.store import NOON, OWNER, register
from tests.fixtures.valkey import Valkey

ANN = AccountId("ann")
FIRST = Position(
    space=1,
    mailbox=1,
    epoch=2**32 - 1,
    span_bits=20,
    count=3,
    next_number=2**32,
    cursor=b"\0\xff",
    revision=1,
    fresh_ms=7,
)
INBOX = MailboxRecord(
    number=1,
    row=MailboxRow(
        key=MailboxKey(b"INBOX"),
        path=("INBOX", "Ä"),
        delimiter=".",
        role=Role.INBOX,
        role_source=RoleSource.SERVER,
        scope=ScopeId(b""),
        selectable=False,
        virtual=True,
        subscribed=False,
        messages=0,
        unseen=None,
    ),
    space=1,
    epoch=2,
    announce=False,
)


def chunk(*members: int, **marks: tuple[int, ...]) -> Chunk:
    return Chunk(
        members=BitMap(members), marks={int(name[1:]): BitMap(carriers) for name, carriers in marks.items()}
    )


async def begun(store: Store) -> Commit:
    """The first step of a freshly registered account."""
    head = await register(store)
    return Commit(
        account=ANN,
        nonce=OWNER,
        incarnation=head.incarnation,
        sequence=head.sequence,
        positions={1: (None, FIRST)},
        chunks={(1, 0): chunk(1, 2, 3, m0=(1, 2), m1=(3,)), (1, 0x2A): chunk(9)},
        mailboxes={1: INBOX},
        marks=((), ("flag:$seen", "flag:$flagged")),
        counters=(2, 2),
        entries=[b"one", b"two"],
    )


async def test_a_commit_is_read_back_whole(store: Store) -> None:
    step = await begun(store)
    assert await store.snapshots.commit(step) == 3
    head = await store.snapshots.head(ANN)
    assert head is not None
    assert (head.sequence, head.low, head.marks) == (3, 1, ("flag:$seen", "flag:$flagged"))
    assert (head.next_mailbox, head.next_space) == (2, 2)
    assert head.positions == {1: FIRST}
    assert head.mailboxes == {1: INBOX}
    assert head.status == Status()
    assert await store.snapshots.chunks(ANN, 1, [0, 1, 0x2A]) == {
        0: chunk(1, 2, 3, m0=(1, 2), m1=(3,)),
        0x2A: chunk(9),
    }
    assert await store.snapshots.all_chunks(ANN, 1) == await store.snapshots.chunks(ANN, 1, [0, 0x2A])
    assert await store.snapshots.all_chunks(ANN, 11) == {}
    assert await store.snapshots.chunks(ANN, 1, []) == {}


async def test_head_of_no_account_is_none(store: Store) -> None:
    assert await store.snapshots.head(AccountId("nobody")) is None


async def test_a_step_sent_twice_lands_once(store: Store) -> None:
    """A reply may be lost: the same step again is a conflict, and the positions tell that it had landed."""
    step = await begun(store)
    await store.snapshots.commit(step)
    with pytest.raises(Conflict) as conflict:
        await store.snapshots.commit(step)
    assert (conflict.value.sequence, conflict.value.incarnation) == (3, step.incarnation)
    page = await store.feed.read(ANN, 1, 10)
    assert page is not None
    assert page.entries == [b"added ann", b"one", b"two"]


async def test_another_nonce_is_fenced_and_writes_nothing(store: Store) -> None:
    step = await begun(store)
    with pytest.raises(Fenced):
        await store.snapshots.commit(replace(step, nonce=Nonce("zombie")))
    head = await store.snapshots.head(ANN)
    assert head is not None
    assert (head.sequence, head.positions, head.mailboxes) == (1, {}, {})
    assert await store.snapshots.all_chunks(ANN, 1) == {}


CHANGES = {
    "p1": {"positions": {1: (FIRST, replace(FIRST, revision=2))}},
    "mk": {"marks": (("other",), ("other", "more"))},
    "st": {"status": (Status(state=State.PAUSED), Status(state=State.CONNECTING))},
}


@pytest.mark.parametrize("field", sorted(CHANGES))
async def test_each_comparison_alone_refuses_the_whole_step(store: Store, field: str) -> None:
    step = replace(await begun(store), **CHANGES[field])  # type: ignore[arg-type]
    with pytest.raises(Conflict) as conflict:
        await store.snapshots.commit(step)
    assert conflict.value.field == field
    head = await store.snapshots.head(ANN)
    assert head is not None
    assert (head.sequence, head.positions, head.mailboxes, head.marks) == (1, {}, {}, ())


async def test_a_wrong_sequence_or_incarnation_is_a_conflict(store: Store) -> None:
    step = await begun(store)
    for wrong in (replace(step, sequence=0), replace(step, incarnation="1")):
        with pytest.raises(Conflict) as conflict:
            await store.snapshots.commit(wrong)
        assert (conflict.value.sequence, conflict.value.field) == (1, "")


async def test_numbers_that_were_dealt_out_are_never_taken_back(store: Store) -> None:
    step = await begun(store)
    await store.snapshots.commit(step)
    later = Commit(account=ANN, nonce=OWNER, incarnation=step.incarnation, sequence=3, counters=(1, 3))
    with pytest.raises(Conflict) as conflict:
        await store.snapshots.commit(later)
    assert conflict.value.field == "nm"


async def test_a_step_without_entries_moves_positions_and_not_the_sequence(store: Store) -> None:
    step = await begun(store)
    assert await store.snapshots.commit(replace(step, entries=())) == 1
    head = await store.snapshots.head(ANN)
    assert head is not None
    assert (head.sequence, head.positions) == (1, {1: FIRST})


async def test_what_is_empty_or_none_is_removed(store: Store) -> None:
    step = await begun(store)
    await store.snapshots.commit(step)
    await store.snapshots.commit(
        Commit(
            account=ANN,
            nonce=OWNER,
            incarnation=step.incarnation,
            sequence=3,
            positions={1: (FIRST, replace(FIRST, revision=2))},
            chunks={(1, 0): Chunk()},
            mailboxes={1: None},
        )
    )
    head = await store.snapshots.head(ANN)
    assert head is not None
    assert head.mailboxes == {}
    assert set(await store.snapshots.all_chunks(ANN, 1)) == {0x2A}


async def test_a_position_that_ends_takes_the_chunks_of_its_space_along(store: Store) -> None:
    step = replace(await begun(store), chunks={(1, 0): chunk(1), (11, 0): chunk(2), (1, 5): chunk(3)})
    await store.snapshots.commit(step)
    await store.snapshots.commit(
        Commit(
            account=ANN, nonce=OWNER, incarnation=step.incarnation, sequence=3, positions={1: (FIRST, None)}
        )
    )
    assert await store.snapshots.all_chunks(ANN, 1) == {}
    assert set(await store.snapshots.all_chunks(ANN, 11)) == {0}


KEYS = KeyChunk(keys={1: ItemKey(b"\0first"), 2: ItemKey(b"second"), 255: ItemKey(b"longest of all")})
PRINTS = Bucket(prints={2: 2**32 - 1, 1: 0, 70_000: 7})


async def tabled(store: Store) -> Commit:
    """A first step that writes a slot table as well."""
    return replace(
        await begun(store),
        key_chunks={(1, 0): KEYS, (1, 0x1F): KeyChunk(keys={0x1F00: ItemKey(b"x")}), (11, 0): KEYS},
        buckets={(1, 0): PRINTS, (1, 0xAB): PRINTS},
    )


async def test_a_slot_table_is_read_back_both_ways(store: Store) -> None:
    """Beside the chunks of its space, and without showing among them."""
    await store.snapshots.commit(await tabled(store))
    assert await store.snapshots.key_chunks(ANN, 1, [0, 1, 0x1F]) == {
        0: KEYS,
        0x1F: KeyChunk(keys={0x1F00: ItemKey(b"x")}),
    }
    assert await store.snapshots.buckets(ANN, 1, [0xAB, 7]) == {0xAB: PRINTS}
    assert await store.snapshots.key_chunks(ANN, 1, []) == {}
    assert await store.snapshots.buckets(ANN, 2, [0]) == {}
    assert set(await store.snapshots.all_chunks(ANN, 1)) == {0, 0x2A}


async def test_many_keys_of_one_length_are_read_back(store: Store) -> None:
    keys = KeyChunk(keys={slot: ItemKey(slot.to_bytes(8, "big")) for slot in range(256, 512)})
    await store.snapshots.commit(replace(await begun(store), key_chunks={(1, 1): keys}))
    assert await store.snapshots.key_chunks(ANN, 1, [1]) == {1: keys}


async def test_a_refused_step_writes_nothing_of_the_table(store: Store) -> None:
    step = await tabled(store)
    with pytest.raises(Fenced):
        await store.snapshots.commit(replace(step, nonce=Nonce("zombie")))
    with pytest.raises(Conflict):
        await store.snapshots.commit(replace(step, positions={1: (FIRST, FIRST)}))
    assert await store.snapshots.key_chunks(ANN, 1, [0, 0x1F]) == {}
    assert await store.snapshots.buckets(ANN, 1, [0, 0xAB]) == {}


async def test_pieces_of_a_table_that_are_empty_are_removed_and_a_space_takes_its_table_along(
    store: Store,
) -> None:
    step = await tabled(store)
    await store.snapshots.commit(step)
    later = Commit(
        account=ANN,
        nonce=OWNER,
        incarnation=step.incarnation,
        sequence=3,
        positions={1: (FIRST, replace(FIRST, revision=2))},
        key_chunks={(1, 0x1F): KeyChunk()},
        buckets={(1, 0xAB): Bucket()},
    )
    await store.snapshots.commit(later)
    assert set(await store.snapshots.key_chunks(ANN, 1, [0, 0x1F])) == {0}
    assert set(await store.snapshots.buckets(ANN, 1, [0, 0xAB])) == {0}
    ended = replace(later, positions={1: (replace(FIRST, revision=2), None)}, key_chunks={}, buckets={})
    await store.snapshots.commit(ended)
    assert await store.snapshots.key_chunks(ANN, 1, [0]) == {}
    assert await store.snapshots.buckets(ANN, 1, [0]) == {}
    assert set(await store.snapshots.key_chunks(ANN, 11, [0])) == {0}


async def test_a_deleted_account_leaves_no_table(valkey: Valkey, store: Store) -> None:
    step = await tabled(store)
    await store.snapshots.commit(step)
    await store.accounts.delete(ANN, OWNER, step.incarnation, b"removed")
    assert await store.snapshots.key_chunks(ANN, 1, [0, 0x1F]) == {}
    assert not [key for key in await valkey.keys("*a:ann:*") if key.endswith("snap")]


async def test_the_status_is_moved_by_comparison_and_read_by_anyone(store: Store) -> None:
    step = await begun(store)
    failed = Status(
        state=State.AUTH_FAILED,
        error=StateError(reason="CREDENTIALS_REJECTED", message='no "login"', time=NOON),
    )
    await store.snapshots.commit(replace(step, status=(Status(), failed)))
    found = await store.accounts.get(ANN)
    assert found is not None
    assert found[1] == failed
    await store.snapshots.commit(
        Commit(
            account=ANN,
            nonce=OWNER,
            incarnation=step.incarnation,
            sequence=3,
            status=(failed, Status(state=State.CONNECTED)),
        )
    )
    head = await store.snapshots.head(ANN)
    assert head is not None
    assert head.status == Status(state=State.CONNECTED)


async def test_a_deleted_account_takes_no_commit(store: Store) -> None:
    step = await begun(store)
    await store.accounts.delete(ANN, OWNER, step.incarnation, b"removed")
    with pytest.raises(AccountGone):
        await store.snapshots.commit(step)


async def test_a_commit_of_too_many_entries_is_the_callers_fault(store: Store) -> None:
    step = await begun(store)
    with pytest.raises(ValueError, match="entries"):
        await store.snapshots.commit(replace(step, entries=[b"x"] * 1_001))
    assert await store.snapshots.commit(replace(step, entries=[b"x"] * 1_000)) == 1_001


async def test_an_account_keeps_few_keys(valkey: Valkey, store: Store) -> None:
    """C7: bytes of an idle account; its keys are meta, config, names, snap, feed."""
    await store.snapshots.commit(await begun(store))
    assert len(await valkey.keys("*a:ann:*")) == 5
