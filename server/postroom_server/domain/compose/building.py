"""From a caller's fields to the bytes of a message.

It owns which fields a caller may set and what each becomes, and refuses by the JSON path of the field: a forbidden or broken
header, a content type that is none, an address outside the grammar. The result has no Bcc field (threats T35).
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import format_datetime
from typing import Final

from postroom_server.domain.compose.addresses import check_address, check_envelope
from postroom_server.domain.compose.fields import CONTROL, address_field, fold, text_field
from postroom_server.domain.compose.parts import MimePart, file_part, multipart, text_part
from postroom_server.domain.messages import Address
from postroom_server.domain.outbox import MAX_RECIPIENTS, SmtpEnvelope
from postroom_server.errors import RequestInvalid

PATH: Final = "submission.composed"
MAX_HEADERS: Final = 100
MAX_HEADER_NAME: Final = 76
MAX_HEADER_VALUE: Final = 16 * 1024
MAX_SUBJECT_INPUT: Final = 4_096
MAX_DISPLAY_NAME_INPUT: Final = 512
MAX_ATTACHMENTS: Final = 500
MAX_FILENAME_INPUT: Final = 1_024
MAX_CONTENT_ID: Final = 250
MAX_MESSAGE_ID: Final = 250

_HEADER_NAME: Final = re.compile(r"[!-9;-~]+")
_CONTENT_TYPE: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
)
_MESSAGE_ID: Final = re.compile(r"[!-;=?A-~]+@[!-;=?A-~]+")
_OWN_FIELDS: Final = frozenset(
    {
        "authentication-results",
        "bcc",
        "cc",
        "date",
        "from",
        "mime-version",
        "received",
        "reply-to",
        "return-path",
        "sender",
        "subject",
        "to",
    }
)
"""Header names with a field of their own, and those that only servers write."""
_OWN_PREFIXES: Final = ("content-", "dkim-", "arc-", "resent-")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposedHeader:
    """A header field of the caller's."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposedAttachment:
    """A file to send. `inline` with a content id stands beside the html that shows it (`cid:`)."""

    filename: str = ""
    content_type: str = "application/octet-stream"
    content: bytes = b""
    content_id: str = ""
    inline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """A message as its sender thinks of it. `from_` None is an error here: the account's is filled in before."""

    from_: Address | None = None
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    subject: str = ""
    text: str | None = None
    html: str | None = None
    attachments: tuple[ComposedAttachment, ...] = ()
    headers: tuple[ComposedHeader, ...] = ()
    internet_message_id: str = ""


def is_message_id(text: str) -> bool:
    """Whether `text`, without angle brackets, can stand in a Message-ID field (RFC 5322 section 3.6.4)."""
    return len(text) <= MAX_MESSAGE_ID and _MESSAGE_ID.fullmatch(text) is not None and text.count("@") == 1


def new_message_id(sender: str) -> str:
    """A fresh id in the domain of the address `sender`, without angle brackets."""
    domain = sender.rpartition("@")[2].strip("[]").replace(":", ".")
    return f"{uuid.uuid4()}@{domain}"


def composed_message_id(composed: Composed, path: str = PATH) -> str | None:
    """The caller's Message-ID, of the field or the header, without angle brackets; None when there is none.

    Raises:
        RequestInvalid: It is not well formed, or the two differ.
    """
    found = (
        {f"{path}.internetMessageId": composed.internet_message_id} if composed.internet_message_id else {}
    )
    for number, header in enumerate(composed.headers):
        if header.name.lower() == "message-id":
            found[f"{path}.headers[{number}].value"] = header.value
    chosen: str | None = None
    for field, value in found.items():
        clean = value.strip().removeprefix("<").removesuffix(">")
        if not is_message_id(clean):
            raise RequestInvalid(field, "is not a Message-ID")
        if chosen is not None and clean != chosen:
            raise RequestInvalid(field, "differs from the other Message-ID of this message")
        chosen = clean
    return chosen


def composed_envelope(composed: Composed, path: str = PATH) -> SmtpEnvelope:
    """The envelope of `from`, `to`, `cc` and `bcc`. Raises RequestInvalid, also without any recipient."""
    sender = _sender(composed, path).address
    recipients = [
        (one.address, f"{path}.{name}[{number}].address")
        for name, group in (("to", composed.to), ("cc", composed.cc), ("bcc", composed.bcc))
        for number, one in enumerate(group)
    ]
    return check_envelope(sender, recipients, path)


