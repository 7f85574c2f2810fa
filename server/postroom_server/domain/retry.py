"""When to try again: delays by class of failure, with jitter. Pure: the caller gives the random number.

It owns the schedules (failure model F01–F05) and refuses to wait. A link that was good is tried again within seconds for
its first minute, so that a restarted server is back at once; then ever more slowly. Refused credentials are tried a few
times over a quarter of an hour, then hourly.
"""

from __future__ import annotations

from typing import Final

from postroom_server.domain.accounts import State
from postroom_server.errors import (
    AdminBlocked,
    ConsentRequired,
    CredentialsRejected,
    PostroomError,
    ProviderThrottled,
    ScopeMissing,
)

FIRST_DELAY: Final = 0.25
QUICK_DELAY: Final = 2.0
"""The longest pause during the first QUICK_TRIES tries."""
QUICK_TRIES: Final = 30
MAX_DELAY: Final = 120.0
THROTTLED_DELAY: Final = 15.0
CREDENTIAL_DELAYS: Final = (300.0, 600.0, 900.0, 3_600.0)
"""Pauses after refused credentials; the last one repeats."""

_CREDENTIALS: Final = (CredentialsRejected, ScopeMissing, ConsentRequired, AdminBlocked)


def reconnect_delay(failures: int, error: BaseException, spread: float) -> float:
    """Seconds until the next try after `failures` in a row (from 1); `spread` is a random number in 0..1."""
    if isinstance(error, _CREDENTIALS):
        base = CREDENTIAL_DELAYS[min(failures, len(CREDENTIAL_DELAYS)) - 1]
        return base * (0.9 + 0.2 * spread)
    if isinstance(error, ProviderThrottled):
        base = min(max(error.retry_after or 0.0, THROTTLED_DELAY * 2.0 ** min(failures - 1, 5)), 900.0)
        return base * (0.9 + 0.2 * spread)
    if failures <= QUICK_TRIES:
        base = min(FIRST_DELAY * 2.0 ** min(failures - 1, 8), QUICK_DELAY)
    else:
        base = min(QUICK_DELAY * 1.5 ** min(failures - QUICK_TRIES, 16), MAX_DELAY)
    return base * (0.5 + spread * 0.5)


def state_after(error: PostroomError, *, was_connected: bool, failures: int) -> State | None:
    """The state that a failed try leads to; None: no change yet.

    An account that was connected is DISCONNECTED after its second failure in a row, and UNREACHABLE after its sixth;
    one that never was is UNREACHABLE or AUTH_FAILED at once.
    """
    if isinstance(error, _CREDENTIALS):
        return State.AUTH_FAILED if not was_connected or failures >= 3 else State.DISCONNECTED
    if not was_connected or failures >= 6:
        return State.UNREACHABLE
    return State.DISCONNECTED if failures >= 2 else None
