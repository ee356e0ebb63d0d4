"""The records in the storage of the server's state, where all replicas find those of all.

An object has records of one day, and says in its key between which minutes they were made. So whoever looks for some
lists days and opens few objects, without an index that could be lost. Objects are written once and never changed.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Final, NamedTuple

from chartrepo import layout
from chartrepo.audit.spool import Spool, batch_id
from chartrepo.core.audit import MAX_LINE, Position, Record, Wanted
from chartrepo.core.messages import shown
from chartrepo.layout import AuditPlace
from storage.base import ABSENT, AlreadyExists, NotFound, Storage, Unavailable

log = logging.getLogger(__name__)

MAX_OBJECT: Final = 2**20
"""Bytes of an object, but for its last line."""
DAYS: Final = 40
"""So many days are listed for a page: the month that is looked at unless more is said, and a bit."""
OBJECTS: Final = 500
"""About so many objects are read for a page."""

_PIECE: Final = 256 * 1024
_DAY: Final = 86400.0


class Page(NamedTuple):
    """Records, the newest first, and where to go on; None where these were the last."""

    records: list[Record]
    next: Position | None


class Journal:
    """The records of a storage.

    Args:
        storage: of the server's state.
        clock: seconds since the epoch.
    """

    def __init__(self, storage: Storage, *, clock: Callable[[], float] = time.time) -> None:
        self._storage = storage
        self._clock = clock

    # ---- writing

    def take_in(self, spool: Spool) -> int:
        """Take what waits in a spool to the storage; return how many records. Twice is as good as once.

        Raises:
            StorageError: some were not taken, and still wait.
        """
        try:
            return sum(map(self._take, spool.batches()))
        except OSError as error:
            raise Unavailable(f"the audit records that wait cannot be read ({error})") from None

    def _take(self, batch: Path) -> int:
        try:
            lines = batch.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return 0  # another server on this folder was quicker
        records = 0
        for number, (day, piece) in enumerate(_pieces(lines)):
            moments = [moment for moment, _ in piece]
            place = AuditPlace(day, _minute(min(moments)), _minute(max(moments)), f"{batch_id(batch)}-{number}")
            with suppress(AlreadyExists):  # by somebody who died before the batch was removed
                self._storage.put(layout.audit_key(place), b"".join(line for _, line in piece), condition=ABSENT)
            records += len(piece)
        batch.unlink(missing_ok=True)
        return records

    def remove_older(self, seconds: float) -> int:
        """Remove the records of days that ended so many seconds ago; return how many objects.

        Raises:
            StorageError: some are still there.
        """
        oldest = datetime.fromtimestamp(self._clock() - seconds, UTC).date().isoformat()
        old = [
            info.key
            for info in self._storage.list(layout.AUDIT_PREFIX)
            if (place := layout.audit_place(info.key)) is not None and place.day < oldest
        ]
        for key in old:
            with suppress(NotFound):  # another replica was quicker
                self._storage.delete(key)
        return len(old)

    # ---- reading

    def page(
        self, wanted: Wanted, limit: int, *, before: Position | None = None, waiting: Iterable[bytes] = ()
    ) -> Page:
        """Return the newest records that somebody asks for, at most `limit`; fewer where that would take long.

        Args:
            wanted: which ones.
            limit: how many at most.
            before: go on behind this one.
            waiting: lines that are not in the storage yet, or were not a moment ago.

        Raises:
            StorageError: the storage does not answer.
        """
        known = {record.id: record for record in map(Record.from_line, waiting) if record is not None}
        end = Position(wanted.until, "") if before is None else min(before, Position(wanted.until, ""))
        found: list[Record] = []
        opened = 0
        for number, day in enumerate(_days(end.time, wanted.since)):
            if number == DAYS:
                return Page(found, Position(_end_of(day), ""))
            places = self._places(day, end, wanted.since)
            rest = [record for record in known.values() if record.time.startswith(day)]
            while rest or places:
                # Whatever was made later than the last minute of all objects that are left can be told in its order.
                edge = places[-1].last if places else ""
                ready = sorted((each for each in rest if _minute(each.time) > edge), key=attrgetter("position"))
                rest = [each for each in rest if _minute(each.time) <= edge]
                for record in reversed(ready):
                    if record.position < end and wanted.takes(record):
                        found.append(record)
                        if len(found) == limit:
                            return Page(found, record.position)
                if opened >= OBJECTS and ready and ready[0].position < end:
                    return Page(found, ready[0].position)
                if places:
                    rest += (each for each in self._read(places.pop()) if each.id not in known)
                    opened += 1
        return Page(found, None)

    def _places(self, day: str, end: Position, since: str) -> list[AuditPlace]:
        """The objects of a day that may hold records in between, with the last one at the end."""
        places = (layout.audit_place(info.key) for info in self._storage.list(layout.audit_prefix(day)))
        until = f"{end.time[:10]} {_minute(end.time)}"
        return sorted(
            (
                place
                for place in places
                if place is not None
                and f"{day} {place.first}" <= until
                and f"{day} {place.last}" >= f"{since[:10]} {_minute(since)}"
            ),
            key=attrgetter("last"),
        )

    def _read(self, place: AuditPlace) -> Iterator[Record]:
        key = layout.audit_key(place)
        data = bytearray()
        try:
            with self._storage.open(key) as file:
                while len(data) < MAX_OBJECT + MAX_LINE and (piece := file.read(_PIECE)):
                    data += piece
        except NotFound:
            return  # it became too old since it was listed
        for line in bytes(data).splitlines():
            record = Record.from_line(line)
            if record is not None and record.time.startswith(place.day):
                yield record
            else:
                log.warning("%s has a line that is no audit record, and is passed over: %s", key, _shown(line))


_Line = tuple[str, bytes]
"""The time of a record, and its line."""


def _pieces(lines: Iterable[bytes]) -> Iterator[tuple[str, list[_Line]]]:
    """Give the lines of a batch as objects have them: those of one day, and not too many; always the same ones."""
    days: dict[str, list[_Line]] = {}
    for line in filter(None, (each.strip() for each in lines)):
        record = Record.from_line(line)
        if record is None:
            log.error("a line among the audit records that wait is none, and is left out: %s", _shown(line))
        else:
            days.setdefault(record.time[:10], []).append((record.time, line + b"\n"))
    for day, listed in sorted(days.items()):
        size, piece = 0, list[_Line]()
        for each in listed:
            if size >= MAX_OBJECT:
                yield day, piece
                size, piece = 0, []
            piece.append(each)
            size += len(each[1])
        yield day, piece


def _days(newest: str, oldest: str) -> Iterator[str]:
    """Give the days from one moment back to another."""
    day, last = date.fromisoformat(newest[:10]), date.fromisoformat(oldest[:10])
    while day >= last:
        yield day.isoformat()
        if day == date.min:
            return
        day -= timedelta(days=1)


def _end_of(day: str) -> str:
    """The moment after a day's last one, as `Record.time` has moments, or rather one that no record of it reaches."""
    return f"{day}T24:00:00.000000Z"


def _minute(moment: str) -> str:
    """The minute of the day that a moment is in, as `0930`."""
    return f"{moment[11:13]}{moment[14:16]}"


def _shown(line: bytes) -> str:
    return shown(line.decode("ascii", "backslashreplace"))
