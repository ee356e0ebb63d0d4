"""The pulls as pages show them: a small SQLite file on the local disk, which the process in the background fills.

What counts lies in the storage. This file is made from it, so that no page waits for a storage, and none costs more
where there are many versions.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any, Final, NamedTuple

from chartrepo.catalog.folders import make_private
from chartrepo.core.errors import CatalogUnavailable
from chartrepo.core.pulls import NONE, Tallies, Tally, together

_VERSION: Final = 1
"""Part of the file's name, so that releases that differ leave each other alone."""
_WAIT: Final = 0.25
"""Seconds that a page waits for a writer at most; there is next to nothing to wait for."""
_WRITE_WAIT: Final = 10.0
_AT_ONCE: Final = 500
_TABLES: Final = """
    CREATE TABLE IF NOT EXISTS versions (
        repository TEXT, chart TEXT, version TEXT, count INTEGER NOT NULL, last INTEGER NOT NULL,
        PRIMARY KEY (repository, chart, version)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS charts (
        repository TEXT, chart TEXT, count INTEGER NOT NULL, last INTEGER NOT NULL,
        PRIMARY KEY (repository, chart)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS batches (batch TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS about (totals TEXT NOT NULL);
"""
_SOME_VERSIONS: Final = """
    SELECT version, count, last FROM versions WHERE repository = ? AND chart = ? AND version IN ({})
"""
_ADD_VERSION: Final = """
    INSERT INTO versions VALUES (?, ?, ?, ?, ?) ON CONFLICT (repository, chart, version)
    DO UPDATE SET count = count + excluded.count, last = max(last, excluded.last)
"""
_ADD_CHART: Final = """
    INSERT INTO charts VALUES (?, ?, ?, ?) ON CONFLICT (repository, chart)
    DO UPDATE SET count = count + excluded.count, last = max(last, excluded.last)
"""


class Shown(NamedTuple):
    """What is shown: the state of the totals that it was made from, empty for none, and the batches that came in."""

    totals: str
    batches: frozenset[str]


class PullView:
    """The pulls of all charts, as they were a while ago. Safe to share between threads.

    Args:
        folder: on a local disk; made when something is written.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / f"view-{_VERSION}.sqlite"
        self._lock = Lock()
        self._open: sqlite3.Connection | None = None
        self._opened: os.stat_result | None = None

    # ---- reading

    def chart(self, repository: str, chart: str) -> Tally:
        """Return how often any version of a chart was pulled, those that are gone among them."""
        sql = "SELECT count, last FROM charts WHERE repository = ? AND chart = ?"
        return next((Tally(*row) for row in self._rows(sql, (repository, chart))), NONE)

    def versions(self, repository: str, chart: str, versions: Sequence[str]) -> dict[str, Tally]:
        """Return how often some versions of a chart were pulled; what never was is left out."""
        found: dict[str, Tally] = {}
        for begin in range(0, len(versions), _AT_ONCE):
            some = versions[begin : begin + _AT_ONCE]
            sql = _SOME_VERSIONS.format(",".join("?" * len(some)))
            found |= {row[0]: Tally(*row[1:]) for row in self._rows(sql, (repository, chart, *some))}
        return found

    def _rows(self, sql: str, values: Sequence[str]) -> list[Any]:
        """Return rows; none where nothing can be read: it is only shown, and may be missing for a while."""
        with self._lock:
            try:
                return self._reader().execute(sql, values).fetchall()
            except (sqlite3.Error, OSError, UnicodeError):
                self._close()
                return []

    def _reader(self) -> sqlite3.Connection:
        found = self._file.stat()
        if self._open is None or self._opened is None or not os.path.samestat(found, self._opened):
            self._close()
            # A writer's folder is readable; a view that was never written is not to be made by who reads.
            self._open = sqlite3.connect(
                f"{self._file.absolute().as_uri()}?mode=rw", uri=True, timeout=_WAIT, check_same_thread=False
            )
            self._opened = found
        return self._open

    def _close(self) -> None:
        if self._open is not None:
            with suppress(sqlite3.Error):
                self._open.close()
        self._open = self._opened = None

    # ---- writing

    def shown(self) -> Shown | None:
        """Return what is shown; None where nothing is yet, or that is lost.

        Raises:
            CatalogUnavailable: it cannot be read or written.
        """
        if not self._file.exists():
            return None
        with self._writing() as session:
            totals = session.execute("SELECT totals FROM about").fetchone()
            batches = frozenset(row[0] for row in session.execute("SELECT batch FROM batches"))
        return Shown(totals[0], batches) if totals is not None else None

    def replace(self, totals: str, batches: Iterable[str], tallies: Tallies) -> None:
        """Show these, and nothing that was shown before; raises as `shown`."""
        with self._writing() as session:
            for table in ("versions", "charts", "batches", "about"):
                session.execute(f"DELETE FROM {table}")  # noqa: S608
            session.execute("INSERT INTO about VALUES (?)", (totals,))
            _add_all(session, batches, tallies)

    def add(self, batch: str, tallies: Tallies) -> None:
        """Add a batch to what is shown, unless it is in it; raises as `shown`."""
        with self._writing() as session:
            if session.execute("SELECT 1 FROM batches WHERE batch = ?", (batch,)).fetchone() is None:
                _add_all(session, (batch,), tallies)

    def follow(self, totals: str) -> None:
        """Take what is shown for what totals in this state say; raises as `shown`."""
        with self._writing() as session:
            session.execute("UPDATE about SET totals = ?", (totals,))

    def forget(self, batches: Iterable[str]) -> None:
        """Forget that batches came in, which are there no more; raises as `shown`."""
        gone = [(batch,) for batch in batches]
        if gone:
            with self._writing() as session:
                session.executemany("DELETE FROM batches WHERE batch = ?", gone)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            make_private(self._file.parent)
            session = sqlite3.connect(self._file, timeout=_WRITE_WAIT, isolation_level=None)
            try:
                session.execute("PRAGMA journal_mode = WAL")
                session.execute("PRAGMA synchronous = OFF")  # it is made again from the storage
                session.executescript(_TABLES)
                session.execute("BEGIN IMMEDIATE")
                yield session
                session.execute("COMMIT")
            finally:
                session.close()
        except sqlite3.DatabaseError as error:
            if not isinstance(error, sqlite3.OperationalError):
                self._remove()  # it is broken, and nothing is lost with it
            raise CatalogUnavailable(f"{self._file}: {error}") from None
        except OSError as error:
            raise CatalogUnavailable(f"{self._file}: {error.strerror or error}") from None

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                self._file.with_name(self._file.name + suffix).unlink()


def _add_all(session: sqlite3.Connection, batches: Iterable[str], tallies: Tallies) -> None:
    session.executemany("INSERT OR IGNORE INTO batches VALUES (?)", [(batch,) for batch in batches])
    session.executemany(_ADD_VERSION, ((*pull, *tally) for pull, tally in tallies.items()))
    session.executemany(_ADD_CHART, _charts(tallies))


def _charts(tallies: Tallies) -> Iterator[tuple[str, str, int, int]]:
    found: dict[tuple[str, str], Tally] = {}
    for pull, tally in tallies.items():
        chart = (pull.repository, pull.chart)
        found[chart] = together(found.get(chart, NONE), tally)
    return ((*chart, *tally) for chart, tally in found.items())
