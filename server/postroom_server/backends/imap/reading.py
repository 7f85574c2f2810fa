"""Turns FETCH data into summaries, contents and parts.

Owns the shape: which part is the text, which is an attachment, how an ENVELOPE becomes decoded fields. Refuses input and
output: `fetching.py` asks the server. Everything comes from strangers; decoding is bounded and never raises.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from postroom_server.backends.imap.convert import flag_from_wire
from postroom_server.backends.imap.wire import structure as wire
from postroom_server.backends.imap.wire.fetch import Fetch
from postroom_server.domain.flags import Flag
from postroom_server.domain.keys import ItemKey, MailboxKey
from postroom_server.domain.messages import (
    MAX_ADDRESSES,
    MAX_PARTS,
    MAX_REFERENCES,
    MAX_SUBJECT,
    Address,
    Part,
    Summary,
)
from postroom_server.domain.mime import (
    decode_filename,
    decode_header,
    parse_address_list,
    parse_date,
    parse_headers,
    parse_message_ids,
)

__all__ = ["flags_of", "part_of", "parts_of", "summary_of", "texts_of"]

_IDENTITY = frozenset({"7bit", "8bit", "binary"})
_PLAIN = re.compile(rb"(?:[!-~]+(?: [!-~]+)*)?\Z")
_TEXTS = frozenset({"plain", "html"})


def _parameters(part: wire.BodyPart) -> dict[str, str]:
    merged = {**part.parameters, **part.disposition_parameters}
    return {name: _loose(value) for name, value in merged.items()}


def _loose(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _is_text(part: wire.BodyPart) -> bool:
    """Whether a part is shown as the message's text."""
    if part.type != "text" or part.subtype not in _TEXTS or part.disposition == "attachment":
        return False
    return decode_filename(_parameters(part)) is None


def texts_of(tree: wire.BodyPart) -> tuple[wire.BodyPart | None, wire.BodyPart | None]:
    """Return the parts that are the plain text and the HTML of the message."""
    plain = html = None
    for part in tree.leaves():
        if _is_text(part):
            if part.subtype == "plain":
                plain = plain or part
            else:
                html = html or part
    return plain, html


def part_of(part: wire.BodyPart) -> Part:
    """Return one leaf as the port shows it."""
    identity = part.encoding in _IDENTITY
    content_id = _loose(part.content_id).strip().strip("<>") if part.content_id else None
    return Part(
        id=part.section,
        content_type=f"{part.type}/{part.subtype}",
        filename=decode_filename(_parameters(part)),
        content_id=content_id or None,
        encoded_size_bytes=part.size,
        size_bytes=part.size if identity else None,
        inline=part.disposition == "inline" or (part.disposition is None and bool(content_id)),
    )


def parts_of(tree: wire.BodyPart) -> tuple[Part, ...]:
    """Return the attachments of a message: every leaf that is not its plain text or HTML."""
    shown = {id(part) for part in texts_of(tree) if part is not None}
    return tuple(part_of(part) for part in tree.leaves() if id(part) not in shown)[:MAX_PARTS]


def flags_of(names: frozenset[str] | None) -> frozenset[Flag]:
    """Return flags in our spelling."""
    return frozenset(flag for flag in map(flag_from_wire, names or ()) if flag is not None)


def _header(raw: bytes) -> str:
    """Decode a header text; most are plain words and need no decoder."""
    if _PLAIN.match(raw) and b"=?" not in raw:
        return raw.decode("ascii")
    return decode_header(raw)


def _addresses(found: Sequence[wire.Address]) -> tuple[Address, ...]:
    return tuple(
        Address(
            display_name=_header(one.name or b""),
            address=f"{_header(one.mailbox or b'')}@{_header(one.host)}",
        )
        for one in found[:MAX_ADDRESSES]
        if one.host is not None and one.mailbox
    )


def _evidence(found: Fetch, epoch: int) -> dict[str, str]:
    evidence = {"uidValidity": str(epoch), "uid": str(found.uid)}
    if found.modseq is not None:
        evidence["modseq"] = str(found.modseq)
    if found.email_id is not None:
        evidence["providerId"] = found.email_id
    if found.gmail_message_id is not None:
        evidence["providerId"] = f"{found.gmail_message_id:x}"
    return evidence


def summary_of(found: Fetch, key: ItemKey, mailbox: MailboxKey, epoch: int) -> Summary:
    """Return what FETCH told of a message; from its header block where the server's ENVELOPE could not be read."""
    summary = Summary(
        key=key,
        thread=found.thread_id.encode() if found.thread_id else None,
        receive_time=found.internal_date,
        size_bytes=found.size,
        flags=flags_of(found.flags),
        mailboxes=(mailbox,),
        evidence=_evidence(found, epoch),
        parts=parts_of(found.structure) if found.structure is not None else (),
    )
    envelope = found.envelope
    if envelope is None:
        return replace(summary, **_from_headers(found.sections.get("HEADER") or b""))
    from_, sender, reply_to = map(_addresses, (envelope.from_, envelope.sender, envelope.reply_to))
    return replace(
        summary,
        internet_message_id=next(iter(parse_message_ids(envelope.message_id or b"")), ""),
        in_reply_to=parse_message_ids(envelope.in_reply_to or b"")[:MAX_REFERENCES],
        references=_references(found),
        subject=_header(envelope.subject or b"")[:MAX_SUBJECT],
        from_=from_,
        sender=sender if sender != from_ else (),
        reply_to=reply_to if reply_to != from_ else (),
        to=_addresses(envelope.to),
        cc=_addresses(envelope.cc),
        bcc=_addresses(envelope.bcc),
        send_time=parse_date(envelope.date or b""),
    )


def _references(found: Fetch) -> tuple[str, ...]:
    block = next((raw for name, raw in found.sections.items() if name.startswith("HEADER.FIELDS")), None)
    value = next((value for _, value in parse_headers(block or b"")), "")
    return parse_message_ids(value)[:MAX_REFERENCES]


def _from_headers(block: bytes) -> dict[str, Any]:
    fields: dict[str, str] = {}
    for name, value in parse_headers(block):
        fields.setdefault(name.lower(), value)

    def people(name: str) -> tuple[Address, ...]:
        return parse_address_list(fields.get(name, ""))[:MAX_ADDRESSES]

    return {
        "internet_message_id": next(iter(parse_message_ids(fields.get("message-id", ""))), ""),
        "in_reply_to": parse_message_ids(fields.get("in-reply-to", ""))[:MAX_REFERENCES],
        "references": parse_message_ids(fields.get("references", ""))[:MAX_REFERENCES],
        "subject": fields.get("subject", "")[:MAX_SUBJECT],
        "from_": people("from"),
        "sender": people("sender"),
        "reply_to": people("reply-to"),
        "to": people("to"),
        "cc": people("cc"),
        "bcc": people("bcc"),
        "send_time": parse_date(fields.get("date", "")),
    }
