"""Packages and provenance for people: below `/ui/`, where a session counts, which it does nowhere else.

`Front` answers them as it answers Helm. What it cannot answer comes here, to be told on a page.
"""

from typing import Final

from flask import Flask, Response, request

from chartrepo.core.errors import FileNotFound
from chartrepo.http.auth import visitor_of
from chartrepo.http.errors import NoSuchPath, Unauthorized
from chartrepo.http.pages.links import PACKAGES
from chartrepo.http.paths import classic

ENDPOINT: Final = "no_package"


def register(app: Flask) -> None:
    """Add the route to an application."""
    app.add_url_rule(f"{PACKAGES}/<path:rest>", ENDPOINT, _no_package, methods=["GET"])


def _no_package(rest: str) -> Response:
    target = classic(f"/{rest}")
    if target is None:
        raise NoSuchPath
    visitor = visitor_of(request.environ)
    if visitor.readable(target.repository) is None or visitor.is_known:
        raise FileNotFound("there is no such package here (any more)")
    raise Unauthorized("unauthorized")
