"""What the catalog knows of what came through OCI, and of how packages are seen there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from chartrepo.catalog.engine import Change, Engine, KeyLock, Lock, Row, Session
from chartrepo.catalog.queries import Queries
from chartrepo.catalog.records import Content, ContentKind, ManifestRecord, TagRecord
from chartrepo.catalog.rows import (
    from_manifest,
    from_tag,
    is_text,
    needs_of,
    to_manifest,
    to_package,
    to_tag,
)
from chartrepo.core.errors import ChartrepoError
from chartrepo.core.oci import Digest, Name

Check = Callable[[Row | None], Row]
"""Returns a row that begins as `Queries.catalog` says, if the catalog may be used; else it raises why not."""

_SHA256: Final = "sha256"


class Held:
    """One OCI repository, while nobody else on this catalog changes what is in it.

    What is said here is what the storage holds. It is written, in one transaction, when the block of
    `Artifacts.holding` ends.
    """

    def __init__(self, lock: KeyLock, queries: Queries, name: str) -> None:
        self._lock = lock
        self._queries = queries
        self._name = name
        self._changes: list[Change] = []

    def manifest(self, digest: str) -> ManifestRecord | None:
        """Return what is known of a manifest."""
        return _manifest(self._lock, self._queries, self._name, digest)

    def tag(self, tag: str) -> TagRecord | None:
        """Return what is known of a tag."""
        row = self._lock.one(self._queries.tag, {"name": self._name, "tag": tag})
        return None if row is None else to_tag(row)

    def who_needs(self, digest: Digest) -> str | None:
        """Return the digest of a manifest that needs a blob or a manifest, if there is one."""
        row = self._lock.one(self._queries.who_needs, {"name": self._name, "digest": str(digest)})
        return None if row is None else str(row[0])

    def needs_blob_of(self, package: str) -> bool:
        """Return whether a manifest needs a package (SHA-256 in hex) that is not the manifest of that very package."""
        values = {"name": self._name, "digest": f"{_SHA256}:{package}", "chart": package}
        return self._lock.one(self._queries.others_that_need, values) is not None

    def put_manifest(self, record: ManifestRecord) -> None:
        """Say that the storage holds a manifest."""
        self._run(self._queries.drop_needs, {"name": self._name, "manifest": record.digest})
        self._run(self._queries.put_manifest, from_manifest(record))
        rows = needs_of(record)
        if rows:
            self._changes.append(lambda session: session.run_many(self._queries.put_need, rows))

    def drop_manifest(self, digest: str) -> None:
        """Say that the storage holds no such manifest."""
        self._run(self._queries.drop_needs, {"name": self._name, "manifest": digest})
        self._run(self._queries.drop_manifest, {"name": self._name, "digest": digest})

    def put_tag(self, record: TagRecord) -> None:
        """Say that the storage holds a tag."""
        self._run(self._queries.put_tag, from_tag(record))

    def drop_tag(self, tag: str) -> None:
        """Say that the storage holds no such tag."""
        self._run(self._queries.drop_tag, {"name": self._name, "tag": tag})

    def set_loose(self, package: str, *, loose: bool) -> None:
        """Say whether a package (SHA-256 in hex) that manifests are of lies as a blob."""
        self._run(self._queries.set_loose, {"name": self._name, "chart": package, "loose": loose})

    @property
    def told(self) -> bool:
        """Whether anything was said."""
        return bool(self._changes)

    def take(self) -> Change:
        """Return what writes all that was said so far, for whoever writes something else at the same time."""
        taken, self._changes = self._changes, []

        def write(session: Session) -> None:
            for change in taken:
                change(session)

        return write

    def _run(self, statement: str, values: dict[str, Any]) -> None:
        self._changes.append(lambda session: session.run(statement, values))


class Artifacts:
    """The OCI side of one catalog; see `chartrepo.catalog.Catalog` for what every method may raise.

    Args:
        engine: the database.
        queries: the statements in its dialect.
        check: says whether the catalog may be used.
    """

    def __init__(self, engine: Engine, queries: Queries, check: Check) -> None:
        self._engine = engine
        self._queries = queries
        self._check = check

    # ---- packages, as OCI sees them

    def contents(self, name: Name, digest: Digest) -> list[Content]:
        """Return what of the packages of a chart has this digest. What an incomplete catalog knows is true too.

        Raises:
            CatalogIncomplete: it knows of nothing, and there may be something.
        """
        if digest.algorithm != _SHA256:
            return []
        values = {"digest": bytes.fromhex(digest.hex), "repository": name.repository, "chart": name.chart}
        with self._engine.reading() as session:
            rows = [*session.rows(self._queries.contents, values)]
            if not rows:
                self._check(session.one(self._queries.catalog))
        return [Content(ContentKind(kind), to_package(row)) for kind, *row in rows]

    def holders(self, digest: Digest) -> list[str]:
        """Return names of OCI repositories that have a blob: because a manifest needs it, or as part of a package."""
        names = []
        with self._reading() as session:
            if digest.algorithm == _SHA256:
                row = session.one(self._queries.contents_anywhere, {"digest": bytes.fromhex(digest.hex)})
                if row is not None:
                    package = to_package(row[1:])
                    names.append(Name(package.repository, package.name).path)
            names += [name for (name,) in session.rows(self._queries.names_that_need, {"digest": str(digest)})]
        return names

    def needs(self, name: Name, digest: Digest) -> bool:
        """Return whether a manifest of an OCI repository needs a blob."""
        with self._reading() as session:
            return session.one(self._queries.who_needs, {"name": name.path, "digest": str(digest)}) is not None

    # ---- what was pushed

    def manifest(self, name: Name, digest: str) -> ManifestRecord | None:
        """Return what is known of a manifest that was pushed."""
        with self._reading() as session:
            return _manifest(session, self._queries, name.path, digest)

    def of_package(self, name: Name, package: str) -> list[ManifestRecord]:
        """Return the pushed manifests of a package, named by its SHA-256 in hex."""
        with self._reading() as session:
            rows = session.rows(self._queries.manifests_of_chart, {"name": name.path, "chart": package})
            return [to_manifest(row) for row in rows]

    def referrers(self, name: Name, subject: str, *, after: str, limit: int) -> list[ManifestRecord]:
        """Return the pushed manifests that are about another one, by digest, beginning behind the digest `after`."""
        if not is_text(after):
            return []
        values = {**_of(name), "subject": subject, "last": after, "limit": limit}
        with self._reading() as session:
            return [to_manifest(row) for row in session.rows(self._queries.referrers, values)]

    def tags_of_manifest(self, name: Name, digest: str) -> list[TagRecord]:
        """Return the tags that name a manifest that was pushed."""
        with self._reading() as session:
            rows = session.rows(self._queries.tags_of_manifest, {"name": name.path, "digest": digest})
            return [to_tag(row) for row in rows]

    # ---- lists

    def tags(self, name: Name, *, after: str, limit: int) -> list[str]:
        """Return tags in the order of their bytes, beginning behind `after`: versions, and what else was pushed."""
        if not is_text(after):
            return []
        values = {**_of(name), "last": after, "limit": limit}
        with self._reading() as session:
            versions = [tag for (tag,) in session.rows(self._queries.version_tags, values)]
            others = [tag for (tag,) in session.rows(self._queries.other_tags, values)]
        return sorted({*versions, *others})[:limit] if others else versions

    def names(self) -> list[str]:
        """Return the names of all OCI repositories that hold something, in the order of their bytes."""
        with self._reading() as session:
            charts = {Name(*row).path for row in session.rows(self._queries.named_charts)}
            pushed = {name for (name,) in session.rows(self._queries.names_of_manifests)}
        return sorted(charts | pushed)

    def knows(self, name: Name) -> bool:
        """Return whether an OCI repository holds something."""
        with self._reading() as session:
            return (
                session.one(self._queries.has_chart, _of(name)) is not None
                or session.one(self._queries.has_manifest, {"name": name.path}) is not None
            )

    # ---- for whoever compares with the storage

    def all_manifests(self) -> Iterator[ManifestRecord]:
        """Give every manifest, in no order, without what it needs, as it was when the first one was asked for."""
        with self._reading() as session:
            yield from map(to_manifest, session.stream(self._queries.manifests))

    def all_needs(self) -> Iterator[tuple[str, str, str]]:
        """Give the name, the manifest and the digest of everything that a manifest needs."""
        with self._reading() as session:
            yield from ((name, manifest, digest) for name, manifest, digest in session.stream(self._queries.needs))

    def all_tags(self) -> Iterator[TagRecord]:
        """Give every tag, in no order, as it was when the first one was asked for."""
        with self._reading() as session:
            yield from map(to_tag, session.stream(self._queries.tags))

    # ---- writing

    @contextmanager
    def holding(self, name: str) -> Iterator[Held]:
        """Hold the lock on one OCI repository, and write what is said when the block ends; also where it raises.

        Inside the block packages may be published and looked up, and no other OCI repository be held.

        Raises:
            CatalogIncomplete: before the block, or after it when a rebuild began meanwhile.
            CatalogFull: what was said was not written.
        """
        with self._engine.locking(f"oci {name}".encode(), Lock.NAME) as lock:
            self._check(lock.one(self._queries.catalog))
            held = Held(lock, self._queries, name)

            def write() -> None:
                if held.told:
                    with lock.writing() as session:
                        self._check(session.one(self._queries.catalog))
                        held.take()(session)

            try:
                yield held
            except Exception:
                with suppress(ChartrepoError):
                    write()
                raise
            write()

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with self._engine.reading() as session:
            self._check(session.one(self._queries.catalog))
            yield session


def _of(name: Name) -> dict[str, str]:
    return {"name": name.path, "repository": name.repository, "chart": name.chart}


def _manifest(source: KeyLock | Session, queries: Queries, name: str, digest: str) -> ManifestRecord | None:
    row = source.one(queries.manifest, {"name": name, "digest": digest})
    return None if row is None else to_manifest(row)
