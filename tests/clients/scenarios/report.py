"""The matrix: rows, languages, seconds, as Markdown in `build/scenarios.md` and at the end of the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pytest

from tests.clients.scenarios.puppets import ROOT
from tests.clients.scenarios.runner import Cells
from tests.clients.scenarios.table import Row

REPORT: Final = ROOT / "build/scenarios.md"
MATRIX: Final = pytest.StashKey[str]()
"""The matrix of a run of pytest, for its summary."""


def matrix(rows: Sequence[Row], languages: Sequence[str], cells: Cells) -> str:
    """The table, and below it what failed and what is missing."""
    lines = [f"| row | promise | {' | '.join(languages)} |", "|---" * (2 + len(languages)) + "|"]
    for row in rows:
        found = [cells.get((row.name, language)) for language in languages]
        if any(found):
            shown = " | ".join(cell.shown if cell else "" for cell in found)
            lines.append(f"| {row.name} | {row.promise} | {shown} |")
    missing = {f"{cell.language}: {cell.missing}" for cell in cells.values() if cell.missing}
    held = sum(not (cell.failure or cell.missing) for cell in cells.values())
    lines += ["", f"{held} of {len(cells)} cells hold.", *sorted(missing)]
    return "\n".join(lines)


def write(text: str) -> None:
    """Leaves the matrix where CI picks it up."""
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(f"# Clients and scenarios\n\n{text}\n")
