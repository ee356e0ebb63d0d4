"""The page on which charts are looked for."""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from flask import Flask, Response, request

from chartrepo.http.auth import visitor_of
from chartrepo.http.pages.links import UI
from chartrepo.http.pages.site import Site
from chartrepo.http.searches import pairs_of, query_of_request, readable_by_caller
from chartrepo.searching import LAST, Choice, Deprecated, Found, Query, Search, Sort
from chartrepo.wording import counted

_SORTS: Final = ((Sort.RELEVANCE, "Relevance"), (Sort.NAME, "Name"), (Sort.NEWEST, "Newest first"))


@dataclass(frozen=True, slots=True)
class Box:
    """A filter that can be ticked.

    Attributes:
        name: of the parameter.
        value: of the parameter.
        title: what is written beside it.
        count: how many charts are found with it.
        checked: whether it is ticked.
    """

    name: str
    value: str
    title: str
    count: int
    checked: bool


class Group(NamedTuple):
    """Filters of one kind, under a title."""

    title: str
    boxes: tuple[Box, ...]


class SearchPage:
    """Shows what is found.

    Args:
        site: that the page is of.
        search: finds charts.
    """

    def __init__(self, site: Site, search: Search) -> None:
        self._site = site
        self._search = search

    def register(self, app: Flask) -> None:
        """Add the route to an application."""
        app.add_url_rule(f"{UI}/search", "search", self.view, methods=["GET"])

    def view(self) -> Response:
        """GET of the page."""
        visitor = visitor_of(request.environ)
        query = query_of_request()
        found = self._search.find(query, readable_by_caller())
        pages = -(-min(found.total, LAST) // query.size)
        return self._site.pages.render(
            "search.html",
            query=query,
            found=found,
            said=said(found),
            groups=_groups(query, found),
            sorts=[(sort.value, title, sort is query.sort) for sort, title in _SORTS],
            filtered=_without_filters(query) != replace(query, page=1, size=Query().size),
            reads=visitor.reads_somewhere,
            pages=pages,
            hidden=found.facets.deprecated if query.deprecated is Deprecated.HIDDEN else 0,
            here=lambda **changes: self._link(replace(query, **changes)),
            unfiltered=self._link(_without_filters(query)),
            with_deprecated=self._link(replace(query, deprecated=Deprecated.SHOWN, page=1)),
            as_typed=self._link(replace(query, exact=True, page=1)),
            may_publish=visitor.publishes_somewhere,
        )

    def _link(self, query: Query) -> str:
        return self._site.links.search(pairs_of(query))


def said(found: Found) -> str:
    """Return how many charts were found, in words."""
    return counted(found.total, "chart") if found.total else "No charts"


def _without_filters(query: Query) -> Query:
    return Query(text=query.text, sort=query.sort, exact=query.exact)


def _groups(query: Query, found: Found) -> list[Group]:
    facets = found.facets
    groups = [
        _group("Repository", "repository", facets.repositories, query.repositories),
        _group("Keyword", "keyword", facets.keywords, tuple(keyword.casefold() for keyword in query.keywords)),
        _group("Type", "type", facets.types, query.types),
        _group("Licence", "license", facets.licences, query.licences),
        Group(
            "Only charts that",
            (
                Box("signed", "1", "are signed", facets.signed, query.signed),
                Box("images", "1", "say which images they need", facets.images, query.images),
                Box("crds", "1", "bring CRDs", facets.crds, query.crds),
            ),
        ),
        Group(
            "Deprecated",
            (
                Box(
                    "deprecated",
                    Deprecated.SHOWN.value,
                    "show deprecated charts too",
                    facets.deprecated,
                    query.deprecated is not Deprecated.HIDDEN,
                ),
            ),
        ),
    ]
    return [group for group in groups if any(box.count or box.checked for box in group.boxes)]


def _group(title: str, name: str, choices: tuple[Choice, ...], chosen: tuple[str, ...]) -> Group:
    boxes = (
        Box(name, choice.value, choice.value or "root repository", choice.count, choice.value in chosen)
        for choice in choices
    )
    return Group(title, tuple(boxes))
