"""The catalog in a SQLite file."""

import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from sqlalchemy.dialects import sqlite as dialect

from chartrepo.catalog.announced import Announced
from chartrepo.catalog.engine import Lock, Row, Values
from chartrepo.catalog.filesystems import network_file_system
from chartrepo.catalog.generations import ANNOUNCED, Companions, Generations, Identity, Stamp, companions_of, identity
from chartrepo.catalog.locks import LockFolder, stripe_of
from chartrepo.catalog.pool import Pool
from chartrepo.catalog.queries import Queries
from chartrepo.catalog.rows import BrokenRow
from chartrepo.catalog.schema import SCHEMA_VERSION, tables
from chartrepo.core.errors import CatalogFull, CatalogMisconfigured, CatalogUnavailable, ChartrepoError

_BUSY_SECONDS: Final = 10.0
"""How long a writer waits for the writers before it."""

_LOCK_SECONDS: Final = 60.0
"""How long an upload waits for another one of the same package."""

_NOTHING: Final[Values] = {}
_BEYOND_USE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
"""Also what is no SQL to SQLite: our statements are, on our tables."""

_COUNT_WRITES: Final = "CREATE TABLE writes (first INTEGER NOT NULL, last INTEGER NOT NULL)"
_FIRST_WRITE: Final = "INSERT INTO writes (first, last) VALUES (?, ?)"
_NEXT_WRITE: Final = "UPDATE writes SET last = last + 1 RETURNING last"
_WRITES: Final = "SELECT first, last FROM writes"
"""How many writes there were: for `Announced`, and of no concern to another engine."""
_LOST_COUNT: Final = (
    "the catalog does not know any more how often it was written: it is damaged, and is built anew soon"
)
_FIRST_BITS: Final = 60

_REBUILD: Final = "rebuild"
_TRIES: Final = 10


class _Connection(NamedTuple):
    """An open connection, and the files it was opened on."""

    raw: sqlite3.Connection
    path: str
    file: Identity
    beside: Companions
    announced: Announced


class _Seen(NamedTuple):
    """What was current when the folder's list of files was last as `stamp` says."""

    stamp: Stamp
    file: Identity
    beside: Companions
    announced: Announced


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
    def __init__(self, engine: "SQLite", stripe: int) -> None:
        self.one = engine.one
        self.writing = partial(engine.writing, stripe)


