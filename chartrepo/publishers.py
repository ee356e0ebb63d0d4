"""Who published a version, where the audit records of that time are kept.

A record is made a moment after the time of publication that the version bears. So only the records of these minutes are
read: a listing of one day, and the few objects that its keys name.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Final, NamedTuple

from chartrepo.audit import Records
from chartrepo.catalog import PackageRecord
from chartrepo.core import oci
from chartrepo.core.audit import Deed, Outcome, Wanted, stamp
from storage.base import StorageError

_BEFORE: Final = 5.0
"""Seconds by which a record may be earlier than the version: clocks of replicas differ."""
_AFTER: Final = 120.0
"""Seconds that a publication takes at most, from when its time was set until its record is made."""
_MOST_RECORDS: Final = 200
"""Of one chart, that are looked at."""
_KEPT: Final = 4096
"""Versions of which is known who published them, or that nobody knows."""
_ASK_AGAIN: Final = 600.0
"""Seconds until it is asked again for a record that was not there: that of another replica comes later."""
_PUBLISHING: Final = frozenset({Deed.PUBLISH, Deed.OVERWRITE})


class Publisher(NamedTuple):
    """Who published a version, and when.

    Attributes:
        caller: as rules name callers, `user:ada` or `token:ci`.
        time: of the record, as `chartrepo.core.audit.stamp` writes it.
    """

    caller: str
    time: str


class _Known(NamedTuple):
    publisher: Publisher | None
    until: float


class Publishers:
    """Finds out who published versions, and remembers it. Safe to share between threads.

    Whoever shows what it says decides to whom, see `chartrepo.http.published_by`.

    Args:
        records: that are kept; None where none are.
        clock: seconds since the epoch.
        most: versions that are remembered.
    """

    def __init__(self, records: Records | None, *, clock: Callable[[], float] = time.time, most: int = _KEPT) -> None:
        self._records = records
        self._clock = clock
        self._most = most
        self._known: OrderedDict[tuple[str, str, str, int], _Known] = OrderedDict()
        self._lock = Lock()

    def of(self, record: PackageRecord) -> Publisher | None:
        """Return who published a version; None where no record says so, or none can be had now."""
        known = self._at_hand(record)
        if known is not None:
            return known.publisher
        if self._records is None:
            return None
        try:
            found = self._find(self._records, record)
        except StorageError:
            return None  # what is asked for is the version: it is not held up by what would be told beside it
        self._keep(record, found)
        return found

    def of_some(self, records: Iterable[PackageRecord], *, look_ups: int) -> list[Publisher | None]:
        """Return who published each of some versions, in their order.

        Args:
            records: of the versions.
            look_ups: how many are looked up at most; of the others only what is remembered is told.
        """
        found: list[Publisher | None] = []
        for record in records:
            known = self._at_hand(record)
            if known is None and look_ups > 0:
                look_ups -= 1
                found.append(self.of(record))
            else:
                found.append(known.publisher if known is not None else None)
        return found

    def _find(self, records: Records, record: PackageRecord) -> Publisher | None:
        if record.created > self._clock() + _AFTER:
            return None  # hands gave it that time
        wanted = Wanted(
            since=stamp(max(0.0, record.created - _BEFORE)),
            until=stamp(record.created + _AFTER),
            repository=record.repository,
            chart=record.name,
            outcome=Outcome.DONE,
        )
        digest = str(oci.sha256(record.digest))
        # The first one that published these bytes: whoever sent them again changed nothing.
        for each in reversed(records.find(wanted, _MOST_RECORDS).records):
            if each.action in _PUBLISHING and each.version == record.version and each.digest == digest:
                return Publisher(each.caller, each.time)
        return None

    def _at_hand(self, record: PackageRecord) -> _Known | None:
        key = _key(record)
        with self._lock:
            known = self._known.get(key)
            if known is None or known.until < self._clock():
                return None
            self._known.move_to_end(key)
            return known

    def _keep(self, record: PackageRecord, found: Publisher | None) -> None:
        until = self._clock() + _ASK_AGAIN if found is None else float("inf")
        with self._lock:
            self._known[_key(record)] = _Known(found, until)
            self._known.move_to_end(_key(record))
            while len(self._known) > self._most:
                self._known.popitem(last=False)


def _key(record: PackageRecord) -> tuple[str, str, str, int]:
    return record.repository, record.file, record.digest, record.created
