"""Client of Postroom.

    import postroom

    async with postroom.connect("127.0.0.1:8080", token) as client:
        async for change in client.watch("accounts/ada"):
            print(change.WhichOneof("fact"))

The messages of the contract are in `postroom.v1`, errors by reason in `postroom.errors`.
"""

from postroom import errors
from postroom.client import Postroom, connect
from postroom.errors import FeedReset, WatchEnded
from postroom.statuses import PostroomError
from postroom.watch import State, Watch

__all__ = ["FeedReset", "Postroom", "PostroomError", "State", "Watch", "WatchEnded", "connect", "errors"]