class SQLite:
    """A catalog in a SQLite file; an `Engine`.

    Args:
        file: as the user names it; the schema's version is put before its suffix.
        lock_dir: the folder of the locks on storage keys, the same for all who use the storage.

    Raises:
        CatalogMisconfigured: the file would lie on a network file system.
    """

    queries = Queries(tables(), dialect.dialect(paramstyle="named"), dialect.insert)

    def __init__(self, file: Path, lock_dir: Path) -> None:
        kind = network_file_system(file.parent)
        if kind is not None:
            raise CatalogMisconfigured(
                f"the catalog {str(file)!r} lies on a network file system ({kind}), where SQLite loses writes: "
                "name a file on a local disk, or use postgresql://"
            )
        self._files = Generations(file)
        self._name = str(self._files.link)
        self._locks = LockFolder(lock_dir, patience=_LOCK_SECONDS)
        self._busy_seconds = _BUSY_SECONDS
        self._seen: _Seen | None = None
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

    def version(self, field: int) -> int | None:
        """See `Engine`: two system calls, of which none waits."""
        seen = self._seen
        if seen is None or not self._files.is_as_at(seen.stamp):
            return None
        return seen.announced.version(field)

    def learn(self) -> None:
        """See `Engine`."""
        seen = self._seen
        if seen is not None:
            row = self.one(_WRITES)
            if row is None or not all(isinstance(number, int) for number in row):
                self._files.ask_for_rebuild(self._files.path())
                raise CatalogUnavailable(_LOST_COUNT)
            seen.announced.learn(*row)

    @contextmanager
    def reading(self) -> Iterator[_Session]:
        """Open a transaction that reads."""
        with self._session(self._take(), "BEGIN") as session:
            yield session

    @contextmanager
    def writing(self, *stripes: int) -> Iterator[_Session]:
        """Open the one transaction that writes; others wait. Of packages it changes only those of `stripes`."""
        connection = self._take()
        with self._writing(connection, durable=True) as session:
            row = session.one(_NEXT_WRITE)
            if row is None or not isinstance(row[0], int):
                raise BrokenRow(_LOST_COUNT)
            yield session
            with self._files.told("written"):
                connection.announced.announce(row[0], *stripes)

    @contextmanager
    def noting(self) -> Iterator[_Session]:
        """Open a transaction that writes what no `version` is about.

        It does not wait for the disk, so that those who publish do not wait for it: a machine that loses power may lose
        what was noted last, and nothing of what was written.
        """
        with self._writing(self._take(), durable=False) as session:
            yield session

    @contextmanager
    def _writing(self, connection: _Connection, *, durable: bool) -> Iterator[_Session]:
        try:
            connection.raw.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        except sqlite3.Error as error:
            self._end(connection)
            raise self._meaning(connection.path, error) from None
        with self._session(connection, "BEGIN IMMEDIATE") as session:
            # The file may have been replaced while others wrote. What would be written now would be lost with it.
            if not self._is_on_current_files(connection):
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
            if isinstance(error, BrokenRow):
                self._files.ask_for_rebuild(connection.path)
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
    def locking(self, key: bytes, group: Lock = Lock.KEY) -> Iterator[_KeyLock]:
        """Hold a lock, against threads and processes of this machine."""
        with self._locks.key(key, group.value):
            yield _KeyLock(self, stripe_of(key))

    @contextmanager
    def attempt(self, name: str) -> Iterator[bool]:
        """Hold a lock by name, if nobody else on this machine does."""
        with self._locks.attempt(f"{name}-v{SCHEMA_VERSION}") as held:
            yield held

    # ---- connections

    def _take(self) -> _Connection:
        while (connection := self._pool.take()) is not None:
            try:
                usable = self._is_current(connection)
            except BaseException:
                connection.raw.close()
                raise
            if usable:
                return connection
            connection.raw.close()
        return self._connect()

    def _is_current(self, connection: _Connection) -> bool:
        """Return whether the connection is on the catalog's file and its log as they are now."""
        # One look at the folder instead of three at its files, as long as nothing has come or gone in there.
        stamp, seen = self._files.stamp(), self._seen
        if seen is not None and seen[:3] == (stamp, connection.file, connection.beside):
            return True
        current = self._is_on_current_files(connection)
        if current and stamp is not None and stamp.settled:
            self._seen = _Seen(stamp, connection.file, connection.beside, connection.announced)
        else:
            self._seen = None
        return current

    def _is_on_current_files(self, connection: _Connection) -> bool:
        if connection.file != self._files.current():
            return False
        if companions_of(connection.path) == connection.beside:
            return True
        if connection.file == self._files.current():  # else they went with it, as they should
            # Others would make another log, and neither would see what is in that of the other.
            self._files.ask_for_rebuild(connection.path)
        return False

    def _connect(self) -> _Connection:
        for _ in range(_TRIES):
            current = self._files.current()
            try:
                return self._open(self._files.path(), current)
            except _ReplacedError:
                continue
            except (CatalogUnavailable, CatalogFull):
                # Nobody need hear of a file that was replaced while it was opened.
                if self._files.current() == current:
                    raise
        raise CatalogUnavailable(f"the catalog {self._name!r} keeps being replaced, or its folder takes no log")

    def _open(self, path: str, current: Identity) -> _Connection:
        if self._files.is_damaged(path):
            raise CatalogUnavailable(f"the catalog {self._name!r} is damaged, and is built anew soon")
        try:
            announced = Announced(f"{path}{ANNOUNCED}")
        except OSError:
            if self._files.current() != current:
                raise _ReplacedError from None
            self._files.ask_for_rebuild(path)
            raise CatalogUnavailable(f"the catalog {self._name!r} lacks a file, and is built anew soon") from None
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
        beside = companions_of(path)
        if beside is None or beside[2] != announced.file or identity(path) != current:
            raw.close()
            raise _ReplacedError
        return _Connection(raw, path, current, beside, announced)

    def _meaning(self, path: str, error: sqlite3.Error) -> ChartrepoError:
        """Say what a failure means to those who know no SQL, and see to it that a damaged file is replaced."""
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_MISUSE) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            return CatalogFull(f"the disk of the catalog {self._name!r} is full: make room, then try again")
        if code == sqlite3.SQLITE_BUSY:
            return CatalogUnavailable("the catalog is busy with other writes: try again soon")
        if code not in _BEYOND_USE:
            return CatalogUnavailable(f"the catalog {self._name!r} fails: {error}")
        self._files.ask_for_rebuild(path)
        return CatalogUnavailable(f"the catalog {self._name!r} is damaged ({error}), and is built anew soon")

    # ---- building

    @contextmanager
    def rebuilding(self) -> Iterator[_Session]:
        """Fill a new file, then move the link to it."""
        with self.attempt(_REBUILD) as mine:
            if not mine:
                raise CatalogUnavailable("the catalog is being built by another process")
            was_complete = self._stop()
            try:
                fresh = self._files.next()
                with self._building(fresh) as session:
                    yield session
                self._files.put_in_place(fresh)
            except BaseException:
                if was_complete:
                    with suppress(ChartrepoError):  # else it stays incomplete, and is built at the next occasion
                        self._set_complete(complete=True)
                raise
            finally:
                self._files.sweep()

    def _stop(self) -> bool:
        """Keep everybody from using the catalog that is there, and return whether it could be used till now.

        Whoever writes looks for the link, and whether the catalog is complete, after the package is in storage. So what
        is written in spite of this is in storage before the listing begins that the new catalog is made from.
        """
        try:
            return self._set_complete(complete=False)
        except CatalogUnavailable:
            self._files.take_away()
            return False

    def _set_complete(self, *, complete: bool) -> bool:
        with self.writing() as session:
            row = session.one(self.queries.catalog)
            session.run(self.queries.set_complete, {"complete": complete})
        return row is not None and bool(row[1])

    @contextmanager
    def _building(self, fresh: Path) -> Iterator[_Session]:
        first = secrets.randbits(_FIRST_BITS)
        try:
            with closing(sqlite3.connect(fresh, isolation_level=None)) as raw:
                # Nobody else sees the file, and it is of no use before it is whole.
                raw.execute("PRAGMA journal_mode = OFF")
                raw.execute("PRAGMA synchronous = OFF")
                raw.execute("BEGIN")
                for statement in self.queries.create_tables:
                    raw.execute(statement)
                raw.execute(_COUNT_WRITES)
                raw.execute(_FIRST_WRITE, (first, first))
                yield _Session(raw)
                for statement in self.queries.create_indexes:
                    raw.execute(statement)
                raw.execute("COMMIT")
                raw.execute("PRAGMA journal_mode = WAL")
            Announced.make(Path(f"{fresh}{ANNOUNCED}"), first)
        except sqlite3.Error as error:
            raise self._meaning(str(fresh), error) from None

    # ---- upkeep

    def damaged(self) -> bool:
        """Whether the file is missing, or somebody met damage in it."""
        return self._files.needs_rebuild()

    def prune(self) -> list[str]:
        """Remove the files of other schema versions; return their names."""
        return self._files.prune()

    def close(self) -> None:
        """Close the connections that are idle; those in use are closed when they are given back."""
        self._seen = None
        self._pool.close()
