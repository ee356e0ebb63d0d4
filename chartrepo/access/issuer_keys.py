"""The keys of issuers, kept: asked for when they are needed, renewed behind the back of who asks, and never lost.

An issuer that does not answer takes nothing away: the keys that it had are good until it has others. A key that is not
known may be a new one, or anybody's invention: so it is looked for, but not more often than every few seconds, once at
a time, and with a few requests waiting for it and no more.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection
from typing import Final, Protocol

from chartrepo.access.issuer_web import DEADLINE, IssuerError, fetch_keys
from chartrepo.access.issuers import Issuer, KeySource
from chartrepo.access.jwks import Key, KeySet, parse_keys
from chartrepo.core.errors import AccessMisconfigured, KeysUnavailable
from chartrepo.watched import Watched

FRESH: Final = 600.0
"""Seconds after which keys are asked for again. One that was taken back is good for so long."""
SOONEST: Final = 10.0
"""So many seconds pass at least between two tries."""
WAITING: Final = 4
"""So many requests of a process wait for the keys of an issuer. With the default of threads others still go on."""

log = logging.getLogger(__name__)

Told = Callable[[str, bool], None]
"""Told of each try to get keys: the issuer's name, and whether it worked."""


class Keys(Protocol):
    """Where the keys of an issuer are found."""

    def find(self, key_id: str | None, algorithm: str) -> Key | None:
        """Return the key that can have signed a token; None where there is none.

        Raises:
            KeysUnavailable: nobody knows.
        """


class FiledKeys:
    """Keys in a file.

    Args:
        issuer: whose they are.
        clock: tells seconds.
    """

    def __init__(self, issuer: Issuer, *, clock: Callable[[], float]) -> None:
        self._name = issuer.name
        path = issuer.source.jwks_file
        if path is None:
            raise ValueError(f"{issuer.name} has no file of keys")

        def parse(data: bytes) -> KeySet:
            try:
                return parse_keys(data)
            except ValueError as error:
                raise AccessMisconfigured(f"{path}: the keys {error}") from None

        self.file = Watched(path, parse, remedy="put the issuer's JSON Web Key Set there", clock=clock)

    def find(self, key_id: str | None, algorithm: str) -> Key | None:
        """Return a key, see `Keys.find`."""
        try:
            return self.file.value.find(key_id, algorithm)
        except AccessMisconfigured:
            raise KeysUnavailable(_said(self._name)) from None


class _Flight:
    """One try to get keys, by a thread of its own, so that whoever waits for it can stop waiting."""

    def __init__(self, began: float) -> None:
        self.until = began + DEADLINE
        self.landed = threading.Event()
        self.waiting = 0


