"""The page that asks before a version, or a whole chart, is deleted: with the name typed, and with what goes."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, NamedTuple

from flask import Flask, Response, request

from chartrepo.catalog import PackageRecord, Withheld
from chartrepo.core.errors import ChartNotFound, VersionNotFound
from chartrepo.core.permissions import Action
from chartrepo.http.auditing import REASON
from chartrepo.http.auth import visitor_of
from chartrepo.http.deleting import Deleting
from chartrepo.http.pages.links import UI, ChartPath, chart_path
from chartrepo.http.pages.notices import DELETED
from chartrepo.http.pages.site import Site

SHOWN: Final = 50
"""Versions of a chart that are named."""


class Doomed(NamedTuple):
    """What would go.

    Attributes:
        path: that names it.
        package: the version, which readers may not see for want of provenance; None for a whole chart.
        versions: some of those of a whole chart, the newest first.
        total: how many there are.
    """

    path: ChartPath
    package: PackageRecord | Withheld | None
    versions: list[PackageRecord]
    total: int


@dataclass(frozen=True, slots=True)
class DeletePages:
    """Views of `/ui/delete/REPO/CHART@VERSION`, and of `/ui/delete/REPO/CHART` for a whole chart.

    Attributes:
        site: that they are of.
        deleting: does it.
    """

    site: Site
    deleting: Deleting

    def register(self, app: Flask) -> None:
        """Add the routes to an application, and have its templates know `may_delete(repository, chart)`."""
        app.add_url_rule(f"{UI}/delete/<path:rest>", "ui_ask_delete", self.ask, methods=["GET"])
        app.add_url_rule(f"{UI}/delete/<path:rest>", "ui_delete", self.delete, methods=["POST"])
        app.jinja_env.globals["may_delete"] = self.deleting.may

    def ask(self, rest: str) -> Response:
        """GET of what would go, and of the form that deletes it."""
        return self._page(self._find(rest))

    def delete(self, rest: str) -> Response:
        """POST that deletes, where the field `confirm` has the name of the chart."""
        doomed = self._find(rest)
        path = doomed.path
        if request.form.get("confirm", "").strip() != path.chart:
            problem = "The name that you typed is not that of the chart, so that nothing was deleted."
            request.environ[REASON] = problem
            return self._page(doomed, problem)
        if path.version is not None:
            self.deleting.version(path.repository, path.chart, path.version)
        else:
            self.deleting.chart(path.repository, path.chart)
        left = self.site.repositories.catalog.browsing.count(path.repository, path.chart)
        links = self.site.links
        readable = left and visitor_of(request.environ).may(Action.READ, path.repository, path.chart)
        to = (
            links.chart(path.repository, path.chart, tab="versions", done=DELETED)
            if readable
            else links.repository(path.repository, done=DELETED)
        )
        return self.site.moved(to)

    def _find(self, rest: str) -> Doomed:
        """Return what an address names, if the caller may delete it.

        Raises:
            NoSuchPath, Unauthorized, Forbidden: it may not, or nobody may.
            ChartNotFound, VersionNotFound: there is none.
        """
        paths = chart_path(rest)
        visitor = visitor_of(request.environ)
        allowed = [path for path in paths if visitor.may(Action.DELETE, path.repository, path.chart)]
        for path in allowed or paths[:1]:
            self.deleting.check(path.repository, path.chart)
            found = self._doomed(path)
            if found is not None:
                return found
        path = paths[0]
        if path.version is not None:
            raise VersionNotFound(f"{path.chart} has no version {path.version} (any more)")
        raise ChartNotFound(f"there is no chart {path.chart!r} here (any more)")

    def _doomed(self, path: ChartPath) -> Doomed | None:
        catalog = self.site.repositories.catalog
        withheld = catalog.withheld(path.repository, path.chart)
        if path.version is not None:
            served = catalog.browsing.version(path.repository, path.chart, path.version)
            waiting = next((each for each in withheld if each.version == path.version), None)
            package = served or waiting
            return Doomed(path, package, [], 1) if package is not None else None
        count = catalog.browsing.count(path.repository, path.chart) + len(withheld)
        versions = catalog.browsing.versions(path.repository, path.chart, limit=SHOWN)
        return Doomed(path, None, versions, count) if count else None

    def _page(self, doomed: Doomed, problem: str = "") -> Response:
        path = doomed.path
        immutable = self.site.repositories.policing.immutable(path.repository, path.chart)
        return self.site.pages.render(
            "delete.html",
            status=HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK,
            path=path,
            package=doomed.package,
            versions=doomed.versions,
            count=doomed.total,
            here=self.site.links.chart(path.repository, path.chart, path.version, tab="delete"),
            readable=visitor_of(request.environ).may(Action.READ, path.repository, path.chart),
            immutable=immutable.by if immutable is not None else "",
            problem=problem,
        )
