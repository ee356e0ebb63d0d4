"""The keys that sign what this server says to itself later: registry tokens.

They lie in the storage of the server's state, an object each, so that all replicas sign and believe with the same ones.
The newest signs. Older ones are believed until they are deleted, so a new one can be made at any time; with the old
ones goes all that they signed.
"""

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

from chartrepo import layout
from storage.base import ABSENT, AlreadyExists, NotFound, Storage, StorageError, Unavailable

LOOKS: Final = 5.0
"""So many seconds pass between two looks at which keys there are. A deleted one has to be forgotten within 10 s."""
SOONEST: Final = 1.0
"""So many pass at least, also where somebody brings an id that is not known, or the storage does not answer."""
_BYTES: Final = 32
_ID: Final = re.compile(r"[0-9a-f]{12}-[0-9a-f]{8}")


class SigningKeys:
    """The keys of a storage. Safe to share between threads; each process has its own.

    Args:
        places: storages for keys; the first that can be written is where a new one is put.
        clock: tells seconds, of which only differences count.
        now: tells seconds since the epoch.
    """

    def __init__(
        self,
        places: Sequence[Storage],
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._places = places
        self._clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._keys: dict[str, bytes] = {}
        self._looked = float("-inf")
        self._failed: StorageError | None = None

    def newest(self) -> tuple[str, bytes]:
        """Return the id and the bytes of the key that signs; the first call of all makes one.

        Raises:
            StorageError: there is none, and none can be made.
        """
        with self._lock:
            self._keep_up(LOOKS)
            if not self._keys:
                self._make(self._keys)
            newest = max(self._keys)
            return newest, self._keys[newest]

    def get(self, key_id: str) -> bytes | None:
        """Return a key that is believed; None where there is none of this id (any more).

        Raises:
            StorageError: nobody knows, as the storage does not answer.
        """
        if not _ID.fullmatch(key_id):
            return None
        with self._lock:
            # One that is not known another replica may have made since, or anybody made up.
            self._keep_up(LOOKS if key_id in self._keys else SOONEST)
            return self._keys.get(key_id)

    def rotate(self, *, forget: bool) -> int:
        """Make a new key that signs from now on, and forget the others if so asked; return how many were forgotten.

        Raises:
            StorageError: it could not be done, or not all of it: try again.
        """
        with self._lock:
            old = self._list()
            self._make(old)
            if not forget:
                return 0
            for key_id, place in old.items():
                with suppress(NotFound):
                    place.delete(layout.signing_key(key_id))
                self._keys.pop(key_id, None)
            return len(old)

    def _keep_up(self, after: float) -> None:
        """Look at which keys there are, if the last look is so many seconds ago."""
        began = self._clock()
        if self._failed is not None and began < self._looked + SOONEST:
            raise self._failed  # whoever comes meanwhile does not wait for the same
        if self._failed is None and began < self._looked + after:
            return
        try:
            listed = self._list()
            self._keys = {key_id: key for key_id, place in listed.items() if (key := self._read(place, key_id))}
            self._failed = None
        except StorageError as error:
            self._failed = error
            raise
        finally:
            self._looked = self._clock() if self._failed is not None else began

    def _read(self, place: Storage, key_id: str) -> bytes | None:
        known = self._keys.get(key_id)
        if known is not None:
            return known
        try:
            with place.open(layout.signing_key(key_id)) as file:
                key = file.read()
        except NotFound:
            return None  # it was deleted since it was listed
        return key if len(key) == _BYTES else None

    def _list(self) -> dict[str, Storage]:
        found: dict[str, Storage] = {}
        for place in reversed(self._places):
            for info in place.list(layout.SIGNING_KEYS_PREFIX):
                key_id = layout.signing_key_id(info.key)
                if _ID.fullmatch(key_id) and info.size == _BYTES:  # hands may have put something else there
                    found[key_id] = place
        return found

    def _make(self, known: Iterable[str]) -> None:
        """Make a key that signs instead of those of the ids that are known."""
        # The time comes first, so that the newest is the last in the order of names, whatever a clock says.
        last = max((int(key_id.partition("-")[0], 16) for key_id in known), default=0)
        key_id = f"{max(int(self._now()), last + 1):012x}-{secrets.token_hex(4)}"
        key = secrets.token_bytes(_BYTES)
        refused: StorageError = Unavailable("there is no place for a key that signs")
        for place in self._places:
            try:
                place.put(layout.signing_key(key_id), key, condition=ABSENT)
            except AlreadyExists:
                raise
            except StorageError as error:
                refused = error
            else:
                self._keys[key_id] = key
                return
        raise refused
