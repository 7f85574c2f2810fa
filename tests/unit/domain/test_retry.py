"""The schedules of reconnecting: quick after a good link, slow after refused credentials."""

from postroom_server.domain.accounts import State
from postroom_server.domain.retry import CREDENTIAL_DELAYS, MAX_DELAY, reconnect_delay, state_after
from postroom_server.errors import CredentialsRejected, ProviderThrottled, ProviderUnreachable


def test_a_restarted_server_is_tried_at_least_every_two_seconds_for_the_first_minute():
    waits = [reconnect_delay(n, ProviderUnreachable(), 1.0) for n in range(1, 31)]
    assert max(waits) <= 2.0
    assert sum(waits) > 45


def test_a_dead_server_is_tried_ever_more_slowly_up_to_a_bound():
    assert reconnect_delay(1_000, ProviderUnreachable(), 1.0) == MAX_DELAY


def test_refused_credentials_are_tried_at_most_five_times_in_ten_minutes_and_then_hourly():
    """Failure model F05."""
    at, tries = 0.0, 1
    for failures in range(1, 10):
        at += reconnect_delay(failures, CredentialsRejected(), 0.0)
        tries += at <= 600
    assert tries <= 5
    assert reconnect_delay(99, CredentialsRejected(), 0.5) == CREDENTIAL_DELAYS[-1]


def test_a_throttled_account_waits_as_long_as_it_is_told():
    error = ProviderThrottled()
    error.retry_after = 200
    assert 180 <= reconnect_delay(1, error, 0.5) <= 220


def test_an_account_that_never_connected_says_at_once_why():
    assert state_after(CredentialsRejected(), was_connected=False, failures=1) is State.AUTH_FAILED
    assert state_after(ProviderUnreachable(), was_connected=False, failures=1) is State.UNREACHABLE


def test_a_blip_of_a_connected_account_changes_no_state():
    assert state_after(ProviderUnreachable(), was_connected=True, failures=1) is None
    assert state_after(ProviderUnreachable(), was_connected=True, failures=2) is State.DISCONNECTED
    assert state_after(CredentialsRejected(), was_connected=True, failures=3) is State.AUTH_FAILED
