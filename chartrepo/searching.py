"""Finding charts: by words as people type them, by what charts are, and by what the caller may read.

One document a chart is searched, that of the version which Helm installs if none is named. Documents are made in the
background (see `chartrepo.findable`), so that a chart is found about half a second after its publication.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from heapq import nsmallest
from itertools import islice
from typing import Any, Final

from chartrepo.catalog import Catalog
from chartrepo.catalog.documents import CRDS, DEPRECATED, IMAGES, SIGNED, Candidate, Looking
from chartrepo.core.search import Hit, rank, words_of_query

LARGEST_PAGE: Final = 1_000
"""Results that can be asked for at once."""
PAGE: Final = 20
"""Results of a page, unless somebody asks for more or fewer."""

LAST: Final = 10_000
"""Results that can be looked at, page by page; whoever wants more of them says more."""
_MOST_CHOICES: Final = 12
_MOST_MEANT: Final = 6
_COUNTED: Final = 100

Readable = Callable[[str, str], bool]
"""Tells of a repository and a chart whether the caller may read it."""


class Sort(Enum):
    """In which order results come. The value is how an address names it."""

    RELEVANCE = "relevance"
    """The exact name first, then what has all words in its name, its keywords, its description, its README."""
    NAME = "name"
    NEWEST = "newest"
    """What was published last comes first."""


class Deprecated(Enum):
    """What becomes of charts that are deprecated. The value is how an address names it."""

    HIDDEN = "hidden"
    SHOWN = "shown"
    ONLY = "only"


@dataclass(frozen=True, slots=True)
class Query:
    """What somebody looks for.

    Attributes:
        text: as it was typed, whatever it is; an empty one finds everything. The last word may be the beginning of one.
        repositories: charts of any of these, the root repository having an empty name; none for all.
        keywords: charts that have all of these.
        types: charts of any of these types, as `library`; none for all.
        licences: charts with any of these, as the annotation `artifacthub.io/license` has them; none for all.
        signed: whether only charts whose newest version has a provenance file.
        images: whether only charts that say which images they need.
        crds: whether only charts that bring custom resource definitions.
        deprecated: what becomes of deprecated charts.
        sort: the order.
        page: which one, from 1 on.
        size: results of a page, at most `LARGEST_PAGE`.
        exact: whether the words are to be taken as they are, be there typos in them or not.
    """

    text: str = ""
    repositories: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    signed: bool = False
    images: bool = False
    crds: bool = False
    deprecated: Deprecated = Deprecated.HIDDEN
    sort: Sort = Sort.RELEVANCE
    page: int = 1
    size: int = PAGE
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A value that charts can be filtered by, and how many would be found with it."""

    value: str
    count: int


@dataclass(frozen=True, slots=True)
class Facets:
    """How many charts each filter would find, of those that the caller may read.

    A count is of what is found with all other filters as they are. Of each kind the most frequent values are told, and
    those that are chosen.
    """

    repositories: tuple[Choice, ...] = ()
    keywords: tuple[Choice, ...] = ()
    types: tuple[Choice, ...] = ()
    licences: tuple[Choice, ...] = ()
    signed: int = 0
    images: int = 0
    crds: int = 0
    deprecated: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far charts can be found that are there.

    Attributes:
        behind: whether some are still to be taken in.
        indexed: how many can be found; None where the caller may not know, who may not read everything.
        charts: how many there are; None as for `indexed`.
    """

    behind: bool = False
    indexed: int | None = None
    charts: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What was found.

    Attributes:
        hits: those of the page.
        total: how many there are on all pages.
        facets: what else could be chosen.
        searched: the text that was searched for: the one that was asked for, or that without its typos.
        mended: whether it is another one than what was asked for, which nothing that is readable has.
        progress: how far charts can be found at all.
    """

    hits: tuple[Hit, ...]
    total: int
    facets: Facets
    searched: str
    mended: bool
    progress: Progress


