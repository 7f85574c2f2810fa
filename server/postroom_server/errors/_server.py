"""What this server can do now."""

from __future__ import annotations

from postroom_server.errors._root import PostroomError


class StoreUnavailable(PostroomError):
    """The store does not answer."""

    reason = "STORE_UNAVAILABLE"


class StoreFull(PostroomError):
    """The store is full."""

    reason = "STORE_FULL"


class OutboxFull(PostroomError):
    """The outbox holds as many submissions as it may."""

    reason = "OUTBOX_FULL"


class OwnerUnknown(PostroomError):
    """No node runs this account at the moment."""

    reason = "OWNER_UNKNOWN"


class ServerDraining(PostroomError):
    """This node is stopping; another one takes the call."""

    reason = "SERVER_DRAINING"


class PathUnknown(PostroomError):
    """No method is bound to this verb and path. The gateway says it, no node does."""

    reason = "PATH_UNKNOWN"


class NodeUnavailable(PostroomError):
    """No node is ready to take the call. The gateway says it, no node does."""

    reason = "NODE_UNAVAILABLE"
