"""The files that pages are made with: style, scripts, pictures.

Each is served under a name that has a digest of its bytes in it, so that browsers keep it for ever and never have an
old one.
"""

import gzip
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Final

from flask import Flask, Response, request

from chartrepo.http.errors import NoSuchPath
from chartrepo.http.pages.links import STATIC, Links

ENDPOINT: Final = "static_file"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_DIGITS: Final = 10


@dataclass(frozen=True, slots=True)
class Asset:
    """A file, as it is and as gzip makes it."""

    data: bytes
    zipped: bytes
    media_type: str


class Assets:
    """The files of `chartrepo/http/static`, read once.

    Args:
        links: builds their addresses.
    """

    def __init__(self, links: Links) -> None:
        self._links = links
        self._by_address: dict[str, Asset] = {}
        self._addresses: dict[str, str] = {}
        for file in files("chartrepo.http").joinpath("static").iterdir():
            kind = PurePosixPath(file.name).suffix
            if kind not in _TYPES:
                continue
            data = file.read_bytes()
            stem = file.name.removesuffix(kind)
            address = f"{stem}.{hashlib.sha256(data).hexdigest()[:_DIGITS]}{kind}"
            self._addresses[file.name] = address
            self._by_address[address] = Asset(data, gzip.compress(data, mtime=0), _TYPES[kind])

    def url(self, name: str) -> str:
        """Return the address of a file by its name, as `style.css`."""
        return self._links.static(self._addresses[name])

    def register(self, app: Flask) -> None:
        """Add the route to an application."""
        app.add_url_rule(f"{STATIC}/<name>", ENDPOINT, self.view, methods=["GET"])

    def view(self, name: str) -> Response:
        """GET of a file."""
        asset = self._by_address.get(name)
        if asset is None:
            raise NoSuchPath
        zipped = request.accept_encodings.quality("gzip") > 0
        headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding", "Content-Type": asset.media_type}
        if zipped:
            headers["Content-Encoding"] = "gzip"
        return Response(asset.zipped if zipped else asset.data, headers=headers)
