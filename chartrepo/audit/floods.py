"""How many refusals become records of their own, so that nobody fills the disk by being refused.

Within a minute the first ones of an address are all recorded, so that every try of a person, or of a pipeline that is
set up wrongly, can be seen. After them only the 100th, the 1,000th and so on, each with the number it has. The same
holds for all addresses together, since whoever has one may have many.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

FREE: Final = 20
"""Refusals of an address in a minute that are all recorded."""
FREE_IN_ALL: Final = 300
"""Refusals of all addresses together, in a process."""
MOST: Final = 10_000
"""Addresses that are counted by themselves."""

_MINUTE: Final = 60


class Floods:
    """The refusals that one process saw in this minute; for several threads at a time.

    Args:
        clock: tells seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._minute = -1
        self._all = 0
        self._by_address: dict[str, int] = {}

    def count(self, address: str) -> int | None:
        """Count a refusal; return how many it stands for if it is to be recorded, 1 for itself alone.

        Args:
            address: of the caller; those that share what one caller may have to itself are one, see `network`.
        """
        with self._lock:
            minute = int(self._clock() // _MINUTE)
            if minute != self._minute:
                self._minute, self._all = minute, 0
                self._by_address.clear()
            number = self._by_address.get(address, 0) + 1
            if number > 1 or len(self._by_address) < MOST:
                self._by_address[address] = number
            if number > FREE:
                return number if _is_round(number) else None
            self._all += 1
            if self._all > FREE_IN_ALL:
                return self._all if _is_round(self._all) else None
            return 1


def _is_round(number: int) -> bool:
    """Return whether this is 100, 1,000 or the like."""
    text = str(number)
    return len(text) > 2 and text.strip("0") == "1"  # noqa: PLR2004 - from the first hundred on
