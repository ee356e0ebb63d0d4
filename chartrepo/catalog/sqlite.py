"""The catalog in one SQLite file.

What is called the catalog's file is a link to the file of one generation::

    catalog-v1.sqlite3 -> catalog-v1-<id>.sqlite3      and, beside the latter, its -wal and -shm

SQLite names its write-ahead log after the file that the link leads to, and whoever closes the last connection to a file
removes the log by name. A rebuild therefore never reuses a name: it makes a new file and moves the link, so that those
who still have the old file open cannot touch what belongs to the new one.
"""

import errno
import os
import re
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from sqlalchemy.dialects import sqlite as dialect

from chartrepo.catalog.engine import Row, Values
from chartrepo.catalog.filesystems import network_file_system
from chartrepo.catalog.locks import LockFolder
from chartrepo.catalog.pool import Pool
from chartrepo.catalog.queries import Queries
from chartrepo.catalog.schema import SCHEMA_VERSION, tables
from chartrepo.core.errors import CatalogFull, CatalogMisconfigured, CatalogUnavailable, ChartrepoError

BUSY_SECONDS: Final = 10.0
"""How long a writer waits for the writers before it."""

LOCK_SECONDS: Final = 60.0
"""How long an upload waits for another one of the same package."""

_NOTHING: Final[Values] = {}
_BEYOND_USE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
_REBUILD: Final = "rebuild"
_DAMAGED: Final = ".damaged"
_TRIES: Final = 10


class _Identity(NamedTuple):
    device: int
    inode: int


_Log = tuple[_Identity, _Identity]


class _Connection(NamedTuple):
    """An open connection, and the files it was opened on: the catalog's, the log, and the log's index.

    As long as it is open the numbers cannot come to mean other files, and SQLite leaves the log where it is.
    """

    raw: sqlite3.Connection
    path: str
    file: _Identity
    log: _Log


class _ReplacedError(Exception):
    """The file was replaced while it was opened."""


class _Session:
    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw
        self._open: list[sqlite3.Cursor] = []

    def one(self, statement: str, values: Values = _NOTHING, /) -> Row | None:
        row: Row | None = self._raw.execute(statement, values).fetchone()
        return row

    def rows(self, statement: str, values: Values = _NOTHING, /) -> Iterator[Row]:
        cursor = self._raw.execute(statement, values)
        self._open.append(cursor)
        return cursor

    def stream(self, statement: str, /) -> Iterator[Row]:
        return self.rows(statement)

    def run(self, statement: str, values: Values = _NOTHING, /) -> None:
        self._raw.execute(statement, values)

    def run_many(self, statement: str, values: Sequence[Values], /) -> None:
        self._raw.executemany(statement, values)

    def end(self) -> None:
        """Close what was not read to its end, for it would hold the snapshot beyond the transaction."""
        for cursor in self._open:
            cursor.close()


class _KeyLock:
    def __init__(self, engine: "SQLite") -> None:
        self._engine = engine
        self.one = engine.one
        self.writing = engine.writing


