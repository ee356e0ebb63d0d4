"""The catalog in a schema of its own in a PostgreSQL database, which several replicas share.

Locks are advisory ones. They are the database's, not the schema's, so that releases side by side keep each other out of
one storage key.
"""

import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.dialects.postgresql import psycopg as psycopg_dialect

from chartrepo.catalog.engine import Lock, Row, Values
from chartrepo.catalog.pool import Pool
from chartrepo.catalog.queries import Queries
from chartrepo.catalog.schema import SCHEMA_VERSION, tables
from chartrepo.core.errors import (
    CatalogClosed,
    CatalogFull,
    CatalogIncomplete,
    CatalogMisconfigured,
    CatalogUnavailable,
    ChartrepoError,
)

SCHEMA: Final = f"chartrepo_v{SCHEMA_VERSION}"

_NOTHING: Final[Values] = {}
_DEFAULTS: Final[Values] = {
    "application_name": "chartrepo",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""What the user's address may overrule: a server that vanished is noticed within seconds."""

_SILENCE: Final = 5.0
"""For how long a server is not asked again that took its time to not answer, in seconds."""

_FAILS: Final = "the catalog's PostgreSQL fails: try again soon"
"""What clients are told: the database's own words may name its host, port and user."""

_CREDENTIAL: Final = "check user and password in catalog"
_ADDRESS: Final = "mend it in catalog"
_CLOSED: Final = {
    'database ".*" does not exist': "make it with createdb, or name another one in catalog",
    'permission denied for database ".*"': "grant CONNECT on it to this user",
    'role ".*" does not exist': "make it with createuser, or name another one in catalog",
    'role ".*" is not permitted to log in': "let it log in (ALTER ROLE ... LOGIN), or name another one in catalog",
    r'[\w-]+ authentication failed for user ".*"': _CREDENTIAL,
    "no password supplied": _CREDENTIAL,
    'invalid (sslmode|sslrootcert|channel_binding|gssencmode) value: ".*"': _ADDRESS,
    'invalid port number: ".*"': _ADDRESS,
    'invalid integer value ".*" for connection option ".*"': _ADDRESS,
    "server does not support SSL, but SSL was required": "let it speak TLS, or ask for less by sslmode in catalog",
    "no pg_hba.conf entry for .*": "let this host and user in with a line in its pg_hba.conf",
}
"""What a server, or libpq itself, says that refuses a connection until somebody does something, and what that is.

libpq gives no code for it. A server that speaks another language than English is taken for one that is away.
"""

_Connection = psycopg.Connection[tuple[Any, ...]]

_BEGIN_READING: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# The storage is worked on while a lock is held, so that a limit for idle transactions would break it.
_BEGIN_WRITING: Final = (
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"
    "SET LOCAL lock_timeout = '60s'; SET LOCAL idle_in_transaction_session_timeout = 0"
)
_LOCK: Final = "SELECT pg_advisory_xact_lock(%(key)s)"
_LOCK_SHARED: Final = "SELECT pg_advisory_xact_lock_shared(%(key)s)"
_TRY_LOCK: Final = "SELECT pg_try_advisory_xact_lock(%(key)s)"
_TRY_LOCK_SESSION: Final = "SELECT pg_try_advisory_lock(%(key)s)"
_UNLOCK_SESSION: Final = "SELECT pg_advisory_unlock(%(key)s)"
_HAS_SCHEMA: Final = "SELECT to_regnamespace(%(name)s) IS NOT NULL"
_HAS_TABLE: Final = "SELECT to_regclass(%(name)s) IS NOT NULL"
_SCHEMAS: Final = "SELECT nspname FROM pg_namespace ORDER BY nspname"


def _number(text: str) -> int:
    """Return the number of the advisory lock of this name."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


_GATE: Final = _number(f"{SCHEMA} gate")
"""Shared by all who write, and held alone by whoever says that the catalog is incomplete from now on."""


class _Silence(NamedTuple):
    """A server that did not answer, until when it is not asked again, and the sentence that says so."""

    until: float
    failure: str


class _Session:
    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def one(self, statement: str, values: Values = _NOTHING, /) -> Row | None:
        return self._connection.execute(statement, values).fetchone()

    def rows(self, statement: str, values: Values = _NOTHING, /) -> Iterator[Row]:
        return iter(self._connection.execute(statement, values))

    def stream(self, statement: str, /) -> Iterator[Row]:
        with self._connection.cursor(name="stream") as cursor:
            cursor.itersize = 1000
            yield from cursor.execute(statement)

    def run(self, statement: str, values: Values = _NOTHING, /) -> None:
        self._connection.execute(statement, values)

    def run_many(self, statement: str, values: Sequence[Values], /) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(statement, values)


class _KeyLock:
    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def one(self, statement: str, values: Values = _NOTHING, /) -> Row | None:
        return self._connection.execute(statement, values).fetchone()

    @contextmanager
    def writing(self) -> Iterator[_Session]:
        try:
            self._connection.execute(_LOCK_SHARED, {"key": _GATE})
            yield _Session(self._connection)
            self._connection.execute("COMMIT")
        except psycopg.Error as error:
            raise _meaning(error) from None


class PostgreSQL:
    """A catalog in a PostgreSQL database; an `Engine`.

    Args:
        url: as libpq reads it.
        storage_id: names the storage whose keys are locked.

    Raises:
        CatalogMisconfigured: the address cannot be read.
    """

    queries = Queries(
        tables(SCHEMA),
        psycopg_dialect.dialect(),  # type: ignore[no-untyped-call]  # SQLAlchemy gives it no types
        insert,
    )

    def __init__(self, url: str, storage_id: str) -> None:
        try:
            self._parameters: dict[str, Any] = {**_DEFAULTS, **conninfo_to_dict(url)}
        except psycopg.Error as error:
            raise CatalogMisconfigured(f"the catalog's address cannot be read: {_first_line(error)}") from None
        self._storage_id = storage_id
        self._silence: _Silence | None = None
        self._pool = Pool[_Connection](lambda connection: connection.close())

    # ---- transactions

    def version(self, _field: int) -> int | None:
        """See `Engine`. Other machines write too, so nothing less than a question to the database would tell."""
        return None

    def learn(self) -> None:
        """See `Engine`. There is nothing to learn."""

    def one(self, statement: str, values: Values = _NOTHING, /) -> Row | None:
        """Run one statement that reads, in a transaction of its own."""
        connection, row = self._first(statement, values)
        self._pool.give(connection)
        return row

    @contextmanager
    def reading(self) -> Iterator[_Session]:
        """Open a transaction that reads."""
        with self._transaction(_BEGIN_READING) as connection:
            yield _Session(connection)

    @contextmanager
    def locking(self, key: bytes, group: Lock = Lock.KEY) -> Iterator[_KeyLock]:  # noqa: ARG002 - no two share one
        """Hold a lock in the transaction that will write, against all who use the database."""
        with self._transaction(_BEGIN_WRITING) as connection:
            connection.execute(_LOCK, {"key": _number(f"{self._storage_id} {key.hex()}")})
            yield _KeyLock(connection)

    @contextmanager
    def noting(self) -> Iterator[_Session]:
        """Open a transaction that writes what was made of the catalog itself."""
        with self._transaction(_BEGIN_WRITING) as connection:
            connection.execute(_LOCK_SHARED, {"key": _GATE})
            yield _Session(connection)
            connection.execute("COMMIT")

    @contextmanager
    def attempt(self, name: str) -> Iterator[bool]:
        """Hold a lock by name, if nobody else on this database does."""
        key = {"key": _number(f"{SCHEMA} {name}")}
        connection, row = self._first(_TRY_LOCK_SESSION, key)
        held = row is not None and bool(row[0])
        try:
            yield held
        finally:
            try:
                if held:
                    connection.execute(_UNLOCK_SESSION, key)
            except psycopg.Error:
                connection.close()  # which lets go of the lock too
            else:
                self._pool.give(connection)

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[_Connection]:
        connection, _ = self._first(begin)
        try:
            yield connection
        except psycopg.Error as error:
            connection.close()
            raise _meaning(error) from None
        except BaseException:
            self._roll_back(connection)
            raise
        self._roll_back(connection)

    def _roll_back(self, connection: _Connection) -> None:
        """End what was not committed, and keep the connection where it still is one."""
        try:
            if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                connection.execute("ROLLBACK")
        except psycopg.Error:
            connection.close()
        else:
            self._pool.give(connection)

    # ---- connections

    def _first(self, statement: str, values: Values | None = None) -> tuple[_Connection, Row | None]:
        """Run the first statement of a use, on a connection that works, and return both it and the only row.

        A connection that was idle may have been cut long ago. Nothing was done on it yet, so the next one is tried.
        """
        while True:
            idle = self._pool.take()
            connection = idle or self._connect()
            try:
                # Several statements in one text cannot be prepared.
                cursor = connection.execute(statement, values, prepare=None if values is not None else False)
                return connection, cursor.fetchone() if cursor.description else None
            except psycopg.Error as error:
                was_cut = connection.closed
                connection.close()
                if idle is None or not was_cut:
                    raise _meaning(error) from None

    def _connect(self) -> _Connection:
        began = time.monotonic()
        if self._silence is not None and began < self._silence.until:
            raise CatalogUnavailable(self._silence.failure)
        try:
            connection = psycopg.connect(**self._parameters, autocommit=True)
        except psycopg.Error as error:
            failure = _meaning(error)
            now = time.monotonic()
            # Where nobody answers at all, not every request shall wait for that.
            self._silence = _Silence(now + _SILENCE, str(failure)) if now - began > 1 else None
            raise failure from None
        self._silence = None
        return connection

    # ---- building

    @contextmanager
    def rebuilding(self) -> Iterator[_Session]:
        """Fill the tables anew in one transaction, with everybody told that they are incomplete until it ends."""
        self._create()
        with self._transaction(_BEGIN_WRITING) as connection:
            row = connection.execute(_TRY_LOCK, {"key": _number(f"{SCHEMA} build")}).fetchone()
            if row is None or not row[0]:
                raise CatalogUnavailable("the catalog is being built by another process")
            was_complete = self._set_complete(complete=False)
            try:
                for statement in self.queries.empty:
                    connection.execute(statement)
                yield _Session(connection)
                connection.execute("COMMIT")
            except BaseException:
                self._undo(connection, was_complete=was_complete)
                raise
            connection.execute(f"ANALYZE {SCHEMA}.packages, {SCHEMA}.charts, {SCHEMA}.contents")

    def _undo(self, connection: _Connection, *, was_complete: bool) -> None:
        """Give back what was there before. Where the connection is lost so is the lock, and somebody else may build."""
        with suppress(psycopg.Error, CatalogUnavailable):
            connection.execute("ROLLBACK")
            if was_complete:
                self._set_complete(complete=True)

    def _set_complete(self, *, complete: bool) -> bool:
        """Say whether the catalog may be used, when nobody is writing; return what was said before.

        Whoever writes looks whether it is complete after the package is in storage. So what was written before this
        returns is in storage before the listing begins that the new catalog is made from.
        """
        with self._transaction(_BEGIN_WRITING) as connection:
            connection.execute(_LOCK, {"key": _GATE})
            row = connection.execute(self.queries.catalog).fetchone()
            connection.execute(self.queries.set_complete, {"complete": complete})
            connection.execute("COMMIT")
        return row is not None and bool(row[1])

    def _create(self) -> None:
        with self._transaction(_BEGIN_WRITING) as connection:
            connection.execute(_LOCK, {"key": _number(f"{SCHEMA} create")})
            session = _Session(connection)
            try:
                # Where somebody made the schema for us we may not be allowed to.
                if not _is_true(session.one(_HAS_SCHEMA, {"name": SCHEMA})):
                    session.run(f"CREATE SCHEMA {SCHEMA}")
                if not _is_true(session.one(_HAS_TABLE, {"name": f"{SCHEMA}.catalog"})):
                    for statement in (*self.queries.create_tables, *self.queries.create_indexes):
                        session.run(statement)
            except psycopg.errors.InsufficientPrivilege as error:
                raise CatalogMisconfigured(
                    f"the database of the catalog does not let us make the schema {SCHEMA!r} ({_first_line(error)}): "
                    "grant CREATE on the database to this user"
                ) from None
            connection.execute("COMMIT")

    # ---- upkeep

    def damaged(self) -> bool:
        """Return that it is not: PostgreSQL looks after itself."""
        return False

    def prune(self) -> list[str]:
        """Drop the schemas of other schema versions; return their names."""
        with self._transaction(_BEGIN_WRITING) as connection:
            names = [name for (name,) in connection.execute(_SCHEMAS)]
            others = [name for name in names if name != SCHEMA and re.fullmatch(r"chartrepo_v[0-9]+", name)]
            for name in others:
                connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))
            connection.execute("COMMIT")
        return others

    def close(self) -> None:
        """Close the connections that are idle; those in use are closed when they are given back."""
        self._pool.close()


def _is_true(row: Row | None) -> bool:
    return row is not None and bool(row[0])


def _first_line(error: psycopg.Error) -> str:
    return str(error).strip().partition("\n")[0]


def _meaning(error: psycopg.Error) -> ChartrepoError:
    """Say what a failure means to those who know no SQL."""
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.InvalidSchemaName):
        return CatalogIncomplete("the catalog was not built yet: try again soon")
    if isinstance(error, psycopg.errors.DiskFull):
        return CatalogFull("the disk of the catalog's PostgreSQL is full: make room, then try again")
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return CatalogUnavailable("another upload of this package takes too long: try again soon")
    for line in str(error).splitlines():
        for said, remedy in _CLOSED.items():
            if found := re.search(said, line):
                detail = f"the catalog's PostgreSQL does not let us in: {found[0]}: {remedy}"
                return CatalogClosed(_FAILS, detail=detail)
    return CatalogUnavailable(_FAILS, detail=f"the catalog's PostgreSQL fails: {_first_line(error)}")
