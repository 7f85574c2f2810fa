"""Mailboxes between the domain and the contract. Pure."""

from __future__ import annotations

from postroom.v1 import mailbox_pb2 as pb

from postroom_server.domain.mailboxes import Mailbox
from postroom_server.ids import AccountId, mailbox_name
from postroom_server.services.convert.fields import set_time


def mailbox_to_proto(
    account: AccountId, mailbox: Mailbox, *, counts: bool = True, fresh: bool = True
) -> pb.Mailbox:
    """The mailbox; without `counts` and `fresh` also where they are known, as the feed shows it."""
    row = mailbox.row
    made = pb.Mailbox(
        name=mailbox_name(account, mailbox.id),
        path=row.delimiter.join(row.path),
        display_name=row.path[-1] if row.path else "",
        delimiter=row.delimiter,
        role=row.role.value if row.role is not None else "",
        role_source=row.role_source.value if row.role_source is not None else None,
        subscribed=bool(row.subscribed),
        selectable=row.selectable,
        virtual=row.virtual,
        watch=mailbox.watch.value,
        etag=mailbox.etag,
    )
    if counts:
        if row.messages is not None:
            made.message_count = row.messages
        if row.unseen is not None:
            made.unseen_count = row.unseen
    if fresh:
        set_time(made, "fresh_time", mailbox.fresh_time)
    return made
