"""Loads every plugin of tests/fixtures; nothing else belongs here."""

from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.fixtures")
pytest_plugins = [
    f"tests.fixtures.{path.stem}" for path in sorted((Path(__file__).parent / "fixtures").glob("[a-z]*.py"))
]
