"""`GET /api/search`: charts across all repositories, as JSON."""

from typing import Any

from flask import Flask, Response, request

from chartrepo.core.index import timestamp
from chartrepo.core.permissions import Action
from chartrepo.core.search import Hit
from chartrepo.http.answers import json_answer
from chartrepo.http.api import respond
from chartrepo.http.auth import visitor_of
from chartrepo.http.pages.links import Links
from chartrepo.http.searches import query_of_request, readable_by_caller
from chartrepo.searching import Choice, Facets, Found, Query, Search

_PRIVATE = [("Cache-Control", "private, no-cache"), ("Vary", "Cookie, Authorization")]


class SearchApi:
    """The view. Errors are raised; the application turns them into answers.

    Args:
        search: finds charts.
        links: builds the addresses of their pages.
    """

    def __init__(self, search: Search, links: Links) -> None:
        self._search = search
        self._links = links

    def register(self, app: Flask) -> None:
        """Add the route to an application; more than a fixed path is ChartMuseum's."""
        app.add_url_rule("/api/search", "search_charts", self.find, methods=["GET"])

    def find(self) -> Response:
        """GET of the charts that a query finds."""
        visitor_of(request.environ).require_somewhere(Action.READ)
        query = query_of_request(sized=True)
        return respond(json_answer(200, self._as_json(query, self._search.find(query, readable_by_caller())), _PRIVATE))

    def _as_json(self, query: Query, found: Found) -> dict[str, Any]:
        progress = found.progress
        return {
            "query": query.text,
            "searched": found.searched,
            "mended": found.mended,
            "total": found.total,
            "page": query.page,
            "size": query.size,
            "charts": [self._chart(hit) for hit in found.hits],
            "facets": _facets(found.facets),
            "indexing": {"behind": progress.behind, "indexed": progress.indexed, "charts": progress.charts},
        }

    def _chart(self, hit: Hit) -> dict[str, Any]:
        return {
            "repository": hit.repository,
            "name": hit.name,
            "version": hit.version,
            "app_version": hit.app_version,
            "description": hit.description,
            "keywords": list(hit.keywords),
            "type": hit.type,
            "license": hit.licence,
            "category": hit.category,
            "alternative_name": hit.alternative_name,
            "created": timestamp(hit.created),
            "signed": hit.signed,
            "deprecated": hit.deprecated,
            "prerelease": hit.prerelease,
            "images": hit.images,
            "crds": hit.crds,
            "operator": hit.operator,
            "security_updates": hit.security,
            "page": self._links.chart(hit.repository, hit.name),
        }


def _facets(facets: Facets) -> dict[str, Any]:
    def told(choices: tuple[Choice, ...]) -> list[dict[str, Any]]:
        return [{"value": choice.value, "count": choice.count} for choice in choices]

    return {
        "repository": told(facets.repositories),
        "keyword": told(facets.keywords),
        "type": told(facets.types),
        "license": told(facets.licences),
        "signed": facets.signed,
        "images": facets.images,
        "crds": facets.crds,
        "deprecated": facets.deprecated,
    }
