"""Count the messages that arrive, each exactly once, whatever is killed in between.

The effect of a change and the place behind it are written in one transaction. A program that dies before the commit has
done neither, and does both when it is started again; one that dies after it goes on with the next change.

    .venv/bin/python examples/python/watch_sqlite.py counts.db accounts/ada
    sqlite3 counts.db 'SELECT * FROM arrivals'
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from pathlib import Path

import postroom
from postroom import errors
from postroom.v1.change_pb2 import Change

ADDRESS = os.environ.get("POSTROOM_ADDRESS", "127.0.0.1:8080")
TOKEN = os.environ.get("POSTROOM_TOKEN") or Path(".postroom/token").read_text().strip()
SCHEMA = """
CREATE TABLE IF NOT EXISTS arrivals (account TEXT PRIMARY KEY, messages INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS place (feed TEXT PRIMARY KEY, cursor TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS gaps (scope TEXT NOT NULL, why TEXT NOT NULL);
"""


class Counts:
    """The database: what was counted, and how far."""

    def __init__(self, path: str, feed: str) -> None:
        self._feed = feed
        self._database = sqlite3.connect(path)
        self._database.executescript(SCHEMA)

    def place(self) -> str:
        """The cursor to go on from; empty at the very beginning."""
        row = self._database.execute("SELECT cursor FROM place WHERE feed = ?", [self._feed]).fetchone()
        return row[0] if row else ""

    async def take(self, change: Change) -> None:
        """Counts a change and remembers its place, both or neither."""
        with self._database:
            if postroom.kind_of(change) == "MESSAGE_ADDED":
                self._database.execute(
                    "INSERT INTO arrivals VALUES (?, 1) ON CONFLICT DO UPDATE SET messages = messages + 1",
                    [change.account],
                )
            self._go_on_from(change.cursor)

    def note_gap(self, scope: str, why: str, cursor: str) -> None:
        """Changes are missing before `cursor`: a program that mirrors mailboxes lists `scope` again here."""
        with self._database:
            self._database.execute("INSERT INTO gaps VALUES (?, ?)", [scope, why])
            self._go_on_from(cursor)

    def _go_on_from(self, cursor: str) -> None:
        self._database.execute("INSERT OR REPLACE INTO place VALUES (?, ?)", [self._feed, cursor])


async def count(client: postroom.Postroom, counts: Counts, feed: str) -> None:
    """Follows the feed for ever."""
    async with client.watch(feed, cursor=counts.place(), start="EARLIEST", on_state=tell) as watch:
        while True:
            try:
                await watch.each(counts.take)
            except postroom.FeedReset as reset:
                counts.note_gap(reset.scope, reset.why, reset.cursor)


def tell(state: postroom.State) -> None:
    """Shows where the watch stands."""
    print("watch:", state.value, flush=True)


async def main() -> int:
    path, feed = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "accounts/-"
    counts = Counts(path, feed)
    async with postroom.connect(ADDRESS, TOKEN) as client:
        while True:
            try:
                await count(client, counts, feed)
            except errors.CursorExpired as error:
                counts.note_gap(feed, error.told, error.metadata["earliestCursor"])
            except postroom.WatchEnded as ended:
                print("the feed is over:", ended.why)
                return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
