"""The charts that a chart depends on, linked where they are here and may be read."""

from flask import Response, request

from chartrepo.core import weblinks
from chartrepo.core.chart_dependencies import bundled, read_dependencies
from chartrepo.core.permissions import Action
from chartrepo.dependency_places import Bases, find_places
from chartrepo.http.auth import visitor_of
from chartrepo.http.pages.chart_frame import ChartFrame
from chartrepo.http.pages.site import Site

_LOCKS = ("Chart.lock", "requirements.lock")


class DependenciesTab:
    """The page.

    Args:
        frame: around it.
        site: that the page is of.
    """

    def __init__(self, frame: ChartFrame, site: Site) -> None:
        self._frame = frame
        self._site = site

    def view(self, rest: str) -> Response:
        """GET of the dependencies of a chart."""
        opened = self._frame.open(rest)
        contents = opened.contents
        lock = next((path for path in _LOCKS if path in contents.files), None)
        dependencies = read_dependencies(
            opened.metadata.get("dependencies"), contents.data(lock) if lock is not None else None, contents.files
        )
        visitor = visitor_of(request.environ)
        pages = self._site.pages
        places = find_places(
            dependencies,
            home=opened.subject.record.repository,
            bases=Bases(
                tuple({pages.repository_url("").rstrip("/"), f"{pages.origin()}{self._site.links.context}"}),
                (pages.oci_url(""),),
            ),
            browsing=self._site.repositories.catalog.browsing,
            readable=lambda repository, chart: visitor.may(Action.READ, repository, chart),
        )
        used = {each.bundled for each in dependencies}
        return self._frame.render(
            opened,
            "dependencies",
            "tab_dependencies.html",
            dependencies=[
                (each, place, weblinks.checked(each.repository) if not each.repository.startswith("oci:") else None)
                for each, place in zip(dependencies, places, strict=True)
            ],
            missing=contents.missing,
            lock=lock,
            others=[path for path in bundled(contents.files) if path not in used],
        )
