"""The scripts: one `.lua` per atomic change, and the typed class that calls it.

It owns loading and naming; it refuses connections (`store.connection` sends them). Every script checks first and writes
afterwards, because a Lua error rolls nothing back; it answers an array whose first word says what happened. A line
`-- include NAME` is replaced by the fragment of that name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar, Final

Value = bytes | str | int

FOLDER: Final = Path(__file__).parent
_INCLUDE: Final = "-- include "


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Text of a script and the name by which the server knows it."""

    text: bytes
    sha: str


class Script:
    """One call of one script: fields are its arguments, by name."""

    __slots__ = ()

    file: ClassVar[str]

    def keys(self) -> Sequence[str]:
        """KEYS, all of one slot."""
        raise NotImplementedError

    def args(self) -> Sequence[Value]:
        """ARGV."""
        raise NotImplementedError

    @classmethod
    def source(cls) -> Source:
        """The script as it is sent."""
        return load(cls.file)


@cache
def load(name: str) -> Source:
    """Reads a script and what it includes."""
    lines = (FOLDER / f"{name}.lua").read_text(encoding="utf-8").splitlines()
    text = "\n".join(_fragment(line) for line in lines).encode()
    return Source(text=text, sha=hashlib.sha1(text, usedforsecurity=False).hexdigest())


def _fragment(line: str) -> str:
    if not line.startswith(_INCLUDE):
        return line
    return (FOLDER / line.removeprefix(_INCLUDE)).read_text(encoding="utf-8").rstrip("\n")
