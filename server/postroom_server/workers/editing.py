"""Callers' changes of the mailboxes of a live account that this node owns: make, rename, subscribe, delete.

It owns the way from public names to the provider's and back, and brings each change into the feed with the caller's
request id before it answers; it refuses the rules of names, which the provider has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from postroom_server.domain.keys import MailboxKey
from postroom_server.domain.mailboxes import Mailbox
from postroom_server.domain.ports import Call, MailAccount, MailboxEditor
from postroom_server.errors import EtagMismatch, MailboxNotFound, NotImplementedYet, RequestInvalid
from postroom_server.ids import AccountId, MailboxId
from postroom_server.workers.account import AccountWorker
from postroom_server.workers.ledger import LedgerMoved
from postroom_server.workers.places import record_of
from postroom_server.workers.supervisor import Supervisor

MAX_MOVES: Final = 5
"""Times that the list of mailboxes is read again because the store moved under it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxUpdate:
    """The new values of a mailbox; None leaves one as it is. `etag`: what it must be now, empty for any."""

    path: str | None = None
    display_name: str | None = None
    subscribed: bool | None = None
    etag: str = ""


class Editing:
    """Changes of mailboxes of accounts of this node."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    async def create(self, call: Call, account: AccountId, path: str, *, subscribed: bool) -> Mailbox:
        """Makes a mailbox and what lacks above it. Raises MailboxExists, RequestInvalid (`path`)."""
        worker, mail, editor = await self._open(call, account)
        levels = _levels(worker, path)
        with worker.sync.arranging(call.request_id, to=levels):
            row = await editor.create_mailbox(call, levels)
            try:
                if bool(row.subscribed) is not subscribed:
                    await editor.subscribe_mailbox(call, row.key, on=subscribed)
            finally:
                await _learn(worker, mail)
        return _shown(worker, row.key)

    async def update(
        self, call: Call, account: AccountId, mailbox: MailboxId, update: MailboxUpdate
    ) -> Mailbox:
        """Renames a mailbox or subscribes to it.

        Raises MailboxNotFound, MailboxExists, EtagMismatch, RequestInvalid (`path`, `displayName`).
        """
        worker, mail, editor = await self._open(call, account)
        record = record_of(worker, mailbox)
        if update.etag and update.etag != worker.show(record).etag:
            raise EtagMismatch(etag=worker.show(record).etag)
        levels = _renamed(worker, record.row.path, update)
        key = record.row.key
        with worker.sync.arranging(call.request_id, to=levels or (), of=record.row.path):
            try:
                if levels is not None and tuple(levels) != record.row.path:
                    key = (await editor.rename_mailbox(call, key, levels)).key
                if update.subscribed is not None and update.subscribed is not bool(record.row.subscribed):
                    await editor.subscribe_mailbox(call, key, on=update.subscribed)
            finally:
                await _learn(worker, mail)
        return _shown(worker, key)

    async def delete(self, call: Call, account: AccountId, mailbox: MailboxId) -> None:
        """Deletes a mailbox with its messages. Raises MailboxNotFound, RequestInvalid (`name`)."""
        worker, mail, editor = await self._open(call, account)
        record = record_of(worker, mailbox)
        with worker.sync.arranging(call.request_id, of=record.row.path):
            try:
                await editor.delete_mailbox(call, record.row.key)
            finally:
                await _learn(worker, mail)

    async def _open(self, call: Call, account: AccountId) -> tuple[AccountWorker, MailAccount, MailboxEditor]:
        worker = await self._supervisor.worker(account, call.deadline)
        mail = await worker.ready(call)
        if mail.mailbox_editor is None:
            raise NotImplementedYet("Mailboxes of this kind of account cannot be changed yet.")
        return worker, mail, mail.mailbox_editor


async def _learn(worker: AccountWorker, mail: MailAccount) -> None:
    """The list of mailboxes as it is now."""
    for left in reversed(range(MAX_MOVES)):
        try:
            await worker.sync.list_mailboxes(mail, worker)
            break
        except LedgerMoved:
            if not left:
                raise
    worker.look()


def _shown(worker: AccountWorker, key: MailboxKey) -> Mailbox:
    for record in worker.ledger.mailboxes.values():
        if record.row.key == key:
            return worker.show(record)
    raise MailboxNotFound


def _delimiter(worker: AccountWorker) -> str:
    return next((one.row.delimiter for one in worker.ledger.mailboxes.values() if one.row.delimiter), "")


def _levels(worker: AccountWorker, path: str) -> Sequence[str]:
    delimiter = _delimiter(worker)
    return path.split(delimiter) if delimiter else [path]


def _renamed(worker: AccountWorker, current: tuple[str, ...], update: MailboxUpdate) -> Sequence[str] | None:
    """The levels after the update; None leaves them."""
    name = update.display_name
    if update.path is not None:
        levels = _levels(worker, update.path)
        if name is not None and name != levels[-1]:
            raise RequestInvalid("displayName", "is not the last level of path")
        return levels
    if name is None:
        return None
    delimiter = _delimiter(worker)
    if delimiter and delimiter in name:
        raise RequestInvalid("displayName", f"has a {delimiter!r} in it, which divides levels")
    return [*current[:-1], name]
