"""All pages, put together."""

from dataclasses import dataclass
from typing import Final

from flask import Flask, Response, request

from chartrepo.contents import ContentsCache
from chartrepo.core.errors import InvalidName
from chartrepo.core.names import check_repository
from chartrepo.http.pages.assets import Assets
from chartrepo.http.pages.errors import ErrorPages, names_html
from chartrepo.http.pages.links import UI, Links
from chartrepo.http.pages.rendering import Pages
from chartrepo.repository import Repositories

_MOVED: Final = {"Vary": "Accept", "Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Site:
    """What pages are made of.

    Attributes:
        pages: make them.
        links: build addresses.
        assets: the files that pages are made with.
        errors: say to people what went wrong.
        repositories: the use cases.
        contents: what is in packages.
    """

    pages: Pages
    links: Links
    assets: Assets
    errors: ErrorPages
    repositories: Repositories
    contents: ContentsCache

    def register(self, app: Flask) -> None:
        """Add all pages to an application."""
        self.pages.set_up(app)
        self.assets.register(app)
        app.add_url_rule(UI, "ui", self._to_home, methods=["GET"])

    def page_instead(self) -> Response | None:
        """Return where a person is sent who asks for the root or a repository; None for who asks as a program does.

        That tells nobody whether there is such a repository.
        """
        if request.method not in {"GET", "HEAD"} or not names_html():
            return None
        name = request.path.strip("/")
        try:
            check_repository(name)
        except InvalidName:
            return None
        return self._moved(self.links.repository(name) if name else self.links.home)

    @staticmethod
    def moved(to: str) -> Response:
        """Return the answer to a form that sends the browser on to a page, so that no reload sends the form again."""
        response = Response(status=303, headers={"Cache-Control": "no-store", "Location": to})
        response.autocorrect_location_header = False
        return response

    def _to_home(self) -> Response:
        return self._moved(self.links.home)

    @staticmethod
    def _moved(to: str) -> Response:
        response = Response(status=302, headers={**_MOVED, "Location": to})
        response.autocorrect_location_header = False
        return response
