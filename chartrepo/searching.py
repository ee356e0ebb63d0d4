"""Finding charts: by words as people type them, by what charts are, and by what the caller may read.

One document a chart is searched, that of the version which Helm installs if none is named. Documents are made in the
background (see `chartrepo.findable`), so that a chart is found about half a second after its publication.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from chartrepo.catalog import Catalog

LARGEST_PAGE: Final = 1_000
"""Results that can be asked for at once."""
PAGE: Final = 20
"""Results of a page, unless somebody asks for more or fewer."""

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
class Hit:
    """A chart that was found, as its newest version is. Texts are empty where the chart says nothing.

    Attributes:
        repository: its name, empty for the root repository.
        name: the chart's.
        version: the one that Helm installs if none is named.
        app_version: of what it installs.
        description: at most some hundred characters of it.
        keywords: at most some dozen.
        type: `application` or `library`.
        licence: of the annotation `artifacthub.io/license`.
        category: of `artifacthub.io/category`.
        alternative_name: of `artifacthub.io/alternativeName`.
        created: when that version was published, in seconds since the epoch.
        signed: whether it has a provenance file that counts.
        deprecated: whether the chart is.
        prerelease: whether the version is one, or `artifacthub.io/prerelease` says so.
        images: whether it says which images it needs.
        crds: whether it brings custom resource definitions.
        operator: whether `artifacthub.io/operator` says that it is one.
        security: whether `artifacthub.io/containsSecurityUpdates` says that it has some.
    """

    repository: str
    name: str
    version: str
    app_version: str
    description: str
    keywords: tuple[str, ...]
    type: str
    licence: str
    category: str
    alternative_name: str
    created: int
    signed: bool
    deprecated: bool
    prerelease: bool
    images: bool
    crds: bool
    operator: bool
    security: bool


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
        raise NotImplementedError
