"""The statements on documents, of which one a chart is searched; see `chartrepo.catalog.queries`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.dialects import sqlite

    from chartrepo.catalog.schema import Tables

    Insert = sqlite.Insert | postgresql.Insert

IDS_AT_ONCE: Final = 100
"""How many documents `DocumentQueries.hits` asks for, under `id_0`, `id_1` and so on."""
SHORTENED_AT_ONCE: Final = 25
"""How many texts `DocumentQueries.spelled` asks for, under `shortened_0` and so on."""

_ZERO: Final = sa.literal_column("0", sa.BigInteger)
_ONE: Final = sa.literal_column("1", sa.BigInteger)
_EMPTY: Final = sa.literal_column("''", sa.Text)

_CANDIDATE: Final = (
    "id",
    "repository",
    "name",
    "created",
    "flags",
    "type",
    "licence",
    "keywords",
    "names",
    "names_keywords",
    "names_keywords_description",
)
"""The columns of a `Candidate`, in the order of its fields."""


class DocumentQueries:
    """The statements, in one dialect.

    Args:
        tables: of the catalog.
        dialect: with values by name.
        insert: the dialect's own.
        text: compiles a statement.
        put: makes the statement that inserts a row of a table, or overwrites the one with its key.
    """

    def __init__(
        self,
        tables: Tables,
        dialect: sa.Dialect,
        insert: Callable[[sa.Table], Insert],
        text: Callable[[sa.ClauseElement], str],
        put: Callable[[sa.Table], str],
    ) -> None:
        self._tables = tables
        self._is_sqlite = dialect.name == "sqlite"
        self._insert = insert
        self._text = text
        self._make_following()
        self._make_searches()
        self._make_writes(put)

    def match(self, words: Sequence[str]) -> str:
        """Return what the full text is asked for: all these words, of which the last one may be the beginning of one.

        Args:
            words: as `chartrepo.core.search` parts them: nothing but letters and digits is in them.
        """
        if self._is_sqlite:
            return " ".join(f'"{word}"' for word in words) + "*"
        return " & ".join(f"'{word}'" for word in words) + ":*"

    def _make_following(self) -> None:
        repositories, charts, followed = self._tables.repositories, self._tables.charts, self._tables.followed
        revision = sa.func.coalesce(followed.c.revision, _ZERO)
        name = sa.func.coalesce(followed.c.name, _EMPTY)
        all_repositories = repositories.outerjoin(followed, followed.c.repository == repositories.c.name)
        limit = sa.bindparam("limit", type_=sa.BigInteger)

        self.sum_of_revisions = self._text(
            sa.select(sa.cast(sa.func.coalesce(sa.func.sum(repositories.c.revision), _ZERO), sa.BigInteger))
        )
        # limit
        self.behind = self._text(
            sa.select(repositories.c.name, repositories.c.revision, revision, name)
            .select_from(all_repositories)
            .where(repositories.c.revision >= revision)
            .limit(limit)
            .offset(_ZERO)
        )
        # repository, revision and last: what `followed` says; limit
        after = sa.tuple_(sa.bindparam("revision", type_=sa.BigInteger), sa.bindparam("last", type_=sa.Text))
        self.changed_charts = self._text(
            sa.select(charts.c.name, charts.c.revision, charts.c.versions)
            .where(charts.c.repository == sa.bindparam("repository"))
            .where(sa.tuple_(charts.c.revision, charts.c.name) > after)
            .order_by(charts.c.revision, charts.c.name)
            .limit(limit)
            .offset(_ZERO)
        )
        # Of charts that are gone, and whose documents may be there still.
        self.gone = self._text(
            sa.select(charts.c.repository, charts.c.name)
            .select_from(all_repositories)
            .join(charts, charts.c.repository == repositories.c.name)
            .where(repositories.c.revision >= revision)
            .where(sa.tuple_(charts.c.revision, charts.c.name) > sa.tuple_(revision, name))
            .where(charts.c.versions == _ZERO)
        )
        self.count_charts = self._text(sa.select(sa.func.count()).select_from(charts).where(charts.c.versions > _ZERO))

    def _make_searches(self) -> None:
        documents, words = self._tables.documents, self._tables.document_words
        terms, spellings = self._tables.terms, self._tables.spellings
        candidates = sa.select(*(documents.c[column] for column in _CANDIDATE))
        # match
        asked: sa.BindParameter[str] = sa.bindparam("match", type_=sa.Text)
        matches: sa.ColumnElement[Any] = (
            sa.literal_column("document_words").op("MATCH")(asked)
            if self._is_sqlite
            else words.c.words.op("@@")(sa.cast(asked, postgresql.TSQUERY))
        )
        self.all_candidates = self._text(candidates)
        self.candidates = self._text(candidates.join(words, words.c.rowid == documents.c.id).where(matches))
        numbers = [sa.bindparam(f"id_{number}", type_=sa.BigInteger) for number in range(IDS_AT_ONCE)]
        self.hits = self._text(
            sa.select(
                documents.c.id,
                documents.c.repository,
                documents.c.name,
                documents.c.created,
                documents.c.flags,
                documents.c.type,
                documents.c.licence,
                documents.c.keywords,
                documents.c.shown,
            ).where(documents.c.id.in_(numbers))
        )
        self.count_documents = self._text(sa.select(sa.func.count()).select_from(documents))
        texts = [sa.bindparam(f"shortened_{number}", type_=sa.Text) for number in range(SHORTENED_AT_ONCE)]
        self.spelled = self._text(sa.select(spellings.c.word).where(spellings.c.shortened.in_(texts)).distinct())
        self.has_term = self._text(
            sa.select(terms.c.document).where(terms.c.word == sa.bindparam("word")).limit(_ONE).offset(_ZERO)
        )

    def _make_writes(self, put: Callable[[sa.Table], str]) -> None:
        documents, words = self._tables.documents, self._tables.document_words
        terms, spellings = self._tables.terms, self._tables.spellings
        number = sa.bindparam("id", type_=sa.BigInteger)
        self.document_of = self._text(
            sa.select(documents.c.id, documents.c.digest, documents.c.flags, documents.c.names_keywords)
            .where(documents.c.repository == sa.bindparam("repository"))
            .where(documents.c.name == sa.bindparam("name"))
        )
        self.last_document = self._text(sa.select(sa.func.coalesce(sa.func.max(documents.c.id), _ZERO)))
        self.put_document = put(documents)
        # id, created, flags
        self.touch_document = self._text(
            sa.update(documents)
            .values(created=sa.bindparam("created"), flags=sa.bindparam("flags"))
            .where(documents.c.id == number)
        )
        self.drop_document = self._text(sa.delete(documents).where(documents.c.id == number))
        # id; words: parted by blanks
        given: sa.ColumnElement[Any] = sa.bindparam("words", type_=sa.Text)
        if not self._is_sqlite:
            given = sa.func.array_to_tsvector(sa.func.string_to_array(given, sa.literal_column("' '")))
        self.put_words = self._text(sa.insert(words).values(rowid=number, words=given))
        self.drop_words = self._text(sa.delete(words).where(words.c.rowid == number))
        # word, document
        term = self._insert(terms).values(word=sa.bindparam("word"), document=sa.bindparam("document"))
        self.put_term = self._text(term.on_conflict_do_nothing())
        self.drop_term = self._text(
            sa.delete(terms)
            .where(terms.c.word == sa.bindparam("word"))
            .where(terms.c.document == sa.bindparam("document"))
        )
        # shortened, word
        spelling = self._insert(spellings).values(shortened=sa.bindparam("shortened"), word=sa.bindparam("word"))
        self.put_spelling = self._text(spelling.on_conflict_do_nothing())
        self.drop_spelling = self._text(
            sa.delete(spellings)
            .where(spellings.c.shortened == sa.bindparam("shortened"))
            .where(spellings.c.word == sa.bindparam("word"))
        )
        self.put_followed = put(self._tables.followed)
