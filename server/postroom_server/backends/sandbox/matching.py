"""Whether a message answers a search: the whole filter tree, by reading the message itself.

It owns the meaning of each field of a condition (RFC 8621 section 4.4.1: texts by substring whatever the case, the
larger size exclusive) and refuses paging. Fields that the mailbox's row answers are asked first: most messages need not
be read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Final

from postroom_server.domain.identity import thread_id
from postroom_server.domain.messages import Address, Content
from postroom_server.domain.sandbox_store import SandboxRow
from postroom_server.domain.search import Condition, Coverage, Filter, Node, Operator
from postroom_server.errors import CapabilityMissing

SUBSTRING: Final = "SUBSTRING"
EXACT: Final = "EXACT"
SERVER: Final = "SERVER"

Reader = Callable[[], Awaitable[Content]]
"""Reads the message that is being asked about, at most once."""

FIELDS: Final[Mapping[str, tuple[str, str]]] = {
    "from_": ("from", SUBSTRING),
    "to": ("to", SUBSTRING),
    "cc": ("cc", SUBSTRING),
    "bcc": ("bcc", SUBSTRING),
    "subject": ("subject", SUBSTRING),
    "body": ("body", SUBSTRING),
    "text": ("text", SUBSTRING),
    "header": ("header", SUBSTRING),
    "has_flag": ("hasFlag", EXACT),
    "not_flag": ("notFlag", EXACT),
    "after": ("after", EXACT),
    "before": ("before", EXACT),
    "sent_after": ("sentAfter", EXACT),
    "sent_before": ("sentBefore", EXACT),
    "min_size": ("minSize", EXACT),
    "max_size": ("maxSize", EXACT),
    "has_attachment": ("hasAttachment", EXACT),
    "thread_id": ("threadId", EXACT),
    "internet_message_id": ("internetMessageId", EXACT),
    "uid": ("uid", EXACT),
}
"""Field of a condition -> its name in the contract, and how it compares here. `raw_query` has no meaning here."""


def asked(condition: Condition) -> Sequence[str]:
    """The fields that a condition asks for."""
    values = {one.name: getattr(condition, one.name) for one in fields(condition)}
    return [name for name, value in values.items() if value is not None and value not in ("", ())]


def coverage(filter_: Filter, path: str = "filter") -> list[Coverage]:
    """Who answers each asked field, by its JSON path. Raises CapabilityMissing for a query in a provider's own words."""
    if isinstance(filter_, Node):
        return [
            one
            for index, inner in enumerate(filter_.filters)
            for one in coverage(inner, f"{path}.filters[{index}]")
        ]
    found = []
    for name in asked(filter_):
        if name not in FIELDS:
            raise CapabilityMissing(capability="rawQuery")
        json_name, match = FIELDS[name]
        where = f"{path}.condition.{json_name}"
        found.append(Coverage(condition=where, answered_by=SERVER, match=match, complete=True))
    return found


async def holds(filter_: Filter, row: SandboxRow, read: Reader) -> bool:
    """Whether the message answers the filter."""
    if isinstance(filter_, Condition):
        return await _condition_holds(filter_, row, read)
    if filter_.operator is Operator.AND:
        for inner in filter_.filters:
            if not await holds(inner, row, read):
                return False
        return True
    for inner in filter_.filters:
        if await holds(inner, row, read):
            return filter_.operator is Operator.OR
    return filter_.operator is Operator.NOT


async def _condition_holds(condition: Condition, row: SandboxRow, read: Reader) -> bool:
    names = asked(condition)
    if not all(ROW_TESTS[name](condition, row) for name in names if name in ROW_TESTS):
        return False
    remaining = [CONTENT_TESTS[name] for name in names if name in CONTENT_TESTS]
    if not remaining:
        return True
    content = await read()
    return all(test(condition, content) for test in remaining)


def _within(term: str, texts: Iterable[str | None]) -> bool:
    folded = term.casefold()
    return any(folded in text.casefold() for text in texts if text)


def _shown(addresses: Sequence[Address]) -> list[str]:
    return [f"{one.display_name} <{one.address}>" for one in addresses]


def _headers(content: Content) -> list[str]:
    return [f"{name}: {value}" for name, value in content.headers]


def _header_holds(condition: Condition, content: Content) -> bool:
    assert condition.header is not None
    name, term = condition.header
    values = [value for one, value in content.headers if one.lower() == name.lower()]
    return bool(values) if not term else _within(term, values)


def _thread_holds(condition: Condition, content: Content) -> bool:
    summary = content.summary
    mine = thread_id(summary.references, summary.in_reply_to, summary.internet_message_id)
    return mine == condition.thread_id


def _sent_after(condition: Condition, content: Content) -> bool:
    sent = content.summary.send_time
    return sent is not None and condition.sent_after is not None and sent >= condition.sent_after


def _sent_before(condition: Condition, content: Content) -> bool:
    sent = content.summary.send_time
    return sent is not None and condition.sent_before is not None and sent < condition.sent_before


ROW_TESTS: Final[Mapping[str, Callable[[Condition, SandboxRow], bool]]] = {
    "has_flag": lambda asks, row: asks.has_flag in row.flags,
    "not_flag": lambda asks, row: asks.not_flag not in row.flags,
    "after": lambda asks, row: asks.after is not None and row.received >= asks.after,
    "before": lambda asks, row: asks.before is not None and row.received < asks.before,
    "min_size": lambda asks, row: asks.min_size is not None and row.size_bytes >= asks.min_size,
    "max_size": lambda asks, row: asks.max_size is not None and row.size_bytes < asks.max_size,
    "uid": lambda asks, row: any(first <= row.number <= last for first, last in asks.uid),
}
CONTENT_TESTS: Final[Mapping[str, Callable[[Condition, Content], bool]]] = {
    "from_": lambda asks, it: _within(asks.from_, _shown(it.summary.from_)),
    "to": lambda asks, it: _within(asks.to, _shown(it.summary.to)),
    "cc": lambda asks, it: _within(asks.cc, _shown(it.summary.cc)),
    "bcc": lambda asks, it: _within(asks.bcc, _shown(it.summary.bcc)),
    "subject": lambda asks, it: _within(asks.subject, [it.summary.subject]),
    "body": lambda asks, it: _within(asks.body, [it.text, it.html]),
    "text": lambda asks, it: _within(asks.text, [*_headers(it), it.text, it.html]),
    "header": _header_holds,
    "sent_after": _sent_after,
    "sent_before": _sent_before,
    "has_attachment": lambda asks, it: any(not part.inline for part in it.summary.parts) is asks.has_attachment,
    "thread_id": _thread_holds,
    "internet_message_id": lambda asks, it: it.summary.internet_message_id == asks.internet_message_id.strip("<> "),
}  # fmt: skip
