"""MailboxService: unpack, call, pack. Runs on the account's owner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from postroom.v1 import mailbox_pb2
from postroom.v1 import mailbox_service_pb2 as pb
from postroom.v1.mailbox_service_pb2_grpc import MailboxServiceServicer

from postroom_server.domain.mailboxes import MAX_PATH_BYTES
from postroom_server.errors import RequestInvalid
from postroom_server.ids import parse_account, parse_mailbox
from postroom_server.services.calling import Context, current_call
from postroom_server.services.convert.fields import named, text
from postroom_server.services.convert.mailboxes import mailbox_to_proto
from postroom_server.workers.commands import Commands
from postroom_server.workers.editing import Editing, MailboxUpdate

UPDATED: Final = ("path", "display_name", "subscribed")
"""Fields that an update may change, in the spelling of the proto."""
_FIELDS: Final = {"path": "mailbox.path", "displayName": "mailbox.displayName", "name": "mailbox.name"}


class MailboxServicer(MailboxServiceServicer):
    """Serves mailboxes."""

    def __init__(self, commands: Commands, editing: Editing) -> None:
        self._commands, self._editing = commands, editing

    async def CreateMailbox(
        self, request: pb.CreateMailboxRequest, context: Context
    ) -> pb.CreateMailboxResponse:
        """A new mailbox with the levels above it."""
        account = named("parent", parse_account, request.parent)
        path = text("mailbox.path", request.mailbox.path, MAX_PATH_BYTES, needed=True)
        with _fields_of_mailbox():
            made = await self._editing.create(
                current_call(), account, path, subscribed=request.mailbox.subscribed
            )
        return pb.CreateMailboxResponse(mailbox=mailbox_to_proto(account, made))

    async def GetMailbox(self, request: pb.GetMailboxRequest, context: Context) -> pb.GetMailboxResponse:
        """One mailbox, by id or role."""
        account, mailbox = named("name", parse_mailbox, request.name)
        found = await self._commands.get_mailbox(current_call(), account, mailbox)
        return pb.GetMailboxResponse(mailbox=mailbox_to_proto(account, found))

    async def ListMailboxes(
        self, request: pb.ListMailboxesRequest, context: Context
    ) -> pb.ListMailboxesResponse:
        """All mailboxes of an account."""
        account = named("parent", parse_account, request.parent)
        found = await self._commands.list_mailboxes(current_call(), account, counts=request.with_counts)
        return pb.ListMailboxesResponse(
            mailboxes=[mailbox_to_proto(account, one, counts=request.with_counts) for one in found]
        )

    async def UpdateMailbox(
        self, request: pb.UpdateMailboxRequest, context: Context
    ) -> pb.UpdateMailboxResponse:
        """Another path, another last level, or another subscription."""
        account, mailbox = named("mailbox.name", parse_mailbox, request.mailbox.name)
        update = _update(request.mailbox, request.update_mask.paths)
        with _fields_of_mailbox():
            made = await self._editing.update(current_call(), account, mailbox, update)
        return pb.UpdateMailboxResponse(mailbox=mailbox_to_proto(account, made))

    async def DeleteMailbox(
        self, request: pb.DeleteMailboxRequest, context: Context
    ) -> pb.DeleteMailboxResponse:
        """A mailbox and its messages go."""
        account, mailbox = named("name", parse_mailbox, request.name)
        await self._editing.delete(current_call(), account, mailbox)
        return pb.DeleteMailboxResponse()


def _update(given: mailbox_pb2.Mailbox, paths: Sequence[str]) -> MailboxUpdate:
    """What an update asks for. Without a mask every field that is set; so it cannot unsubscribe."""
    for path in paths:
        if path not in UPDATED and path != "*":
            raise RequestInvalid("updateMask", f"{path[:80]!r} is not a field that can be changed")
    wanted = set(UPDATED) if "*" in paths else set(paths)
    if not paths:
        wanted = {name for name in UPDATED if getattr(given, name)}
    if not wanted:
        raise RequestInvalid("updateMask", "names no field, and none is set")

    def level(name: str, path: str) -> str | None:
        return text(path, getattr(given, name), MAX_PATH_BYTES, needed=True) if name in wanted else None

    return MailboxUpdate(
        path=level("path", "mailbox.path"),
        display_name=level("display_name", "mailbox.displayName"),
        subscribed=given.subscribed if "subscribed" in wanted else None,
        etag=given.etag,
    )


@contextmanager
def _fields_of_mailbox() -> Iterator[None]:
    """What is refused is named where it stood in the request."""
    try:
        yield
    except RequestInvalid as error:
        ((field, description),) = error.violations
        raise RequestInvalid(_FIELDS.get(field, field), description) from None
