"""Client of Postroom.

    import postroom

    async with postroom.connect("127.0.0.1:8080", token) as client:
        async for change in client.watch("accounts/ada"):
            print(postroom.kind_of(change), change.sequence)

The messages of the contract are in `postroom.v1`, errors by reason in `postroom.errors`, and a server for your own tests
in `postroom.testing`.
"""

from postroom import errors
from postroom.client import Postroom, connect
from postroom.errors import DownloadDamaged, FeedReset, WatchEnded
from postroom.statuses import PostroomError
from postroom.watch import State, Watch, kind_of

__all__ = [
    "DownloadDamaged",
    "FeedReset",
    "Postroom",
    "PostroomError",
    "State",
    "Watch",
    "WatchEnded",
    "connect",
    "errors",
    "kind_of",
]
