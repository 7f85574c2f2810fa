"""Prints the matrix of scenarios at the end of a run that played some."""

from __future__ import annotations

import pytest

from tests.clients.scenarios.report import MATRIX


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The matrix, as it is in build/scenarios.md."""
    if MATRIX in config.stash:
        terminalreporter.section("clients and scenarios")
        terminalreporter.write_line(config.stash[MATRIX])