class SQLite:
    """A catalog in a SQLite file; an `Engine`.

    Args:
        file: as the user names it; the schema's version is put before its suffix.
        lock_dir: the folder of the locks on storage keys, the same for all who use the storage.
        busy_seconds: see `BUSY_SECONDS`.
        lock_seconds: see `LOCK_SECONDS`.

    Raises:
        CatalogMisconfigured: the file would lie on a network file system.
    """

    queries = Queries(tables(), dialect.dialect(paramstyle="named"), dialect.insert)

    def __init__(
        self,
        file: Path,
        lock_dir: Path,
        *,
        busy_seconds: float = BUSY_SECONDS,
        lock_seconds: float = LOCK_SECONDS,
    ) -> None:
        kind = network_file_system(file.parent)
        if kind is not None:
            raise CatalogMisconfigured(
                f"the catalog {str(file)!r} lies on a network file system ({kind}), where SQLite loses writes: "
                "name a file on a local disk, or use postgresql://"
            )
        self._asked_for = file
        self._link = file.with_name(f"{file.stem}-v{SCHEMA_VERSION}{file.suffix}")
        self._locks = LockFolder(lock_dir, patience=lock_seconds)
        self._busy_seconds = busy_seconds
        self._pool = Pool[_Connection](lambda connection: connection.raw.close())

    # ---- transactions

    def one(self, statement: str, values: Values = _NOTHING, /) -> Row | None:
        """Run one statement that reads, in a transaction of its own."""
        connection = self._take()
        try:
            row: Row | None = connection.raw.execute(statement, values).fetchone()
        except BaseException as error:
            self._end(connection)
            if isinstance(error, sqlite3.Error):
                raise self._meaning(connection.path, error) from None
            raise
        self._pool.give(connection)
        return row

    @contextmanager
    def reading(self) -> Iterator[_Session]:
        """Open a transaction that reads."""
        with self._session(self._take(), "BEGIN") as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[_Session]:
        """Open the one transaction that writes; others wait."""
        connection = self._take()
        with self._session(connection, "BEGIN IMMEDIATE") as session:
            # The file may have been replaced while others wrote. What would be written now would be lost with it.
            if self._current() != connection.file:
                raise CatalogUnavailable("the catalog was replaced while it was written: try again")
            yield session

    @contextmanager
    def _session(self, connection: _Connection, begin: str) -> Iterator[_Session]:
        session = _Session(connection.raw)
        try:
            connection.raw.execute(begin)
            yield session
            session.end()
            connection.raw.execute("COMMIT")
        except BaseException as error:
            session.end()
            self._end(connection)
            if isinstance(error, sqlite3.Error):
                raise self._meaning(connection.path, error) from None
            raise
        self._pool.give(connection)

    def _end(self, connection: _Connection) -> None:
        """Undo what failed, and keep the connection where that works: on a full disk there may be no way to another."""
        try:
            if connection.raw.in_transaction:
                connection.raw.execute("ROLLBACK")
        except sqlite3.Error:
            connection.raw.close()
        else:
            self._pool.give(connection)

    @contextmanager
    def locking(self, key: bytes) -> Iterator[_KeyLock]:
        """Hold the lock on a storage key, against threads and processes of this machine."""
        with self._locks.key(key):
            yield _KeyLock(self)

    @contextmanager
    def attempt(self, name: str) -> Iterator[bool]:
        """Hold a lock by name, if nobody else on this machine does."""
        with self._locks.attempt(f"{name}-v{SCHEMA_VERSION}") as held:
            yield held

    # ---- connections

    def _current(self) -> _Identity:
        """Which file is the catalog's now."""
        try:
            found = os.stat(self._link)  # noqa: PTH116 - as in _identity
        except FileNotFoundError:
            raise CatalogUnavailable(
                f"there is no catalog {self._link.name!r}: it is built from storage soon"
            ) from None
        except OSError as error:
            raise CatalogUnavailable(f"the catalog {str(self._link)!r} cannot be read: {error.strerror}") from None
        return _Identity(found.st_dev, found.st_ino)

    def _take(self) -> _Connection:
        while (connection := self._pool.take()) is not None:
            if connection.file != self._current():
                connection.raw.close()
            elif _log(connection.path) == connection.log:
                return connection
            else:
                connection.raw.close()
                if connection.file == self._current():  # else its log went with it, as it should
                    # Others would make another log, and neither would see what is in that of the other.
                    self._ask_for_rebuild(connection.path)
        return self._connect()

    def _connect(self) -> _Connection:
        for _ in range(_TRIES):
            current = self._current()
            path = os.path.realpath(self._link)
            try:
                return self._open(path, current)
            except _ReplacedError:
                continue
            except (CatalogUnavailable, CatalogFull):
                # Nobody need hear of a file that was replaced while it was opened.
                if self._current() == current:
                    raise
        raise CatalogUnavailable(f"the catalog {str(self._link)!r} keeps being replaced, or its folder takes no log")

    def _open(self, path: str, current: _Identity) -> _Connection:
        if Path(f"{path}{_DAMAGED}").exists():
            raise CatalogUnavailable(f"the catalog {str(self._link)!r} is damaged, and is built anew soon")
        try:
            # mode=rw: a file that is missing is not made.
            raw = sqlite3.connect(
                f"file:{quote(path)}?mode=rw",
                uri=True,
                timeout=self._busy_seconds,
                isolation_level=None,
                check_same_thread=False,
            )
        except sqlite3.Error as error:
            raise CatalogUnavailable(f"the catalog {path!r} cannot be opened: {error}") from None
        try:
            raw.execute("PRAGMA synchronous = FULL")
            raw.execute("PRAGMA journal_mode = WAL")
            raw.execute(self.queries.catalog).fetchone()  # opens the log, and fails where this is no catalog
        except sqlite3.Error as error:
            raw.close()
            raise self._meaning(path, error) from None
        log = _log(path)
        if log is None or _identity(path) != current:
            raw.close()
            raise _ReplacedError
        return _Connection(raw, path, current, log)

    def _meaning(self, path: str, error: sqlite3.Error) -> ChartrepoError:
        """Say what a failure means to those who know no SQL, and see to it that a damaged file is replaced."""
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_MISUSE) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            return self._full()
        if code == sqlite3.SQLITE_BUSY:
            return CatalogUnavailable("the catalog is busy with other writes: try again soon")
        if code not in _BEYOND_USE:
            return CatalogUnavailable(f"the catalog {str(self._link)!r} fails: {error}")
        self._ask_for_rebuild(path)
        return CatalogUnavailable(f"the catalog {str(self._link)!r} is damaged ({error}), and is built anew soon")

    def _ask_for_rebuild(self, path: str) -> None:
        with suppress(OSError):  # on a full disk whoever builds the catalog finds out by itself
            Path(f"{path}{_DAMAGED}").touch()

    def _full(self) -> CatalogFull:
        return CatalogFull(f"the disk of the catalog {str(self._link)!r} is full: make room, then try again")

    # ---- building

    @contextmanager
    def rebuilding(self) -> Iterator[_Session]:
        """Fill a new file, then move the link to it."""
        with self.attempt(_REBUILD) as mine:
            if not mine:
                raise CatalogUnavailable("the catalog is being built by another process")
            try:
                self._link.parent.mkdir(parents=True, exist_ok=True)
                was_complete = self._stop()
                try:
                    self._sweep()
                    fresh = self._link.with_name(f"{self._link.stem}-{secrets.token_hex(8)}{self._link.suffix}")
                    with self._building(fresh) as session:
                        yield session
                    self._move_link(fresh)
                except BaseException:
                    if was_complete:
                        self._set_complete(complete=True)
                    raise
                self._sweep()
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise self._full() from None
                raise CatalogUnavailable(f"the catalog {str(self._link)!r} cannot be built: {error}") from None

    def _stop(self) -> bool:
        """Keep everybody from using the catalog that is there, and return whether it could be used till now.

        Whoever writes looks for the link, and whether the catalog is complete, after the package is in storage. So what
        is written in spite of this is in storage before the listing begins that the new catalog is made from.
        """
        try:
            return self._set_complete(complete=False)
        except CatalogUnavailable:
            self._link.unlink(missing_ok=True)
            return False

    def _set_complete(self, *, complete: bool) -> bool:
        with self.writing() as session:
            row = session.one(self.queries.catalog)
            session.run(self.queries.set_complete, {"complete": complete})
        return row is not None and bool(row[1])

    @contextmanager
    def _building(self, fresh: Path) -> Iterator[_Session]:
        raw = sqlite3.connect(fresh, isolation_level=None)
        session = _Session(raw)
        try:
            # Nobody else sees the file, and it is of no use before it is whole.
            raw.execute("PRAGMA journal_mode = OFF")
            raw.execute("PRAGMA synchronous = OFF")
            raw.execute("BEGIN")
            for statement in self.queries.create_tables:
                session.run(statement)
            yield session
            for statement in self.queries.create_indexes:
                session.run(statement)
            raw.execute("COMMIT")
            raw.execute("PRAGMA journal_mode = WAL")
            raw.close()
            _sync(fresh)
        except BaseException as error:
            session.end()
            raw.close()
            fresh.unlink(missing_ok=True)
            if isinstance(error, sqlite3.Error):
                if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL:
                    raise self._full() from None
                raise CatalogUnavailable(f"the catalog {str(self._link)!r} cannot be built: {error}") from None
            raise

    def _move_link(self, fresh: Path) -> None:
        aside = fresh.with_suffix(".link")
        aside.symlink_to(fresh.name)
        aside.replace(self._link)
        _sync(self._link.parent)

    def _sweep(self) -> None:
        """Remove the files of generations that are not linked to."""
        current = self._link.resolve().name if self._link.exists() else ""
        generation = re.compile(
            rf"({re.escape(self._link.stem)}-[0-9a-f]+{re.escape(self._link.suffix)})(-wal|-shm|-journal|\.damaged)?"
            rf"|{re.escape(self._link.stem)}-[0-9a-f]+\.link"
        )
        for path in sorted(self._link.parent.iterdir()):
            match = generation.fullmatch(path.name)
            if match and match[1] != current:
                path.unlink(missing_ok=True)

    # ---- upkeep

    def damaged(self) -> bool:
        """Whether the file is missing, or somebody met damage in it."""
        return not self._link.exists() or Path(f"{self._link.resolve()}{_DAMAGED}").exists()

    def prune(self) -> list[str]:
        """Remove the files of other schema versions; return their names."""
        name = re.compile(
            rf"{re.escape(self._asked_for.stem)}-v([0-9]+)(-[0-9a-f]+)?{re.escape(self._asked_for.suffix)}"
            r"(-wal|-shm|-journal|\.damaged)?"
        )
        dropped = []
        if self._link.parent.is_dir():
            for path in sorted(self._link.parent.iterdir()):
                match = name.fullmatch(path.name)
                if match and int(match[1]) != SCHEMA_VERSION:
                    path.unlink(missing_ok=True)
                    dropped.append(path.name)
        return dropped

    def close(self) -> None:
        """Close the connections that are idle; those in use are closed when they are given back."""
        self._pool.close()


def _identity(path: str) -> _Identity | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - asked before every answer, and Path.stat takes twice as long
    except OSError:
        return None
    return _Identity(found.st_dev, found.st_ino)


def _log(path: str) -> _Log | None:
    log, index = _identity(f"{path}-wal"), _identity(f"{path}-shm")
    return (log, index) if log and index else None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
