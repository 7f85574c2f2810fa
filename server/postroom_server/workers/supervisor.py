"""The supervisor: one account worker for each account of the shards that this node owns.

It owns their tasks: started when a shard is gained or an account appears, restarted when its record changed, ended when
the shard is lost or the account is gone. It refuses to own leases (`ownership`) and to know any backend: the wiring hands
in how a worker is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Final

import structlog

from postroom_server.domain.accounts import Account, State
from postroom_server.domain.shards import shard_of
from postroom_server.domain.storage import AccountStore, Shard
from postroom_server.errors import AccountGone, AccountNotFound, Fenced, OwnerUnknown, StoreUnavailable
from postroom_server.ids import AccountId
from postroom_server.workers.account import AccountWorker
from postroom_server.workers.ownership import Ownership

SCAN_SECONDS: Final = 5.0
BATCH: Final = 500
RESTART_SECONDS: Final = 1.0
WAIT_SECONDS: Final = 0.02
UNUSED: Final = frozenset({"display_name", "labels", "sent_copy", "relay"})
"""Fields that a worker does not work by, or reads anew each time."""
FAILING: Final = frozenset({State.AUTH_FAILED, State.UNREACHABLE, State.DISCONNECTED})

log = structlog.get_logger(__name__)


class Supervisor:
    """Account workers of this node."""

    def __init__(
        self,
        ownership: Ownership,
        accounts: AccountStore,
        make_worker: Callable[[Account], AccountWorker],
        shard_count: int,
    ) -> None:
        self._ownership, self._accounts, self._make = ownership, accounts, make_worker
        self._count = shard_count
        self._workers: dict[AccountId, AccountWorker] = {}
        self._tasks: dict[AccountId, asyncio.Task[None]] = {}
        self._to_scan: set[Shard] = set()
        self._scan = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self.on_left: Callable[[AccountId], None] = lambda _account: None
        """Told of each account that does not run here any more."""

    def shard(self, account: AccountId) -> Shard:
        """The shard that an account lives in."""
        return shard_of(account, self._count)

    def workers(self) -> list[AccountWorker]:
        """Every worker that runs."""
        return list(self._workers.values())

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._scan_always())
            group.create_task(self._ownership.run(self._gained, self._lost))

    def _gained(self, shard: Shard) -> None:
        self._to_scan.add(shard)
        self._scan.set()

    def _lost(self, shard: Shard) -> None:
        for account in [one for one in self._tasks if self.shard(one) == shard]:
            self._leave(account)

    def _leave(self, account: AccountId) -> asyncio.Task[None] | None:
        self.on_left(account)
        return self._end(account)

    def _end(self, account: AccountId) -> asyncio.Task[None] | None:
        self._workers.pop(account, None)
        task = self._tasks.pop(account, None)
        if task is not None:
            task.cancel()
        return task

    async def _scan_always(self) -> None:
        while True:
            try:
                async with asyncio.timeout(SCAN_SECONDS):
                    await self._scan.wait()
            except TimeoutError:
                self._to_scan |= self._ownership.shards
            self._scan.clear()
            shards, self._to_scan = self._to_scan, set()
            for shard in shards:
                try:
                    await self._scan_shard(shard)
                except StoreUnavailable:
                    self._to_scan.add(shard)
                except Exception:
                    log.exception("a shard's accounts cannot be read", shard=shard)

    async def _scan_shard(self, shard: Shard) -> None:
        running = [account for account in self._tasks if self.shard(account) == shard]
        there = await self._accounts.in_shard(shard)
        for account in set(running) - set(there):
            self._leave(account)
        for start in range(0, len(there), BATCH):
            for record, _ in await self._accounts.get_many(there[start : start + BATCH]):
                self._settle(record)

    def _settle(self, account: Account) -> None:
        """Starts the account's worker, or one with the new record where what it works by has changed."""
        running = self._workers.get(account.id)
        if running is not None and not _differs(running, account):
            if account.revision > running.account.revision:
                running.account = account
            return
        before = self._end(account.id)
        if self._ownership.valid(self.shard(account.id)):
            worker = self._make(account)
            worker.renewed = running is not None
            self._workers[account.id] = worker
            assert self._group is not None
            # a context of its own: a worker outlives the call that made it
            self._tasks[account.id] = self._group.create_task(self._run(worker, before), context=Context())

    async def _run(self, worker: AccountWorker, before: asyncio.Task[None] | None) -> None:
        """One account, again after a failure of our own, until it is not ours any more."""
        account = worker.account.id
        if before is not None:
            await asyncio.wait([before])
        with structlog.contextvars.bound_contextvars(account=account):
            while True:
                try:
                    await worker.run()
                except Fenced:
                    if self._workers.get(account) is worker:
                        self._ownership.drop(self.shard(account))
                    return
                except AccountGone:
                    if self._workers.get(account) is worker:
                        self._workers.pop(account)
                        self._tasks.pop(account, None)
                        self.on_left(account)
                    return
                except StoreUnavailable:
                    await asyncio.sleep(RESTART_SECONDS)
                except Exception:
                    log.exception("the account's worker failed and is started again")
                    await asyncio.sleep(RESTART_SECONDS)

    async def changed(self, account: AccountId) -> None:
        """The account's record was created or changed by a call on this node."""
        shard = self.shard(account)
        await self._ownership.ensure(shard)
        if self._ownership.valid(shard):
            for record, _ in await self._accounts.get_many([account]):
                self._settle(record)

    async def worker(self, account: AccountId, deadline: float) -> AccountWorker:
        """The worker of an account of ours; waits while it is being started.

        Raises AccountNotFound, and OwnerUnknown when the deadline passes before this node runs it.
        """
        loop = asyncio.get_running_loop()
        looked = False
        while True:
            worker = self._workers.get(account)
            if worker is not None:
                return worker
            if not looked:
                if await self._accounts.get(account) is None:
                    raise AccountNotFound(account=account)
                looked = True
                await self.changed(account)
                continue
            if loop.time() >= deadline:
                raise OwnerUnknown(account=account)
            await asyncio.sleep(WAIT_SECONDS)

    async def stop_worker(self, account: AccountId) -> None:
        """Ends the account's worker, which is not to run here again, and waits for its end."""
        task = self._leave(account)
        if task is not None:
            await asyncio.wait([task])


def _differs(worker: AccountWorker, stored: Account) -> bool:
    """Whether the worker has to start again: what it works by has changed, or may have while it cannot connect.

    Secrets are not in the record: where it was written and shows no difference, they are what was written.
    """
    running = worker.account
    if stored.create_time == running.create_time and stored.revision <= running.revision:
        return False
    if worker.ledger.status.state in FAILING:
        return True
    changed = {name for name in Account.__slots__ if getattr(running, name) != getattr(stored, name)}
    changed -= {"revision", "update_time", "capabilities"}
    return not changed or not changed <= UNUSED