class Search:
    """Finds charts. Safe to share between threads.

    Args:
        catalog: in which they are looked for.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def find(self, query: Query, readable: Readable | None) -> Found:
        """Return what is found by a query, and only what its caller may read.

        Nothing of what stands in the text is a mistake: quotes, operators and all other characters part words.

        Args:
            query: what is looked for.
            readable: tells of a repository and a chart whether the caller may read it; None where it may read all.

        Raises:
            CatalogIncomplete: the catalog is being built.
            CatalogUnavailable: it does not answer.
        """
        words = words_of_query(query.text)
        with self._catalog.documents.looking() as looking:
            asking = _Asking(looking, query, readable)
            results = asking.results(words)
            mended = None
            if not results.any_readable and words and not query.exact:
                mended = asking.mended(words)
                if mended is not None:
                    results = asking.results(mended)
            hits = looking.hits(results.ids)
            progress = _progress(looking, everything=readable is None)
        return Found(
            hits=tuple(hits),
            total=results.total,
            facets=results.facets(query),
            searched=" ".join(mended) if mended is not None else query.text,
            mended=mended is not None,
            progress=progress,
        )


def _progress(looking: Looking, *, everything: bool) -> Progress:
    if not looking.is_behind():
        return Progress()
    indexed, charts = looking.counts() if everything else (None, None)
    return Progress(behind=True, indexed=indexed, charts=charts)


class _Asking:
    """A query of a caller, at one moment."""

    def __init__(self, looking: Looking, query: Query, readable: Readable | None) -> None:
        self._looking = looking
        self._query = query
        self._readable = readable
        self._gone = looking.gone()

    def results(self, words: tuple[str, ...]) -> "_Results":
        """Return what is found by words."""
        results = _Results(self._query, words)
        results.take(self._candidates(words))
        return results

    def mended(self, words: tuple[str, ...]) -> tuple[str, ...] | None:
        """Return the words without the typos that nothing is found for; None where that finds nothing either."""
        found: list[str] = []
        for word in words:
            if self._count(word, most=1):
                found.append(word)
                continue
            # What nobody may know of is no word that could be meant.
            counted = [(self._count(other), other) for other in self._looking.spelled(word)[:_MOST_MEANT]]
            most, meant = max(counted, key=lambda each: each[0], default=(0, ""))
            if not most:
                return None
            found.append(meant)
        mended = tuple(dict.fromkeys(found))
        return mended if mended != words and any(True for _ in self._candidates(mended)) else None

    def _count(self, word: str, most: int = _COUNTED) -> int:
        return sum(1 for _ in islice(self._candidates((word,)), most))

    def _candidates(self, words: tuple[str, ...]) -> Iterator[Candidate]:
        """Give what has the words, is there, and may be read."""
        gone, readable = self._gone, self._readable
        for candidate in map(Candidate._make, self._looking.candidates(words)):
            chart = (candidate.repository, candidate.name)
            if chart not in gone and (readable is None or readable(*chart)):
                yield candidate


_REPOSITORY: Final = 1
_TYPE: Final = 2
_LICENCE: Final = 4
_OTHER: Final = 8
_DEPRECATION: Final = 16


class _Results:
    """What meets a query, counted by what it is. It keeps only what the page shows.

    A filter's counts are of what all other filters let through. So a chart that fails one filter still counts for that.
    """

    def __init__(self, query: Query, words: tuple[str, ...]) -> None:
        self._query = query
        self._words = words
        self._repositories = frozenset(query.repositories)
        self._types = frozenset(query.types)
        self._licences = frozenset(query.licences)
        self._keywords = [f"\n{keyword.casefold()}\n" for keyword in query.keywords]
        self._needed = (SIGNED if query.signed else 0) | (IMAGES if query.images else 0) | (CRDS if query.crds else 0)
        self._in: dict[int, Counter[str]] = {_REPOSITORY: Counter(), _TYPE: Counter(), _LICENCE: Counter()}
        self._of_keywords: Counter[str] = Counter()
        self._of_flags: Counter[int] = Counter()
        self._deprecated = 0
        self.any_readable = False
        self.total = 0
        self.ids: list[int] = []

    def take(self, candidates: Iterator[Candidate]) -> None:
        """Take in all candidates, and keep the numbers of those on the page."""
        most = self._query.page * self._query.size
        first = self._query.size * (self._query.page - 1)
        if first >= LAST:
            most = first = 0
        order = _ORDERS[self._query.sort] if self._words or self._query.sort is not Sort.RELEVANCE else _by_name
        keys = (order(candidate, self._words) for candidate in self._counted(candidates))
        if most:
            self.ids = [key[-1] for key in nsmallest(min(most, LAST), keys)[first:]]
        else:
            for _ in keys:
                pass

    def _counted(self, candidates: Iterator[Candidate]) -> Iterator[Candidate]:
        """Count all candidates, and give those that all filters let through."""
        repositories, types, licences = self._in[_REPOSITORY], self._in[_TYPE], self._in[_LICENCE]
        for candidate in candidates:
            self.any_readable = True
            fails = self._fails(candidate)
            if fails & ~_REPOSITORY == 0:
                repositories[candidate.repository] += 1
            if fails & ~_TYPE == 0:
                types[candidate.type] += 1
            if fails & ~_LICENCE == 0:
                licences[candidate.licence] += 1
            if fails & ~_DEPRECATION == 0 and candidate.flags & DEPRECATED:
                self._deprecated += 1
            if fails:
                continue
            self.total += 1
            self._of_keywords[candidate.keywords] += 1
            self._of_flags[candidate.flags] += 1
            yield candidate

    def _fails(self, candidate: Candidate) -> int:
        """Return which filters do not let a candidate through."""
        fails = 0
        if self._repositories and candidate.repository not in self._repositories:
            fails |= _REPOSITORY
        if self._types and candidate.type not in self._types:
            fails |= _TYPE
        if self._licences and candidate.licence not in self._licences:
            fails |= _LICENCE
        if candidate.flags & self._needed != self._needed:
            fails |= _OTHER
        if self._keywords:
            lines = f"\n{candidate.keywords}\n"
            if not all(keyword in lines for keyword in self._keywords):
                fails |= _OTHER
        deprecated = bool(candidate.flags & DEPRECATED)
        if (deprecated and self._query.deprecated is Deprecated.HIDDEN) or (
            not deprecated and self._query.deprecated is Deprecated.ONLY
        ):
            fails |= _DEPRECATION
        return fails

    def facets(self, query: Query) -> Facets:
        """Return what was counted."""
        keywords: Counter[str] = Counter()
        for lines, count in self._of_keywords.items():
            for keyword in lines.split("\n") if lines else ():
                keywords[keyword] += count
        return Facets(
            repositories=_choices(self._in[_REPOSITORY], query.repositories),
            keywords=_choices(keywords, tuple(keyword.casefold() for keyword in query.keywords)),
            types=_choices(self._in[_TYPE], query.types),
            licences=_choices(self._in[_LICENCE] - Counter({"": self._in[_LICENCE][""]}), query.licences),
            signed=self._with(SIGNED),
            images=self._with(IMAGES),
            crds=self._with(CRDS),
            deprecated=self._deprecated,
        )

    def _with(self, flag: int) -> int:
        return sum(count for flags, count in self._of_flags.items() if flags & flag)


def _choices(counts: Counter[str], chosen: tuple[str, ...]) -> tuple[Choice, ...]:
    """Return the most frequent values, those that are chosen first."""
    others = sorted((value for value in counts if value not in chosen), key=lambda value: (-counts[value], value))
    first = [Choice(value, counts[value]) for value in dict.fromkeys(chosen)]
    return (*first, *(Choice(value, counts[value]) for value in others[: max(_MOST_CHOICES - len(first), 0)]))


_Key = tuple[Any, ...]
"""By which candidates are sorted; the last of it is the number of the document."""


def _by_relevance(candidate: Candidate, words: tuple[str, ...]) -> _Key:
    texts = (candidate.names, candidate.names_keywords, candidate.names_keywords_description)
    return (*rank(words, texts), candidate.name, candidate.repository, candidate.id)


def _by_name(candidate: Candidate, _: tuple[str, ...]) -> _Key:
    return (candidate.name, candidate.repository, candidate.id)


def _by_time(candidate: Candidate, _: tuple[str, ...]) -> _Key:
    return (-candidate.created, candidate.name, candidate.repository, candidate.id)


_ORDERS: Final = {Sort.RELEVANCE: _by_relevance, Sort.NAME: _by_name, Sort.NEWEST: _by_time}
