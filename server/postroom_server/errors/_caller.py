"""Who the caller is, and what it may do."""

from __future__ import annotations

from postroom_server.errors._root import PostroomError


class TokenMissing(PostroomError):
    """The call carries no bearer token."""

    reason = "TOKEN_MISSING"


class TokenInvalid(PostroomError):
    """The bearer token is unknown, revoked or expired."""

    reason = "TOKEN_INVALID"


class ScopeDenied(PostroomError):
    """The bearer token does not allow this."""

    reason = "SCOPE_DENIED"
