"""Which changes are put down to calls: what a call is about to do is noted here before the provider is asked for it.

It owns the notes of one account and refuses to look for changes; sync asks it when it has found one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from postroom_server.domain.changes import Cause, CauseKind

FILED_KEPT: Final = 64
"""Messages filed by calls whose arrival in the feed is put down to them."""


def api(request_id: str) -> Cause:
    """The cause of a change that a call brought about."""
    return Cause(kind=CauseKind.API, request_id=request_id)


class _Arranged:
    """What a call does to mailboxes."""

    __slots__ = ("_of", "_to", "request_id")

    def __init__(self, request_id: str, to: tuple[str, ...], of: tuple[str, ...]) -> None:
        self.request_id, self._to, self._of = request_id, to, of

    def concerns(self, path: tuple[str, ...]) -> bool:
        """Whether the call changes the mailbox with this path."""
        return path == self._to[: len(path)] or (bool(self._of) and path[: len(self._of)] == self._of)


class Filed:
    """A message that a call files. `told`: it is in the feed, so that the next one like it is somebody else's."""

    __slots__ = ("request_id", "told")

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.told = False


class Causes:
    """Notes of what calls are doing. A cause that is a call's already stays as it is."""

    __slots__ = ("_arranging", "_edits", "_filed")

    def __init__(self) -> None:
        self._arranging: list[_Arranged] = []
        self._edits: dict[tuple[int, int], list[str]] = {}
        self._filed: dict[tuple[int, str], Filed] = {}

    @contextmanager
    def editing(self, space: int, numbers: Iterable[int], request_id: str) -> Iterator[None]:
        """While open, changes of these messages are put down to the call that makes them."""
        places = {(space, number) for number in numbers}
        for place in places:
            self._edits.setdefault(place, []).append(request_id)
        try:
            yield
        finally:
            for place in places:
                self._edits[place].remove(request_id)
                if not self._edits[place]:
                    del self._edits[place]

    @contextmanager
    def arranging(self, request_id: str, *, to: Sequence[str] = (), of: Sequence[str] = ()) -> Iterator[None]:
        """While open, changes of mailboxes are put down to the call that makes them.

        It makes a mailbox `to` with those above it, or changes the mailbox `of` with those beneath it, or both.
        """
        arranged = _Arranged(request_id, _folded(to), _folded(of))
        self._arranging.append(arranged)
        try:
            yield
        finally:
            self._arranging.remove(arranged)

    def of_mailbox(self, path: Sequence[str], otherwise: Cause) -> Cause:
        """The cause of a change of the mailbox that has this path, or had it before."""
        folded = _folded(path)
        for arranged in reversed(self._arranging):
            if arranged.concerns(folded):
                return api(arranged.request_id)
        # Providers spell names as they like: what fits nothing is the only call's, if there is only one.
        return api(self._arranging[0].request_id) if len(self._arranging) == 1 else otherwise

    @contextmanager
    def filing(self, mailbox: int, internet_message_id: str, request_id: str) -> Iterator[Filed]:
        """A message with this Message-ID that is new in the mailbox is put down to the call that files it.

        Where it is not `told` until the end, that is remembered until so many others were filed, as it may show itself late.
        """
        place, filed = (mailbox, internet_message_id), Filed(request_id)
        self._filed.pop(place, None)
        self._filed[place] = filed
        while len(self._filed) > FILED_KEPT:
            del self._filed[next(iter(self._filed))]
        late = False
        try:
            yield filed
            late = not filed.told
        finally:
            if not late and self._filed.get(place) is filed:
                del self._filed[place]

    def of(self, place: tuple[int, int], otherwise: Cause) -> Cause:
        """The cause of a change of the message at this place."""
        requests = self._edits.get(place)
        return otherwise if requests is None or otherwise.kind is CauseKind.API else api(requests[-1])

    def of_added(self, mailboxes: Iterable[int], internet_message_id: str, otherwise: Cause) -> Cause:
        """The cause of a new message in these mailboxes."""
        for mailbox in mailboxes if otherwise.kind is not CauseKind.API else ():
            filed = self._filed.get((mailbox, internet_message_id))
            if filed is not None:
                return api(filed.request_id)
        return otherwise


def _folded(path: Sequence[str]) -> tuple[str, ...]:
    return tuple(level.casefold() for level in path)
