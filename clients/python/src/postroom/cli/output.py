"""What the commands print: for people on a terminal, for pipes in plain lines, for programs as JSON.

It owns both streams: results go to stdout, everything about them to stderr, colours and moving things only where a terminal
is. What a mail says is printed without control characters, so that no message can write on the reader's terminal. It
refuses to ask the server anything.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

Column = tuple[str, Callable[[Any], str]]
"""A heading, and what stands under it for one row."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_CONTROL_IN_TEXT: Final = re.compile(_CONTROL.pattern.replace(r"\x00-\x1f", r"\x00-\x08\x0b-\x1f"))


def plain(text: str) -> str:
    """One line of text without anything that a terminal obeys."""
    return _CONTROL.sub(" ", text).strip()


def plain_text(text: str) -> str:
    """Text of several lines without anything that a terminal obeys."""
    return _CONTROL_IN_TEXT.sub("", text.replace("\r\n", "\n"))


def moment(time: Timestamp) -> str:
    """A time in the reader's zone; empty where there is none."""
    if not time.seconds:
        return ""
    return datetime.fromtimestamp(time.seconds).astimezone().strftime("%Y-%m-%d %H:%M")


def as_json(message: Message) -> str:
    """A message of the contract in its JSON, on one line, without anything that a terminal obeys."""
    text = json.dumps(
        MessageToDict(message, always_print_fields_with_no_presence=True), ensure_ascii=not _unicode()
    )
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _unicode() -> bool:
    return "utf" in (sys.stdout.encoding or "").lower()


class Output:
    """Both streams of a command."""

    def __init__(self, *, as_json: bool) -> None:
        self.json = as_json
        self.terminal = sys.stdout.isatty()
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # no letter that a terminal lacks ends a command
        self._out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._err = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)

    @property
    def pretty(self) -> bool:
        """Whether a person looks at stdout."""
        return self.terminal and not self.json

    def message(self, message: Message) -> None:
        """One line of JSON."""
        self.raw(as_json(message))

    def raw(self, line: str) -> None:
        """One line as it stands, at once."""
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def line(self, *pieces: tuple[str, str] | str) -> None:
        """One line of pieces; a pair is a text and its style on a terminal."""
        if self.terminal:
            self._out.print(Text.assemble(*pieces))
            return
        self.raw("".join(piece if isinstance(piece, str) else piece[0] for piece in pieces))

    def say(self, text: str, style: str = "") -> None:
        """One line on stderr."""
        if self._err.is_terminal:
            self._err.print(Text(text, style=style))
            return
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    async def rows(self, rows: AsyncIterable[Message], columns: Sequence[Column], most: int = 0) -> int:
        """A listing; how many rows it had. `most` 0: all."""
        shown = _first(rows, most)
        if self.pretty:
            return await self._table(shown, columns)
        count = 0
        async for row in shown:
            if self.json:
                self.message(row)
            else:
                if not count:
                    self.raw("\t".join(heading for heading, _ in columns))
                self.raw("\t".join(plain(text(row)) for _, text in columns))
            count += 1
        return count

    async def _table(self, rows: AsyncIterable[Message], columns: Sequence[Column]) -> int:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for heading, _ in columns:
            table.add_column(
                heading, overflow="fold" if heading == "NAME" else "ellipsis", no_wrap=heading != "NAME"
            )
        async for row in rows:
            table.add_row(*(Text(plain(text(row))) for _, text in columns))
        if table.row_count:
            Console(highlight=False, emoji=False).print(table)
        return table.row_count

    def fields(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Facts, one a line; empty ones are left out."""
        width = max((len(name) for name, text in pairs if text), default=0)
        for name, text in pairs:
            if text:
                self.line((f"{name + ':':<{width + 1}} ", "bold"), plain(text))

    @contextmanager
    def waiting(self, text: str) -> Iterator[Callable[[str], None]]:
        """While something is waited for: a moving line on a terminal, else a line at each piece of news."""
        if not self._err.is_terminal:
            yield self.say
            return
        with self._err.status(Text(text)) as status:
            yield lambda news: status.update(Text(news))

    @contextmanager
    def progress(self, text: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """A bar that is told of bytes as they pass; nothing where there is no terminal."""
        if not self._err.is_terminal:
            yield lambda _count: None
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
        )
        with Progress(*columns, console=self._err, transient=True) as bar:
            task = bar.add_task(text, total=total)
            yield lambda count: bar.advance(task, count)


async def _first(rows: AsyncIterable[Message], most: int) -> AsyncIterator[Message]:
    count = 0
    async for row in rows:
        yield row
        count += 1
        if count == most:
            return
