"""One live account: its connection to the provider, its state, and the loop that turns hints into changes.

It owns the states (contract: CONNECTING … PAUSED) and when to try again; it refuses the diff (`sync`), the wire (the
backend) and callers' commands (`commands`), to which it only hands the open account. The trace of a session:

    open → list mailboxes → keep the push alive → read every scope → CONNECTED → hint or poll → read what is stale → …
"""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import structlog

from postroom_server.domain.accounts import Account, State, StateError, Status
from postroom_server.domain.dialogue import SILENCE, Direction, SessionLog
from postroom_server.domain.keys import ScopeId
from postroom_server.domain.mailboxes import Mailbox, MailboxRecord, Role, RoleSource, Watch
from postroom_server.domain.ports import Call, Clock, Lane, MailAccount, ProviderCursor, Wakeup
from postroom_server.domain.providers import CredentialSource, ProviderBackend
from postroom_server.domain.retry import reconnect_delay, state_after
from postroom_server.domain.senders import MailSender
from postroom_server.domain.storage import AccountStore
from postroom_server.errors import (
    AccountGone,
    AccountNotReady,
    AccountPaused,
    CredentialsRejected,
    Fenced,
    Internal,
    PostroomError,
    ProviderUnreachable,
    StoreFull,
    StoreUnavailable,
)
from postroom_server.workers.entries import Entries
from postroom_server.workers.ledger import Ledger, LedgerMoved, Patch
from postroom_server.workers.sync import Sync

