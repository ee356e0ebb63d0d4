"""Every SQL statement, written once with SQLAlchemy and compiled once to the text that a driver takes.

The texts are run by the DBAPI drivers themselves: what is asked before every answer must cost a few microseconds. All
take their values by name.
"""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from chartrepo.catalog.schema import Tables
from chartrepo.core.index import Form

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
    "digest",
    "size",
    "created",
    "entry_json",
    "entry_yaml",
    "warnings",
)
"""The columns of a `PackageRecord`, in the order of its fields."""

_Insert = sqlite.Insert | postgresql.Insert

# Written into the text; anything else would become one more value to give.
_ZERO: Final = sa.literal_column("0", sa.BigInteger)
_ONE: Final = sa.literal_column("1", sa.BigInteger)


def _all(table: sa.Table) -> dict[str, sa.BindParameter[Any]]:
    return {column.name: sa.bindparam(column.name) for column in table.columns}


def _where(table: sa.Table, *names: str) -> sa.ColumnElement[bool]:
    return sa.and_(*(table.c[name] == sa.bindparam(name) for name in names))


class Queries:
    """The statements on one catalog's tables, in one dialect.

    Names in comments are those of the values a statement takes; without one, it takes those its columns suggest.
    """

    def __init__(self, tables: Tables, dialect: sa.Dialect) -> None:
        self._tables = tables
        self._dialect = dialect
        self._reads()
        self._writes()
        self._builds()

    def _text(self, statement: sa.ClauseElement) -> str:
        return str(statement.compile(dialect=self._dialect))

    def _insert(self, table: sa.Table) -> _Insert:
        statement = sqlite.insert(table) if self._dialect.name == "sqlite" else postgresql.insert(table)
        return statement.values(_all(table))

    def _put(self, table: sa.Table) -> str:
        """Insert a row, or overwrite the one with its key."""
        statement = self._insert(table)
        others = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
        return self._text(statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=others))

    def _reads(self) -> None:
        catalog, repositories = self._tables.catalog, self._tables.repositories
        charts, packages, set_aside, notes = (
            self._tables.charts,
            self._tables.packages,
            self._tables.set_aside,
            self._tables.notes,
        )
        of_repository = (
            sa.select(repositories.c.revision)
            .where(repositories.c.name == sa.bindparam("repository"))
            .scalar_subquery()
        )
        record = sa.select(*(packages.c[name] for name in RECORD_COLUMNS))
        newest_first = (packages.c.sort_key.desc(), packages.c.version.desc())

        self.catalog = self._text(sa.select(catalog.c.id, catalog.c.complete, catalog.c.storage))
        self.mark = self._text(sa.select(catalog.c.id, catalog.c.complete, catalog.c.storage, of_repository))
        self.changed_at = self._text(sa.select(repositories.c.changed_at).where(_where(repositories, "name")))
        self.served = self._text(
            sa.select(
                *(
                    packages.c[name]
                    for name in (
                        "state",
                        "provenance_state",
                        "signed",
                        "digest",
                        "size",
                        "created",
                        "name",
                        "version",
                    )
                )
            ).where(_where(packages, "repository", "file"))
        )
        self.package = self._text(record.where(_where(packages, "repository", "file")))
        self.versions = self._text(record.where(_where(packages, "repository", "name")).order_by(*newest_first))
        self.packages = self._text(record)
        self.one_set_aside = self._text(sa.select(set_aside).where(_where(set_aside, "repository", "file")))
        self.set_aside = self._text(sa.select(set_aside).order_by(set_aside.c.repository, set_aside.c.file))
        self.package_states = self._text(
            sa.select(packages.c.repository, packages.c.file, packages.c.state, packages.c.provenance_state)
        )
        self.chart_names = self._text(
            sa.select(charts.c.name)
            .where(_where(charts, "repository"), charts.c.versions > _ZERO)
            .order_by(charts.c.name)
        )
        # revision: the last one that is known already.
        self.changed_names = self._text(
            sa.select(charts.c.name)
            .where(_where(charts, "repository"), charts.c.revision > sa.bindparam("revision"))
            .order_by(charts.c.name)
        )
        some = packages.c.name.in_([sa.bindparam(f"name_{number}") for number in range(CHARTS_AT_ONCE)])
        self.entries = {
            form: self._text(
                sa.select(
                    packages.c.name,
                    packages.c.version,
                    packages.c.file,
                    packages.c.created,
                    packages.c.stable,
                    packages.c.entry_json if form is Form.JSON else packages.c.entry_yaml,
                )
                .where(_where(packages, "repository"), some)
                .order_by(packages.c.name, *newest_first)
            )
            for form in Form
        }
        self.repositories = self._text(
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
            .order_by(repositories.c.name)
        )
        self.note = self._text(sa.select(notes.c.value).where(_where(notes, "name")))

    def _writes(self) -> None:
        catalog, repositories = self._tables.catalog, self._tables.repositories
        charts, packages, set_aside = self._tables.charts, self._tables.packages, self._tables.set_aside

        self.put_catalog = self._put(catalog)
        self.drop_catalog = self._text(sa.delete(catalog))
        # complete
        self.set_complete = self._text(sa.update(catalog).values(complete=sa.bindparam("complete")))

        # name, changed_at (None: the index shows nothing new); gives the new revision and holds the row until the end.
        bump = self._insert(repositories).values(
            name=sa.bindparam("name"),
            revision=_ONE,
            changed_at=sa.func.coalesce(sa.bindparam("changed_at", type_=sa.BigInteger), _ZERO),
        )
        self.bump = self._text(
            self._returning(
                bump.on_conflict_do_update(
                    index_elements=[repositories.c.name],
                    set_={
                        "revision": repositories.c.revision + _ONE,
                        "changed_at": sa.func.coalesce(
                            sa.bindparam("changed_at", type_=sa.BigInteger), repositories.c.changed_at
                        ),
                    },
                ),
                repositories.c.revision,
            )
        )
        # repository, name, revision, and by how much the others grow.
        chart = self._insert(charts)
        self.change_chart = self._text(
            chart.on_conflict_do_update(
                index_elements=[charts.c.repository, charts.c.name],
                set_={
                    "revision": chart.excluded.revision,
                    "versions": charts.c.versions + chart.excluded.versions,
                    "size": charts.c.size + chart.excluded.size,
                },
            )
        )
        self.put_package = self._put(packages)
        self.drop_package = self._text(sa.delete(packages).where(_where(packages, "repository", "file")))
        self.put_set_aside = self._put(set_aside)
        self.drop_set_aside = self._text(sa.delete(set_aside).where(_where(set_aside, "repository", "file")))
        self.put_note = self._put(self._tables.notes)

    @staticmethod
    def _returning(statement: _Insert, *columns: sa.Column[Any]) -> ReturningInsert[Any]:
        return statement.returning(*columns)

    def _builds(self) -> None:
        charts, packages, repositories = self._tables.charts, self._tables.packages, self._tables.repositories
        self.empty = tuple(self._text(sa.delete(table)) for table in self._tables.metadata.sorted_tables)
        # The revision and the sums of a catalog whose packages were loaded.
        self.sum_up = (
            self._text(
                sa.insert(charts).from_select(
                    ["repository", "name", "revision", "versions", "size"],
                    sa.select(
                        packages.c.repository, packages.c.name, _ONE, sa.func.count(), sa.func.sum(packages.c.size)
                    ).group_by(packages.c.repository, packages.c.name),
                )
            ),
            self._text(
                sa.insert(repositories).from_select(
                    ["name", "revision", "changed_at"],
                    sa.select(packages.c.repository, _ONE, sa.func.max(packages.c.created)).group_by(
                        packages.c.repository
                    ),
                )
            ),
        )
        metadata = self._tables.metadata
        self.create_tables = tuple(self._text(sa.schema.CreateTable(table)) for table in metadata.sorted_tables)
        self.create_indexes = tuple(
            self._text(sa.schema.CreateIndex(index))
            for table in metadata.sorted_tables
            for index in sorted(table.indexes, key=lambda index: str(index.name))
        )
