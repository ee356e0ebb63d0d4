"""The tables, the same for SQLite and PostgreSQL."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

SCHEMA_VERSION: Final = 4
"""Counts up with every change below, and with every change of what is written into the columns.

It is part of the SQLite file's name and of the PostgreSQL schema's name, so that each release builds its own catalog.
"""

# Names are compared and sorted by their bytes, as SQLite does anyway.
_TEXT: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
# To SQLite a row's own number is no other type.
_ROW: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one catalog.

    Attributes:
        catalog: one row: its random id, whether it is complete, and the storage it was read from.
        repositories: the revision of each repository.
        charts: the revision in which an index or a search last had to show each chart anew; without versions it is a
            tombstone.
        packages: one row for each `PackageRecord`.
        set_aside: one row for each `SetAside`; those of a `Withheld` fill all columns. A file's name need not be text
            there, so it is kept as bytes, with the repository's, and the reason, which may quote it, as a JSON string.
        contents: one row for each digest by which a part of a package can be had through OCI.
        manifests: one row for each `ManifestRecord`.
        needs: one row for each digest that one of them needs.
        tags: one row for each `TagRecord`.
        documents: one row for each chart that can be found.
        document_words: the words of each document, for the database's full text; its own table in either.
        terms: the words in the names and keywords of each document.
        spellings: each of those words, and what is left of it without one of its characters.
        followed: up to where documents are made of what changed in each repository.
    """

    catalog: sa.Table
    repositories: sa.Table
    charts: sa.Table
    packages: sa.Table
    set_aside: sa.Table
    contents: sa.Table
    manifests: sa.Table
    needs: sa.Table
    tags: sa.Table
    documents: sa.Table
    document_words: sa.Table
    terms: sa.Table
    spellings: sa.Table
    followed: sa.Table

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
            sa.Index("charts_by_revision", "repository", "revision", "name"),
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
            sa.Column("provenance_digest", _TEXT),
            sa.Column("provenance_size", sa.BigInteger, nullable=False),
            sa.Column("digest", _TEXT, nullable=False),
            sa.Column("size", sa.BigInteger, nullable=False),
            sa.Column("created", sa.BigInteger, nullable=False),
            # Its bytes are in the order of versions.
            sa.Column("sort_key", sa.LargeBinary, nullable=False),
            sa.Column("stable", sa.Boolean, nullable=False),
            # None where the chart has no OCI name, or the version no tag.
            sa.Column("tag", _TEXT),
            # A JSON array of texts.
            sa.Column("warnings", _TEXT, nullable=False),
            sa.Column("signer", _TEXT),
            sa.Column("entry_json", _TEXT, nullable=False),
            sa.Column("entry_yaml", _TEXT, nullable=False),
            sa.Index("packages_by_version", "repository", "name", "sort_key", "version"),
            sa.Index("packages_by_stability", "repository", "name", "stable", "sort_key", "version"),
            sa.Index("packages_by_time", "created", "repository", "file"),
            sa.Index("packages_of_repository_by_time", "repository", "created", "file"),
            sa.Index("packages_of_chart_by_time", "repository", "name", "created", "file"),
            sa.Index("packages_by_tag", "repository", "name", "tag"),
        ),
        set_aside=sa.Table(
            "set_aside",
            metadata,
            sa.Column("repository", sa.LargeBinary, primary_key=True),
            sa.Column("file", sa.LargeBinary, primary_key=True),
            sa.Column("state", _TEXT, nullable=False),
            sa.Column("reason", _TEXT, nullable=False),
            sa.Column("policies", _TEXT, nullable=False),
            sa.Column("name", _TEXT),
            sa.Column("version", _TEXT),
            sa.Column("digest", _TEXT),
            sa.Column("size", sa.BigInteger),
            sa.Column("created", sa.BigInteger),
            sa.Column("provenance_state", _TEXT),
            sa.Index("set_aside_by_name", "repository", "name"),
            sa.Index("set_aside_by_digest", "digest"),
        ),
        contents=sa.Table(
            "contents",
            metadata,
            # The bytes of a SHA-256.
            sa.Column("digest", sa.LargeBinary, nullable=False),
            sa.Column("repository", _TEXT, nullable=False),
            sa.Column("file", _TEXT, nullable=False),
            sa.Column("kind", _TEXT, nullable=False),
            # No key: it is loaded in no order, and an index at the end is made faster.
            sa.Index("contents_by_digest", "digest", "repository"),
        ),
        manifests=sa.Table(
            "manifests",
            metadata,
            sa.Column("name", _TEXT, primary_key=True),
            sa.Column("digest", _TEXT, primary_key=True),
            sa.Column("media_type", _TEXT, nullable=False),
            sa.Column("size", sa.BigInteger, nullable=False),
            sa.Column("subject", _TEXT),
            sa.Column("artifact_type", _TEXT),
            sa.Column("annotations", _TEXT, nullable=False),
            sa.Column("chart", _TEXT),
            sa.Column("loose", sa.Boolean, nullable=False),
            sa.Index("manifests_by_subject", "name", "subject", "digest"),
            sa.Index("manifests_by_chart", "name", "chart"),
            # What is no chart is looked for among very many that are.
            sa.Index(
                "manifests_of_no_chart",
                "name",
                sqlite_where=sa.text("chart IS NULL"),
                postgresql_where=sa.text("chart IS NULL"),
            ),
        ),
        needs=sa.Table(
            "needs",
            metadata,
            sa.Column("name", _TEXT, primary_key=True),
            sa.Column("manifest", _TEXT, primary_key=True),
            sa.Column("digest", _TEXT, primary_key=True),
            sa.Index("needs_by_digest", "digest", "name"),
        ),
        tags=sa.Table(
            "tags",
            metadata,
            sa.Column("name", _TEXT, primary_key=True),
            sa.Column("tag", _TEXT, primary_key=True),
            sa.Column("digest", _TEXT, nullable=False),
            sa.Column("package", _TEXT),
            sa.Column("provenance", _TEXT),
            sa.Column("state", _TEXT, nullable=False),
            sa.Index("tags_by_digest", "name", "digest"),
        ),
        documents=sa.Table(
            "documents",
            metadata,
            sa.Column("id", _ROW, primary_key=True, autoincrement=False),
            sa.Column("repository", _TEXT, nullable=False),
            sa.Column("name", _TEXT, nullable=False),
            sa.Column("digest", _TEXT, nullable=False),
            sa.Column("created", sa.BigInteger, nullable=False),
            # What a chart is, a bit each: see `chartrepo.catalog.documents`.
            sa.Column("flags", sa.BigInteger, nullable=False),
            sa.Column("type", _TEXT, nullable=False),
            sa.Column("licence", _TEXT, nullable=False),
            # A line each.
            sa.Column("keywords", _TEXT, nullable=False),
            # Words between blanks: of names; of names and keywords; of names, keywords and description.
            sa.Column("names", _TEXT, nullable=False),
            sa.Column("names_keywords", _TEXT, nullable=False),
            sa.Column("names_keywords_description", _TEXT, nullable=False),
            # What is shown and nothing else: JSON.
            sa.Column("shown", _TEXT, nullable=False),
            sa.Index("documents_by_chart", "repository", "name", unique=True),
        ),
        document_words=_document_words(metadata, schema),
        terms=sa.Table(
            "terms",
            metadata,
            sa.Column("word", _TEXT, primary_key=True),
            sa.Column("document", sa.BigInteger, primary_key=True),
        ),
        spellings=sa.Table(
            "spellings",
            metadata,
            sa.Column("shortened", _TEXT, primary_key=True),
            sa.Column("word", _TEXT, primary_key=True),
        ),
        followed=sa.Table(
            "followed",
            metadata,
            sa.Column("repository", _TEXT, primary_key=True),
            # The first chart that was not looked at has a higher revision, or this one and a name behind this one.
            sa.Column("revision", sa.BigInteger, nullable=False),
            sa.Column("name", _TEXT, nullable=False),
        ),
    )


FULL_TEXT: Final = (
    "CREATE VIRTUAL TABLE document_words USING fts5(words, detail=none, columnsize=0, tokenize='ascii', prefix='2 3')"
)
"""The table `document_words` of SQLite. Words are parted by blanks already, and all that is asked is who has them.

`ascii` parts at nothing that can stand in one of our words, whatever Unicode calls it.
"""


def _document_words(metadata: sa.MetaData, schema: str | None) -> sa.Table:
    if schema is None:  # it is made by `FULL_TEXT`, with the number of a row for its key
        return sa.Table("document_words", sa.MetaData(), sa.Column("rowid", sa.Integer), sa.Column("words", sa.Text))
    words = sa.Column("words", postgresql.TSVECTOR, nullable=False)
    return sa.Table(
        "document_words",
        metadata,
        sa.Column("rowid", sa.BigInteger, primary_key=True, autoincrement=False),
        words,
        sa.Index("document_words_by_word", words, postgresql_using="gin"),
    )
