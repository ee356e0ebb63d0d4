"""Checks of passwords, each done once: what was right is remembered for a minute, and who asks meanwhile waits."""

import hmac
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from chartrepo.access import hashes
from chartrepo.access.hashes import StoredHash

REMEMBERED: Final = 60.0
"""In seconds."""
MOST: Final = 1024
"""So many right passwords are remembered; the one that was used longest ago is forgotten first."""


class Checks:
    """The checks of one process; for several threads at a time.

    No password is kept, only a digest of it with the name and the hash, under a key that the process made up. So a
    right password is forgotten at once where the hash in the file is another one.

    Args:
        clock: tells seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._key = os.urandom(32)
        self._lock = threading.Lock()
        self._right: OrderedDict[bytes, float] = OrderedDict()
        self._running: dict[bytes, Future[bool]] = {}

    def matches(self, name: str, stored: StoredHash, password: bytes, *, possible: bool) -> bool:
        """Return whether a password is right.

        Args:
            name: whose it is said to be.
            stored: the hash to check it against.
            password: any bytes.
            possible: whether it can be right at all; if not, the work is done all the same.

        Raises:
            PasswordUnchecked: there is no memory to find out.
        """
        key = self._digest(name, stored, password)
        with self._lock:
            if self._remembers(key):
                return True
            found = self._running.get(key)
            if found is None:
                own = self._running[key] = Future()
        if found is not None:
            return found.result()
        try:
            right = hashes.matches(stored, password) and possible
        except BaseException as error:
            self._finish(key, right=False)
            own.set_exception(error)
            raise
        self._finish(key, right=right)
        own.set_result(right)
        return right

    def _digest(self, name: str, stored: StoredHash, password: bytes) -> bytes:
        parts = (name.encode("utf-8", "surrogatepass"), stored.text.encode(), password)
        # With their lengths, so that no two triples are the same bytes.
        return hmac.digest(self._key, b"".join(len(part).to_bytes(8) + part for part in parts), "sha256")

    def _remembers(self, key: bytes) -> bool:
        until = self._right.get(key)
        if until is None:
            return False
        if until <= self._clock():
            del self._right[key]
            return False
        self._right.move_to_end(key)
        return True

    def _finish(self, key: bytes, *, right: bool) -> None:
        with self._lock:
            del self._running[key]
            if right:
                self._right[key] = self._clock() + REMEMBERED
                if len(self._right) > MOST:
                    self._right.popitem(last=False)
