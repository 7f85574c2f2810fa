"""Which changes are put down to calls: what a call is about to do is noted here before the provider is asked for it.

It owns the notes of one account and refuses to look for changes; sync asks it when it has found one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from postroom_server.domain.changes import Cause, CauseKind

FILED_KEPT: Final = 64
"""Messages filed by calls whose arrival in the feed is put down to them."""


def api(request_id: str) -> Cause:
    """The cause of a change that a call brought about."""
    return Cause(kind=CauseKind.API, request_id=request_id)


class Causes:
    """Notes of what calls are doing."""

    __slots__ = ("_arranging", "_edits", "_filed")

    def __init__(self) -> None:
        self._arranging: list[str] = []
        self._edits: dict[tuple[int, int], str] = {}
        self._filed: dict[tuple[int, str], str] = {}

    @contextmanager
    def editing(self, space: int, numbers: Iterable[int], request_id: str) -> Iterator[None]:
        """While open, changes of these messages are put down to the call that makes them."""
        places = [(space, number) for number in numbers]
        self._edits.update(dict.fromkeys(places, request_id))
        try:
            yield
        finally:
            for place in places:
                self._edits.pop(place, None)

    @contextmanager
    def arranging(self, request_id: str) -> Iterator[None]:
        """While open, changes of mailboxes are put down to the call that makes them."""
        self._arranging.append(request_id)
        try:
            yield
        finally:
            self._arranging.remove(request_id)

    def of_mailboxes(self, otherwise: Cause) -> Cause:
        """The cause of a change of mailboxes."""
        return api(self._arranging[-1]) if self._arranging else otherwise

    @contextmanager
    def filing(self, mailbox: int, internet_message_id: str, request_id: str) -> Iterator[None]:
        """A message with this Message-ID that is new in the mailbox is put down to the call that files it.

        That is remembered until so many others were filed, as the message shows itself when the filing is over.
        """
        place = mailbox, internet_message_id
        self._filed.pop(place, None)
        self._filed[place] = request_id
        while len(self._filed) > FILED_KEPT:
            del self._filed[next(iter(self._filed))]
        try:
            yield
        except BaseException:
            self._filed.pop(place, None)
            raise

    def of(self, place: tuple[int, int], otherwise: Cause) -> Cause:
        """The cause of a change of the message at this place."""
        request = self._edits.get(place)
        return otherwise if request is None else api(request)

    def of_added(self, mailboxes: Iterable[int], internet_message_id: str, otherwise: Cause) -> Cause:
        """The cause of a new message in these mailboxes."""
        for mailbox in mailboxes:
            request = self._filed.get((mailbox, internet_message_id))
            if request is not None:
                return api(request)
        return otherwise
