"""The normal form of a search: a typed tree (RFC 8621 section 4.4.1), bounded.

It owns the tree and its limits; each backend answers what it can and says so (`Coverage`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from postroom_server.domain.flags import Flag
from postroom_server.domain.keys import ItemKey, MailboxKey

MAX_TERM: Final = 1_000
MAX_CONDITIONS: Final = 50
MAX_DEPTH: Final = 8


class Operator(StrEnum):
    """How the filters of a node combine."""

    AND = "AND"
    OR = "OR"
    NOT = "NOT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Fields that are all to hold; None or empty = not asked for. Sizes in bytes; `before` is exclusive."""

    from_: str = ""
    to: str = ""
    cc: str = ""
    bcc: str = ""
    subject: str = ""
    body: str = ""
    text: str = ""
    header: tuple[str, str] | None = None
    has_flag: Flag | None = None
    not_flag: Flag | None = None
    after: datetime | None = None
    before: datetime | None = None
    sent_after: datetime | None = None
    sent_before: datetime | None = None
    min_size: int | None = None
    max_size: int | None = None
    has_attachment: bool | None = None
    thread_id: str = ""
    internet_message_id: str = ""
    uid: Sequence[tuple[int, int]] = ()
    raw_query: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Filters under one operator."""

    operator: Operator
    filters: tuple[Filter, ...]


Filter = Node | Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """What to look for, and where: one mailbox by key for now."""

    mailbox: MailboxKey
    filter: Filter
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Who answered a condition's field (by its JSON path), how it compares, and whether the result is complete."""

    condition: str
    answered_by: str
    match: str
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """Keys newest first. `next` continues where this page ends, None at the end."""

    keys: Sequence[ItemKey]
    coverage: Sequence[Coverage]
    next: bytes | None
    total: int | None