OPEN_SECONDS: Final = 45.0
POLL_SECONDS: Final = 20.0
MAX_POLL_SECONDS: Final = 120.0
LIST_EVERY_POLLS: Final = 3
STALE_SECONDS: Final = 60.0
STORE_PAUSE_SECONDS: Final = 0.25
CLOSE_SECONDS: Final = 3.0
LOST: Final = frozenset({State.DISCONNECTED, State.UNREACHABLE})
"""States of an account that may have been connected before."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTools:
    """What an account worker works with."""

    backend: ProviderBackend
    credentials: CredentialSource
    accounts: AccountStore
    clock: Clock
    opening: asyncio.Semaphore
    """Bounds how many accounts of a node connect at once."""
    log: SessionLog = SILENCE
    """Takes what becomes of the account, beside the dialogues of its connections."""


class AccountWorker:
    """Runs one account for as long as its node owns it."""

    def __init__(self, account: Account, ledger: Ledger, entries: Entries, tools: AccountTools) -> None:
        self.account = account
        self.ledger = ledger
        self.entries = entries
        self.sync = Sync(ledger, entries, tools.clock)
        self._tools = tools
        self._mail: MailAccount | None = None
        self._sender: MailSender | None = None
        self._changed = asyncio.Event()
        self._dirty: set[ScopeId] = set()
        self._look = asyncio.Event()
        self._look_at_all = False
        self._retry = asyncio.Event()
        self._fresh: dict[ScopeId, datetime] = {}
        self._failures = 0
        self._was_connected = False
        self.renewed = False
        """Whether it replaces a worker with other settings, so that what these led to is over."""
        self._sending, self._ended = 0, False
        self._closing: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        link = "open" if self._mail else "closed"
        return f"<AccountWorker {self.account.id} {self.ledger.status.state} {link} {self.ledger!r}>"

    # --- for callers --------------------------------------------------------------------------------------------

    async def ready(self, call: Call) -> MailAccount:
        """The open account, once it is connected; waits until the call's deadline.

        Raises AccountPaused, CredentialsRejected, ProviderUnreachable at once, AccountNotReady at the deadline.
        """
        try:
            async with asyncio.timeout_at(call.deadline):
                while True:
                    changed = self._changed
                    self._refuse()
                    if self._mail is not None and self.ledger.status.state is State.CONNECTED:
                        return self._mail
                    await changed.wait()
        except TimeoutError:
            raise AccountNotReady(state=self.ledger.status.state) from None

    def _refuse(self) -> None:
        state, error = self.ledger.status.state, self.ledger.status.error
        text = error.message if error else ""
        if state is State.PAUSED:
            raise AccountPaused
        if state is State.AUTH_FAILED:
            raise CredentialsRejected(text)
        if state is State.UNREACHABLE:
            raise ProviderUnreachable(text)

    def sender(self) -> MailSender | None:
        """How the account sends; None when it cannot."""
        if self._sender is None:
            self._sender = self._tools.backend.sender(self.account, self._tools.credentials)
        return self._sender

    @contextmanager
    def sending(self) -> Iterator[MailSender | None]:
        """The sender; while this is open its connections outlive the worker, so that no message is cut in the middle."""
        self._sending += 1
        try:
            yield self.sender()
        finally:
            self._sending -= 1
            if self._ended and not self._sending and self._sender is not None:
                self._closing = asyncio.ensure_future(self._sender.close())

    def watched(self, record: MailboxRecord) -> bool:
        """Whether the mailbox's changes are in the feed."""
        if record.row.scope is None:
            return False
        wanted = self.account.watched_mailboxes
        path = record.row.delimiter.join(record.row.path)
        return not wanted or path in wanted or (record.row.role is not None and record.row.role in wanted)

    def show(self, record: MailboxRecord) -> Mailbox:
        """The mailbox under its public id, with the user's roles."""
        row = record.row
        path = row.delimiter.join(row.path)
        for role, wanted in self.account.mailbox_roles.items():
            if wanted == path:
                row = replace(row, role=Role(role), role_source=RoleSource.USER)
        watch = Watch.NONE
        if self.watched(record):
            push = self._mail.capabilities.push if self._mail else frozenset()
            live = bool(push) and (push != {"IDLE"} or row.role is Role.INBOX)
            watch = Watch.LIVE if live else Watch.POLLED
        position = self.ledger.position_of(record)
        fresh = self._fresh.get(ScopeId(row.scope)) if row.scope is not None else None
        if fresh is None and position is not None and position.fresh_ms:
            fresh = datetime.fromtimestamp(position.fresh_ms / 1000, UTC)
        etag = f'"{record.number}-{zlib.crc32(repr((row.path, row.role, row.subscribed)).encode()):08x}"'
        return Mailbox(id=self.entries.mailbox_id(record), row=row, watch=watch, fresh_time=fresh, etag=etag)

    def look(self, scopes: frozenset[ScopeId] = frozenset()) -> None:
        """Asks for a look at these scopes, at all of them when none is named."""
        self._dirty |= scopes
        self._look_at_all |= not scopes
        self._look.set()

    def retry(self) -> None:
        """Ends the pause before the next try to connect."""
        self._retry.set()

    # --- the loop -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled, or until Fenced or AccountGone say that the account is not ours any more."""
        await self.ledger.load()
        state = self.ledger.status.state
        read = any(position.cursor for position in self.ledger.positions.values())
        self._was_connected = state is State.CONNECTED or (state in LOST and read)
        if self.account.paused:
            await self._enter(State.PAUSED)
            await asyncio.Event().wait()
        if state is State.PAUSED or (self.renewed and state is not State.CONNECTED):
            await self._enter(State.CONNECTING)
        try:
            while True:
                await self._try_session()
        finally:
            self._ended = True
            if self._sender is not None and not self._sending:
                await self._sender.close()

    async def _try_session(self) -> None:
        try:
            await self._session()
        except Exception as failure:
            error = first(failure)
            if isinstance(error, Fenced | AccountGone):
                raise error from None
            if not isinstance(error, PostroomError):
                log.exception("the account's session failed", exc_info=error)
                error = Internal()
            await self._failed(error)

    async def _failed(self, error: PostroomError) -> None:
        if isinstance(error, StoreUnavailable | StoreFull):
            await asyncio.sleep(STORE_PAUSE_SECONDS)
            return
        self._failures += 1
        state = state_after(error, was_connected=self._was_connected, failures=self._failures)
        if state is not None:
            await self._enter(state, error)
        delay = reconnect_delay(self._failures, error, random.random())
        log.info(
            "the account is not connected", reason=error.reason, failures=self._failures, retry_seconds=delay
        )
        self._tools.log.say(Direction.EVENT, f"tries again in {delay:.1f} s")
        self._retry.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._retry.wait()

    async def _session(self) -> None:
        tools = self._tools
        async with tools.opening:
            call = Call(deadline=_now() + OPEN_SECONDS, lane=Lane.SYNC)
            mail = await tools.backend.open(call, self.account, tools.credentials)
        try:
            self._mail = mail
            self._notify()
            await self._keep_capabilities(mail)
            if self.ledger.status.state is not State.CONNECTED and not self._was_connected:
                await self._enter(State.SYNCING)
            await self._moved_again(lambda: self.sync.list_mailboxes(mail, self))
            scopes = self._scopes()
            async with mail.wakeups(scopes) as hints, asyncio.TaskGroup() as group:
                group.create_task(self._listen(hints))
                self._dirty.update(scopes)
                await self._drain(mail)
                await self._enter(State.CONNECTED)
                self._failures, self._was_connected = 0, True
                await self._live(mail)
        finally:
            self._mail = None
            self._notify()
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await mail.close()

    async def _listen(self, hints: AsyncIterator[Wakeup]) -> None:
        async for hint in hints:
            self.look(hint.scopes)
        raise ProviderUnreachable("The provider ended the connection that announces changes.", stage="closed")

    async def _live(self, mail: MailAccount) -> None:
        interval, polls = POLL_SECONDS, 0
        while True:
            try:
                async with asyncio.timeout(interval * random.uniform(0.9, 1.0)):
                    await self._look.wait()
            except TimeoutError:
                self._look_at_all = True
            self._look.clear()
            if self._look_at_all:
                self._look_at_all = False
                polls += 1
                if polls % LIST_EVERY_POLLS == 1 or self._dirty:
                    await self._moved_again(lambda: self.sync.list_mailboxes(mail, self))
                self._dirty.update(await self._stale(mail))
            busy = bool(self._dirty)
            await self._drain(mail)
            interval = POLL_SECONDS if busy else min(interval * 2, MAX_POLL_SECONDS)

    async def _stale(self, mail: MailAccount) -> set[ScopeId]:
        """Scopes to read: those that the provider names, and those that were never read."""
        known: dict[ScopeId, ProviderCursor | None] = {}
        for record in self.ledger.mailboxes.values():
            if record.row.scope is not None and self.watched(record):
                position = self.ledger.position_of(record)
                known[ScopeId(record.row.scope)] = (
                    ProviderCursor(position.cursor) if position and position.cursor else None
                )
        stale = set(await mail.stale(Call(deadline=_now() + STALE_SECONDS, lane=Lane.SYNC), known))
        now = self._tools.clock.now()
        self._fresh.update(dict.fromkeys(known.keys() - stale, now))
        return (stale & known.keys()) | {scope for scope, cursor in known.items() if cursor is None}

    async def _drain(self, mail: MailAccount) -> None:
        """Reads what is dirty until nothing is: round by round, so that no busy mailbox holds up the others."""
        while self._dirty:
            for scope in sorted(self._dirty, key=self._urgency):
                self._dirty.discard(scope)
                try:
                    await self.sync.read(mail, scope, settled=self._was_connected)
                    self._fresh[scope] = self._tools.clock.now()
                except (StoreUnavailable, LedgerMoved):
                    self._dirty.add(scope)
                    await asyncio.sleep(STORE_PAUSE_SECONDS)
                except BaseException:
                    self._dirty.add(scope)
                    raise

    def _urgency(self, scope: ScopeId) -> tuple[bool, bytes]:
        record = self.sync.record_of(scope)
        return (record is None or record.row.role is not Role.INBOX, scope)

    def _scopes(self) -> list[ScopeId]:
        """Scopes of the watched mailboxes, each once: several mailboxes may share one."""
        found = (
            ScopeId(record.row.scope)
            for record in self.ledger.mailboxes.values()
            if record.row.scope is not None and self.watched(record)
        )
        return list(dict.fromkeys(found))

    async def _moved_again(self, step: Callable[[], Awaitable[None]]) -> None:
        """Runs a step that commits, again while the store moves under it."""
        while True:
            try:
                await step()
            except LedgerMoved:
                continue
            return

    # --- state --------------------------------------------------------------------------------------------------

    async def _enter(self, state: State, error: PostroomError | None = None) -> None:
        async with self.ledger.lock:
            while True:
                before = self.ledger.status
                same = before.error.reason if before.error else None
                if before.state is state and same == (error.reason if error else None):
                    break
                told = error and StateError(
                    reason=error.reason, message=str(error)[:500], time=self._tools.clock.now()
                )
                status = Status(state=state, error=told or None)
                entry = self.entries.state_changed(state, status.error, self.ledger.sequence)
                try:
                    await self.ledger.commit(Patch(status=status, entries=[entry]))
                    log.info("account state", state=state, reason=error.reason if error else "")
                    self._tools.log.say(Direction.EVENT, f"{state}{_why(error)}")
                    break
                except LedgerMoved:
                    continue
        self._notify()

    def _notify(self) -> None:
        """Wakes everybody who waits for the account to change."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _keep_capabilities(self, mail: MailAccount) -> None:
        shown = mail.capabilities.shown()
        if self.account.capabilities == shown:
            return
        await self._tools.accounts.probed(self.account.id, self.ledger.nonce, shown)
        self.account = replace(self.account, capabilities=shown)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _why(error: PostroomError | None) -> str:
    """What a dialogue says of an error; not a provider's words about a login, which may repeat the password."""
    if error is None or isinstance(error, CredentialsRejected):
        return f": {error.reason}" if error else ""
    return f": {error.reason}, {error}"


def first(error: BaseException) -> BaseException:
    """The error itself, or the first plain one of a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
