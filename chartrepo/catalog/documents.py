"""Documents, of which one a chart is searched: made of what changed, and looked for.

They follow the revisions of repositories. `followed` says of each up to which of its charts, in the order in which they
changed, documents are right. It is written with the documents themselves, so that whoever dies in between leaves
nothing half done, and a catalog that is built anew begins at the first chart.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from chartrepo.catalog.document_queries import IDS_AT_ONCE, SHORTENED_AT_ONCE
from chartrepo.catalog.engine import Engine, Row, Session
from chartrepo.catalog.queries import Queries
from chartrepo.catalog.records import PackageRecord
from chartrepo.catalog.rows import BrokenRow, to_package
from chartrepo.core.search import Document, Hit, can_be_mended, is_typo_of, shortened

SIGNED: Final = 1
DEPRECATED: Final = 2
PRERELEASE: Final = 4
IMAGES: Final = 8
CRDS: Final = 16
OPERATOR: Final = 32
SECURITY: Final = 64
ICON_INSIDE: Final = 128
ICON_ELSEWHERE: Final = 256

_MAKING: Final = "documents"
_REPOSITORIES_AT_ONCE: Final = 100
_SHOWN: Final = ("version", "app_version", "description", "category", "alternative_name")


class Candidate(NamedTuple):
    """What is looked at of each document that has the words.

    Attributes:
        id: its number.
        repository: the chart's.
        name: the chart's.
        created: when the version was published, in seconds since the epoch.
        flags: what it is, of the constants of this module.
        type: as in `Hit`.
        licence: as in `Hit`.
        keywords: as in `Hit`, a line each.
        names: words of names; this and the two below as `chartrepo.core.search.rank` takes them.
        names_keywords: those and words of keywords.
        names_keywords_description: those and words of the description.
    """

    id: int
    repository: str
    name: str
    created: int
    flags: int
    type: str
    licence: str
    keywords: str
    names: str
    names_keywords: str
    names_keywords_description: str


@dataclass(frozen=True, slots=True)
class Changed:
    """A chart whose document is not right any more, maybe.

    Attributes:
        repository: the chart's.
        name: the chart's.
        revision: in which it changed.
        newest: the version that Helm installs if none is named; None where the chart is gone.
        known: the digest of the package that its document was made of; None where it has none.
    """

    repository: str
    name: str
    revision: int
    newest: PackageRecord | None
    known: str | None

    @property
    def is_known(self) -> bool:
        """Whether the document was made of this very package."""
        return self.newest is not None and self.newest.digest == self.known


@dataclass(frozen=True, slots=True)
class Due:
    """What documents are to be made of next, as the catalog was at one moment.

    Attributes:
        catalog: its random id.
        charts: in the order in which they are to be made.
        finished: the revision up to which a repository is followed once these charts are, where there are no more.
        revisions: another number whenever something was written into any repository.
    """

    catalog: str
    charts: tuple[Changed, ...]
    finished: dict[str, int]
    revisions: int


class Looking:
    """One look at the documents, all of it at the same moment."""

    def __init__(self, session: Session, queries: Queries) -> None:
        self._session = session
        self._queries = queries.documents

    def candidates(self, words: Sequence[str]) -> Iterator[Row]:
        """Give a row for each document that has all words; each has the fields of a `Candidate`.

        Args:
            words: of which the last one may be the beginning of one; with none, all documents have them.
        """
        if not words:
            return self._session.rows(self._queries.all_candidates)
        return self._session.rows(self._queries.candidates, {"match": self._queries.match(words)})

    def gone(self) -> set[tuple[str, str]]:
        """Return the repositories and names of charts that are not there any more, though their documents may be."""
        return {(repository, name) for repository, name in self._session.rows(self._queries.gone)}

    def hits(self, ids: Sequence[int]) -> list[Hit]:
        """Return what is shown of some documents, in this order."""
        found: dict[int, Hit] = {}
        for start in range(0, len(ids), IDS_AT_ONCE):
            some = ids[start : start + IDS_AT_ONCE]
            values = {f"id_{number}": some[min(number, len(some) - 1)] for number in range(IDS_AT_ONCE)}
            found |= {row[0]: _to_hit(row) for row in self._session.rows(self._queries.hits, values)}
        return [found[number] for number in ids]

    def spelled(self, typed: str) -> list[str]:
        """Return the words of names and keywords that differ from a word by one typo."""
        if not can_be_mended(typed):
            return []
        texts = sorted(shortened(typed))
        values = {f"shortened_{number}": texts[min(number, len(texts) - 1)] for number in range(SHORTENED_AT_ONCE)}
        found = [row[0] for row in self._session.rows(self._queries.spelled, values)]
        return sorted(word for word in found if is_typo_of(typed, word))

    def is_behind(self) -> bool:
        """Return whether documents are still to be made."""
        return self._session.one(self._queries.behind, {"limit": 1}) is not None

    def counts(self) -> tuple[int, int]:
        """Return how many documents there are, and how many charts."""
        documents, charts = (
            self._session.one(self._queries.count_documents),
            self._session.one(self._queries.count_charts),
        )
        return (documents[0] if documents else 0, charts[0] if charts else 0)


class Documents:
    """The documents of a catalog. Every method raises as those of `Catalog` do, `CatalogIncomplete` among them.

    Args:
        engine: the database.
        queries: the statements in its dialect.
        check: tells whether the catalog may be used.
    """

    def __init__(self, engine: Engine, queries: Queries, check: Callable[[Row | None], Row]) -> None:
        self._engine = engine
        self._queries = queries
        self._check = check

    @contextmanager
    def looking(self) -> Iterator[Looking]:
        """Look at the documents, as they are at one moment."""
        with self._engine.reading() as session:
            self._check(session.one(self._queries.catalog))
            yield Looking(session, self._queries)

    @contextmanager
    def making(self) -> Iterator[bool]:
        """Hold the lock of the one who makes documents, if nobody else does, and say whether it is held."""
        with self._engine.attempt(_MAKING) as held:
            yield held

    def due(self, limit: int) -> Due:
        """Return what documents are to be made of next, of at most so many charts."""
        queries, charts = self._queries.documents, list[Changed]()
        finished: dict[str, int] = {}
        with self._engine.reading() as session:
            catalog = self._check(session.one(self._queries.catalog))[0]
            total = session.one(queries.sum_of_revisions)
            for repository, revision, *after in list(session.rows(queries.behind, {"limit": _REPOSITORIES_AT_ONCE})):
                wanted = limit - len(charts)
                if not wanted:
                    break
                values = {"repository": repository, "revision": after[0], "last": after[1], "limit": wanted}
                found = list(session.rows(queries.changed_charts, values))
                charts += [self._changed(session, repository, *row) for row in found]
                if len(found) < wanted:
                    finished[repository] = revision
        return Due(catalog, tuple(charts), finished, total[0] if total else 0)

    def _changed(self, session: Session, repository: str, name: str, revision: int, versions: int) -> Changed:
        chart = {"repository": repository, "name": name}
        newest = None
        if versions:
            newest = session.one(self._queries.newest_so, {**chart, "stable": True})
            newest = newest or session.one(self._queries.newest, chart)
        known = session.one(self._queries.documents.document_of, chart)
        record = to_package(newest) if newest is not None else None
        return Changed(repository, name, revision, record, known[1] if known else None)

    def write(self, due: Due, made: Sequence[tuple[Changed, Document | None]]) -> None:
        """Write documents, and that they are right.

        Args:
            due: what was to be done; what was made for a catalog that was replaced meanwhile is not written.
            made: the first ones of its charts; without a document, what the package says is known.
        """
        with self._engine.noting() as session:
            if self._check(session.one(self._queries.catalog))[0] != due.catalog:
                return
            writing = _Writing(session, self._queries)
            places: dict[str, tuple[int, str]] = {}
            for changed, document in made:
                writing.write(changed, document)
                places[changed.repository] = (changed.revision, changed.name)
            if len(made) == len(due.charts):
                places |= {repository: (revision + 1, "") for repository, revision in due.finished.items()}
            for repository, (revision, name) in places.items():
                place = {"repository": repository, "revision": revision, "name": name}
                session.run(self._queries.documents.put_followed, place)


class _Writing:
    def __init__(self, session: Session, queries: Queries) -> None:
        self._session = session
        self._queries = queries.documents

    def write(self, changed: Changed, document: Document | None) -> None:
        row = self._session.one(self._queries.document_of, {"repository": changed.repository, "name": changed.name})
        if changed.newest is None:
            if row is not None:
                self._drop(row)
        elif document is not None:
            self._put(row, changed.newest, document)
        elif row is not None:
            flags = row[2] & ~SIGNED | (SIGNED if changed.newest.signed else 0)
            values = {"id": row[0], "created": changed.newest.created, "flags": flags}
            self._session.run(self._queries.touch_document, values)

    def _drop(self, row: Row) -> None:
        self._session.run(self._queries.drop_document, {"id": row[0]})
        self._session.run(self._queries.drop_words, {"id": row[0]})
        self._change_terms(row[0], set(row[3].split()), set())

    def _put(self, row: Row | None, newest: PackageRecord, document: Document) -> None:
        words = document.words
        number = row[0] if row is not None else self._next()
        lists = [words.names, words.keywords, words.description]
        texts = [_padded(word for some in lists[: count + 1] for word in some) for count in range(len(lists))]
        hit = document.hit
        values = {
            "id": number,
            "repository": newest.repository,
            "name": newest.name,
            "digest": newest.digest,
            "created": hit.created,
            "flags": _flags(hit),
            "type": hit.type,
            "licence": hit.licence,
            "keywords": "\n".join(hit.keywords),
            "names": texts[0],
            "names_keywords": texts[1],
            "names_keywords_description": texts[2],
            "shown": json.dumps([getattr(hit, field) for field in _SHOWN], ensure_ascii=False),
        }
        self._session.run(self._queries.put_document, values)
        if row is not None:
            self._session.run(self._queries.drop_words, {"id": number})
        everything = " ".join(word for some in words for word in some)
        if everything:  # a name may have neither letters nor digits
            self._session.run(self._queries.put_words, {"id": number, "words": everything})
        before = set(row[3].split()) if row is not None else set()
        self._change_terms(number, before, {*words.names, *words.keywords})

    def _next(self) -> int:
        last = self._session.one(self._queries.last_document)
        return (last[0] if last else 0) + 1

    def _change_terms(self, number: int, before: set[str], after: set[str]) -> None:
        for word in sorted(before - after):
            self._session.run(self._queries.drop_term, {"word": word, "document": number})
            if can_be_mended(word) and self._session.one(self._queries.has_term, {"word": word}) is None:
                self._session.run_many(self._queries.drop_spelling, _spellings(word))
        for word in sorted(after - before):
            if can_be_mended(word) and self._session.one(self._queries.has_term, {"word": word}) is None:
                self._session.run_many(self._queries.put_spelling, _spellings(word))
            self._session.run(self._queries.put_term, {"word": word, "document": number})


def _spellings(word: str) -> list[dict[str, Any]]:
    return [{"shortened": text, "word": word} for text in sorted(shortened(word))]


def _padded(words: Iterable[str]) -> str:
    return f" {' '.join(words)} "


_FLAGS: Final = (
    ("signed", SIGNED),
    ("deprecated", DEPRECATED),
    ("prerelease", PRERELEASE),
    ("images", IMAGES),
    ("crds", CRDS),
    ("operator", OPERATOR),
    ("security", SECURITY),
    ("icon_inside", ICON_INSIDE),
    ("icon_elsewhere", ICON_ELSEWHERE),
)


def _flags(hit: Hit) -> int:
    return sum(flag for name, flag in _FLAGS if getattr(hit, name))


def _to_hit(row: Row) -> Hit:
    try:
        return _read_hit(row)
    except (ValueError, TypeError, AttributeError):
        raise BrokenRow(
            "the catalog holds documents that nobody wrote: it is damaged, and is built anew soon"
        ) from None


def _read_hit(row: Row) -> Hit:
    _, repository, name, created, flags, kind, licence, keywords, shown = row
    version, app_version, description, category, alternative_name = json.loads(shown)
    return Hit(
        repository=repository,
        name=name,
        version=version,
        app_version=app_version,
        description=description,
        keywords=tuple(keywords.split("\n")) if keywords else (),
        type=kind,
        licence=licence,
        category=category,
        alternative_name=alternative_name,
        created=created,
        signed=bool(flags & SIGNED),
        deprecated=bool(flags & DEPRECATED),
        prerelease=bool(flags & PRERELEASE),
        images=bool(flags & IMAGES),
        crds=bool(flags & CRDS),
        operator=bool(flags & OPERATOR),
        security=bool(flags & SECURITY),
        icon_inside=bool(flags & ICON_INSIDE),
        icon_elsewhere=bool(flags & ICON_ELSEWHERE),
    )
