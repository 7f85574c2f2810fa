"""What is wrong with the caller's request."""

from __future__ import annotations

from postroom_server.errors._root import PostroomError


class RequestInvalid(PostroomError):
    """A field of the request is not acceptable.

    Args:
        field: JSON path of the field, such as `submission.composed.to[1].address`; empty for the whole body.
        description: What is wrong with it.
    """

    reason = "REQUEST_INVALID"

    def __init__(self, field: str, description: str) -> None:
        super().__init__(f"{field}: {description}" if field else description, field=field)
        self.violations = ((field, description),)


class PageTokenInvalid(PostroomError):
    """The page token is not one of this listing, or its parameters changed."""

    reason = "PAGE_TOKEN_INVALID"


class MessageTooLarge(PostroomError):
    """The message is larger than the account or the server takes."""

    reason = "MESSAGE_TOO_LARGE"


class AddressDenied(PostroomError):
    """The host is not one that this server may connect to."""

    reason = "ADDRESS_DENIED"


class CursorMalformed(PostroomError):
    """The cursor cannot be read."""

    reason = "CURSOR_MALFORMED"


class CursorForeign(PostroomError):
    """The cursor belongs to another account, selection or store."""

    reason = "CURSOR_FOREIGN"


class CursorExpired(PostroomError):
    """The cursor is older than what is retained; start from `earliestCursor` or from a snapshot."""

    reason = "CURSOR_EXPIRED"


class LimitExceeded(PostroomError):
    """A limit of this server is reached."""

    reason = "LIMIT_EXCEEDED"
