"""Pictures out of packages, for READMEs: nothing else is served, and nothing in them runs."""

from collections.abc import Mapping
from typing import Final

from flask import Flask, Response, request

from chartrepo.core.errors import FileNotFound
from chartrepo.http.pages.chart_frame import ChartFrame
from chartrepo.http.pages.links import UI

_STARTS: Final[Mapping[str, tuple[bytes, ...]]] = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
}
"""What a picture begins with, by its media type."""
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""What a picture may do that somebody opens by itself: a SVG is a page to a browser."""


def media_type_of(path: str, data: bytes) -> str | None:
    """Return as what a file of a package may be shown; None where it is no picture, or only claims to be one."""
    for media_type, starts in _STARTS.items():
        if data.startswith(starts):
            return media_type
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return "image/svg+xml" if path.lower().endswith(".svg") and b"<svg" in data else None


class RawFiles:
    """The route.

    Args:
        frame: opens charts.
    """

    def __init__(self, frame: ChartFrame) -> None:
        self._frame = frame

    def register(self, app: Flask) -> None:
        """Add the route to an application."""
        app.add_url_rule(f"{UI}/raw/<path:rest>", "ui_raw", self.view, methods=["GET"])

    def view(self, rest: str) -> Response:
        """GET of a picture."""
        opened = self._frame.open(rest)
        path = request.args.get("path", "")
        data = opened.contents.data(path)
        media_type = media_type_of(path, data) if data is not None else None
        if data is None or media_type is None:
            raise FileNotFound("the package has no such picture: only PNG, JPEG, GIF, WebP and SVG are shown")
        headers = {
            "Content-Type": media_type,
            "Content-Security-Policy": _POLICY,
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "private, no-cache",
        }
        return Response(data, headers=headers)
