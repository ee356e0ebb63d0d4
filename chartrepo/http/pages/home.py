"""The first page: a search field, what was published last, and what to do where there is nothing yet."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from flask import Flask, Response, request

from chartrepo.access import Directory
from chartrepo.catalog import PackageRecord
from chartrepo.core.installing import ASKS
from chartrepo.core.made_manifests import metadata_of
from chartrepo.core.permissions import Action, Extent
from chartrepo.core.search import Hit
from chartrepo.http.auth import Visitor, visitor_of
from chartrepo.http.pages.commands import commands
from chartrepo.http.pages.links import UI
from chartrepo.http.pages.site import Site
from chartrepo.http.searches import readable_by_caller
from chartrepo.searching import Query, Search, Sort

_RECENT: Final = 10
_LOOKED_AT: Final = 40
"""Versions that are looked at for so many charts: of some, several were published together."""
_REPOSITORIES: Final = 24
_CHARTS_LOOKED_AT: Final = 500
_FIRST_CHART: Final = "hello"
_SOME_REPOSITORY: Final = "your-repository"
"""In commands of who may publish somewhere, and not into the root."""


class Recent(NamedTuple):
    """A chart of which a version was published lately; fields as in `PackageRecord`, and what its metadata says."""

    repository: str
    name: str
    version: str
    created: int
    description: str
    icon: str


class HomePage:
    """Shows the first page.

    Args:
        site: that the page is of.
        search: finds charts.
        directory: knows what needs a credential.
        has_credentials: tells whether anybody can be known to this server.
    """

    def __init__(
        self, site: Site, search: Search, directory: Directory, *, has_credentials: Callable[[], bool]
    ) -> None:
        self._site = site
        self._search = search
        self._directory = directory
        self._browsing = site.repositories.catalog.browsing
        self._has_credentials = has_credentials

    def register(self, app: Flask) -> None:
        """Add the route to an application."""
        app.add_url_rule(f"{UI}/", "home", self.view, methods=["GET"])

    def view(self) -> Response:
        """GET of the page."""
        visitor = visitor_of(request.environ)
        recent = self._recent()
        repositories = list(islice(self._repositories(visitor), _REPOSITORIES + 1))
        pages = self._site.pages
        root = not visitor.publishes_somewhere or visitor.extent(Action.PUBLISH, "") is not Extent.NONE
        first = "" if root else _SOME_REPOSITORY
        return pages.render(
            "home.html",
            recent=recent,
            repositories=repositories[:_REPOSITORIES],
            more_repositories=len(repositories) > _REPOSITORIES,
            reads=visitor.reads_somewhere,
            publishes=visitor.publishes_somewhere,
            known=visitor.is_known,
            has_credentials=self._has_credentials(),
            chart=_FIRST_CHART,
            some_repository=first,
            commands=commands(
                pages,
                self._directory,
                first,
                package=f"{_FIRST_CHART}-0.1.0.tgz",
                anybody_publishes=not visitor.is_known and visitor.publishes_somewhere,
            ),
            asks=ASKS,
        )

    def _recent(self) -> list[Recent]:
        """Return the charts of which the caller may read what was published last."""
        readable = readable_by_caller()
        found = [_of_record(record) for record in self._browsing.latest(_LOOKED_AT, readable=readable)]
        if readable is not None and len(found) < _RECENT:
            # Of so much nearly nothing may be read: what may be is looked for.
            found += map(_of_hit, self._search.find(Query(sort=Sort.NEWEST, size=_RECENT), readable).hits)
        charts = {(each.repository, each.name): each for each in reversed(found)}
        return sorted(charts.values(), key=lambda each: (-each.created, each.repository, each.name))[:_RECENT]

    def _repositories(self, visitor: Visitor) -> Iterator[str]:
        """Give the names of repositories that hold something which may be read."""
        for name in self._browsing.names_of_repositories():
            if visitor.reads_everything or visitor.reads_all(name, None):
                yield name
            elif visitor.reads_somewhere:
                charts = islice(self._browsing.charts(name, None), _CHARTS_LOOKED_AT)
                if any(visitor.may(Action.READ, name, chart.name) for chart in charts):
                    yield name


def _of_record(record: PackageRecord) -> Recent:
    metadata = metadata_of(record.entry_json)
    said = (metadata.get("description", ""), metadata.get("icon", ""))
    return Recent(record.repository, record.name, record.version, record.created, *said)


def _of_hit(hit: Hit) -> Recent:
    return Recent(hit.repository, hit.name, hit.version, hit.created, hit.description, "")
