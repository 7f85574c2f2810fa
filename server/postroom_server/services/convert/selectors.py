"""Label selectors: `key=value`, `key!=value` and `key`, joined by commas, all of which must hold. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from postroom_server.errors import RequestInvalid

MAX_SELECTOR: Final = 2_000
MAX_TERMS: Final = 20
_TERM = re.compile(
    r"(?P<key>[A-Za-z0-9][A-Za-z0-9._/-]{0,62})(?:(?P<operator>!?=)(?!=)(?P<value>[^,]{0,255}))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSelector:
    """What labels must be, must not be, and must be there."""

    equal: Mapping[str, str]
    unequal: Mapping[str, str]
    present: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.equal or self.unequal or self.present)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether every term holds; a label that is absent is unequal to any value."""
        return (
            all(labels.get(key) == value for key, value in self.equal.items())
            and all(labels.get(key) != value for key, value in self.unequal.items())
            and all(key in labels for key in self.present)
        )


def selector_from(path: str, given: str) -> LabelSelector:
    """Reads a selector; empty matches everything. Raises RequestInvalid."""
    equal: dict[str, str] = {}
    unequal: dict[str, str] = {}
    present: set[str] = set()
    if len(given) > MAX_SELECTOR:
        raise RequestInvalid(path, f"must be at most {MAX_SELECTOR:,} characters long")
    terms = [term.strip() for term in given.split(",") if term.strip()]
    if len(terms) > MAX_TERMS:
        raise RequestInvalid(path, f"must have at most {MAX_TERMS} terms")
    for term in terms:
        found = _TERM.fullmatch(term)
        if found is None:
            raise RequestInvalid(path, f"{term[:80]!r} is not key=value, key!=value or key")
        key, operator, value = found["key"], found["operator"], found["value"]
        if operator is None:
            present.add(key)
            continue
        table = equal if operator == "=" else unequal
        if table.setdefault(key, value) != value:
            raise RequestInvalid(path, f"names {key!r} twice")
    return LabelSelector(equal=equal, unequal=unequal, present=frozenset(present))