def compose(
    composed: Composed, *, now: datetime, message_id: str, path: str = PATH, keep_bcc: bool = False
) -> bytes:
    """RFC 5322 bytes: CRLF only, no line over 998 bytes, no Bcc unless kept; the same input gives the same bytes.

    `message_id` has no angle brackets; see `composed_message_id` and `new_message_id`. Recipients may be missing (a draft).

    Raises:
        RequestInvalid: Naming the field below `path` that cannot be written.
    """
    if not is_message_id(message_id):
        raise RequestInvalid(f"{path}.internetMessageId", "is not a Message-ID")
    composed_message_id(composed, path)
    content = _content(composed, message_id, path)
    fields = [
        fold("Date", [format_datetime(now)]),
        address_field("From", [_sender(composed, path)]),
        *[
            address_field(name, _addresses(group, f"{path}.{key}"))
            for name, key, group in (
                ("To", "to", composed.to),
                ("Cc", "cc", composed.cc),
                ("Bcc", "bcc", composed.bcc if keep_bcc else ()),
                ("Reply-To", "replyTo", composed.reply_to),
            )
            if group
        ],
        text_field("Subject", _checked(composed.subject, f"{path}.subject", MAX_SUBJECT_INPUT)),
        fold("Message-ID", [f"<{message_id}>"]),
        *_headers(composed, path),
        b"MIME-Version: 1.0\r\n",
        content.fields,
    ]
    _addresses(composed.bcc, f"{path}.bcc")
    return b"".join(fields) + b"\r\n" + content.body + (b"" if content.body.endswith(b"\r\n") else b"\r\n")


def _checked(text: str, field: str, limit: int) -> str:
    if len(text) > limit:
        raise RequestInvalid(field, f"is longer than {limit} characters")
    if CONTROL.search(text):
        raise RequestInvalid(field, "holds a control character")
    return text


def _sender(composed: Composed, path: str) -> Address:
    if composed.from_ is None or not composed.from_.address:
        raise RequestInvalid(f"{path}.from", "is required")
    return _address(composed.from_, f"{path}.from")


def _address(one: Address, field: str) -> Address:
    name = _checked(one.display_name, f"{field}.displayName", MAX_DISPLAY_NAME_INPUT)
    return replace(one, display_name=name, address=check_address(one.address, f"{field}.address"))


def _addresses(group: tuple[Address, ...], field: str) -> list[Address]:
    if len(group) > MAX_RECIPIENTS:
        raise RequestInvalid(field, f"holds more than {MAX_RECIPIENTS} addresses")
    return [_address(one, f"{field}[{number}]") for number, one in enumerate(group)]


def _headers(composed: Composed, path: str) -> list[bytes]:
    """The caller's header fields but for Message-ID, which stands already."""
    if len(composed.headers) > MAX_HEADERS:
        raise RequestInvalid(f"{path}.headers", f"holds more than {MAX_HEADERS} fields")
    written = []
    for number, header in enumerate(composed.headers):
        field, name = f"{path}.headers[{number}]", header.name
        if len(name) > MAX_HEADER_NAME or not _HEADER_NAME.fullmatch(name):
            raise RequestInvalid(f"{field}.name", "is not the name of a header field")
        lower = name.lower()
        if lower in _OWN_FIELDS or lower.startswith(_OWN_PREFIXES):
            raise RequestInvalid(f"{field}.name", f"{name} cannot be set as a header")
        value = _checked(header.value, f"{field}.value", MAX_HEADER_VALUE)
        if lower != "message-id":
            written.append(text_field(name, value.strip()))
    return written


def _content(composed: Composed, seed: str, path: str) -> MimePart:
    """The MIME tree: mixed > alternative > related, each only where there is more than one part."""
    if len(composed.attachments) > MAX_ATTACHMENTS:
        raise RequestInvalid(f"{path}.attachments", f"holds more than {MAX_ATTACHMENTS} files")
    related: list[MimePart] = []
    mixed: list[MimePart] = []
    for number, one in enumerate(composed.attachments):
        part = _file(one, f"{path}.attachments[{number}]")
        (related if one.inline and one.content_id and composed.html is not None else mixed).append(part)
    texts = []
    if composed.text is not None or composed.html is None:
        texts.append(text_part(composed.text or "", "plain"))
    if composed.html is not None:
        texts.append(multipart("related", [text_part(composed.html, "html"), *related], seed=seed))
    return multipart("mixed", [multipart("alternative", texts, seed=seed), *mixed], seed=seed)


def _file(one: ComposedAttachment, field: str) -> MimePart:
    content_type = (one.content_type or "application/octet-stream").lower()
    if not _CONTENT_TYPE.fullmatch(content_type) or content_type.startswith("multipart/"):
        raise RequestInvalid(f"{field}.contentType", "is not the type of a file, such as application/pdf")
    content_id = one.content_id.strip().removeprefix("<").removesuffix(">")
    if len(content_id) > MAX_CONTENT_ID or not re.fullmatch(r"[!-;=?-~]*", content_id):
        raise RequestInvalid(f"{field}.contentId", "is not a Content-ID")
    return file_part(
        one.content,
        content_type=content_type,
        filename=_checked(one.filename, f"{field}.filename", MAX_FILENAME_INPUT),
        content_id=content_id,
        disposition="inline" if one.inline else "attachment",
    )
