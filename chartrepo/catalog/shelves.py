"""What one repository holds, for the page about it: so many rows at a time, whatever else there is."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from chartrepo.catalog.engine import Engine, Row, Session
from chartrepo.catalog.queries import CHARTS_AT_ONCE, Queries
from chartrepo.catalog.records import ManifestRecord, PackageRecord, RepositoryStatus, SetAside
from chartrepo.catalog.rows import from_name, is_text, to_manifest, to_package, to_set_aside
from chartrepo.core.oci import Name

_BEHIND_ALL: Final = "~"
"""Comes after every name of an OCI repository."""


class ArtifactStatus(NamedTuple):
    """What an OCI repository holds that is no chart: the last part of its name, and how many manifests and tags."""

    name: str
    manifests: int
    tags: int


class TaggedManifest(NamedTuple):
    """A tag, and the manifest that it names."""

    tag: str
    manifest: ManifestRecord


class Shelves:
    """Reads for the pages of repositories. Methods raise as those of `Catalog` do, `CatalogIncomplete` among them.

    Args:
        engine: the database.
        queries: the statements in its dialect.
        check: tells whether the catalog may be used.
    """

    def __init__(self, engine: Engine, queries: Queries, check: Callable[[Row | None], Row]) -> None:
        self._engine = engine
        self._queries = queries
        self._check = check

    def repositories(self, *, after: str | None, limit: int) -> list[RepositoryStatus]:
        """Return some repositories that hold something, in the order of their names.

        Args:
            after: a name; those up to it are left out. None for none.
            limit: how many.
        """
        if after is not None and not is_text(after):
            return []
        with self._reading() as session:
            found = [RepositoryStatus(*row) for row in self._root(session)] if after is None else []
            values = {"last": after or "", "limit": limit - len(found)}
            return found + [RepositoryStatus(*row) for row in session.rows(self._queries.some_repositories, values)]

    def repository(self, name: str) -> RepositoryStatus | None:
        """Return what a repository holds; None where it holds no chart."""
        if not is_text(name):
            return None
        with self._reading() as session:
            row = session.one(self._queries.one_repository, {"name": name})
        return RepositoryStatus(*row) if row is not None else None

    def newest(self, repository: str, names: Sequence[str]) -> dict[str, PackageRecord]:
        """Return of each chart the version that Helm installs if none is named, all by one query.

        Args:
            repository: where they are.
            names: of charts, `CHARTS_AT_ONCE` at most.
        """
        if not names or not is_text(repository, *names):
            return {}
        values = {f"name_{number}": names[min(number, len(names) - 1)] for number in range(CHARTS_AT_ONCE)}
        with self._reading() as session:
            rows = session.rows(self._queries.newest_of_some, {"repository": repository, **values})
            return {package.name: package for package in map(to_package, rows)}

    def set_aside(self, repository: str, *, limit: int) -> list[SetAside]:
        """Return some packages of a repository that cannot be served, or are not to be, in the order of their files."""
        with self._reading() as session:
            values = {"repository": from_name(repository), "limit": limit}
            return [to_set_aside(row) for row in session.rows(self._queries.some_set_aside, values)]

    def count_set_aside(self) -> tuple[int, int]:
        """Return how many packages cannot be served, and how many policies keep from being served."""
        with self._reading() as session:
            row = session.one(self._queries.count_of_set_aside)
        return (row[0] - row[1], row[1]) if row is not None else (0, 0)

    def artifacts(self, repository: str, *, after: str, limit: int) -> list[ArtifactStatus]:
        """Return some OCI repositories in a repository that hold something, and no chart, in the order of their names.

        Args:
            repository: in whose folder they are.
            after: the last part of a name; those up to it are left out. Empty for none.
            limit: how many.
        """
        if not is_text(repository, after):
            return []
        prefix = f"{repository}/" if repository else ""
        escaped = prefix.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")
        values = {
            "repository": repository,
            "last": prefix + after,
            "end": f"{repository}0" if repository else _BEHIND_ALL,  # '0' comes next to '/'
            "deeper": f"{escaped}%/%",
            "begin": len(prefix) + 1,
            "limit": limit,
        }
        with self._reading() as session:
            rows = session.rows(self._queries.some_artifacts, values)
            return [ArtifactStatus(name[len(prefix) :], manifests, tags) for name, manifests, tags in rows]

    def tagged(self, name: Name, *, after: str, limit: int) -> list[TaggedManifest]:
        """Return some tags of what is no chart in an OCI repository, in the order of their bytes, behind `after`."""
        if not is_text(after):
            return []
        values = {"name": name.path, "last": after, "limit": limit}
        with self._reading() as session:
            rows = session.rows(self._queries.some_tagged, values)
            return [TaggedManifest(tag, to_manifest(row)) for tag, *row in rows]

    def untagged(self, name: Name, *, limit: int) -> list[ManifestRecord]:
        """Return some manifests that no tag names, that are of no chart, about nothing, and of no index."""
        with self._reading() as session:
            rows = session.rows(self._queries.some_untagged, {"name": name.path, "limit": limit})
            return [to_manifest(row) for row in rows]

    def _root(self, session: Session) -> list[Row]:
        row = session.one(self._queries.one_repository, {"name": ""})
        return [row] if row is not None else []

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with self._engine.reading() as session:
            self._check(session.one(self._queries.catalog))
            yield session
