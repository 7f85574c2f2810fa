"""Flags in JMAP spelling (RFC 8621 section 4.1.1) and what may be one.

It owns the canonical spelling of the system flags and the grammar of keywords, and refuses wire spellings: backends
translate by their own tables.
"""

from __future__ import annotations

import re
from typing import Final, NewType

Flag = NewType("Flag", str)

SEEN: Final = Flag("$seen")
FLAGGED: Final = Flag("$flagged")
ANSWERED: Final = Flag("$answered")
DRAFT: Final = Flag("$draft")
FORWARDED: Final = Flag("$forwarded")
JUNK: Final = Flag("$junk")

SYSTEM_FLAGS: Final = frozenset({SEEN, FLAGGED, ANSWERED, DRAFT, FORWARDED, JUNK})

MAX_FLAG_LENGTH: Final = 100
MAX_FLAGS_PER_EDIT: Final = 64
_KEYWORD = re.compile(r"[\x21-\x7e]+")
_FORBIDDEN = frozenset('(){]%*"\\')


def parse_flag(text: str) -> Flag:
    """The flag that a caller wrote; lower-cased, as RFC 8621 compares them.

    Raises:
        ValueError: The text is empty, longer than 100 characters or holds a character that no keyword may hold.
    """
    if not text or len(text) > MAX_FLAG_LENGTH or not _KEYWORD.fullmatch(text) or _FORBIDDEN & set(text):
        raise ValueError(
            f'{text[:40]!r} is not a flag: printable ASCII without ( ) {{ ] % * " \\, at most 100 characters'
        )
    return Flag(text.lower())
