"""What operators and load balancers ask: health, readiness, version, metrics, and a word of welcome."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import Final

from flask import Flask, Response, request

from chartrepo.catalog import Catalog
from chartrepo.core.errors import CatalogIncomplete, CatalogUnavailable
from chartrepo.core.permissions import Action
from chartrepo.http.addresses import Addresses
from chartrepo.http.answers import json_answer
from chartrepo.http.api import respond
from chartrepo.http.auth import Visitor
from chartrepo.http.errors import NoSuchPath, tell
from chartrepo.metrics import Metrics, RepositoryFigures, Unmeasured
from chartrepo.version import __version__

OPEN: Final = frozenset({"health", "readyz", "info"})
"""Endpoints that need no credential: they name no chart. `Front` answers `/livez` itself."""
NEEDS: Final[dict[str, Callable[[Visitor], None]]] = {
    "welcome": lambda visitor: visitor.require_somewhere(Action.READ),
    "artifacthub": lambda visitor: visitor.require_somewhere(Action.READ),
    "metrics": lambda visitor: visitor.require_everywhere(Action.READ),
}
"""What the others ask of a visitor. `/metrics` names all repositories, so that it is for whoever may read all."""

_WELCOME: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>chartrepo</title>
<h1>A Helm chart repository</h1>
<p>It is served by chartrepo {version}. To use it:</p>
<pre>helm repo add my-charts {url}
helm search repo my-charts</pre>
"""


class Ops:
    """Views outside of the API.

    Args:
        catalog: asked whether it is complete, and for the figures of the metrics.
        metrics: what a scrape is answered from; None, or `Unmeasured`, for no such path.
        public_url: the address this server is known under; empty for the one it is asked under.
        context_path: what stands behind that one.
        artifacthub_id: as Artifact Hub gave it; empty for no such file.
        files: tells which of the files about access and policies can be used.
        addresses: tell by which address a caller reached this server.
    """

    def __init__(
        self,
        catalog: Catalog,
        metrics: Unmeasured | None,
        *,
        public_url: str = "",
        context_path: str = "",
        artifacthub_id: str = "",
        files: Callable[[], Mapping[str, bool]] = dict,
        addresses: Addresses | None = None,
    ) -> None:
        self._catalog = catalog
        self._metrics = metrics
        self._public_url = public_url
        self._context_path = context_path
        self._artifacthub_id = artifacthub_id
        self._files = files
        self._addresses = addresses or Addresses()

    def register(self, app: Flask) -> None:
        """Add the routes to an application."""
        for path, view in (
            ("/", self.welcome),
            ("/health", self.health),
            ("/info", self.info),
            ("/readyz", self.readyz),
            ("/metrics", self.metrics),
            ("/artifacthub-repo.yml", self.artifacthub),
        ):
            app.add_url_rule(path, view.__name__, view, methods=["GET"])

    def welcome(self) -> Response:
        """Say what this is, and how it is used."""
        reached = self._addresses.origin(request.environ) or f"{request.scheme}://<address of this server>"
        url = self._public_url or f"{reached}{self._context_path}"
        text = _WELCOME.format(version=escape(__version__), url=escape(url))
        return Response(text, headers={"Content-Security-Policy": "default-src 'none'"}, mimetype="text/html")

    def health(self) -> Response:
        """Answer as ChartMuseum does while it runs."""
        return respond(json_answer(200, {"healthy": True}))

    def info(self) -> Response:
        """Tell the version."""
        return respond(json_answer(200, {"version": __version__}))

    def readyz(self) -> Response:
        """Answer 200 once the catalog is complete, 503 while it is built or cannot be reached."""
        try:
            self._catalog.mark("")
        except (CatalogIncomplete, CatalogUnavailable) as error:
            tell(error)
            return Response(f"{error}\n", status=503, headers={"Retry-After": "2"}, mimetype="text/plain")
        return Response("ok\n", mimetype="text/plain")

    def metrics(self) -> Response:
        """Answer a scrape."""
        if not isinstance(self._metrics, Metrics):
            raise NoSuchPath
        content_type, data = self._metrics.render(self._figures, self._files)
        return Response(data, content_type=content_type)

    def _figures(self) -> Iterator[RepositoryFigures]:
        aside: Counter[str] = Counter()
        hidden: Counter[str] = Counter()
        for each in self._catalog.set_aside():
            (hidden if each.policies else aside)[each.repository] += 1
        for status in self._catalog.repositories():
            name = status.name
            yield RepositoryFigures(name, status.charts, status.versions, status.size, aside[name], hidden[name])

    def artifacthub(self) -> Response:
        """Answer the file by which Artifact Hub knows whose repository this is."""
        if not self._artifacthub_id:
            raise NoSuchPath
        return Response(f'repositoryID: "{self._artifacthub_id}"\n', mimetype="application/x-yaml")