class FetchedKeys:
    """Keys that an issuer is asked for. Safe to share between threads; each process has its own.

    Args:
        issuer: whose they are.
        told: of each try.
        clock: tells seconds.
        fetch: asks; raises `IssuerError`.
    """

    def __init__(
        self,
        issuer: Issuer,
        *,
        told: Told,
        clock: Callable[[], float] = time.monotonic,
        fetch: Callable[[KeySource], KeySet] = fetch_keys,
    ) -> None:
        self._name = issuer.name
        self._source = issuer.source
        self._told = told
        self._clock = clock
        self._fetch = fetch
        self._lock = threading.Lock()
        self._keys: KeySet | None = None
        self._flight: _Flight | None = None
        self._stale_at = float("-inf")
        self._again_at = float("-inf")
        self._failed: str | None = None

    def find(self, key_id: str | None, algorithm: str) -> Key | None:
        """Return a key, see `Keys.find`. Waits for a few seconds at most, and not at all for a key that is known."""
        with self._lock:
            now = self._clock()
            found = self._known(key_id, algorithm)
            if found is not None:
                if now >= self._stale_at:
                    self._begin(now)
                return found
            flight = self._begin(now)
            if flight is not None:
                if flight.waiting >= WAITING:
                    raise KeysUnavailable(_said(self._name))
                flight.waiting += 1
        if flight is not None and not flight.landed.wait(max(0.0, flight.until - now)):
            raise KeysUnavailable(_said(self._name))
        with self._lock:
            found = self._known(key_id, algorithm)
            if found is None and self._failed is not None:
                raise KeysUnavailable(_said(self._name))
            return found

    def _known(self, key_id: str | None, algorithm: str) -> Key | None:
        return self._keys.find(key_id, algorithm) if self._keys is not None else None

    def _begin(self, now: float) -> _Flight | None:
        """Return the try that is under way, which may begin now; None where it is too soon for one."""
        if self._flight is None and now >= self._again_at:
            self._again_at = now + SOONEST
            flight = _Flight(now)
            thread = threading.Thread(target=self._fly, args=(flight,), name=f"keys of {self._name}", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # the system lets this process have no more of them
                self._failed = str(error)
                log.warning("issuer %s: its keys cannot be asked for: %s", self._name, error)
            else:
                self._flight = flight
        return self._flight

    def _fly(self, flight: _Flight) -> None:
        keys, problem = None, None
        try:
            keys = self._fetch(self._source)
        except IssuerError as error:
            problem = str(error)
        except Exception as error:  # whatever it is, who waits must be let go, and the next try be made
            log.exception("the keys of %s could not be had", self._name)
            problem = f"{type(error).__name__}: {error}"
        with self._lock:
            before, self._failed = self._failed, problem
            if keys is not None:
                self._keys = keys
                self._stale_at = self._clock() + FRESH
            stays = "those it had stay good" if self._keys is not None else "none of its tokens can be looked at"
            self._flight = None
            flight.landed.set()
        self._told(self._name, problem is None)
        if problem is not None and problem != before:
            log.warning("issuer %s: %s; %s", self._name, problem, stays)
        elif problem is None and before is not None:
            log.info("issuer %s: its keys can be had again", self._name)


class Keyrings:
    """The keys of all issuers, kept while the table of issuers changes around them.

    Args:
        told: of each try to get some.
        clock: tells seconds.
    """

    def __init__(self, *, told: Told, clock: Callable[[], float] = time.monotonic) -> None:
        self._told = told
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, KeySource], FiledKeys | FetchedKeys] = {}

    def of(self, issuer: Issuer) -> FiledKeys | FetchedKeys:
        """Return the keys of an issuer."""
        place = (issuer.name, issuer.source)
        found = self._kept.get(place)
        if found is None:
            with self._lock:
                found = self._kept.get(place) or self._made(issuer)
                self._kept[place] = found
        return found

    def keep(self, issuers: Collection[Issuer]) -> None:
        """Forget the keys of all other issuers."""
        places = {(issuer.name, issuer.source) for issuer in issuers}
        with self._lock:
            self._kept = {place: keys for place, keys in self._kept.items() if place in places}

    def files(self, issuers: Collection[Issuer]) -> dict[str, bool]:
        """Return whether each file of keys can be used as it is now, by the place that names it."""
        kept = {f"issuers.{issuer.name}.jwks_file": self.of(issuer) for issuer in issuers}
        return {place: keys.file.problem is None for place, keys in kept.items() if isinstance(keys, FiledKeys)}

    def check(self, issuers: Collection[Issuer]) -> None:
        """Read the files of keys now, as a start does. Nobody is asked for any.

        Raises:
            AccessMisconfigured: one of them cannot be used; it tells of all of them.
        """
        problems: list[str] = []
        for keys in map(self.of, issuers):
            try:
                if isinstance(keys, FiledKeys):
                    keys.file.check()
            except AccessMisconfigured as error:
                problems += error.problems
        if problems:
            raise AccessMisconfigured(*problems)

    def _made(self, issuer: Issuer) -> FiledKeys | FetchedKeys:
        if issuer.source.jwks_file is not None:
            return FiledKeys(issuer, clock=self._clock)
        return FetchedKeys(issuer, told=self._told, clock=self._clock)


def _said(name: str) -> str:
    """What clients are told; the log has the rest."""
    return f"the keys of the issuer {name} cannot be had now, so that nobody can tell whether its token is right"
