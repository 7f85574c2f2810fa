"""Uploads that a node takes in before it knows where they go: bounded each, and all together."""

from __future__ import annotations

from contextlib import suppress

import pytest
from postroom_server.errors import LimitExceeded
from postroom_server.services.interceptors.owner import MAX_HELD_BYTES, MAX_UPLOAD_BYTES, Held


def test_a_node_has_room_for_so_much_and_has_it_again() -> None:
    held = Held()
    with held.room() as first, held.room() as second:
        first(MAX_HELD_BYTES - 10)
        with pytest.raises(LimitExceeded) as refused:
            second(11)
        assert refused.value.retry_after
        second(10)
    with suppress(ValueError), held.room() as third:
        third(MAX_HELD_BYTES)
        raise ValueError
    with held.room() as fourth:
        fourth(MAX_HELD_BYTES)


def test_several_of_the_largest_have_room() -> None:
    held = Held()
    with held.room() as take:
        for _ in range(5):
            take(MAX_UPLOAD_BYTES)
