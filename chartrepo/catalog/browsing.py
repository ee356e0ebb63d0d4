"""What pages show of the catalog: some rows at a time, at the same cost whatever else there is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Final, NamedTuple

from chartrepo.catalog.engine import Engine, Row, Session
from chartrepo.catalog.queries import Queries
from chartrepo.catalog.records import PackageRecord
from chartrepo.catalog.rows import is_text, to_package
from chartrepo.core.versions import is_stable, sort_key

_AT_ONCE: Final = 100
_PLACES_AT_ONCE: Final = 500
_MOST_PLACES: Final = 5_000
"""Versions that are looked at for a reader who may not read all."""
_END_OF_TIME: Final = 2**62


class ChartStatus(NamedTuple):
    """What a repository holds of one chart: how many versions, and the bytes of all their packages."""

    name: str
    versions: int
    size: int


class Stamp(NamedTuple):
    """What a repository, or all of them, are at: two that are equal stand for the same content.

    Attributes:
        catalog: as in `Mark`.
        revision: grows with every change.
        changed_at: when an index changed last, in seconds since the epoch; 0 where there is nothing.
    """

    catalog: str
    revision: int
    changed_at: int


class Browsing:
    """Reads for pages. Every method raises as those of `Catalog` do, `CatalogIncomplete` among them.

    Args:
        engine: the database.
        queries: the statements in its dialect.
        check: tells whether the catalog may be used.
    """

    def __init__(self, engine: Engine, queries: Queries, check: Callable[[Row | None], Row]) -> None:
        self._engine = engine
        self._queries = queries
        self._check = check

    def newest(self, repository: str, name: str) -> PackageRecord | None:
        """Return the version of a chart that Helm installs if none is named.

        That is the newest stable one, or the newest where none is stable; None where there is no such chart.
        """
        if not is_text(repository, name):
            return None
        with self._reading() as session:
            return self._newest(session, repository, name)

    def _newest(self, session: Session, repository: str, name: str) -> PackageRecord | None:
        chart = {"repository": repository, "name": name}
        row = session.one(self._queries.newest_so, {**chart, "stable": True})
        row = row or session.one(self._queries.newest, chart)
        return to_package(row) if row is not None else None

    def newest_of_all(self, readable: Callable[[str, str], bool] | None) -> Iterator[PackageRecord]:
        """Give the same of every chart that counts, by repository and name, as they are asked for.

        Args:
            readable: tells of repository and chart whether it counts; None where all do.
        """
        repository = name = ""
        while True:
            values = {"last_repository": repository, "last": name, "limit": _AT_ONCE}
            with self._reading() as session:
                charts = list(session.rows(self._queries.charts_anywhere, values))
                found = [self._newest(session, *chart) for chart in charts if readable is None or readable(*chart[:2])]
            yield from (record for record in found if record is not None)
            if len(charts) < _AT_ONCE:
                return
            repository, name = charts[-1]

    def version(self, repository: str, name: str, version: str) -> PackageRecord | None:
        """Return a version of a chart, exactly as it is written; None where there is none."""
        if not is_text(repository, name, version):
            return None
        values = {"repository": repository, "name": name, "version": version}
        with self._reading() as session:
            row = session.one(self._queries.version, values)
        return to_package(row) if row is not None else None

    def before(self, record: PackageRecord) -> PackageRecord | None:
        """Return the version of a chart that came before another one, in the order of versions; None for none.

        Before a stable one that is the next older stable one, if there is any.
        """
        values = {"repository": record.repository, "name": record.name, "sort_key": sort_key(record.version)}
        with self._reading() as session:
            row = None
            if is_stable(record.version):
                row = session.one(self._queries.before_so, {**values, "stable": True})
            row = row or session.one(self._queries.before, values)
        return to_package(row) if row is not None else None

    def versions(self, repository: str, name: str, *, limit: int, offset: int = 0) -> list[PackageRecord]:
        """Return some versions of a chart, the newest first."""
        if not is_text(repository, name):
            return []
        values = {"repository": repository, "name": name, "limit": limit, "offset": offset}
        with self._reading() as session:
            return [to_package(row) for row in session.rows(self._queries.some_versions, values)]

    def names_of_versions(self, repository: str, name: str) -> list[str]:
        """Return all versions of a chart as they are written, the newest first, and nothing else of them."""
        if not is_text(repository, name):
            return []
        with self._reading() as session:
            return [
                row[0] for row in session.rows(self._queries.all_versions, {"repository": repository, "name": name})
            ]

    def names_of_newest(self, repository: str, name: str, *, limit: int) -> list[str]:
        """Return some versions of a chart as they are written, the newest first, and nothing else of them."""
        if not is_text(repository, name):
            return []
        values = {"repository": repository, "name": name, "limit": limit}
        with self._reading() as session:
            return [row[0] for row in session.rows(self._queries.some_names, values)]

    def count(self, repository: str, name: str) -> int:
        """Return how many versions a chart has."""
        if not is_text(repository, name):
            return 0
        with self._reading() as session:
            row = session.one(self._queries.count_of_versions, {"repository": repository, "name": name})
        return row[0] if row is not None else 0

    def charts(
        self, repository: str, readable: Callable[[str], bool] | None, *, after: str = ""
    ) -> Iterator[ChartStatus]:
        """Give the charts of a repository that somebody may read, in the order of names, as they are asked for.

        Args:
            repository: its name.
            readable: tells by its name whether a chart counts; None where all do.
            after: a name; those up to it are left out.
        """
        while True:
            values = {"repository": repository, "last": after, "limit": _AT_ONCE}
            with self._reading() as session:
                found = [ChartStatus(*row) for row in session.rows(self._queries.some_charts, values)]
            yield from (chart for chart in found if readable is None or readable(chart.name))
            if len(found) < _AT_ONCE:
                return
            after = found[-1].name

    def names_of_repositories(self, *, after: str | None = None) -> Iterator[str]:
        """Give the names of repositories that hold something, in their order, as they are asked for."""
        while True:
            values = {"last": after or "", "first": after is None, "limit": _AT_ONCE}
            with self._reading() as session:
                found = [row[0] for row in session.rows(self._queries.names_of_repositories, values)]
            yield from found
            if len(found) < _AT_ONCE:
                return
            after = found[-1]

    def stamp(self, repository: str | None = None) -> Stamp:
        """Return what a repository is at; without one, what all are at."""
        if repository is not None and not is_text(repository):
            repository = ""
        with self._engine.reading() as session:
            catalog = self._check(session.one(self._queries.catalog))[0]
            if repository is None:
                row = session.one(self._queries.stamp, {})
            else:
                row = session.one(self._queries.stamp_of_repository, {"name": repository})
        return Stamp(catalog, *(row or (0, 0)))

    def latest(
        self, limit: int, *, repository: str | None = None, readable: Callable[[str, str], bool] | None = None
    ) -> list[PackageRecord]:
        """Return the versions that were published last, the latest first.

        Args:
            limit: how many at most.
            repository: of which; None for all.
            readable: tells of repository and chart whether it counts; None where all do. For a reader who may read
                little, of the latest `_MOST_PLACES` those that count are returned: it costs no more, whatever else
                there is.
        """
        if repository is not None and not is_text(repository):
            return []
        values: dict[str, object] = {} if repository is None else {"repository": repository}
        with self._reading() as session:
            if readable is None:
                query = self._queries.latest if repository is None else self._queries.latest_of_repository
                return [to_package(row) for row in session.rows(query, {**values, "limit": limit})]
            rows = (
                session.one(self._queries.package, {"repository": place.repository, "file": place.file})
                for place in islice(self._readable_places(session, repository, readable), limit)
            )
            return [to_package(row) for row in rows if row is not None]

    def latest_of_chart(self, repository: str, name: str, limit: int) -> list[PackageRecord]:
        """Return the versions of a chart that were published last, the latest first."""
        if not is_text(repository, name):
            return []
        values = {"repository": repository, "name": name, "limit": limit}
        with self._reading() as session:
            return [to_package(row) for row in session.rows(self._queries.latest_of_chart, values)]

    def _readable_places(
        self, session: Session, repository: str | None, readable: Callable[[str, str], bool]
    ) -> Iterator["_Place"]:
        last = _Place(_END_OF_TIME, "", "", "")
        query = self._queries.latest_places if repository is None else self._queries.latest_places_of_repository
        for _ in range(_MOST_PLACES // _PLACES_AT_ONCE):
            values: dict[str, object] = {"before": last.created, "last_file": last.file, "limit": _PLACES_AT_ONCE}
            values |= {"last_repository": last.repository} if repository is None else {"repository": repository}
            found = [_Place(*row) for row in session.rows(query, values)]
            yield from (place for place in found if readable(place.repository, place.name))
            if len(found) < _PLACES_AT_ONCE:
                return
            last = found[-1]

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with self._engine.reading() as session:
            self._check(session.one(self._queries.catalog))
            yield session


class _Place(NamedTuple):
    """Where a version is in the order of publication."""

    created: int
    repository: str
    file: str
    name: str
