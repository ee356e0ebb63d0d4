"""The catalog as the rest of the server sees it."""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Final

from chartrepo.catalog.announced import EVERYTHING
from chartrepo.catalog.artifacts import Artifacts
from chartrepo.catalog.browsing import Browsing
from chartrepo.catalog.documents import Documents
from chartrepo.catalog.engine import Engine, Row, Session
from chartrepo.catalog.exclusive import Exclusive, read_key
from chartrepo.catalog.generations import Generations
from chartrepo.catalog.locks import stripe_of
from chartrepo.catalog.queries import CHARTS_AT_ONCE, Queries
from chartrepo.catalog.records import (
    Entry,
    Known,
    ManifestRecord,
    Mark,
    PackageRecord,
    RepositoryStatus,
    Served,
    SetAside,
    TagRecord,
    Withheld,
)
from chartrepo.catalog.rows import (
    contents_of,
    from_manifest,
    from_name,
    from_package,
    from_set_aside,
    from_tag,
    is_text,
    needs_of,
    to_package,
    to_set_aside,
)
from chartrepo.catalog.shelves import Shelves
from chartrepo.catalog.sqlite import SQLite
from chartrepo.core.errors import CatalogIncomplete, CatalogMisconfigured, CatalogUnavailable, ChartrepoError
from chartrepo.core.index import Form

_AT_ONCE: Final = 500
_SYNC: Final = "sync"
_SQLITE: Final = "sqlite:///"
_MARKS: Final = 1024
"""Repositories whose mark a process remembers."""


Record = PackageRecord | SetAside | ManifestRecord | TagRecord
"""Whatever a catalog is built of."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What is new in a repository, read in one transaction that is open as long as this is used.

    Attributes:
        mark: what the repository is at now.
        changed_at: when its index changed last, in seconds since the epoch; 0 where it never held anything.
        whole: whether `charts` is the whole repository, and not what changed in it.
        charts: each changed chart with all its versions, newest first, in the order of names; without versions where
            the chart is gone. Read as it is asked for, so that a large repository need not be in memory at once.
    """

    mark: Mark
    changed_at: int
    whole: bool
    charts: Iterator[tuple[str, list[Entry]]]


class Building:
    """A catalog that is being filled."""

    def __init__(self, session: Session, queries: Queries) -> None:
        self._session = session
        self._queries = queries

    def load(self, records: Iterable[Record]) -> None:
        """Add what was read out of the storage. Of two records of one file the later one counts."""
        records = iter(records)
        while some := list(islice(records, _AT_ONCE)):
            packages = [from_package(record) for record in some if isinstance(record, PackageRecord)]
            aside = [from_set_aside(record) for record in some if isinstance(record, SetAside)]
            contents = [row for record in some if isinstance(record, PackageRecord) for row in contents_of(record)]
            manifests = [record for record in some if isinstance(record, ManifestRecord)]
            needs = [row for record in manifests for row in needs_of(record)]
            tags = [from_tag(record) for record in some if isinstance(record, TagRecord)]
            if packages:
                self._session.run_many(self._queries.put_package, packages)
            if contents:
                self._session.run_many(self._queries.put_content, contents)
            if manifests:
                self._session.run_many(self._queries.put_manifest, [from_manifest(record) for record in manifests])
            if needs:
                self._session.run_many(self._queries.put_need, needs)
            if tags:
                self._session.run_many(self._queries.put_tag, tags)
            if aside:
                self._session.run_many(self._queries.put_set_aside, aside)


class _Check:
    """Tells from a row that begins as `Queries.catalog` says whether the catalog may be used.

    Args:
        storage_id: names the storage that the catalog has to be of.
    """

    def __init__(self, storage_id: str) -> None:
        self._storage_id = storage_id

    def __call__(self, row: Row | None) -> Row:
        """Return the row, if it may.

        Raises:
            CatalogIncomplete: it is not built yet.
            CatalogMisconfigured: it was made for another storage.
        """
        if row is None:
            raise CatalogIncomplete("the catalog was not built yet: try again soon")
        _, complete, storage = row[:3]
        if storage != self._storage_id:
            raise CatalogMisconfigured(
                f"the catalog was made for another storage ({storage!r}, not {self._storage_id!r}): "
                "give each storage a catalog of its own"
            )
        if not complete:
            raise CatalogIncomplete("the catalog is being built: try again soon")
        return row


