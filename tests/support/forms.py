"""Forms of pages, sent as a browser sends them."""

import io
import re
from collections.abc import Mapping
from copy import copy
from typing import NamedTuple

from werkzeug.test import TestResponse

from tests.support.site import Site

_FIELD = re.compile(r'name="csrf_token" value="([^"]+)"')
HTML = {"Accept": "text/html"}


class Secret(NamedTuple):
    """What goes with a form: the field, and the cookie of the visit that it belongs to."""

    field: str
    cookie: str


def secret(site: Site) -> Secret:
    """What a stranger's form has, which does for whoever brings a credential."""
    stranger = copy(site)
    stranger.always = {}
    shown = stranger.ask("GET", "/ui/sign-in", headers=HTML)
    found = _FIELD.search(shown.text)
    assert found is not None
    return Secret(found[1], shown.headers["Set-Cookie"].partition(";")[0])


def submit(site: Site, path: str, *, headers: Mapping[str, str] | None = None, **fields: bytes | str) -> TestResponse:
    """POST a form of a page: bytes become files."""
    token = secret(site)
    parts = {
        name: (io.BytesIO(value), f"{name}.tgz") if isinstance(value, bytes) else value
        for name, value in fields.items()
    }
    return site.ask(
        "POST",
        path,
        data={"csrf_token": token.field, **parts},
        content_type="multipart/form-data",
        headers={**HTML, "Cookie": token.cookie, **(headers or {})},
    )


def send(site: Site, path: str, *, headers: Mapping[str, str] | None = None, **fields: bytes) -> TestResponse:
    """POST files as the script of a page does: with the secret as a header, for an answer in JSON."""
    token = secret(site)
    return site.ask(
        "POST",
        path,
        data={name: (io.BytesIO(value), f"{name}.tgz") for name, value in fields.items()},
        content_type="multipart/form-data",
        headers={"Accept": "application/json", "X-CSRF-Token": token.field, "Cookie": token.cookie, **(headers or {})},
    )
