"""How long who gave a wrong password waits until the next try is looked at. Nobody is locked out.

Each failure is counted once:

- A name and an address that logged in together within the last day have a bucket of their own. So neither failures for
  that name from elsewhere nor failures for other names from there slow them.
- All others are counted by their address, whatever the name, and by the name, from wherever it is tried.

A try that has to wait must not be looked at, even if its password is right: were it let through, the answer to the
others would tell that they are wrong, and guessing would not be slowed. So who comes from a new address while a name is
being guessed competes with the guesses, until one login succeeds.

A success gives back nothing of what failures took: somebody with one account could else fill up the bucket of his
address between guesses for others.

Tries that are looked at at the same moment are all let through by what was counted before. What they took too much is
waited for afterwards.
"""

import heapq
import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from operator import itemgetter
from typing import Final

ADDRESS_FREE: Final = 10
"""So many failures without a wait, of an address, and of an address with a name that logged in there."""
ADDRESS_SECONDS: Final = 6.0
"""... and then one each so many seconds."""
NAME_FREE: Final = 50
"""So many without a wait for a name, from all addresses together where it did not log in."""
NAME_SECONDS: Final = 2.0
"""... and then one each so many seconds."""
KNOWN: Final = 24 * 60 * 60.0
"""For so many seconds a login makes an address known for its name."""
MOST: Final = 10_000
"""So many addresses, names, and pairs of both are kept."""

_LONGEST: Final = 256
"""In characters. A longer name is nobody's, and what begins alike is counted together."""
_KEPT: Final = MOST * 9 // 10

_Pair = tuple[str, str]


class Guesses:
    """The failures that one process saw; for several threads at a time.

    Args:
        clock: tells seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._addresses = _Buckets(ADDRESS_FREE, ADDRESS_SECONDS)
        self._names = _Buckets(NAME_FREE, NAME_SECONDS)
        self._pairs = _Buckets(ADDRESS_FREE, ADDRESS_SECONDS)
        self._known: OrderedDict[_Pair, float] = OrderedDict()

    def delay(self, address: str, name: str) -> float:
        """Return the seconds that this try has to wait, without being looked at; 0.0 for none.

        Args:
            address: of the caller; addresses of IPv6 that share their first 64 bits are one.
            name: of the user, whether or not there is one.
        """
        pair = _pair(address, name)
        with self._lock:
            now = self._clock()
            if self._knows(pair, now):
                return self._pairs.delay(pair, now)
            return max(self._addresses.delay(pair[0], now), self._names.delay(pair[1], now))

    def failed(self, address: str, name: str) -> None:
        """Count a password that was wrong."""
        pair = _pair(address, name)
        with self._lock:
            now = self._clock()
            if self._knows(pair, now):
                self._pairs.take(pair, now)
            else:
                self._addresses.take(pair[0], now)
                self._names.take(pair[1], now)

    def succeeded(self, address: str, name: str) -> None:
        """Remember that the name logged in from this address."""
        pair = _pair(address, name)
        with self._lock:
            self._known[pair] = self._clock() + KNOWN
            self._known.move_to_end(pair)
            if len(self._known) > MOST:
                # Who logs in often stays: only somebody with a password could push others out, from 10,000 addresses.
                self._known.popitem(last=False)

    def _knows(self, pair: _Pair, now: float) -> bool:
        return self._known.get(pair, now) > now


class _Buckets:
    """Buckets of tokens by key, of which a failure takes one, and which fill up again.

    A bucket is kept as the moment at which it is full again. Where there are too many, those go that are full the
    soonest, and not those that were used longest ago: whoever wants a bucket forgotten has to empty thousands of others
    further than it.

    Args:
        free: tokens in a full one.
        seconds: until one more is in it.
    """

    def __init__(self, free: int, seconds: float) -> None:
        self._free = free
        self._seconds = seconds
        self._full: dict[Hashable, float] = {}

    def delay(self, key: Hashable, now: float) -> float:
        """Return the seconds until there is a token."""
        return max(0.0, self._full.get(key, now) - now - (self._free - 1) * self._seconds)

    def take(self, key: Hashable, now: float) -> None:
        """Take a token, or owe one where there is none."""
        self._full[key] = max(self._full.get(key, now), now) + self._seconds
        if len(self._full) > MOST:
            # A tenth at a time, so that hardly any failure has to look at all of them.
            self._full = dict(heapq.nlargest(_KEPT, self._full.items(), key=itemgetter(1)))


def _pair(address: str, name: str) -> _Pair:
    return network(address), name[:_LONGEST]


def network(address: str) -> str:
    """Return what one caller has to itself: an address of IPv4, or 64 bits of IPv6; other texts are as they are."""
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    return str(parsed.ipv4_mapped or ipaddress.IPv6Address(int(parsed) >> 64 << 64))
