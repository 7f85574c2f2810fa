"""The root of the tree, and what can befall any call."""

from __future__ import annotations

from typing import ClassVar


class PostroomError(Exception):
    """The request could not be done.

    Args:
        message: A sentence for people; empty takes the first line of the class's docstring.
        metadata: Variable parts of the message, as the ErrorInfo carries them. Never a secret.
    """

    reason: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str = "", /, **metadata: str) -> None:
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])
        self.metadata: dict[str, str] = metadata
        self.retry_after: float | None = None
        """Seconds after which the same call may succeed; None when waiting does not help or is unknown."""
        self.violations: tuple[tuple[str, str], ...] = ()
        """(field as a JSON path, what is wrong with it) for BadRequest."""


class Internal(PostroomError):
    """Something is wrong on our side; the log holds the details under the request id."""

    reason = "INTERNAL"


class NotImplementedYet(PostroomError):
    """This method is part of the contract and not served yet."""

    reason = "NOT_IMPLEMENTED"


class DeadlineExceeded(PostroomError):
    """The deadline passed before the call was done."""

    reason = "DEADLINE_EXCEEDED"
