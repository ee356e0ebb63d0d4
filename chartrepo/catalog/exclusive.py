"""The one way in which a single package's rows change."""

from contextlib import suppress
from typing import Any

from chartrepo.catalog.engine import Change, KeyLock, Session
from chartrepo.catalog.queries import Queries
from chartrepo.catalog.records import PackageRecord, SetAside
from chartrepo.catalog.rows import (
    contents_of,
    from_name,
    from_package,
    from_set_aside,
    is_text,
    to_package,
    to_set_aside,
)


class Exclusive:
    """One storage key, while nobody else on this catalog may write it.

    What is recorded is what the storage holds, as its writer has just seen or made it. The last one counts. It is
    written when the block of `Catalog.exclusive` ends.
    """

    def __init__(self, lock: KeyLock, queries: Queries, repository: str, file: str) -> None:
        self._queries = queries
        self._repository = repository
        self._file = file
        self._now = read_key(lock, queries, repository, file)
        self._told = False
        self._others: list[Change] = []

    def package(self) -> PackageRecord | None:
        """Return what is known of the package, or what was recorded since; None where it is not known to be served."""
        return self._now if isinstance(self._now, PackageRecord) else None

    def set_aside(self) -> SetAside | None:
        """Return why the package is set aside, if it is."""
        return self._now if isinstance(self._now, SetAside) else None

    def record(self, package: PackageRecord) -> None:
        """Say that the storage holds this package."""
        self._check_key(package)
        self._say(package)

    def put_aside(self, package: SetAside) -> None:
        """Say that the storage holds a package that cannot be served."""
        self._check_key(package)
        self._say(package)

    def remove(self) -> None:
        """Say that the storage holds no such package."""
        self._say(None)

    def with_it(self, change: Change) -> None:
        """Have something else written with what is recorded, in the same transaction."""
        self._others.append(change)
        self._told = True

    @property
    def told(self) -> bool:
        """Whether anything was recorded, be it what was found: the catalog may have been rebuilt since."""
        return self._told

    def write(self, session: Session, now: int) -> None:
        """Write what was recorded, as something that came to be at `now`, in seconds since the epoch."""
        found = read_key(session, self._queries, self._repository, self._file)  # a rebuild may have come in between
        if found != self._now:
            _Replacement(session, self._queries, self._repository, self._file).make(found, self._now, now)
        for change in self._others:
            change(session)

    def _say(self, package: PackageRecord | SetAside | None) -> None:
        self._now = package
        self._told = True

    def _check_key(self, package: PackageRecord | SetAside) -> None:
        if (package.repository, package.file) != (self._repository, self._file):
            raise ValueError(f"the lock is on {self._file!r}, not on {package.file!r}")


def read_key(
    source: KeyLock | Session, queries: Queries, repository: str, file: str
) -> PackageRecord | SetAside | None:
    """Return what is known of one storage key."""
    if is_text(repository, file):
        row = source.one(queries.package, {"repository": repository, "file": file})
        if row is not None:
            return to_package(row)
    row = source.one(queries.one_set_aside, {"repository": from_name(repository), "file": from_name(file)})
    return None if row is None else to_set_aside(row)


class _Replacement:
    def __init__(self, session: Session, queries: Queries, repository: str, file: str) -> None:
        self._session = session
        self._queries = queries
        self._repository = repository
        self._file = file

    def make(self, before: PackageRecord | SetAside | None, after: PackageRecord | SetAside | None, now: int) -> None:
        old = before if isinstance(before, PackageRecord) else None
        new = after if isinstance(after, PackageRecord) else None
        if old is not None or new is not None:
            shown = _shown(old) != _shown(new)
            # First of all: PostgreSQL holds this row until the end, so that changes of a repository go one by one.
            row = self._session.one(
                self._queries.advance, {"name": self._repository, "changed_at": now if shown else None}
            )
            # Whether it is signed no index shows, but what follows the charts does.
            if row is not None and (shown or _is_signed(old) != _is_signed(new)):
                self._change_charts(old, new, row[0])
        self._replace(before, after)

    def _replace(self, before: PackageRecord | SetAside | None, after: PackageRecord | SetAside | None) -> None:
        queries, session = self._queries, self._session
        if isinstance(before, PackageRecord) and not isinstance(after, PackageRecord):
            session.run(queries.drop_package, {"repository": self._repository, "file": self._file})
        if isinstance(before, SetAside) and not isinstance(after, SetAside):
            key = {"repository": from_name(self._repository), "file": from_name(self._file)}
            session.run(queries.drop_set_aside, key)
        if isinstance(after, PackageRecord):
            session.run(queries.put_package, from_package(after))
        elif isinstance(after, SetAside):
            session.run(queries.put_set_aside, from_set_aside(after))
        self._change_contents(before, after)

    def _change_contents(self, before: PackageRecord | SetAside | None, after: PackageRecord | SetAside | None) -> None:
        old: list[dict[str, Any]] = []
        if isinstance(before, PackageRecord):
            # A row that is damaged is put right here. What it leaves behind belongs to no package any more, or is true.
            with suppress(ValueError, KeyError, TypeError, AttributeError):
                old = contents_of(before)
        new = contents_of(after) if isinstance(after, PackageRecord) else []
        gone = [row for row in old if row not in new]
        come = [row for row in new if row not in old]
        for row in gone:
            self._session.run(
                self._queries.drop_content, {name: row[name] for name in ("digest", "repository", "file")}
            )
        if come:
            self._session.run_many(self._queries.put_content, come)

    def _change_charts(self, old: PackageRecord | None, new: PackageRecord | None, revision: int) -> None:
        # One file name can stand for two charts, one after the other: a-1-2.0.tgz.
        growth: dict[str, tuple[int, int]] = {}
        for package, sign in ((old, -1), (new, 1)):
            if package is not None:
                versions, size = growth.get(package.name, (0, 0))
                growth[package.name] = (versions + sign, size + sign * package.size)
        for name, (versions, size) in growth.items():
            self._session.run(
                self._queries.grow_chart,
                {
                    "repository": self._repository,
                    "name": name,
                    "revision": revision,
                    "versions": versions,
                    "size": size,
                },
            )


def _is_signed(package: PackageRecord | None) -> bool:
    return package is not None and package.signed


def _shown(package: PackageRecord | None) -> object:
    """Return all of a package that an index or a sum shows."""
    if package is None:
        return None
    return (package.name, package.version, package.created, package.size, package.entry_json, package.entry_yaml)
