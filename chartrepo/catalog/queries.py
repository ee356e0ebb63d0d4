"""Every statement on the tables, written once with SQLAlchemy and compiled once to the text that a driver takes.

The texts are run by the DBAPI drivers themselves: what is asked before every answer must cost a few microseconds. All
take their values by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from chartrepo.catalog.document_queries import DocumentQueries
from chartrepo.catalog.schema import FULL_TEXT
from chartrepo.core.index import Form

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.dialects import postgresql, sqlite

    from chartrepo.catalog.schema import Tables

    Insert = sqlite.Insert | postgresql.Insert

CHARTS_AT_ONCE: Final = 100
"""How many charts `Queries.entries` asks for, under `name_0`, `name_1` and so on."""

RECORD_COLUMNS: Final = (
    "repository",
    "file",
    "name",
    "version",
    "state",
    "provenance_state",
    "signed",
    "provenance_digest",
    "provenance_size",
    "digest",
    "size",
    "created",
    "entry_json",
    "entry_yaml",
    "warnings",
    "signer",
)
"""The columns of a `PackageRecord`, in the order of its fields."""

SERVED_COLUMNS: Final = ("state", "provenance_state", "signed", "digest", "size", "created", "name", "version")
"""The columns of a `Served`, in the order of its fields."""

# Written into the text; anything else would become one more value to give.
_ZERO: Final = sa.literal_column("0", sa.BigInteger)
_ONE: Final = sa.literal_column("1", sa.BigInteger)


def _columns(table: sa.Table, *names: str) -> list[sa.Column[Any]]:
    return [table.c[name] for name in names]


def _where(table: sa.Table, *names: str) -> sa.ColumnElement[bool]:
    return sa.and_(*(table.c[name] == sa.bindparam(name) for name in names))


class Queries:
    """The statements on one catalog's tables, in one dialect.

    A statement takes the values that it compares columns with, under the columns' names, or writes into all columns of
    a table; where there are others a comment names them.

    Args:
        tables: of the catalog.
        dialect: with values by name.
        insert: the dialect's own, that can overwrite the row which is in its way.

    Attributes:
        documents: those on documents that are searched.
    """

    def __init__(self, tables: Tables, dialect: sa.Dialect, insert: Callable[[sa.Table], Insert]) -> None:
        self._tables = tables
        self._dialect = dialect
        self._insert = insert
        self._make_reads()
        self._make_reads_of_charts()
        self._make_reads_of_pages()
        self._make_reads_of_shelves()
        self._make_writes()
        self._make_builds()
        self._make_reads_of_oci()
        self._make_writes_of_oci()
        self.documents = DocumentQueries(tables, dialect, insert, self._text, self._put)

    def _text(self, statement: sa.ClauseElement) -> str:
        return str(statement.compile(dialect=self._dialect))

    def _put(self, table: sa.Table) -> str:
        """Insert a row, or overwrite the one with its key."""
        statement = self._insert(table).values({column.name: sa.bindparam(column.name) for column in table.columns})
        others = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
        return self._text(statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=others))

    def _make_reads(self) -> None:
        catalog, repositories, packages = self._tables.catalog, self._tables.repositories, self._tables.packages
        set_aside = self._tables.set_aside
        about = sa.select(catalog.c.id, catalog.c.complete, catalog.c.storage)
        revision = sa.select(repositories.c.revision).where(repositories.c.name == sa.bindparam("repository"))
        record = sa.select(*_columns(packages, *RECORD_COLUMNS))
        one_package = _where(packages, "repository", "file")

        self.catalog = self._text(about)
        self.revisions = self._text(sa.select(repositories.c.name, repositories.c.revision))
        self.mark = self._text(about.add_columns(revision.scalar_subquery()))  # repository
        self.changed_at = self._text(sa.select(repositories.c.changed_at).where(_where(repositories, "name")))
        self.served = self._text(sa.select(*_columns(packages, *SERVED_COLUMNS)).where(one_package))
        self.package = self._text(record.where(one_package))
        self.packages = self._text(record)
        self.package_states = self._text(
            sa.select(*_columns(packages, "repository", "file", "state", "provenance_state"))
        )
        # repository, first, end: names of files, of which the last one is not among the answers
        of_files = sa.and_(packages.c.file >= sa.bindparam("first"), packages.c.file < sa.bindparam("end"))
        self.states_of_files = self._text(
            sa.select(packages.c.file, packages.c.state).where(_where(packages, "repository"), of_files)
        )
        self.one_set_aside = self._text(sa.select(set_aside).where(_where(set_aside, "repository", "file")))
        self.set_aside = self._text(sa.select(set_aside).order_by(set_aside.c.repository, set_aside.c.file))
        self.withheld = self._text(sa.select(set_aside).where(_where(set_aside, "repository", "name")))

    def _make_reads_of_charts(self) -> None:
        repositories, charts, packages = self._tables.repositories, self._tables.charts, self._tables.packages
        names = sa.select(charts.c.name).where(_where(charts, "repository")).order_by(charts.c.name)
        newest_first = (packages.c.sort_key.desc(), packages.c.version.desc())
        some = packages.c.name.in_([sa.bindparam(f"name_{number}") for number in range(CHARTS_AT_ONCE)])

        self.chart_names = self._text(names.where(charts.c.versions > _ZERO))
        # revision: the last one that is known; the names of charts that are gone are among the answers.
        self.changed_names = self._text(names.where(charts.c.revision > sa.bindparam("revision")))
        self.entries = {
            form: self._text(
                sa.select(
                    *_columns(packages, "name", "version", "file", "created", "stable"),
                    packages.c.entry_json if form is Form.JSON else packages.c.entry_yaml,
                )
                .where(_where(packages, "repository"), some)
                .order_by(packages.c.name, *newest_first)
            )
            for form in Form
        }
        self.versions = self._text(
            sa.select(*_columns(packages, *RECORD_COLUMNS))
            .where(_where(packages, "repository", "name"))
            .order_by(*newest_first)
        )
        self.sums_of_charts = self._text(
            sa.select(
                repositories.c.name,
                charts.c.name,
                charts.c.versions,
                charts.c.size,
                repositories.c.revision,
                repositories.c.changed_at,
            )
            .join(charts, charts.c.repository == repositories.c.name)
            .where(charts.c.versions > _ZERO)
            .order_by(repositories.c.name)
        )
        self.repositories = self._text(self._sums().order_by(repositories.c.name))

    def _sums(self) -> sa.Select[Any]:
        """Select the columns of a `RepositoryStatus` of each repository that holds something."""
        repositories, charts = self._tables.repositories, self._tables.charts
        return (
            sa.select(
                repositories.c.name,
                sa.func.count(),
                sa.cast(sa.func.sum(charts.c.versions), sa.BigInteger),
                sa.cast(sa.func.sum(charts.c.size), sa.BigInteger),
                repositories.c.revision,
                repositories.c.changed_at,
            )
            .join(charts, charts.c.repository == repositories.c.name)
            .where(charts.c.versions > _ZERO)
            .group_by(repositories.c.name, repositories.c.revision, repositories.c.changed_at)
        )

    def _make_reads_of_pages(self) -> None:
        charts, packages = self._tables.charts, self._tables.packages
        record = sa.select(*_columns(packages, *RECORD_COLUMNS))
        of_chart = _where(packages, "repository", "name")
        newest_first = (packages.c.sort_key.desc(), packages.c.version.desc())
        limit = sa.bindparam("limit", type_=sa.BigInteger)
        offset = sa.bindparam("offset", type_=sa.BigInteger)
        self.version = self._text(record.where(of_chart, packages.c.version == sa.bindparam("version")))
        self.newest = self._text(record.where(of_chart).order_by(*newest_first).limit(_ONE).offset(_ZERO))
        # stable
        self.newest_so = self._text(
            record.where(of_chart, packages.c.stable == sa.bindparam("stable"))
            .order_by(*newest_first)
            .limit(_ONE)
            .offset(_ZERO)
        )
        # limit, offset
        self.some_versions = self._text(record.where(of_chart).order_by(*newest_first).limit(limit).offset(offset))
        self.all_versions = self._text(sa.select(packages.c.version).where(of_chart).order_by(*newest_first))
        # limit
        self.some_names = self._text(
            sa.select(packages.c.version).where(of_chart).order_by(*newest_first).limit(limit).offset(_ZERO)
        )
        # sort_key: of a version that comes after it
        older = (of_chart, packages.c.sort_key < sa.bindparam("sort_key", type_=sa.LargeBinary))
        self.before = self._text(record.where(*older).order_by(*newest_first).limit(_ONE).offset(_ZERO))
        # sort_key, stable
        self.before_so = self._text(
            record.where(*older, packages.c.stable == sa.bindparam("stable"))
            .order_by(*newest_first)
            .limit(_ONE)
            .offset(_ZERO)
        )
        self.count_of_versions = self._text(sa.select(charts.c.versions).where(_where(charts, "repository", "name")))
        # last: the name of a repository; first: whether there was none before; limit
        repositories = self._tables.repositories
        holds = sa.exists().where(charts.c.repository == repositories.c.name, charts.c.versions > _ZERO)
        behind = sa.or_(repositories.c.name > sa.bindparam("last"), sa.bindparam("first", type_=sa.Boolean))
        self.names_of_repositories = self._text(
            sa.select(repositories.c.name).where(behind, holds).order_by(repositories.c.name).limit(limit).offset(_ZERO)
        )
        of_repository = _where(packages, "repository")
        latest_first = (packages.c.created.desc(), packages.c.repository.desc(), packages.c.file.desc())
        # limit
        self.latest = self._text(record.order_by(*latest_first).limit(limit).offset(_ZERO))
        latest_here_first = (packages.c.created.desc(), packages.c.file.desc())
        self.latest_of_repository = self._text(
            record.where(of_repository).order_by(*latest_here_first).limit(limit).offset(_ZERO)
        )
        self.latest_of_chart = self._text(
            record.where(of_chart).order_by(*latest_here_first).limit(limit).offset(_ZERO)
        )
        # before, last_repository, last_file: of the last one that is known; limit
        place = sa.select(*_columns(packages, "created", "repository", "file", "name"))
        before: list[sa.ColumnElement[Any]] = [sa.bindparam("before", type_=sa.BigInteger)]
        last_file: sa.BindParameter[str] = sa.bindparam("last_file")
        after: sa.BindParameter[str] = sa.bindparam("last")
        earlier = sa.tuple_(*_columns(packages, "created", "repository", "file")) < sa.tuple_(
            *before, sa.bindparam("last_repository"), last_file
        )
        self.latest_places = self._text(place.where(earlier).order_by(*latest_first).limit(limit).offset(_ZERO))
        # repository, before, last_file, limit
        earlier_here = sa.tuple_(*_columns(packages, "created", "file")) < sa.tuple_(*before, last_file)
        self.latest_places_of_repository = self._text(
            place.where(of_repository, earlier_here).order_by(*latest_here_first).limit(limit).offset(_ZERO)
        )
        newest_change = sa.func.coalesce(sa.func.max(repositories.c.changed_at), _ZERO)
        revisions = sa.cast(sa.func.coalesce(sa.func.sum(repositories.c.revision), _ZERO), sa.BigInteger)
        self.stamp = self._text(sa.select(revisions + sa.func.count(), newest_change))
        # name
        self.stamp_of_repository = self._text(
            sa.select(repositories.c.revision, repositories.c.changed_at).where(_where(repositories, "name"))
        )
        # last_repository, last: the name of a chart; limit
        chart = (charts.c.repository, charts.c.name)
        behind = sa.tuple_(*chart) > sa.tuple_(sa.bindparam("last_repository"), after)
        self.charts_anywhere = self._text(
            sa.select(*chart).where(charts.c.versions > _ZERO, behind).order_by(*chart).limit(limit).offset(_ZERO)
        )
        # last: the name of a chart; limit
        self.some_charts = self._text(
            sa.select(charts.c.name, charts.c.versions, charts.c.size)
            .where(_where(charts, "repository"), charts.c.versions > _ZERO, charts.c.name > sa.bindparam("last"))
            .order_by(charts.c.name)
            .limit(limit)
            .offset(_ZERO)
        )

    def _make_reads_of_shelves(self) -> None:
        repositories, charts, packages = self._tables.repositories, self._tables.charts, self._tables.packages
        set_aside, manifests, tags = self._tables.set_aside, self._tables.manifests, self._tables.tags
        limit = sa.bindparam("limit", type_=sa.BigInteger)
        after: sa.BindParameter[str] = sa.bindparam("last")
        status = self._sums()
        self.one_repository = self._text(status.where(_where(repositories, "name")))
        # last: a name; limit
        self.some_repositories = self._text(
            status.where(repositories.c.name > after).order_by(repositories.c.name).limit(limit).offset(_ZERO)
        )
        # repository, name_0 and so on: each chart's newest stable version, or its newest where none is stable.
        some = charts.c.name.in_([sa.bindparam(f"name_{number}") for number in range(CHARTS_AT_ONCE)])
        inner = packages.alias("inner_packages")
        newest = (
            sa.select(inner.c.file)
            .where(inner.c.repository == charts.c.repository, inner.c.name == charts.c.name)
            .order_by(inner.c.stable.desc(), inner.c.sort_key.desc(), inner.c.version.desc())
            .limit(_ONE)
            .offset(_ZERO)
            .correlate(charts)
            .scalar_subquery()
        )
        self.newest_of_some = self._text(
            sa.select(*_columns(packages, *RECORD_COLUMNS))
            .select_from(charts)
            .join(packages, sa.and_(packages.c.repository == charts.c.repository, packages.c.file == newest))
            .where(_where(charts, "repository"), some, charts.c.versions > _ZERO)
        )
        # repository as bytes, limit
        self.some_set_aside = self._text(
            sa.select(set_aside)
            .where(_where(set_aside, "repository"))
            .order_by(set_aside.c.file)
            .limit(limit)
            .offset(_ZERO)
        )
        hidden = sa.case((set_aside.c.policies != sa.literal_column("''", sa.Text), _ONE), else_=_ZERO)
        hidden_ones = sa.cast(sa.func.coalesce(sa.func.sum(hidden), _ZERO), sa.BigInteger)
        self.count_of_set_aside = self._text(sa.select(sa.func.count(), hidden_ones).select_from(set_aside))
        # repository; last, end: names between which these are; deeper: a pattern of those of other repositories;
        # begin: of the last part of the name, counted from 1; limit
        begin = sa.bindparam("begin", type_=sa.Integer)
        deeper: sa.BindParameter[str] = sa.bindparam("deeper")
        last_part = sa.func.substr(manifests.c.name, begin)
        has_chart = sa.exists().where(_where(packages, "repository"), packages.c.name == last_part)
        count = sa.select(sa.func.count()).where(tags.c.name == manifests.c.name).correlate(manifests)
        self.some_artifacts = self._text(
            sa.select(manifests.c.name, sa.func.count(), count.scalar_subquery())
            .where(manifests.c.chart.is_(None), manifests.c.name > after, manifests.c.name < sa.bindparam("end"))
            .where(sa.not_(manifests.c.name.like(deeper, escape="\\")), sa.not_(has_chart))
            .group_by(manifests.c.name)
            .order_by(manifests.c.name)
            .limit(limit)
            .offset(_ZERO)
        )
        of_tag = sa.and_(manifests.c.name == tags.c.name, manifests.c.digest == tags.c.digest)
        # name, last: a tag; limit
        self.some_tagged = self._text(
            sa.select(tags.c.tag, manifests)
            .join(manifests, of_tag)
            .where(_where(tags, "name"), tags.c.tag > after, manifests.c.chart.is_(None))
            .order_by(tags.c.tag)
            .limit(limit)
            .offset(_ZERO)
        )
        # name, limit
        needs = self._tables.needs
        needed = sa.exists().where(needs.c.name == manifests.c.name, needs.c.digest == manifests.c.digest)
        self.some_untagged = self._text(
            sa.select(manifests)
            .where(_where(manifests, "name"), manifests.c.chart.is_(None), manifests.c.subject.is_(None))
            .where(sa.not_(sa.exists().where(of_tag)), sa.not_(needed))
            .order_by(manifests.c.digest)
            .limit(limit)
            .offset(_ZERO)
        )

    def _make_writes(self) -> None:
        repositories, charts = self._tables.repositories, self._tables.charts
        packages, set_aside = self._tables.packages, self._tables.set_aside

        # name, changed_at (None: the index shows nothing new); gives the new revision, and holds the row until the end.
        changed_at = sa.bindparam("changed_at", type_=sa.BigInteger)
        first = self._insert(repositories).values(
            name=sa.bindparam("name"), revision=_ONE, changed_at=sa.func.coalesce(changed_at, _ZERO)
        )
        next_one = {
            "revision": repositories.c.revision + _ONE,
            # A clock that is set back takes no index back.
            "changed_at": sa.case(
                (changed_at > repositories.c.changed_at, changed_at), else_=repositories.c.changed_at
            ),
        }
        self.advance = self._text(
            first.on_conflict_do_update(index_elements=[repositories.c.name], set_=next_one).returning(
                repositories.c.revision
            )
        )
        # repository, name, revision, and by how much versions and size grow.
        chart = self._insert(charts).values({column.name: sa.bindparam(column.name) for column in charts.columns})
        grown = {
            "revision": chart.excluded.revision,
            "versions": charts.c.versions + chart.excluded.versions,
            "size": charts.c.size + chart.excluded.size,
        }
        self.grow_chart = self._text(
            chart.on_conflict_do_update(index_elements=[charts.c.repository, charts.c.name], set_=grown)
        )
        self.put_package = self._put(packages)
        self.drop_package = self._text(sa.delete(packages).where(_where(packages, "repository", "file")))
        self.put_set_aside = self._put(set_aside)
        self.drop_set_aside = self._text(sa.delete(set_aside).where(_where(set_aside, "repository", "file")))
        # complete
        self.set_complete = self._text(sa.update(self._tables.catalog).values(complete=sa.bindparam("complete")))

    def _make_builds(self) -> None:
        repositories, charts, packages = self._tables.repositories, self._tables.charts, self._tables.packages
        every = self._tables.metadata.sorted_tables
        chart = (packages.c.repository, packages.c.name)

        self.create_tables = tuple(self._text(sa.schema.CreateTable(table)) for table in every)
        if self._dialect.name == "sqlite":
            self.create_tables += (FULL_TEXT,)
        self.create_indexes = tuple(
            self._text(sa.schema.CreateIndex(index)) for table in every for index in table.indexes
        )
        self.empty = tuple(self._text(sa.delete(table)) for table in every)
        self.put_catalog = self._put(self._tables.catalog)
        # What follows from the packages, once they are loaded. now: hands may have given a package a time to come.
        newest = sa.func.max(packages.c.created)
        now = sa.bindparam("now", type_=sa.BigInteger)
        self.sum_up = (
            self._text(
                sa.insert(charts).from_select(
                    ["repository", "name", "revision", "versions", "size"],
                    sa.select(*chart, _ONE, sa.func.count(), sa.func.sum(packages.c.size)).group_by(*chart),
                )
            ),
            self._text(
                sa.insert(repositories).from_select(
                    ["name", "revision", "changed_at"],
                    sa.select(packages.c.repository, _ONE, sa.case((newest > now, now), else_=newest)).group_by(
                        packages.c.repository
                    ),
                )
            ),
        )

    def _make_reads_of_oci(self) -> None:
        packages, contents = self._tables.packages, self._tables.contents
        manifests, needs, tags = self._tables.manifests, self._tables.needs, self._tables.tags
        of_package = sa.and_(packages.c.repository == contents.c.repository, packages.c.file == contents.c.file)
        found = sa.select(contents.c.kind, *_columns(packages, *RECORD_COLUMNS)).join(packages, of_package)

        # chart: the name of the chart
        of_chart = packages.c.name == sa.bindparam("chart")
        of_digest: sa.BindParameter[str] = sa.bindparam("chart")
        self.contents = self._text(found.where(_where(contents, "digest", "repository"), of_chart))
        self.contents_anywhere = self._text(found.where(_where(contents, "digest")).limit(_ONE).offset(_ZERO))
        # last, limit
        after: sa.BindParameter[str] = sa.bindparam("last")
        limit = sa.bindparam("limit", type_=sa.BigInteger)  # with an offset, or SQLite's dialect makes a value of it
        self.version_tags = self._text(
            sa.select(packages.c.tag)
            .where(_where(packages, "repository"), of_chart, packages.c.tag > after)
            .order_by(packages.c.tag)
            .limit(limit)
            .offset(_ZERO)
        )
        # Tags of versions are those of packages. repository, chart: of the name.
        published = (
            sa.exists()
            .where(_where(packages, "repository"), of_chart, packages.c.digest == manifests.c.chart)
            .where(packages.c.tag.is_not(None))
        )
        # What was pushed for a package that is withheld is in no list either.
        set_aside = self._tables.set_aside
        loose = sa.and_(manifests.c.loose, sa.not_(sa.exists().where(set_aside.c.digest == manifests.c.chart)))
        there = sa.or_(manifests.c.chart.is_(None), loose, published)
        self.other_tags = self._text(
            sa.select(tags.c.tag)
            .join(manifests, sa.and_(manifests.c.name == tags.c.name, manifests.c.digest == tags.c.digest))
            .where(_where(tags, "name"), tags.c.package.is_(None), tags.c.tag > after, there)
            .order_by(tags.c.tag)
            .limit(limit)
            .offset(_ZERO)
        )
        self.tag = self._text(sa.select(tags).where(_where(tags, "name", "tag")))
        self.tags = self._text(sa.select(tags))
        self.tags_of_name = self._text(sa.select(tags).where(_where(tags, "name")))
        self.tags_of_manifest = self._text(sa.select(tags).where(_where(tags, "name", "digest")))
        self.manifest = self._text(sa.select(manifests).where(_where(manifests, "name", "digest")))
        self.manifests = self._text(sa.select(manifests))
        self.manifests_of_chart = self._text(sa.select(manifests).where(_where(manifests, "name", "chart")))
        self.needs = self._text(sa.select(needs.c.name, needs.c.manifest, needs.c.digest))
        self.who_needs = self._text(
            sa.select(needs.c.manifest).where(_where(needs, "name", "digest")).limit(_ONE).offset(_ZERO)
        )
        # chart: a SHA-256 in hex; name, digest: of a blob
        self.others_that_need = self._text(
            sa.select(needs.c.manifest)
            .join(manifests, sa.and_(manifests.c.name == needs.c.name, manifests.c.digest == needs.c.manifest))
            .where(_where(needs, "name", "digest"))
            .where(sa.or_(manifests.c.chart.is_(None), manifests.c.chart != of_digest))
            .limit(_ONE)
            .offset(_ZERO)
        )
        self.names_that_need = self._text(sa.select(needs.c.name).where(_where(needs, "digest")).distinct())
        # last: a digest
        self.referrers = self._text(
            sa.select(manifests)
            .where(_where(manifests, "name", "subject"), manifests.c.digest > after, there)
            .order_by(manifests.c.digest)
            .limit(limit)
            .offset(_ZERO)
        )
        self.named_charts = self._text(
            sa.select(packages.c.repository, packages.c.name).where(packages.c.tag.is_not(None)).distinct()
        )
        # Of a chart whose package does not lie as a blob there is something only while the package is published.
        by_itself = sa.or_(manifests.c.chart.is_(None), loose)
        self.names_of_manifests = self._text(sa.select(manifests.c.name).where(by_itself).distinct())
        self.has_chart = self._text(
            sa.select(packages.c.tag)
            .where(_where(packages, "repository"), of_chart, packages.c.tag.is_not(None))
            .limit(_ONE)
            .offset(_ZERO)
        )
        self.has_manifest = self._text(
            sa.select(manifests.c.digest).where(_where(manifests, "name"), by_itself).limit(_ONE).offset(_ZERO)
        )

    def _make_writes_of_oci(self) -> None:
        contents, manifests = self._tables.contents, self._tables.manifests
        needs, tags = self._tables.needs, self._tables.tags
        self.put_content = self._text(
            sa.insert(contents).values({column.name: sa.bindparam(column.name) for column in contents.columns})
        )
        self.drop_content = self._text(sa.delete(contents).where(_where(contents, "digest", "repository", "file")))
        self.put_manifest = self._put(manifests)
        self.drop_manifest = self._text(sa.delete(manifests).where(_where(manifests, "name", "digest")))
        need = self._insert(needs).values({column.name: sa.bindparam(column.name) for column in needs.columns})
        self.put_need = self._text(need.on_conflict_do_nothing())
        self.drop_needs = self._text(sa.delete(needs).where(_where(needs, "name", "manifest")))
        self.put_tag = self._put(tags)
        self.drop_tag = self._text(sa.delete(tags).where(_where(tags, "name", "tag")))
        # loose
        self.set_loose = self._text(
            sa.update(manifests).values(loose=sa.bindparam("loose")).where(_where(manifests, "name", "chart"))
        )
