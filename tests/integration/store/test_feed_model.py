"""The feed against a model: whatever is done in whatever order, the list, its bounds and the pointers agree."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from postroom_server.domain.outbox import SubmissionState
from postroom_server.domain.storage import Commit, Nonce, PointerId, Step
from postroom_server.errors import AccountGone, Conflict, Fenced
from postroom_server.ids import AccountId
from postroom_server.store import Store

from tests.fixtures.store import home, make_new, make_new_submission, open_store
from tests.fixtures.valkey import Valkey

ANN = AccountId("ann")
SHARD = home("ann")
FEED_BYTES = 3_000
STEPS = 250
NONCES = (Nonce("n1"), Nonce("n2"))


@dataclass
class Model:
    """What must be so."""

    exists: bool = False
    incarnation: str = ""
    sequence: int = 0
    kept: dict[int, bytes] = field(default_factory=dict)
    total: int = 0
    owner: Nonce | None = None
    waiting: int = 0

    def append(self, *entries: bytes) -> None:
        for entry in entries:
            self.sequence += 1
            self.total += 1
            self.kept[self.sequence] = entry
        trimmed = 0
        size = sum(len(entry) + 8 for entry in self.kept.values())
        while size > FEED_BYTES and len(self.kept) > 1 and trimmed < 64 + len(entries):
            size -= len(self.kept.pop(min(self.kept))) + 8
            trimmed += 1


class Run:
    """One sequence of steps by two owners."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store, self.rnd, self.model, self.made = store, random.Random(seed), Model(), 0

    async def step(self) -> None:
        chosen = self.rnd.choices(
            (self.create, self.commit, self.submit, self.send, self.delete, self.hand_over, self.wrong),
            (2, 20, 6, 5, 1, 2, 6),
        )[0]
        await chosen()
        await self.agree()

    def entries(self) -> list[bytes]:
        return [
            self.rnd.randbytes(self.rnd.choice((0, 1, 40, 300))) or b"x"
            for _ in range(self.rnd.randint(0, 6))
        ]

    async def create(self) -> None:
        if self.model.exists:
            return
        new = make_new()
        await self.store.accounts.create(new)
        head = await self.store.snapshots.head(ANN)
        assert head is not None
        if self.model.incarnation:
            assert head.incarnation != self.model.incarnation
            assert head.sequence == (-(-self.model.sequence // 1_000_000) + 1) * 1_000_000 + 1
        self.model = Model(
            exists=True,
            incarnation=head.incarnation,
            sequence=head.sequence - 1,
            total=self.model.total,
            owner=self.model.owner,
        )
        self.model.append(new.entry)

    async def commit(self) -> None:
        entries = self.entries()
        step = Commit(
            account=ANN,
            nonce=self.model.owner or NONCES[0],
            incarnation=self.model.incarnation,
            sequence=self.model.sequence,
            entries=entries,
        )
        if self.model.owner is None:
            with pytest.raises(Fenced):
                await self.store.snapshots.commit(step)
        elif not self.model.exists:
            with pytest.raises(AccountGone):
                await self.store.snapshots.commit(step)
        else:
            if entries:
                self.model.append(*entries)
            assert await self.store.snapshots.commit(step) == self.model.sequence

    async def submit(self) -> None:
        self.made += 1
        new = make_new_submission(f"s{self.made:04d}")
        if not self.model.exists:
            with pytest.raises(AccountGone):
                await self.store.outbox.submit(new)
            return
        await self.store.outbox.submit(new)
        self.model.append(new.entry)
        self.model.waiting += 1

    async def send(self) -> None:
        if self.model.owner is None:
            return
        for item in await self.store.outbox.take(ANN, self.model.owner, 10**13, 2):
            final = self.rnd.random() < 0.5
            state = SubmissionState.RELAYED if final else SubmissionState.RETRYING
            moved = await self.store.outbox.step(
                Step(
                    nonce=self.model.owner,
                    expected_state=item.state,
                    expected_attempt=item.attempt_count,
                    submission=replace(item, state=state),
                    due_ms=None if final else 1_000,
                    entry=b"stepped",
                )
            )
            assert moved
            self.model.append(b"stepped")
            self.model.waiting -= final

    async def delete(self) -> None:
        if self.model.owner is None or not self.model.exists:
            return
        await self.store.accounts.delete(ANN, self.model.owner, self.model.incarnation, b"removed")
        self.model.append(b"removed")
        self.model.exists, self.model.waiting = False, 0

    async def hand_over(self) -> None:
        if self.model.owner is not None:
            await self.store.leases.release([SHARD], self.model.owner)
        self.model.owner = self.rnd.choice((*NONCES, None))
        if self.model.owner is not None:
            assert SHARD in await self.store.leases.acquire([SHARD], self.model.owner, "a:1")

    async def wrong(self) -> None:
        """What must be refused, and change nothing."""
        other = NONCES[self.model.owner == NONCES[0]]
        step = Commit(
            account=ANN,
            nonce=other,
            incarnation=self.model.incarnation,
            sequence=self.model.sequence,
            entries=[b"no"],
        )
        with pytest.raises(Fenced):
            await self.store.snapshots.commit(step)
        if self.model.owner is not None and self.model.exists:
            for bad in (
                replace(step, nonce=self.model.owner, sequence=self.model.sequence - 1),
                replace(step, nonce=self.model.owner, incarnation="0"),
            ):
                with pytest.raises(Conflict):
                    await self.store.snapshots.commit(bad)

    async def agree(self) -> None:
        model = self.model
        if not model.incarnation:
            return
        page = await self.store.feed.read(ANN, min(model.kept), 1_000)
        assert page is not None
        assert (page.head, page.low, page.incarnation) == (model.sequence, min(model.kept), model.incarnation)
        assert list(page.entries) == [model.kept[at] for at in sorted(model.kept)]
        ends = (await self.store.feed.heads([SHARD]))[SHARD]
        assert ends.total == model.total
        assert await self.store.snapshots.head(ANN) is None or model.exists
        waiting = await self.store.outbox.next_due([SHARD])
        assert (waiting is None) == (model.waiting == 0)


@pytest.mark.parametrize("seed", range(4))
async def test_feed_and_model_agree_after_every_step(valkey: Valkey, seed: int) -> None:
    async with await open_store(valkey, feed_bytes=FEED_BYTES) as store:
        run = Run(store, seed)
        for _ in range(STEPS):
            await run.step()
        pointers = (await store.feed.order({SHARD: PointerId(ms=0, n=0)}, 10_000)).pointers[SHARD]
        assert sum(one.count for one in pointers) == run.model.total
        for before, after in pairwise(pointers):
            assert after.total == before.total + after.count
            assert after.id > before.id
            assert after.last - after.count == before.last or after.last % 1_000_000 == 1
