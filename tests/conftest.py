"""Loads every plugin of tests/fixtures and holds the suite's one policy: in CI a skipped test is a failure.

A fixture lives in a module of tests/fixtures named for the thing that it starts; adding such a module is all it takes.
Locally a missing server or toolchain skips the tests that need it and says so; with the environment variable CI set, the
same skip fails, so that a suite cannot pass because the real thing was absent. The one skip that stays a skip says that
an implementation does not have the ability under test: its reason begins with `capability:`.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parent / "fixtures"
BY_DESIGN = "capability:"

pytest_plugins = [
    f"tests.fixtures.{module.stem}" for module in sorted(FIXTURES.glob("*.py")) if module.stem != "__init__"
]
pytest.register_assert_rewrite(*pytest_plugins)


def skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The reason of a skip, as `pytest.skip` was given it."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


def refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turns a skip into a failure where nothing may be left out."""
    if not os.environ.get("CI") or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = skip_reason(report)
    if not reason.startswith(BY_DESIGN):
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: skipped, and CI runs every test. The reason was: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Applies the policy to tests."""
    report = yield
    refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Applies the policy to whole modules that skip themselves."""
    report = yield
    refuse_skip(report)
    return report
