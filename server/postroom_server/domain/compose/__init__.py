"""Messages that we write: from fields to RFC 5322 bytes, and the check of bytes that a caller wrote.

It owns what may leave this server and refuses what could be read as something else on the way: control characters, bare line
ends, a Bcc field, an address outside the grammar (threats T03, T04, T35). Pure: the clock and the ids come from outside.
"""

from postroom_server.domain.compose.addresses import check_address, check_envelope
from postroom_server.domain.compose.building import (
    Composed,
    ComposedAttachment,
    ComposedHeader,
    compose,
    composed_envelope,
    composed_message_id,
    is_message_id,
    new_message_id,
)
from postroom_server.domain.compose.raw import RawMessage, check_raw

__all__ = [
    "Composed",
    "ComposedAttachment",
    "ComposedHeader",
    "RawMessage",
    "check_address",
    "check_envelope",
    "check_raw",
    "compose",
    "composed_envelope",
    "composed_message_id",
    "is_message_id",
    "new_message_id",
]
