"""The outbox: takes what is due, by shard, account and item, and has it sent.

It owns fairness (some accounts at once, some items of each, a turn each) and what a process that ended left behind: every
item in flight comes up again after seconds, is skipped by the process that flies it, and decided by the next owner. It
refuses what one attempt is (`sending`) and acceptance (`submissions`).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import Context
from typing import Final

import structlog

from postroom_server.domain.outbox import Submission
from postroom_server.domain.ports import Clock
from postroom_server.domain.storage import OutboxStore, Shard
from postroom_server.errors import AccountGone, Fenced, PostroomError, StoreFull, StoreUnavailable
from postroom_server.ids import AccountId, SubmissionId
from postroom_server.telemetry.metrics import Metrics
from postroom_server.workers.ownership import Ownership
from postroom_server.workers.sending import ATTEMPT_SECONDS, STORE_PAUSE_SECONDS, Sending
from postroom_server.workers.supervisor import Supervisor

IDLE_SECONDS: Final = 5.0
"""Longest sleep between looks at what is due, as hints may be lost."""
ACCOUNTS_PER_LOOK: Final = 100
ITEMS_AT_ONCE: Final = 4
"""Submissions of one account that are on their way at the same time."""
ITEMS_PER_TURN: Final = 200
"""Submissions of one account before the accounts that wait have a turn."""
SENDING_ACCOUNTS: Final = 64

log = structlog.get_logger(__name__)


class Outbox:
    """Sends for the shards of this node."""

    def __init__(
        self, store: OutboxStore, ownership: Ownership, supervisor: Supervisor, clock: Clock, metrics: Metrics
    ) -> None:
        self._store, self._ownership, self._supervisor, self._clock = store, ownership, supervisor, clock
        self._sending = Sending(store, ownership, supervisor, clock, metrics)
        self._dirty: set[Shard] = set()
        self._wake = asyncio.Event()
        self._next_ms = 0
        self._busy: dict[AccountId, asyncio.Event] = {}
        """Accounts that have their turn; the event says that more of them is due."""
        self._flying: set[SubmissionId] = set()
        self._gate = asyncio.Semaphore(SENDING_ACCOUNTS)
        self._draining = False
        self._quiet = asyncio.Event()
        self._quiet.set()
        ownership.in_use = self._in_use
        ownership.also_gained = self._hear

    def __repr__(self) -> str:
        return f"<Outbox {len(self._busy)} accounts, {len(self._flying)} in flight>"

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            while True:
                try:
                    await self._look(group)
                except (StoreUnavailable, StoreFull):
                    self._next_ms = 0
                    await asyncio.sleep(STORE_PAUSE_SECONDS)

    async def drain(self, seconds: float) -> None:
        """Starts nothing any more, and waits for what is on its way, for at most `seconds`."""
        self._draining = True
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._quiet.wait()

    def _in_use(self, shard: Shard) -> bool:
        """Whether something of the shard is on its way."""
        return any(self._supervisor.shard(account) == shard for account in self._busy)

    # --- what is due --------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        while True:
            try:
                async with self._store.hints() as hints:
                    async for shard in hints:
                        self._hear(shard)
            except StoreUnavailable:
                await asyncio.sleep(STORE_PAUSE_SECONDS)

    def _hear(self, shard: Shard) -> None:
        self._dirty.add(shard)
        self._wake.set()

    async def _look(self, group: asyncio.TaskGroup) -> None:
        """Waits for a hint or for the next due time, and starts the accounts that are due."""
        hinted = await self._woken()
        held, dirty = self._ownership.shards - self._ownership.handing, self._dirty
        self._dirty = set()
        shards = dirty & held if hinted else held
        if self._draining or not shards:
            self._next_ms = self._next_ms if hinted else self._now_ms() + int(IDLE_SECONDS * 1000)
            return
        for shard in shards:
            await self._look_at(shard, group)
        due = await self._store.next_due(list(shards))
        latest = self._now_ms() + int(IDLE_SECONDS * 1000)
        before = self._next_ms if hinted else latest
        self._next_ms = min(before, latest, due if due is not None else latest)

    async def _woken(self) -> bool:
        """Waits for a hint or for the next due time; True for a hint."""
        pause = min(max((self._next_ms - self._now_ms()) / 1000, 0.0), IDLE_SECONDS)
        try:
            async with asyncio.timeout(pause):
                await self._wake.wait()
        except TimeoutError:
            return False
        self._wake.clear()
        return True

    async def _look_at(self, shard: Shard, group: asyncio.TaskGroup) -> None:
        try:
            accounts = await self._store.due(shard, self._ownership.nonce, self._now_ms(), ACCOUNTS_PER_LOOK)
        except Fenced:
            self._ownership.drop(shard)
            return
        for account in accounts:
            if account in self._busy:
                self._busy[account].set()
            else:
                self._busy[account] = asyncio.Event()
                # a context of its own: what one account's sending binds is not the next one's
                group.create_task(self._send_account(account), context=Context())

    # --- one account --------------------------------------------------------------------------------------------

    async def _send_account(self, account: AccountId) -> None:
        shard = self._supervisor.shard(account)
        try:
            async with self._gate:
                await self._turn(account, shard)
        except Fenced:
            self._ownership.drop(shard)
        except (AccountGone, PostroomError) as error:
            log.info("the account's outbox is left for now", account=account, reason=type(error).__name__)
        except Exception:
            log.exception("the account's outbox failed", account=account)
        finally:
            del self._busy[account]
            self._hear(shard)

    async def _turn(self, account: AccountId, shard: Shard) -> None:
        """Sends what is due, some at once, until nothing is or the turn is over.

        What is on its way when one of them finds that the shard is lost comes to its own end.
        """
        flying: set[asyncio.Task[None]] = set()
        failure: BaseException | None = None
        left = ITEMS_PER_TURN
        try:
            while True:
                while failure is None and left > 0 and len(flying) < ITEMS_AT_ONCE:
                    items = await self._take(account, shard, ITEMS_AT_ONCE - len(flying))
                    if not items or self._draining:
                        break
                    left -= len(items)
                    for item in items:
                        if item.id not in self._flying:
                            self._flying.add(item.id)
                            self._quiet.clear()
                            flying.add(asyncio.create_task(self._one(item)))
                if not flying:
                    break
                done, flying = await _first(flying, self._busy[account])
                failure = next((error for task in done if (error := task.exception())), failure)
        finally:
            for task in flying:
                task.cancel()
            if flying:
                await asyncio.wait(flying)
        if failure is not None:
            raise failure

    async def _take(self, account: AccountId, shard: Shard, limit: int) -> list[Submission]:
        """Due items; waits while the store is away."""
        while not self._draining and shard not in self._ownership.handing:
            try:
                return list(await self._store.take(account, self._ownership.nonce, self._now_ms(), limit))
            except (StoreUnavailable, StoreFull):
                if not self._ownership.valid(shard):
                    raise Fenced from None
                await asyncio.sleep(STORE_PAUSE_SECONDS)
        return []

    async def _one(self, item: Submission) -> None:
        deadline = asyncio.get_running_loop().time() + ATTEMPT_SECONDS
        try:
            with structlog.contextvars.bound_contextvars(account=item.account, submission=item.id):
                worker = await self._supervisor.worker(item.account, deadline)
                try:
                    await self._sending.go_on(worker, item)
                except (Fenced, AccountGone):
                    raise
                except Exception:
                    log.exception("a submission's attempt failed")
                    await self._sending.broken(worker, item)
        finally:
            self._flying.discard(item.id)
            if not self._flying:
                self._quiet.set()

    def _now_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)


async def _first(
    tasks: set[asyncio.Task[None]], more: asyncio.Event
) -> tuple[set[asyncio.Task[None]], set[asyncio.Task[None]]]:
    """Those of the tasks that have ended, and the others, as soon as one has or there is more to do."""
    nudge = asyncio.create_task(more.wait())
    try:
        await asyncio.wait({*tasks, nudge}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        nudge.cancel()
    more.clear()
    return {one for one in tasks if one.done()}, {one for one in tasks if not one.done()}
