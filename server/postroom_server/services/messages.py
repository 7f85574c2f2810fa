"""MessageService: unpack, call, pack. Runs on the account's owner."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Final

from postroom.v1 import message_append_pb2, message_batch_pb2, message_pb2, search_pb2
from postroom.v1 import message_service_pb2 as pb
from postroom.v1.message_service_pb2_grpc import MessageServiceServicer

from postroom_server.domain.flags import Flag
from postroom_server.domain.messages import View
from postroom_server.domain.ports import Clock
from postroom_server.errors import (
    MessageNotFound,
    NotImplementedYet,
    PageTokenInvalid,
    RequestInvalid,
)
from postroom_server.ids import (
    ALL_ACCOUNTS,
    AccountId,
    MailboxId,
    MessageId,
    parse_account,
    parse_account_or_all,
    parse_attachment,
    parse_mailbox,
    parse_message,
)
from postroom_server.services.calling import Context, current_call
from postroom_server.services.convert.fields import (
    limited,
    mailbox_reference,
    message_reference,
    named,
    time_of,
)
from postroom_server.services.convert.filing import Filed, filed_from, filed_raw, uploaded
from postroom_server.services.convert.messages import (
    flags_from,
    message_to_proto,
    results_to_proto,
    view_from,
)
from postroom_server.services.convert.search import coverage_to_proto, filter_from
from postroom_server.services.downloads import Download, Piece, pieces, ranged, requested
from postroom_server.services.paging import Pager, page_size
from postroom_server.workers.accounts import Accounts
from postroom_server.workers.commands import Commands
from postroom_server.workers.filing import Filing
from postroom_server.workers.moving import Moving

DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = 1_000
MAX_NAMES: Final = 1_000
MAX_SEARCHED_MAILBOXES: Final = 1_000
MAX_EDITED_MAILBOXES: Final = 100
DEFAULT_TEXT_BUDGET: Final = 1024 * 1024
MAX_TEXT_BUDGET: Final = 8 * 1024 * 1024
_PLACE_BYTES: Final = 8


class MessageServicer(MessageServiceServicer):
    """Serves messages."""

    def __init__(
        self,
        accounts: Accounts,
        live: tuple[Commands, Moving, Filing],
        pager: Pager,
        clock: Clock,
    ) -> None:
        self._accounts, self._pager, self._clock = accounts, pager, clock
        self._commands, self._moving, self._filing = live

    async def ListMessages(
        self, request: pb.ListMessagesRequest, context: Context
    ) -> pb.ListMessagesResponse:
        """One page of a mailbox, newest arrival first."""
        account, mailbox = named("parent", parse_mailbox, request.parent)
        view = view_from("view", request.view, View.BASIC)
        size = page_size(request.page_size, default=DEFAULT_PAGE, most=MAX_PAGE)
        parameters = (request.parent,)
        after = _place(self._pager.position("messages", parameters, request.page_token))
        page = await self._commands.list_messages(
            current_call(), account, mailbox, view=view, limit=size, after=after
        )
        position = b"" if page.next is None else b"".join(part.to_bytes(4, "big") for part in page.next)
        return pb.ListMessagesResponse(
            messages=[message_to_proto(account, one, view) for one in page.messages],
            next_page_token=self._pager.token("messages", parameters, position),
        )

    async def SearchMessages(
        self, request: search_pb2.SearchMessagesRequest, context: Context
    ) -> search_pb2.SearchMessagesResponse:
        """One page of what matches."""
        account = named("parent", parse_account_or_all, request.parent)
        if account is None:
            raise NotImplementedYet("a search over several accounts is not served yet", field="parent")
        if request.accounts:
            raise RequestInvalid("accounts", f"goes with the parent accounts/{ALL_ACCOUNTS} only")
        mailboxes = tuple(
            mailbox_reference(f"mailboxes[{index}]", one, account)
            for index, one in enumerate(limited("mailboxes", request.mailboxes, MAX_SEARCHED_MAILBOXES))
        )
        wanted = filter_from("filter", request.filter if request.HasField("filter") else None)
        view = view_from("view", request.view, View.BASIC)
        size = page_size(request.page_size, default=DEFAULT_PAGE, most=MAX_PAGE)
        parameters = (
            request.parent,
            mailboxes,
            request.filter.SerializeToString(deterministic=True),
        )
        after = self._pager.position("search", parameters, request.page_token)
        found = await self._commands.search(
            current_call(), account, mailboxes, wanted, view=view, limit=size, after=after or None
        )
        return search_pb2.SearchMessagesResponse(
            messages=[message_to_proto(account, one, view) for one in found.messages],
            next_page_token=self._pager.token("search", parameters, found.next or b""),
            coverage=[coverage_to_proto(one) for one in found.coverage],
        )

    async def GetMessage(self, request: pb.GetMessageRequest, context: Context) -> pb.GetMessageResponse:
        """One message."""
        account, message = named("name", parse_message, request.name)
        view = view_from("view", request.view, View.FULL)
        if request.text_budget_bytes < 0:
            raise RequestInvalid("textBudgetBytes", "must not be negative")
        found = await self._commands.get_message(
            current_call(),
            account,
            message,
            view=view,
            text_budget=min(request.text_budget_bytes or DEFAULT_TEXT_BUDGET, MAX_TEXT_BUDGET),
        )
        return pb.GetMessageResponse(message=message_to_proto(account, found, view))

    async def BatchGetMessages(
        self, request: pb.BatchGetMessagesRequest, context: Context
    ) -> pb.BatchGetMessagesResponse:
        """Several messages; those that are gone are named."""
        account = named("parent", parse_account, request.parent)
        names = _names(request.names, account)
        view = view_from("view", request.view, View.BASIC)
        answer = pb.BatchGetMessagesResponse()
        for name, message in names.items():
            try:
                found = await self._commands.get_message(
                    current_call(), account, message, view=view, text_budget=DEFAULT_TEXT_BUDGET
                )
            except MessageNotFound:
                answer.missing.append(name)
            else:
                answer.messages.append(message_to_proto(account, found, view))
        return answer

    async def GetMessageSource(
        self, request: pb.GetMessageSourceRequest, context: Context
    ) -> AsyncIterator[pb.GetMessageSourceResponse]:
        """The raw message in pieces."""
        account, message = named("name", parse_message, request.name)
        stream = await self._commands.source(current_call(), account, message)
        download = Download(stream=stream, tag=_tag(request.name), filename="message.eml")
        piece = ranged(context, download, Piece())
        async with aclosing(pieces(context, download, piece)) as bodies:
            async for body in bodies:
                yield pb.GetMessageSourceResponse(body=body)

    async def DownloadAttachment(
        self, request: pb.DownloadAttachmentRequest, context: Context
    ) -> AsyncIterator[pb.DownloadAttachmentResponse]:
        """An attachment in pieces, decoded; offset and length, or a Range header over REST."""
        account, message, attachment = named("name", parse_attachment, request.name)
        asked = requested(request.offset, request.length)
        found = await self._commands.attachment(current_call(), account, message, attachment)
        download = Download(stream=found.stream, tag=_tag(request.name), filename=found.part.filename or "")
        piece = ranged(context, download, asked)
        async with aclosing(pieces(context, download, piece)) as bodies:
            async for body in bodies:
                yield pb.DownloadAttachmentResponse(body=body)

    async def ModifyMessages(
        self, request: message_batch_pb2.ModifyMessagesRequest, context: Context
    ) -> message_batch_pb2.ModifyMessagesResponse:
        """Flags by difference, one result per message."""
        account = named("parent", parse_account, request.parent)
        if request.HasField("filter") or request.mailboxes:
            raise NotImplementedYet("changing messages by a filter is not served yet", field="filter")
        add = flags_from("addFlags", request.add_flags)
        remove = flags_from("removeFlags", request.remove_flags)
        if add & remove:
            raise RequestInvalid("removeFlags", f"{min(add & remove)!r} is in addFlags too")
        enter = _mailboxes("addMailboxes", request.add_mailboxes, account)
        leave = _mailboxes("removeMailboxes", request.remove_mailboxes, account)
        if both := set(enter) & set(leave):
            raise RequestInvalid("removeMailboxes", f"{min(both)!r} is in addMailboxes too")
        if not (add or remove or enter or leave):
            raise RequestInvalid("addFlags", "is needed, or removeFlags, addMailboxes or removeMailboxes")
        names = _names(request.names, account)
        results = await self._commands.modify(
            current_call(), account, tuple(names.values()), add=add, remove=remove, enter=enter, leave=leave
        )
        return message_batch_pb2.ModifyMessagesResponse(results=results_to_proto(account, results))

    async def MoveMessages(
        self, request: message_batch_pb2.MoveMessagesRequest, context: Context
    ) -> message_batch_pb2.MoveMessagesResponse:
        """Into another mailbox, one result per message."""
        account, messages = _batch(request)
        to = mailbox_reference("to", request.destination, account)
        source = mailbox_reference("from", request.source, account) if request.source else None
        if source == to:
            raise RequestInvalid("from", "is the mailbox to move to")
        results = await self._moving.move(current_call(), account, messages, to, source)
        return message_batch_pb2.MoveMessagesResponse(results=results_to_proto(account, results))

    async def CopyMessages(
        self, request: message_batch_pb2.CopyMessagesRequest, context: Context
    ) -> message_batch_pb2.CopyMessagesResponse:
        """A copy in another mailbox, one result per message."""
        account, messages = _batch(request)
        to = mailbox_reference("to", request.destination, account)
        results = await self._moving.copy(current_call(), account, messages, to)
        return message_batch_pb2.CopyMessagesResponse(results=results_to_proto(account, results))

    async def DeleteMessages(
        self, request: message_batch_pb2.DeleteMessagesRequest, context: Context
    ) -> message_batch_pb2.DeleteMessagesResponse:
        """Into the trash or away for good, one result per message."""
        account, messages = _batch(request)
        results = await self._moving.delete(current_call(), account, messages, permanent=request.permanent)
        return message_batch_pb2.DeleteMessagesResponse(results=results_to_proto(account, results))

    async def AppendMessage(
        self, request: message_append_pb2.AppendMessageRequest, context: Context
    ) -> message_append_pb2.AppendMessageResponse:
        """A message into a mailbox."""
        account, mailbox = named("parent", parse_mailbox, request.parent)
        flags = flags_from("flags", request.flags)
        received = time_of("receiveTime", request, "receive_time")
        record, _ = await self._accounts.get(account)
        filed = await asyncio.to_thread(filed_from, request, record, self._clock.now())
        made = await self._file(account, mailbox, filed, flags, received)
        return message_append_pb2.AppendMessageResponse(message=made)

    async def UploadMessage(
        self, request: AsyncIterator[message_append_pb2.UploadMessageRequest], context: Context
    ) -> message_append_pb2.UploadMessageResponse:
        """A message into a mailbox, in pieces."""
        head, raw = await uploaded(request)
        account, mailbox = named("parent", parse_mailbox, head.parent)
        flags = flags_from("flags", head.flags)
        received = time_of("receiveTime", head, "receive_time")
        filed = await asyncio.to_thread(filed_raw, raw, "content")
        made = await self._file(account, mailbox, filed, flags, received)
        return message_append_pb2.UploadMessageResponse(message=made)

    async def _file(
        self,
        account: AccountId,
        mailbox: MailboxId,
        filed: Filed,
        flags: frozenset[Flag],
        received: datetime | None,
    ) -> message_pb2.Message:
        made = await self._filing.append(
            current_call(),
            account,
            mailbox,
            filed.raw,
            internet_message_id=filed.internet_message_id,
            flags=flags,
            received=received,
        )
        if made is not None:
            return message_to_proto(account, made, View.BASIC)
        return message_pb2.Message(internet_message_id=filed.internet_message_id, size_bytes=len(filed.raw))


_Batch = (
    message_batch_pb2.MoveMessagesRequest
    | message_batch_pb2.CopyMessagesRequest
    | message_batch_pb2.DeleteMessagesRequest
)


def _batch(request: _Batch) -> tuple[AccountId, Sequence[MessageId]]:
    """Account and messages of a request."""
    account = named("parent", parse_account, request.parent)
    if request.HasField("filter") or request.mailboxes:
        raise NotImplementedYet("changing messages by a filter is not served yet", field="filter")
    return account, tuple(_names(request.names, account).values())


def _mailboxes(path: str, given: Iterable[str], account: AccountId) -> tuple[MailboxId, ...]:
    found = enumerate(limited(path, given, MAX_EDITED_MAILBOXES))
    return tuple(dict.fromkeys(mailbox_reference(f"{path}[{index}]", one, account) for index, one in found))


def _names(given: Iterable[str], account: AccountId) -> dict[str, MessageId]:
    """Messages by name, in order; a name that comes twice counts once."""
    names = limited("names", given, MAX_NAMES)
    if not names:
        raise RequestInvalid("names", "is needed")
    return {name: message_reference(f"names[{index}]", name, account) for index, name in enumerate(names)}


def _place(position: bytes) -> tuple[int, int] | None:
    """(space, number) of a page token's position."""
    if not position:
        return None
    if len(position) != _PLACE_BYTES:
        raise PageTokenInvalid
    return int.from_bytes(position[:4], "big"), int.from_bytes(position[4:], "big")


def _tag(name: str) -> str:
    """An entity tag: the bytes behind a message's or attachment's name never change."""
    return hashlib.blake2b(name.encode(), digest_size=12).hexdigest()
