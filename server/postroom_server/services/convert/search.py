"""Search filters from the contract, and coverage back.

It owns the bounds of the tree (depth, nodes, length of a term) and that a text which no server could be asked for, such
as one with a line break, is refused here. Pure.

See Also:
    https://www.rfc-editor.org/rfc/rfc8621#section-4.4.1
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from postroom.v1 import search_pb2 as pb

from postroom_server.domain.flags import Flag, parse_flag
from postroom_server.domain.search import (
    MAX_CONDITIONS,
    MAX_DEPTH,
    MAX_TERM,
    Condition,
    Coverage,
    Filter,
    Node,
    Operator,
)
from postroom_server.errors import RequestInvalid
from postroom_server.services.convert.fields import choice, text, time_of

MAX_RANGES: Final = 1_000
MAX_UID: Final = 2**32 - 1
_HEADER_NAME = re.compile(r"[\x21-\x39\x3b-\x7e]{1,200}")
_RANGE = re.compile(r"(\d{1,10})(?::(\d{1,10}|\*))?")


def filter_from(path: str, given: pb.SearchFilter | None) -> Filter:
    """The filter of a request; an absent one matches everything. Raises RequestInvalid."""
    if given is None:
        return Condition()
    return _filter(path, given, 1, _Budget())


def coverage_to_proto(coverage: Coverage) -> pb.SearchCoverage:
    """Who answered one field of a condition."""
    return pb.SearchCoverage(
        condition=coverage.condition,
        answered_by=coverage.answered_by or None,
        match=coverage.match or None,
        complete=coverage.complete,
    )


class _Budget:
    """Nodes that a filter may still have."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_CONDITIONS

    def take(self, path: str) -> None:
        self.left -= 1
        if self.left < 0:
            raise RequestInvalid(path, f"the filter has more than {MAX_CONDITIONS} nodes")


def _filter(path: str, given: pb.SearchFilter, depth: int, budget: _Budget) -> Filter:
    budget.take(path)
    if depth > MAX_DEPTH:
        raise RequestInvalid(path, f"is nested deeper than {MAX_DEPTH}")
    if given.HasField("condition"):
        if given.filters or given.operator:
            raise RequestInvalid(f"{path}.condition", "cannot be given with operator or filters")
        return _condition(f"{path}.condition", given.condition)
    if not given.filters:
        if given.operator:
            raise RequestInvalid(f"{path}.filters", "is needed with operator")
        return Condition()
    operator = Operator(choice(f"{path}.operator", pb.SearchFilter.Operator, given.operator, default="AND"))
    filters = tuple(
        _filter(f"{path}.filters[{index}]", one, depth + 1, budget) for index, one in enumerate(given.filters)
    )
    return (
        filters[0]
        if operator is Operator.AND and len(filters) == 1
        else Node(operator=operator, filters=filters)
    )


def _condition(path: str, given: pb.SearchCondition) -> Condition:
    def term(field: str, value: str) -> str:
        return text(f"{path}.{field}", value, MAX_TERM)

    sizes = {
        name: getattr(given, name) if given.HasField(name) else None for name in ("min_size", "max_size")
    }
    for name, size in sizes.items():
        if size is not None and size < 0:
            raise RequestInvalid(f"{path}.{name.replace('_s', 'S')}", "must not be negative")
    return Condition(
        from_=term("from", given.from_address),
        to=term("to", given.to),
        cc=term("cc", given.cc),
        bcc=term("bcc", given.bcc),
        subject=term("subject", given.subject),
        body=term("body", given.body),
        text=term("text", given.text),
        header=_header(f"{path}.header", given),
        has_flag=_flag(f"{path}.hasFlag", given.has_flag),
        not_flag=_flag(f"{path}.notFlag", given.not_flag),
        after=time_of(f"{path}.after", given, "after"),
        before=time_of(f"{path}.before", given, "before"),
        sent_after=time_of(f"{path}.sentAfter", given, "sent_after"),
        sent_before=time_of(f"{path}.sentBefore", given, "sent_before"),
        min_size=sizes["min_size"],
        max_size=sizes["max_size"],
        has_attachment=given.has_attachment if given.HasField("has_attachment") else None,
        thread_id=term("threadId", given.thread_id),
        internet_message_id=term("internetMessageId", given.internet_message_id).strip("<>"),
        uid=_ranges(f"{path}.uid", given.uid),
        raw_query=term("rawQuery", given.raw_query),
    )


def _header(path: str, given: pb.SearchCondition) -> tuple[str, str] | None:
    if not given.HasField("header"):
        return None
    if not _HEADER_NAME.fullmatch(given.header.name):
        raise RequestInvalid(f"{path}.name", "is not the name of a header field")
    return given.header.name, text(f"{path}.value", given.header.value, MAX_TERM)


def _flag(path: str, given: str) -> Flag | None:
    if not given:
        return None
    try:
        return parse_flag(given)
    except ValueError as error:
        raise RequestInvalid(path, str(error)) from None


def _ranges(path: str, given: str) -> Sequence[tuple[int, int]]:
    if not given:
        return ()
    pieces = given.split(",")
    if len(pieces) > MAX_RANGES:
        raise RequestInvalid(path, f"must have at most {MAX_RANGES:,} ranges")
    ranges: list[tuple[int, int]] = []
    for piece in pieces:
        found = _RANGE.fullmatch(piece.strip())
        if found is None:
            raise RequestInvalid(path, "must be UIDs and ranges such as 1:100,205")
        low = int(found[1])
        high = MAX_UID if found[2] == "*" else int(found[2] or low)
        if not 1 <= low <= high <= MAX_UID:
            raise RequestInvalid(path, f"a range must lie within 1 and {MAX_UID}, the smaller number first")
        ranges.append((low, high))
    return tuple(ranges)
