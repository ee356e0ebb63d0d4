"""Artifact Hub's search, as `helm search hub --endpoint` asks it.

The shape is that of Monocular's API, which Artifact Hub keeps for Helm (https://artifacthub.io/docs/api/, and Helm's
internal/monocular). Helm takes any other shape for no result at all. It asks once, for everything, and prints every
chart under the address in `packageUrl`.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Final, NamedTuple

from flask import Flask, Response, request

from chartrepo.core.index import timestamp
from chartrepo.core.made_manifests import metadata_of
from chartrepo.core.permissions import Action
from chartrepo.http.auth import visitor_of
from chartrepo.http.pages.site import Site
from chartrepo.http.searches import readable_by_caller
from chartrepo.searching import LARGEST_PAGE, Deprecated, Query, Readable, Search

PATH: Final = "/api/chartsvc/v1/charts/search"
_LONGEST_DESCRIPTION: Final = 1_000
_AT_ONCE: Final = 100
"""Charts in a piece of the answer."""


class _Chart(NamedTuple):
    """What is told of a chart."""

    repository: str
    name: str
    version: str
    app_version: str
    description: str
    created: int


class HubSearch:
    """The view of Artifact Hub's search.

    Args:
        site: knows the charts, and the addresses of their pages.
        search: finds them.
    """

    def __init__(self, site: Site, search: Search) -> None:
        self._pages = site.pages
        self._links = site.links
        self._catalog = site.repositories.catalog
        self._search = search

    def register(self, app: Flask) -> None:
        """Add the route to an application."""
        app.add_url_rule(PATH, "search_hub", self.view, methods=["GET"])

    def view(self) -> Response:
        """GET of the charts that have some words; of all that the caller may read, without any."""
        visitor_of(request.environ).require_somewhere(Action.READ)
        words = request.args.get("q", "").strip()
        charts = (self._found if words else self._all)(words, readable_by_caller())
        base, origin = self._pages.base_url(), self._pages.origin()  # while there is a request to tell them
        pieces = _pieces(json.dumps(self._told(each, base, origin)) for each in charts)
        # Of the first piece it is known whether it can be had, before a status is sent.
        begun = list(islice(pieces, 1))
        headers = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}
        return Response(chain(begun, pieces), headers=headers, content_type="application/json; charset=utf-8")

    def _all(self, _words: str, readable: Readable | None) -> Iterator[_Chart]:
        for record in self._catalog.browsing.newest_of_all(readable):
            metadata = metadata_of(record.entry_json)
            yield _Chart(
                record.repository,
                record.name,
                record.version,
                str(metadata.get("appVersion") or ""),
                str(metadata.get("description") or ""),
                record.created,
            )

    def _found(self, words: str, readable: Readable | None) -> Iterator[_Chart]:
        query = Query(text=words, deprecated=Deprecated.SHOWN, size=LARGEST_PAGE)
        for hit in self._search.find(query, readable).hits:
            yield _Chart(hit.repository, hit.name, hit.version, hit.app_version, hit.description, hit.created)

    def _told(self, chart: _Chart, base: str, origin: str) -> dict[str, object]:
        where = f"{chart.repository}/" if chart.repository else ""
        return {
            "id": f"{where}{chart.name}",
            "type": "chart",
            "artifactHub": {"packageUrl": f"{origin}{self._links.chart(chart.repository, chart.name)}"},
            "attributes": {
                "name": chart.name,
                "description": chart.description[:_LONGEST_DESCRIPTION],
                "repo": {"name": chart.repository, "url": "/".join(filter(None, (base, chart.repository)))},
            },
            "relationships": {
                "latestChartVersion": {
                    "data": {
                        "version": chart.version,
                        "app_version": chart.app_version,
                        "created": timestamp(chart.created),
                    }
                }
            },
        }


def _pieces(told: Iterable[str]) -> Iterator[bytes]:
    """Give the answer in pieces, so that no long one is in memory."""
    told = iter(told)
    text = '{"data":['
    while some := list(islice(told, _AT_ONCE)):
        yield f"{text}{','.join(some)}".encode()
        text = ","
    yield f"{text if text != ',' else ''}]}}\n".encode()
