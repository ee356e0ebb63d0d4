"""The tables, the same for SQLite and PostgreSQL."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

SCHEMA_VERSION: Final = 1
"""Counts up with every change below, and with every change of what is written into the columns.

It is part of the SQLite file's name and of the PostgreSQL schema's name, so that each release builds its own catalog.
"""

# Names are compared and sorted by their bytes, as SQLite does anyway.
_TEXT: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one catalog.

    Attributes:
        catalog: one row: its random id, whether it is complete, and the storage it was read from.
        repositories: the revision of each repository.
        charts: the revision in which an index last had to show each chart anew; without versions it is a tombstone.
        packages: one row for each `PackageRecord`.
        set_aside: one row for each `SetAside`. A file's name need not be text there, so names are kept as bytes and the
            reason, which may quote them, as a JSON string.
    """

    catalog: sa.Table
    repositories: sa.Table
    charts: sa.Table
    packages: sa.Table
    set_aside: sa.Table

    @property
    def metadata(self) -> sa.MetaData:
        """All of them together, for creating them."""
        return self.catalog.metadata


def tables(schema: str | None = None) -> Tables:
    """Describe the tables as they lie in a PostgreSQL schema, or in the SQLite file when None."""
    metadata = sa.MetaData(schema=schema)
    return Tables(
        catalog=sa.Table(
            "catalog",
            metadata,
            sa.Column("id", _TEXT, primary_key=True),
            sa.Column("complete", sa.Boolean, nullable=False),
            sa.Column("storage", _TEXT, nullable=False),
        ),
        repositories=sa.Table(
            "repositories",
            metadata,
            sa.Column("name", _TEXT, primary_key=True),
            sa.Column("revision", sa.BigInteger, nullable=False),
            sa.Column("changed_at", sa.BigInteger, nullable=False),
        ),
        charts=sa.Table(
            "charts",
            metadata,
            sa.Column("repository", _TEXT, primary_key=True),
            sa.Column("name", _TEXT, primary_key=True),
            sa.Column("revision", sa.BigInteger, nullable=False),
            sa.Column("versions", sa.BigInteger, nullable=False),
            sa.Column("size", sa.BigInteger, nullable=False),
            sa.Index("charts_by_revision", "repository", "revision"),
        ),
        packages=sa.Table(
            "packages",
            metadata,
            sa.Column("repository", _TEXT, primary_key=True),
            sa.Column("file", _TEXT, primary_key=True),
            sa.Column("name", _TEXT, nullable=False),
            sa.Column("version", _TEXT, nullable=False),
            sa.Column("state", _TEXT, nullable=False),
            sa.Column("provenance_state", _TEXT),
            sa.Column("signed", sa.Boolean, nullable=False),
            sa.Column("digest", _TEXT, nullable=False),
            sa.Column("size", sa.BigInteger, nullable=False),
            sa.Column("created", sa.BigInteger, nullable=False),
            # Its bytes are in the order of versions.
            sa.Column("sort_key", sa.LargeBinary, nullable=False),
            sa.Column("stable", sa.Boolean, nullable=False),
            # A JSON array of texts.
            sa.Column("warnings", _TEXT, nullable=False),
            sa.Column("entry_json", _TEXT, nullable=False),
            sa.Column("entry_yaml", _TEXT, nullable=False),
            sa.Index("packages_by_version", "repository", "name", "sort_key", "version"),
        ),
        set_aside=sa.Table(
            "set_aside",
            metadata,
            sa.Column("repository", sa.LargeBinary, primary_key=True),
            sa.Column("file", sa.LargeBinary, primary_key=True),
            sa.Column("state", _TEXT, nullable=False),
            sa.Column("reason", _TEXT, nullable=False),
        ),
    )
