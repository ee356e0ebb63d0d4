"""Credentials that were right a moment ago: clients ask for many things at once, each with its credential."""

import os
import time
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from chartrepo.core.permissions import Caller

SECONDS: Final = 1.0
"""For so long a credential is not looked at again, whatever becomes of it meanwhile."""
_MOST: Final = 10_000


class Believed:
    """The callers of one process, by what they brought. Safe to share between threads.

    What they brought is not kept, only a digest of it under a key that the process made up.

    Args:
        clock: tells seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._key = os.urandom(32)
        self._callers: dict[bytes, tuple[Caller, float]] = {}

    def caller(self, credential: str, address: str) -> Caller | None:
        """Return whose credential this is, where it was right, from the same address, a moment ago."""
        found = self._callers.get(self._digest(credential, address))
        return found[0] if found is not None and self._clock() < found[1] else None

    def remember(self, credential: str, address: str, caller: Caller, *, lasts: float = SECONDS) -> None:
        """Remember that a credential is right, for as many seconds as it lasts, and for `SECONDS` at most."""
        if len(self._callers) >= _MOST:
            self._callers.clear()
        self._callers[self._digest(credential, address)] = caller, self._clock() + min(SECONDS, lasts)

    def _digest(self, credential: str, address: str) -> bytes:
        # No address has a line end, so that no two pairs are the same bytes.
        return blake2b(f"{address}\n{credential}".encode("utf-8", "surrogatepass"), key=self._key).digest()
