"""Registering, changing and deleting accounts: calls on records, which any node serves.

It owns the first and the last entry of an account's feed; it refuses the live side (`supervisor`), which it only tells.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from postroom_server.domain.accounts import Account, Kind, State, Status
from postroom_server.domain.dialogue import Line
from postroom_server.domain.identity import Identity
from postroom_server.domain.ports import Call, Clock
from postroom_server.domain.providers import ProviderBackend
from postroom_server.domain.storage import AccountStore, NewAccount, Nonce
from postroom_server.errors import AccountGone, AccountNotFound, Fenced, OwnerUnknown, PostroomError
from postroom_server.ids import AccountId
from postroom_server.workers.credentials import GivenCredentials
from postroom_server.workers.dialogues import Dialogues
from postroom_server.workers.entries import Encode, Entries
from postroom_server.workers.supervisor import Supervisor

PAGE_READ: Final = 500
MAX_LOOKED_AT: Final = 5_000
"""Accounts that one page looks at when it filters; the page token goes on from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which accounts a listing shows; empty fields show all."""

    states: frozenset[State] = frozenset()
    email: str = ""
    labels: Mapping[str, str] | None = None

    def shows(self, account: Account, status: Status) -> bool:
        """Whether the account is one of them."""
        if self.states and status.state not in self.states:
            return False
        if self.email.lower() not in account.email.lower():
            return False
        return all(account.labels.get(key) == value for key, value in (self.labels or {}).items())


class Accounts:
    """Account records."""

    def __init__(
        self,
        store: AccountStore,
        supervisor: Supervisor,
        backends: Mapping[Kind, ProviderBackend],
        making: tuple[Identity, Encode, Clock],
        nonce: Nonce,
        dialogues: Dialogues | None = None,
    ) -> None:
        self._store, self._supervisor, self._backends = store, supervisor, backends
        self._identity, self._encode, self._clock = making
        self._nonce = nonce
        self._dialogues = dialogues or Dialogues()

    def _entries(self, account: AccountId) -> Entries:
        return Entries(account, self._identity, self._encode, self._clock)

    async def create(
        self, account: Account, secrets: Mapping[str, str], *, request_id: str, fingerprint: str
    ) -> tuple[Account, Status]:
        """Registers an account. Raises AccountExists, RequestIdReused."""
        new = NewAccount(
            account=replace(account, has_secrets=frozenset(secrets)),
            secrets=secrets,
            entry=self._entries(account.id).account_added(account),
            request_id=request_id,
            fingerprint=fingerprint,
        )
        made = await self._store.create(new)
        await self._backends[account.kind].registered(replace(account, id=made))
        await self._supervisor.changed(made)
        return await self.get(made)

    async def get(self, account: AccountId) -> tuple[Account, Status]:
        """Record and status. Raises AccountNotFound."""
        found = await self._store.get(account)
        if found is None:
            raise AccountNotFound(account=account)
        return found

    async def page(
        self, after: str, limit: int, *, states: frozenset[State], email: str, labels: Mapping[str, str]
    ) -> tuple[Sequence[tuple[Account, Status]], str]:
        """Accounts with ids greater than `after`, and the last id that was looked at; empty at the end."""
        wanted = Filter(states=states, email=email, labels=labels)
        rows: list[tuple[Account, Status]] = []
        looked = 0
        while looked < MAX_LOOKED_AT:
            ids = await self._store.page(after, min(PAGE_READ, limit - len(rows)))
            if not ids:
                return rows, ""
            rows += [row for row in await self._store.get_many(ids) if wanted.shows(*row)]
            looked += len(ids)
            after = ids[-1]
            if len(rows) >= limit:
                break
        return rows, after

    async def log(
        self, call: Call, account: AccountId, *, most: int, follow: bool
    ) -> AsyncGenerator[Sequence[Line], None]:
        """The account's kept dialogue, on the node that owns it; see `Dialogues.read`. Raises AccountNotFound, OwnerUnknown."""
        await self._supervisor.worker(account, call.deadline)
        return self._dialogues.read(account, most=most, follow=follow)

    async def update(
        self, account: Account, *, expected_revision: int, secrets: Mapping[str, str | None]
    ) -> tuple[Account, Status]:
        """Replaces the record; the worker starts again where it matters. Raises EtagMismatch, AccountNotFound."""
        await self._store.update(account, expected_revision=expected_revision, secrets=secrets or None)
        await self._supervisor.changed(account.id)
        return await self.get(account.id)

    async def delete(self, call: Call, account: AccountId) -> None:
        """Deletes the account; on the node that owns it. Raises AccountNotFound, OwnerUnknown."""
        worker = await self._supervisor.worker(account, call.deadline)
        await self._supervisor.stop_worker(account)
        try:
            if not worker.ledger.incarnation:
                await worker.ledger.load()
            incarnation = worker.ledger.incarnation
            await self._store.delete(
                account,
                self._nonce,
                incarnation,
                self._entries(account).account_removed(incarnation, call.request_id),
            )
        except Fenced:
            raise OwnerUnknown(account=account) from None
        except AccountGone:
            raise AccountNotFound(account=account) from None

    async def verify(
        self, call: Call, account: Account, secrets: Mapping[str, str]
    ) -> Mapping[str, PostroomError | None]:
        """Tries to connect and to log in; stores nothing. One result per protocol, None = it works."""
        backend = self._backends[account.kind]
        credentials = GivenCredentials(account, secrets)
        results: dict[str, PostroomError | None] = {}

        async def read() -> None:
            mail = await backend.open(call, account, credentials)
            await mail.close()

        async def send() -> None:
            sender = backend.sender(account, credentials)
            if sender is not None:
                try:
                    await sender.verify(call)
                finally:
                    await sender.close()

        async def tried(name: str, step: Callable[[], Awaitable[None]]) -> None:
            try:
                await step()
                results[name] = None
            except PostroomError as error:
                results[name] = error

        steps = {"imap": read} if account.kind is Kind.IMAP and account.imap is not None else {}
        if account.kind is Kind.SANDBOX:
            steps = {"sandbox": send}
        if account.kind is Kind.IMAP and account.smtp is not None:
            steps["smtp"] = send
        async with asyncio.TaskGroup() as group:
            for name, step in steps.items():
                group.create_task(tried(name, step))
        return results
