"""MessageService: unpack, call, pack. Runs on the account's owner."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from typing import Final

from postroom.v1 import message_batch_pb2, search_pb2
from postroom.v1 import message_service_pb2 as pb
from postroom.v1.message_service_pb2_grpc import MessageServiceServicer

from postroom_server.domain.messages import View
from postroom_server.errors import (
    MembershipSingle,
    MessageNotFound,
    NotImplementedYet,
    PageTokenInvalid,
    RequestInvalid,
)
from postroom_server.ids import (
    ALL_ACCOUNTS,
    AccountId,
    MessageId,
    parse_account,
    parse_account_or_all,
    parse_attachment,
    parse_mailbox,
    parse_message,
)
from postroom_server.services.calling import Context, current_call
from postroom_server.services.convert.fields import limited, mailbox_reference, message_reference, named
from postroom_server.services.convert.messages import (
    flags_from,
    message_to_proto,
    result_to_proto,
    view_from,
)
from postroom_server.services.convert.search import coverage_to_proto, filter_from
from postroom_server.services.downloads import Download, Piece, pieces, ranged, requested
from postroom_server.services.paging import Pager, page_size
from postroom_server.workers.commands import Commands

DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = 1_000
MAX_NAMES: Final = 1_000
MAX_SEARCHED_MAILBOXES: Final = 1_000
DEFAULT_TEXT_BUDGET: Final = 1024 * 1024
MAX_TEXT_BUDGET: Final = 8 * 1024 * 1024
_PLACE_BYTES: Final = 8


class MessageServicer(MessageServiceServicer):
    """Serves messages."""

    def __init__(self, commands: Commands, pager: Pager) -> None:
        self._commands, self._pager = commands, pager

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
        if request.add_mailboxes or request.remove_mailboxes:
            raise MembershipSingle
        if not add and not remove:
            raise RequestInvalid("addFlags", "is needed, or removeFlags")
        names = _names(request.names, account)
        results = await self._commands.modify(
            current_call(), account, tuple(names.values()), add=add, remove=remove
        )
        return message_batch_pb2.ModifyMessagesResponse(
            results=[result_to_proto(account, result) for result in results]
        )


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
