"""A whole message: header fields, the two texts, the parts.

It owns what is shown of raw bytes and refuses to raise: what cannot be read is left out, and `complete` says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import fast_mail_parser

from postroom_server.domain.messages import MAX_SUBJECT, Address, Part
from postroom_server.domain.mime import tree
from postroom_server.domain.mime.addresses import parse_address_list
from postroom_server.domain.mime.headers import (
    decode_header,
    parse_date,
    parse_message_ids,
    split_headers,
)
from postroom_server.domain.mime.parameters import decode_filename
from postroom_server.domain.mime.text import cut_utf8, decode_text

TEXT_BUDGET: Final = 1024 * 1024
"""Bytes of UTF-8 of each text unless the caller says otherwise."""
WIDEST: Final = 8
"""So many bytes of any charset, or fewer, make one byte of UTF-8; more of a text is not decoded for a budget."""
MAX_CONTENT_ID: Final = 998
_TEXTS: Final = frozenset({"text/plain", "text/html"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedPart:
    """A leaf of the message, or a message inside it, under its IMAP section.

    `attachment` tells files from the message's own texts. `size_bytes` is None where only decoding would tell it.
    `embedded`: it belongs to a message inside the message, which is itself an attachment.
    """

    section: str
    content_type: str
    charset: str | None = None
    transfer_encoding: str = ""
    disposition: str = ""
    filename: str | None = None
    content_id: str | None = None
    inline: bool = False
    attachment: bool = False
    embedded: bool = False
    encoded_size_bytes: int = 0
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedMessage:
    """What raw bytes say; texts have line feeds only and are cut to the budget (`truncated`).

    `headers` are (lower-case name, decoded value) in order. `complete` False: a bound was met, parts may be missing.
    """

    headers: tuple[tuple[str, str], ...] = ()
    internet_message_id: str = ""
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    subject: str = ""
    from_: tuple[Address, ...] = ()
    sender: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    send_time: datetime | None = None
    size_bytes: int = 0
    text: str | None = None
    html: str | None = None
    truncated: bool = False
    parts: tuple[ParsedPart, ...] = ()
    complete: bool = True

    @property
    def attachments(self) -> tuple[Part, ...]:
        """The parts that are meant to be saved, as the domain shows them."""
        return tuple(
            Part(
                id=one.section,
                content_type=one.content_type,
                filename=one.filename,
                content_id=one.content_id,
                encoded_size_bytes=one.encoded_size_bytes,
                size_bytes=one.size_bytes,
                inline=one.inline,
            )
            for one in self.parts
            if one.attachment
        )


def parse_fields(raw: bytes, *, complete: bool = True) -> ParsedMessage:
    """The header fields of `raw` only; texts and parts stay empty."""
    fields = split_headers(raw)
    first: dict[str, bytes] = {}
    for name, value in fields:
        first.setdefault(name, value)
    ids = parse_message_ids(first.get("message-id", b""))
    return ParsedMessage(
        headers=tuple([(name, decode_header(value)) for name, value in fields]),
        internet_message_id=ids[0] if ids else "",
        in_reply_to=parse_message_ids(first.get("in-reply-to", b"")),
        references=parse_message_ids(first.get("references", b"")),
        subject=decode_header(first.get("subject", b""))[:MAX_SUBJECT],
        from_=parse_address_list(first.get("from", b"")),
        sender=parse_address_list(first.get("sender", b"")),
        reply_to=parse_address_list(first.get("reply-to", b"")),
        to=parse_address_list(b", ".join([value for name, value in fields if name == "to"])),
        cc=parse_address_list(b", ".join([value for name, value in fields if name == "cc"])),
        bcc=parse_address_list(b", ".join([value for name, value in fields if name == "bcc"])),
        send_time=parse_date(first.get("date", b"")),
        size_bytes=len(raw),
        complete=complete,
    )


def parse_message(raw: bytes, *, text_budget: int = TEXT_BUDGET) -> ParsedMessage:
    """All of `raw`; never raises. Each text is cut to `text_budget` bytes of UTF-8."""
    shown = parse_fields(raw)
    built = tree.build(raw)
    parts = tuple([_part(node) for node in built.nodes.values()])
    text, text_cut = _body(raw, built, parts, "text/plain", text_budget)
    html, html_cut = _body(raw, built, parts, "text/html", text_budget)
    return _with_body(shown, text, html, parts, truncated=text_cut or html_cut, complete=built.whole)


def _with_body(
    shown: ParsedMessage,
    text: str | None,
    html: str | None,
    parts: tuple[ParsedPart, ...],
    *,
    truncated: bool,
    complete: bool,
) -> ParsedMessage:
    values = {name: getattr(shown, name) for name in ParsedMessage.__slots__}
    values |= {"text": text, "html": html, "parts": parts, "truncated": truncated, "complete": complete}
    return ParsedMessage(**values)


def _part(node: tree.Node) -> ParsedPart:
    filename = decode_filename(node.disposition_parameters) or decode_filename(node.parameters)
    is_text = node.content_type in _TEXTS and node.disposition != "attachment" and not filename
    content_id = decode_header(node.content_id)[:MAX_CONTENT_ID] or None
    inline = node.disposition == "inline" or (
        node.disposition != "attachment" and node.related and bool(content_id)
    )
    plain = node.transfer_encoding in tree.IDENTITY_ENCODINGS
    return ParsedPart(
        section=node.section,
        content_type=node.content_type,
        charset=node.parameters.get("charset"),
        transfer_encoding=node.transfer_encoding,
        disposition=node.disposition,
        filename=filename,
        content_id=content_id,
        inline=inline,
        attachment=not is_text and not node.embedded,
        embedded=node.embedded,
        encoded_size_bytes=node.encoded_size,
        size_bytes=node.encoded_size if plain else None,
    )


def _body(
    raw: bytes, built: tree.Tree, parts: tuple[ParsedPart, ...], content_type: str, budget: int
) -> tuple[str | None, bool]:
    """The texts of one type, one after the other, and whether they were cut."""
    pieces: list[str] = []
    left, cut = budget, False
    for part in parts:
        if part.content_type != content_type or part.attachment or part.embedded:
            continue
        if left <= 0:
            cut = True
            break
        content = _content(raw, built, part.section) or b""
        piece, was_cut = cut_utf8(body_text(content[: WIDEST * left], part.charset), left)
        pieces.append(piece)
        cut = cut or was_cut or len(content) > WIDEST * left
        left -= len(piece.encode()) + 1
    return ("\n".join(pieces) if pieces else None), cut


def body_text(raw: bytes, charset: str | None, transfer_encoding: str = "") -> str:
    """The text of a body part with line feeds only; see `decode_text`."""
    return decode_text(raw, charset, transfer_encoding).replace("\r\n", "\n").replace("\r", "\n")


def _content(raw: bytes, built: tree.Tree, section: str) -> bytes | None:
    """The decoded bytes of one part; what fast-mail-parser refuses to decode is read leniently."""
    node = built.nodes.get(section)
    if node is None or node.content is None:
        return None
    try:
        return node.content()
    except fast_mail_parser.ParseError:
        lenient = tree.scan(raw).nodes.get(section)
        return lenient.content() if lenient is not None and lenient.content is not None else b""


def part_bytes(raw: bytes, section: str) -> bytes | None:
    """The decoded bytes of the part under an IMAP section such as `1.2`; None when there is none."""
    return _content(raw, tree.build(raw), section)
