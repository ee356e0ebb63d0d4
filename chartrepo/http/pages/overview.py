"""The first tab of a chart: what it is, how it is installed, its README, and all that is known of the version."""

from typing import Final

from flask import Flask, Response, request
from markupsafe import Markup

from chartrepo.access import Directory
from chartrepo.catalog import PackageRecord
from chartrepo.core import oci
from chartrepo.core.installing import Goal, ways
from chartrepo.core.permissions import ANONYMOUS, Action
from chartrepo.http.auth import visitor_of
from chartrepo.http.pages.chart_facts import facts_of, keyed
from chartrepo.http.pages.chart_frame import ChartFrame, Opened
from chartrepo.http.pages.links import UI
from chartrepo.http.pages.raw import RawFiles
from chartrepo.http.pages.site import Site
from chartrepo.http.published_by import publisher_of
from chartrepo.markup.readme import Places, Readme, ReadmeCache
from chartrepo.publishers import Publishers

_NEWEST: Final = 10
"""Versions that are listed."""
_NAMES_OF_READMES: Final = ("README.md", "README.markdown", "README.txt", "README")


class OverviewTab:
    """The page, and the pictures in its README.

    Args:
        site: that it is of.
        directory: knows what needs a credential.
        publishers: know who published what.
    """

    def __init__(self, site: Site, directory: Directory, publishers: Publishers) -> None:
        self._frame = ChartFrame(site)
        self._site = site
        self._directory = directory
        self._publishers = publishers
        self._readmes = ReadmeCache()

    def register(self, app: Flask) -> None:
        """Add the routes to an application."""
        app.add_url_rule(f"{UI}/charts/<path:rest>", "ui_charts", self.view, methods=["GET"])
        RawFiles(self._frame).register(app)

    def view(self, rest: str) -> Response:
        """GET of what a chart is."""
        opened = self._frame.open(rest)
        record = opened.subject.record
        readme = self._readme(opened)
        browsing = self._site.repositories.catalog.browsing
        return self._frame.render(
            opened,
            "charts",
            "chart.html",
            ways=ways(self._goal(opened)),
            missing=opened.contents.missing,
            readme=readme,
            readme_html=Markup(readme.html) if readme is not None else None,  # noqa: S704 - it was cleaned
            facts=facts_of(opened.metadata),
            keyed=keyed(self._site.repositories.policing, record),
            publisher=publisher_of(visitor_of(request.environ), self._publishers, record),
            others=browsing.versions(record.repository, record.name, limit=_NEWEST),
            before=browsing.before(record),
        )

    def _readme(self, opened: Opened) -> Readme | None:
        """Return the README; None where there is none, or it is too large to be held."""
        path = opened.contents.find(*_NAMES_OF_READMES)
        text = opened.contents.text(path) if path is not None else None
        if path is None or text is None:
            return None
        record, links = opened.subject.record, self._site.links
        where = (record.repository, record.name, record.version)
        places = Places(
            path,
            opened.contents.files.keys(),
            lambda file: links.chart(*where, tab="files", path=file),
            lambda file: links.chart(*where, tab="raw", path=file),
        )
        return self._readmes.get((record.digest, *where), text, places)

    def _goal(self, opened: Opened) -> Goal:
        record, pages = opened.subject.record, self._site.pages
        kind, _, name = visitor_of(request.environ).caller.name.partition(":")
        return Goal(
            repository=record.repository,
            repository_url=pages.repository_url(record.repository),
            oci_url=pages.oci_url(record.repository, record.name) if _has_oci(record) else "",
            chart=record.name,
            version=record.version,
            library=opened.metadata.get("type") == "library",
            user=name if kind == "user" else "",
            log_in=not self._directory.rights(ANONYMOUS).may(Action.READ, record.repository, record.name),
            plain_http=pages.origin().startswith("http://"),
        )


def _has_oci(record: PackageRecord) -> bool:
    return oci.has_name(record.repository, record.name) and oci.tag_of(record.version) is not None
