"""What can go wrong between bytes and values: whose fault it was, and nothing about sockets.

Owns the three exceptions of the wire package. Refuses to know providers: the connection turns them into provider
errors once, at its own edge. "We sent nonsense" (NotEncodable) is a bug or a caller's bad argument; "the server sent
nonsense" (Malformed, LimitExceeded) is data.
"""

from __future__ import annotations

__all__ = ["LimitExceeded", "Malformed", "NotEncodable", "WireFault"]


class WireFault(Exception):
    """Root of the wire package's errors."""


class Malformed(WireFault):
    """A response breaks the grammar; the stream is still in step, so that the next response can be read."""


class LimitExceeded(WireFault):
    """A response is larger or deeper than a limit; the stream cannot be trusted any further."""


class NotEncodable(WireFault):
    """A command argument has no spelling on the wire (NUL, a lone surrogate, a flag outside the grammar)."""
