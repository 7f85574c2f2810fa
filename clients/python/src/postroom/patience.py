"""Uploads that a server refuses midway: its word counts, and not that a write failed because of it.

It owns one correction to grpcio (seen in 1.85): a write that fails while the server's status is on its way makes the call
INTERNAL, and the status that comes a moment later is thrown away. Where grpcio has no such part, nothing is corrected.
"""

from __future__ import annotations

from typing import Any

_PART = "_cython_call"


def patient(call: Any) -> Any:
    """The call; a write that failed waits for the status, which comes in any case: from the server, or as UNAVAILABLE."""
    if hasattr(getattr(call, _PART, None), "set_internal_error"):
        setattr(call, _PART, _Patient(getattr(call, _PART)))
    return call


class _Patient:
    def __init__(self, part: Any) -> None:
        self._part = part

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)

    def set_internal_error(self, _: str) -> None:
        """What asks for it then waits for the status."""
