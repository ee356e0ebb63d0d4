"""The icons of charts, each at an address of its own, for whoever may read the chart."""

import hashlib
from typing import Final
from xml.sax.saxutils import escape

from flask import Flask, Response, request

from chartrepo.catalog import PackageRecord
from chartrepo.core.errors import FileNotFound, PackageRefused
from chartrepo.core.made_manifests import metadata_of
from chartrepo.http.pages.finding import find_subject
from chartrepo.http.pages.links import UI
from chartrepo.http.pages.site import Site
from chartrepo.icons import Icon, Icons
from storage.base import StorageError

_ROUTE: Final = f"{UI}/icons/<path:rest>"
_BOX: Final = "default-src 'none'; style-src 'none'; sandbox"
"""A picture that is opened by itself loads nothing and runs nothing, whatever it is taken for."""
_KEEP: Final = "private, max-age=3600"
_LETTER: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48" width="48" height="48">'
    '<rect width="48" height="48" rx="6" fill="#3a5f95"/>'
    '<text x="24" y="32" font-family="sans-serif" font-size="24" font-weight="700" text-anchor="middle" fill="#fff">'
    "{}</text></svg>"
)


class IconPages:
    """The view of icons, and what templates ask.

    Args:
        site: that the pages are of.
        icons: makes them.
    """

    def __init__(self, site: Site, icons: Icons) -> None:
        self._site = site
        self._icons = icons

    def register(self, app: Flask) -> None:
        """Add the route to an application, and let templates know whether a chart may have an icon."""
        app.add_url_rule(_ROUTE, "icon", self.view, methods=["GET"])
        app.jinja_env.globals |= {
            "fetches_icons": self._icons.fetches,
            "may_have_icon": self._icons.may_have,
        }

    def view(self, rest: str) -> Response:
        """GET of the icon of a chart; its initial where it has none, or none for now."""
        record = find_subject(self._site.repositories.catalog, rest).record
        icon = self._of(record)
        if icon.png is None:
            letter = _LETTER.format(escape(record.name[:1].upper()))
            return _answer(letter.encode("utf-8", "replace"), "image/svg+xml", settled=icon.settled)
        return _answer(icon.png, "image/png", settled=True)

    def _of(self, record: PackageRecord) -> Icon:
        try:
            return self._icons.of(
                metadata_of(record.entry_json).get("icon"),
                record.digest,
                lambda path: self._site.contents.of(record).data(path),
            )
        except (FileNotFound, PackageRefused, StorageError):
            return Icon(None, settled=False)  # the page beside it says what is wrong


def _answer(data: bytes, media_type: str, *, settled: bool) -> Response:
    response = Response(data, mimetype=media_type)
    response.headers["Content-Security-Policy"] = _BOX
    response.headers["Cache-Control"] = _KEEP if settled else "no-store"
    response.headers["Vary"] = "Cookie, Authorization"
    response.set_etag(hashlib.sha256(data).hexdigest()[:32])
    response.make_conditional(request)
    return response
