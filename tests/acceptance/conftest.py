"""Sandbox accounts of every profile, for tests that hold on all of them: a test that asks for `account` runs on each."""

from __future__ import annotations

import pytest

from tests.fixtures.rest import Rest
from tests.fixtures.sandboxes import PROFILES


@pytest.fixture(params=PROFILES)
def profile(request: pytest.FixtureRequest) -> str:
    """What the account behaves like."""
    return str(request.param)


@pytest.fixture
async def account(rest: Rest, profile: str) -> str:
    """The resource name of a new account."""
    return await rest.account(sandbox={"profile": profile})
