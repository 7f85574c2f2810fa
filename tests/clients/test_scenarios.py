"""The scenario table, one test for each row and language; and the table's own strictness."""

from __future__ import annotations

import asyncio

import pytest

from tests.clients.scenarios import report
from tests.clients.scenarios.puppets import LANGUAGES
from tests.clients.scenarios.runner import Cells, run
from tests.clients.scenarios.steps import STEPS
from tests.clients.scenarios.table import LEAST_ROWS, WORDS, Row, TableWrong, load
from tests.fixtures.postroom import Up

ROWS = load()
RUN_SECONDS = 600
"""For all rows; on a quiet machine they take about forty."""


def chosen(request: pytest.FixtureRequest) -> tuple[list[Row], list[str]]:
    """The rows and languages of which this run of pytest wants a cell."""
    wanted = [
        item.callspec.params
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == test_a_row_holds.__name__
    ]
    names, languages = {one["row"].name for one in wanted}, {one["language"] for one in wanted}
    return [row for row in ROWS if row.name in names], [one for one in LANGUAGES if one in languages]


@pytest.fixture(scope="session")
def cells(request: pytest.FixtureRequest, postroom: Up) -> Cells:
    """All cells, played at the first request for one."""
    rows, languages = chosen(request)
    played = asyncio.run(run(rows, languages, postroom))
    text = report.matrix(rows, languages, played)
    report.write(text)
    request.config.stash[report.MATRIX] = text
    return played


@pytest.mark.timeout(RUN_SECONDS)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_holds(row: Row, language: str, cells: Cells) -> None:
    cell = cells[row.name, language]
    if cell.missing.startswith("fault:"):
        pytest.fail(cell.missing, pytrace=False)
    if cell.missing:
        pytest.skip(cell.missing)
    if cell.failure:
        pytest.fail(f"{row.promise}\n{cell.failure}", pytrace=False)


def test_the_table_has_its_rows_and_every_word_does_something() -> None:
    assert len(ROWS) >= LEAST_ROWS
    assert set(STEPS) == set(WORDS)
    used = {step.word for row in ROWS for step in row.steps}
    assert used == set(WORDS), f"words that no row uses: {sorted(set(WORDS) - used)}"


GOOD = "- row: a\n  promise: It holds.\n  steps:\n  - connect\n"


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("row: a", "a list of rows"),
        ("- promise: It holds.", "begins with"),
        (GOOD.replace("It holds.", "it holds"), "one sentence"),
        (GOOD + "  words: x\n", "unknown words"),
        ("- row: a\n  promise: It holds.\n", "no steps"),
        (GOOD + GOOD, "rows of one name"),
        (GOOD + "  world: broken\n", "world is one of"),
        (GOOD + "  relay: perhaps\n", "true or false"),
        (GOOD + "  - conect\n", "unknown step `conect`"),
        (GOOD + "  - {connect: c, close: c}\n", "one word"),
        (GOOD + "  - watch: {nmae: w}\n", "knows no `nmae`"),
        (GOOD + "  - watch: {pause: long}\n", "another type"),
        (GOOD + "  - call: {request: {}}\n", "needs method"),
        (GOOD + "  - freeze: 5\n", "takes keys"),
        (GOOD + "  - watch: {cursor: $stored}\n", r"nothing made \$stored"),
        (GOOD + "  - watch: {client: d}\n", "not connected"),
        (GOOD + "  - look\n", "no such watch"),
        (GOOD + "  - cancel: slow\n", "named so by"),
        (GOOD + "  - skew: none\n", "has a relay"),
        (GOOD + "  - kill: node\n", "may break it"),
    ],
)
def test_a_misspelt_table_is_refused(table: str, why: str) -> None:
    assert len(load(GOOD)) == 1
    with pytest.raises(TableWrong, match=why):
        load(table)