class Catalog:
    """What was read out of the packages of one storage. Safe to share between threads, and to use after a fork.

    Every method may raise

    * `CatalogUnavailable`: the database does not answer, is missing or damaged.
    * `CatalogMisconfigured`: the database holds the catalog of another storage.

    Those that say so raise `CatalogIncomplete` while the catalog is being built, or was never built.

    Args:
        engine: the database.
        queries: the statements in its dialect.
        storage_id: names the storage; two storages never share a catalog.
        clock: seconds since the epoch.

    Attributes:
        artifacts: its OCI side.
        browsing: what pages show of it.
        documents: what is searched of it.
        shelves: what the pages of repositories show of it.
    """

    def __init__(
        self, engine: Engine, queries: Queries, *, storage_id: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._queries = queries
        self._storage_id = storage_id
        self._clock = clock
        self._check = _Check(storage_id)
        self.artifacts = Artifacts(engine, queries, self._check)
        self.browsing = Browsing(engine, queries, self._check)
        self.documents = Documents(engine, queries, self._check)
        self.shelves = Shelves(engine, queries, self._check)
        # By repository, with the version of the database that it was read at.
        self._marks: dict[str, tuple[int, Mark]] = {}

    # ---- reading

    def mark(self, repository: str) -> Mark:
        """Return what a repository is at.

        Raises:
            CatalogIncomplete: see the class.
        """
        held = self.mark_at_hand(repository)
        if held is not None:
            return held
        version = self._version(EVERYTHING)
        mark = self._mark(self._engine.one(self._queries.mark, {"repository": repository}))
        if version is not None:
            if len(self._marks) >= _MARKS:
                self._marks.clear()  # clients may ask for any name; those that are used come back
            self._marks[repository] = (version, mark)
        return mark

    def mark_at_hand(self, repository: str) -> Mark | None:
        """Return what a repository is at, where that can be told without asking the database."""
        held = self._marks.get(repository)
        return held[1] if held is not None and held[0] == self._engine.version(EVERYTHING) else None

    def package(self, repository: str, file: str) -> Served | None:
        """Return what is needed to serve a package; None where the catalog knows none.

        What an incomplete catalog knows is true too.
        """
        if not is_text(repository, file):
            return None
        row = self._engine.one(self._queries.served, {"repository": repository, "file": file})
        if row is None:
            return None
        state, provenance_state, signed, digest, size, created, name, version = row
        return Served(state, provenance_state, bool(signed), digest, size, created, name, version)

    def watch(self, repository: str, file: str) -> tuple[int | None, Callable[[], int | None]]:
        """Return a number, and a function that gives it again as long as `package` would return the same.

        The number is None where that cannot be told. The function asks nobody and waits for nothing. To be called
        before `package`.
        """
        stripe = stripe_of(_lock_key(repository, file))
        return self._version(stripe), partial(self._engine.version, stripe)

    def _version(self, field: int) -> int | None:
        """Return the version of what is read next, and ask the database for it where that is needed."""
        version = self._engine.version(field)
        if version is None:
            with suppress(CatalogUnavailable):  # whoever reads next meets it again
                self._engine.learn()
            version = self._engine.version(field)
        return version

    @contextmanager
    def changes(self, repository: str, since: Mark | None, form: Form) -> Iterator[Changes]:
        """Tell which charts of a repository changed since it was at `since`; all of them where that is unknown.

        Args:
            repository: its name.
            since: an earlier mark of the repository, or None.
            form: which text of the entries is wanted.

        Raises:
            CatalogIncomplete: see the class.
        """
        queries = self._queries
        with self._engine.reading() as session:
            mark = self._mark(session.one(queries.mark, {"repository": repository}))
            # A database that was restored from a back-up has the same id, and revisions that were others before.
            whole = since is None or since.catalog != mark.catalog or since.revision > mark.revision
            if since is None or whole:
                names = session.rows(queries.chart_names, {"repository": repository})
            else:
                names = session.rows(queries.changed_names, {"repository": repository, "revision": since.revision})
            changed_at = session.one(queries.changed_at, {"name": repository})
            charts = self._entries(session, repository, [name for (name,) in names], form)
            yield Changes(mark, changed_at[0] if changed_at else 0, whole, charts)

    def versions(self, repository: str, name: str) -> list[PackageRecord]:
        """Return all versions of a chart, newest first; none where there is no such chart.

        Raises:
            CatalogIncomplete: see the class.
        """
        if not is_text(repository, name):
            return []
        with self._reading() as session:
            rows = session.rows(self._queries.versions, {"repository": repository, "name": name})
            return [to_package(row) for row in rows]

    def repositories(self, readable: Callable[[str, str], bool] | None = None) -> list[RepositoryStatus]:
        """Return the repositories that hold something, by name.

        Args:
            readable: tells of a repository and a chart whether it counts; None where all do.

        Raises:
            CatalogIncomplete: see the class.
        """
        with self._reading() as session:
            if readable is None:
                return [RepositoryStatus(*row) for row in session.rows(self._queries.repositories)]
            rows = [row for row in session.rows(self._queries.sums_of_charts) if readable(row[0], row[1])]
        return [
            RepositoryStatus(name, len(some), sum(row[2] for row in some), sum(row[3] for row in some), *some[0][4:])
            for name, some in ((name, list(group)) for name, group in groupby(rows, key=itemgetter(0)))
        ]

    def marks(self) -> dict[str, Mark]:
        """Return what each repository is at that holds something, or held something since the catalog was built.

        Raises:
            CatalogIncomplete: see the class.
        """
        with self._engine.reading() as session:
            catalog = self._check(session.one(self._queries.catalog))[0]
            return {name: Mark(catalog, revision) for name, revision in session.rows(self._queries.revisions)}

    def set_aside(self, repository: str | None = None) -> list[SetAside]:
        """Return the packages that cannot be served, of one repository or folder, or all of them.

        Raises:
            CatalogIncomplete: see the class.
        """
        with self._reading() as session:
            found = [to_set_aside(row) for row in session.stream(self._queries.set_aside)]
        return [record for record in found if repository is None or record.repository == repository]

    def aside(self, repository: str, file: str) -> SetAside | None:
        """Return why a package is set aside; None where it is not.

        Raises:
            CatalogIncomplete: see the class.
        """
        with self._reading() as session:
            key = {"repository": from_name(repository), "file": from_name(file)}
            row = session.one(self._queries.one_set_aside, key)
        return None if row is None else to_set_aside(row)

    def known(self, repository: str, file: str) -> PackageRecord | SetAside | None:
        """Return all that is known of one package, be it set aside or not; None for nothing.

        Raises:
            CatalogIncomplete: see the class.
        """
        with self._reading() as session:
            return read_key(session, self._queries, repository, file)

    def withheld(self, repository: str, name: str) -> list[Withheld]:
        """Return the versions of a chart that no reader sees until their provenance is there.

        Raises:
            CatalogIncomplete: see the class.
        """
        if not is_text(repository, name):
            return []
        with self._reading() as session:
            rows = session.rows(self._queries.withheld, {"repository": from_name(repository), "name": name})
            return [found for found in map(to_set_aside, rows) if isinstance(found, Withheld)]

    def states(self) -> Iterator[Known]:
        """Give every known package, in no order, as it was when the first one was asked for.

        Raises:
            CatalogIncomplete: see the class.
        """
        with self._reading() as session:
            for repository, file, state, provenance_state in session.stream(self._queries.package_states):
                yield Known(repository, file, state, provenance_state, served=True)
            for record in map(to_set_aside, session.stream(self._queries.set_aside)):
                withheld = isinstance(record, Withheld)
                provenance_state = record.provenance_state if isinstance(record, Withheld) else None
                yield Known(
                    record.repository, record.file, record.state, provenance_state, served=False, withheld=withheld
                )

    def states_of_chart(self, repository: str, chart: str) -> dict[str, str]:
        """Return the states of a chart's packages by file name; also of those of other charts that begin as it does.

        Raises:
            CatalogIncomplete: see the class.
        """
        prefix = f"{chart}-"
        values = {"repository": repository, "first": prefix, "end": f"{chart}."}  # '.' comes next to '-'
        states = {one.file: one.state for one in self.set_aside(repository) if one.file.startswith(prefix)}
        with self._reading() as session:
            states |= {row[0]: row[1] for row in session.rows(self._queries.states_of_files, values)}
        return states

    def records(self) -> Iterator[PackageRecord | SetAside]:
        """Give everything that `Building.load` takes, in no order, as it was when the first one was asked for.

        Raises:
            CatalogIncomplete: see the class.
        """
        with self._reading() as session:
            yield from map(to_package, session.stream(self._queries.packages))
            yield from map(to_set_aside, session.stream(self._queries.set_aside))

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with self._engine.reading() as session:
            self._check(session.one(self._queries.catalog))
            yield session

    def _entries(
        self, session: Session, repository: str, names: Sequence[str], form: Form
    ) -> Iterator[tuple[str, list[Entry]]]:
        for start in range(0, len(names), CHARTS_AT_ONCE):
            some = names[start : start + CHARTS_AT_ONCE]
            found: dict[str, list[Entry]] = {name: [] for name in some}
            values = {f"name_{number}": some[min(number, len(some) - 1)] for number in range(CHARTS_AT_ONCE)}
            rows = session.rows(self._queries.entries[form], {"repository": repository, **values})
            for name, version, file, created, stable, text in rows:
                found[name].append(Entry(version, file, created, bool(stable), text))
            yield from found.items()

    def _mark(self, row: Row | None) -> Mark:
        catalog, _complete, _storage, revision = self._check(row)
        return Mark(catalog, revision or 0)

    # ---- writing

    @contextmanager
    def exclusive(self, repository: str, file: str) -> Iterator[Exclusive]:
        """Hold the lock on one storage key, and write what is recorded when the block ends.

        It is durable and seen by everybody then. It is written too when the block raises: what is recorded is what the
        storage holds, whatever was refused afterwards. Then the block's error is raised, even if the writing fails.

        No other lock may be taken inside the block. Others may break the lock (a connection lost, a folder of locks
        removed), so storage is written with conditions all the same.

        Args:
            repository: or a folder that can be none.
            file: name of the package file.

        Raises:
            CatalogIncomplete: see the class; before the block, or after it when a rebuild began meanwhile.
            CatalogFull: what was recorded was not written.
        """
        with self._engine.locking(_lock_key(repository, file)) as lock:
            self._check(lock.one(self._queries.catalog))
            held = Exclusive(lock, self._queries, repository, file)

            def write() -> None:
                if held.told:
                    with lock.writing() as session:
                        self._check(session.one(self._queries.catalog))
                        held.write(session, int(self._clock()))

            try:
                yield held
            except Exception:
                with suppress(ChartrepoError):
                    write()
                raise
            write()

    # ---- building

    @property
    def complete(self) -> bool:
        """Whether the catalog was built and can be used."""
        try:
            self._check(self._engine.one(self._queries.catalog, {}))
        except CatalogIncomplete:
            return False
        return True

    @property
    def needs_rebuild(self) -> bool:
        """Whether there is no catalog, a part of one, or one that somebody found damaged."""
        try:
            return not self.complete or self._engine.damaged()
        except CatalogUnavailable:
            if self._engine.damaged():
                return True
            raise

    @contextmanager
    def rebuilding(self) -> Iterator[Building]:
        """Build the catalog anew, in a place of its own; it takes over, complete, when the block ends.

        From the first line of the block no upload is acknowledged, until the end. So list the storage inside it. When
        the block raises, what was there before stays and is used again, if it could be used.

        Raises:
            CatalogUnavailable: also when somebody else is building it.
            CatalogFull: there is no room; what was there before stays.
        """
        with suppress(CatalogIncomplete, CatalogUnavailable):
            self._check(self._engine.one(self._queries.catalog, {}))
        with self._engine.rebuilding() as session:
            yield Building(session, self._queries)
            now = int(self._clock())
            for statement in self._queries.sum_up:
                session.run(statement, {"now": now})
            session.run(
                self._queries.put_catalog, {"id": secrets.token_hex(8), "complete": True, "storage": self._storage_id}
            )

    def sync_lock(self) -> AbstractContextManager[bool]:
        """Hold the lock of the one sync that runs at a time, if nobody else does, and say whether it is held."""
        return self._engine.attempt(_SYNC)

    # ---- upkeep

    def prune(self) -> list[str]:
        """Drop the catalogs that other releases made for other versions of the schema; return their names."""
        return self._engine.prune()

    def close(self) -> None:
        """Close all connections."""
        self._engine.close()


def _lock_key(repository: str, file: str) -> bytes:
    return from_name(f"{repository}/{file}")


def sqlite_file(url: str) -> Path | None:
    """Return the file that the address of a SQLite catalog leads to, from the root; None for another database's."""
    if not url.startswith(_SQLITE):
        return None
    return Generations(Path(url.removeprefix(_SQLITE)).absolute()).link


def open_catalog(url: str, *, lock_dir: Path, storage_id: str, clock: Callable[[], float] = time.time) -> Catalog:
    """Open a catalog. Nothing is connected to, and nothing made, before the first use.

    Args:
        url: `sqlite:///FILE`, relative to the current folder, or with four slashes from the root;
            or `postgresql://...` as libpq reads it.
        lock_dir: folder of the locks on storage keys; the same for all processes that write to the storage.
        storage_id: names the storage, whatever it is called from here.
        clock: seconds since the epoch.

    Raises:
        CatalogMisconfigured: it can never work; the message says why.
    """
    scheme = url.partition(":")[0]
    if scheme == "sqlite":
        file = url.removeprefix(_SQLITE)
        if file in (url, "", ":memory:"):
            raise CatalogMisconfigured(f"the catalog {url!r} names no file: write sqlite:///FILE")
        sqlite = SQLite(Path(file), lock_dir)
        return Catalog(sqlite, sqlite.queries, storage_id=storage_id, clock=clock)
    if scheme in ("postgresql", "postgres"):
        try:
            from chartrepo.catalog.postgresql import PostgreSQL  # noqa: PLC0415 - psycopg is an extra
        except ImportError as error:
            raise CatalogMisconfigured(
                f"a PostgreSQL catalog needs a driver that cannot be imported ({error}): "
                "install it with pip install 'chartrepo[postgresql]'"
            ) from None
        postgresql = PostgreSQL(url, storage_id)
        return Catalog(postgresql, postgresql.queries, storage_id=storage_id, clock=clock)
    raise CatalogMisconfigured(
        f"the catalog's address begins with {scheme!r}: write sqlite:///FILE or postgresql://..."
    )
