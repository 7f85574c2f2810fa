"""Plays rows: each in all languages at once, rows that harm nobody side by side, rows that break the world in turn.

It owns the order, the time limits and the outcome of each cell, and refuses to know pytest.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
import traceback
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.clients.scenarios.puppets import BuildFailed, Missing, Puppet, built
from tests.clients.scenarios.stage import Stage, shown, stretched
from tests.clients.scenarios.steps import play
from tests.clients.scenarios.table import Row, Step
from tests.clients.scenarios.world import Gate, World
from tests.fixtures.postroom import Up
from tests.fixtures.rest import web_session

ROW_SECONDS: Final = 75.0
AT_ONCE: Final = 5
"""Light rows that are played side by side; those that mostly wait count for nothing, heavy ones take turns."""
EVENTS_SHOWN: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """How one row went in one language: seconds, and why it failed or was left out; both empty when it held."""

    row: str
    language: str
    seconds: float = 0.0
    failure: str = ""
    missing: str = ""

    @property
    def shown(self) -> str:
        """The cell of the matrix."""
        if self.missing:
            return "–"
        return f"{'**failed** ' if self.failure else ''}{self.seconds:.1f} s"


Cells = dict[tuple[str, str], Cell]


class Cast:
    """The puppets: one process for each language, started anew when it died, and further ones for rows that ask.

    Args:
        folder: For what is built.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._commands: dict[str, list[str]] = {}
        self._shared: dict[str, Puppet] = {}
        self.missing: dict[str, str] = {}
        """Languages that cannot be played, and why; those that should be here begin with `fault:`."""

    async def build(self, languages: Sequence[str]) -> None:
        """Builds every language's puppet."""
        await asyncio.gather(*map(self._build, languages))

    async def _build(self, language: str) -> None:
        try:
            self._commands[language] = await built(language, self._folder)
        except Missing as missing:
            self.missing[language] = str(missing)
        except (BuildFailed, TimeoutError) as failed:
            self.missing[language] = f"fault: {failed!r}" if not str(failed) else f"fault: {failed}"

    @contextlib.asynccontextmanager
    async def puppet(self, language: str, *, own: bool) -> AsyncIterator[Puppet]:
        """A running puppet; one's own is ended with the context, and has to end well."""
        if not own:
            shared = self._shared.get(language)
            if shared is None or shared.fault:
                shared = self._shared[language] = Puppet(language, self._commands[language])
                await shared.start()
            yield shared
            return
        puppet = Puppet(language, self._commands[language])
        await puppet.start()
        code = 0
        try:
            yield puppet
        finally:
            code = await puppet.close()
        assert code == 0, f"the puppet ended with {code} at the end of its input:\n{puppet.stderr()}"

    async def close(self) -> None:
        """Ends all."""
        await asyncio.gather(*(one.close() for one in self._shared.values()))


async def run(rows: Sequence[Row], languages: Sequence[str], shared: Up) -> Cells:
    """Every row in every language.

    Args:
        shared: A running installation; nothing of it is broken.
    """
    with tempfile.TemporaryDirectory(prefix="puppets-") as folder:
        cast = Cast(Path(folder))
        async with web_session() as session, contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(cast.close)
            breakable = [row for row in rows if row.world == "breakable"]
            up = Up("--nodes", "2") if breakable else None
            if up is not None:
                stack.push_async_callback(asyncio.to_thread, up.close)
            starting = [asyncio.to_thread(up.start)] if up is not None else []
            await asyncio.gather(cast.build(languages), *starting)
            harmless = [row for row in rows if row.world == "shared"]
            both = [_side_by_side(harmless, languages, World(shared, session), cast)]
            if up is not None:
                both.append(_in_turn(breakable, languages, World(up, session), cast))
            return {
                (cell.row, cell.language): cell for cells in await asyncio.gather(*both) for cell in cells
            }


async def _side_by_side(
    rows: Sequence[Row], languages: Sequence[str], world: World, cast: Cast
) -> list[Cell]:
    light, heavy = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(1)

    async def one(row: Row) -> list[Cell]:
        lane = heavy if row.heavy else light
        async with contextlib.nullcontext() if row.waits else lane:
            return await _row(row, languages, world, cast)

    return [cell for cells in await asyncio.gather(*map(one, rows)) for cell in cells]


async def _in_turn(rows: Sequence[Row], languages: Sequence[str], world: World, cast: Cast) -> list[Cell]:
    return [cell for row in rows for cell in await _row(row, languages, world, cast)]


async def _row(row: Row, languages: Sequence[str], world: World, cast: Cast) -> list[Cell]:
    present = [language for language in languages if language not in cast.missing]
    gate = Gate(len(present))
    played = await asyncio.gather(*(_cell(row, language, world, cast, gate) for language in present))
    absent = [
        Cell(row=row.name, language=one, missing=cast.missing[one])
        for one in languages
        if one in cast.missing
    ]
    return [*played, *absent]


async def _cell(row: Row, language: str, world: World, cast: Cast, gate: Gate) -> Cell:
    began, failure = time.monotonic(), ""
    at: list[Step] = []
    try:
        async with cast.puppet(language, own=row.puppet == "own") as puppet:
            try:
                await _play(Stage(row=row, language=language, world=world, puppet=puppet, gate=gate), at)
            except Exception as error:
                raise _Failed(_told(error, at, puppet, row)) from error
    except _Failed as failed:
        failure = str(failed)
    except AssertionError as error:
        failure = str(error)
    finally:
        gate.leave()
    return Cell(row=row.name, language=language, seconds=time.monotonic() - began, failure=failure)


class _Failed(Exception):
    """A row that failed, told whole."""


async def _play(stage: Stage, at: list[Step]) -> None:
    async with stage, asyncio.timeout(stretched(ROW_SECONDS)):
        for step in stage.row.steps:
            at.append(step)
            await play(stage, step)
        stage.check_watches()


def _told(error: Exception, at: Sequence[Step], puppet: Puppet, row: Row) -> str:
    """Step, what was wrong, what the row's watches told last, and the puppet's last words."""
    what = str(error) if isinstance(error, AssertionError) else "".join(traceback.format_exception(error))
    lines = [f"{at[-1] if at else 'before the first step'}: {what}"]
    for name, log in puppet.watches.items():
        if name.startswith(f"{row.name}/") and (len(puppet.watches) < 40 or log.error):
            states = [state for state, _ in log.states]
            lines.append(f"watch {name}: {states}, {len(log.changes)} changes, error {shown(log.error)}")
            lines += [f"  {shown(one)}" for one in log.changes[-EVENTS_SHOWN:]]
    if said := puppet.stderr():
        lines.append(f"standard error of the {puppet.language} puppet:\n{said}")
    return "\n".join(lines)
