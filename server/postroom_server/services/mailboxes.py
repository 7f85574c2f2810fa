"""MailboxService: unpack, call, pack. Runs on the account's owner."""

from __future__ import annotations

from postroom.v1 import mailbox_service_pb2 as pb
from postroom.v1.mailbox_service_pb2_grpc import MailboxServiceServicer

from postroom_server.ids import parse_account, parse_mailbox
from postroom_server.services.calling import Context, current_call
from postroom_server.services.convert.fields import named
from postroom_server.services.convert.mailboxes import mailbox_to_proto
from postroom_server.workers.commands import Commands


class MailboxServicer(MailboxServiceServicer):
    """Serves mailboxes."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

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
