"""Which sessions were ended before their time, in the storage of the server's state, where all replicas see it.

A session lies in a cookie, of which there may be a copy. So who signs out leaves a note that the session has ended,
until it would have ended by itself. A process looks for the note of a session again after a few seconds, as it does for
API tokens. While the storage does not answer, no session is believed that was not looked for just before.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from typing import Final

from chartrepo import layout
from storage.base import ANYWAY, NotFound, Storage, StorageError

LOOKS: Final = 5.0
"""So many seconds pass between two looks. A sign-out has to hold within 10 s."""
MOST: Final = 4096
"""So many sessions a process knows; the one used longest ago is forgotten first."""
_SWEPT: Final = 200
"""So many notes who signs out looks at, to remove those that are no use any more."""


class EndedSessions:
    """The notes in a storage. Safe to share between threads; each process has its own.

    Args:
        storage: of the server's state.
        clock: tells seconds, of which only differences count.
        now: tells seconds since the epoch.
    """

    def __init__(
        self, storage: Storage, *, clock: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[bool, float]] = OrderedDict()

    def has(self, session_id: str, ends: int) -> bool:
        """Return whether a session was ended.

        Args:
            session_id: of a session that this server made.
            ends: when it ends by itself, in seconds since the epoch.

        Raises:
            StorageError: nobody knows, as the storage does not answer.
        """
        with self._lock:
            ended, until = self._known.get(session_id, (False, float("-inf")))
        began = self._clock()
        if ended or began < until:
            return ended
        try:
            self._storage.stat(layout.ended_session_key(ends, session_id))
        except NotFound:
            ended = False
        else:
            ended = True
        self._remember(session_id, began, ended=ended)
        return ended

    def note(self, session_id: str, ends: int) -> None:
        """Write down that a session has ended. It holds here at once, and everywhere within `LOOKS` seconds.

        Raises:
            StorageError: it was not written down, so that other processes still believe the session.
        """
        self._remember(session_id, self._clock(), ended=True)
        self._storage.put(layout.ended_session_key(ends, session_id), b"", condition=ANYWAY)
        with suppress(StorageError):
            self._sweep()

    def _remember(self, session_id: str, began: float, *, ended: bool) -> None:
        with self._lock:
            if self._known.get(session_id, (ended, 0))[0] and not ended:
                return  # it was ended while its note was looked for
            self._known[session_id] = ended, began + LOOKS
            self._known.move_to_end(session_id)
            if len(self._known) > MOST:
                self._known.popitem(last=False)

    def _sweep(self) -> None:
        """Remove notes of sessions that have ended by themselves, some at a time."""
        now = self._now()
        for info in islice(self._storage.list(layout.ENDED_SESSIONS_PREFIX), _SWEPT):
            ends = layout.end_of_session(info.key)
            if ends is not None and ends < now:
                with suppress(NotFound):
                    self._storage.delete(info.key)
