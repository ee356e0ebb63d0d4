"""What a browser does with cookies and forms, without a socket."""

import io
import re
from collections.abc import Mapping
from copy import copy
from http.cookies import SimpleCookie
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from werkzeug.test import TestResponse

from tests.support.site import Site

HTML: Final = {"Accept": "text/html"}
_TOKEN: Final = re.compile(r'name="csrf_token" value="([^"]+)"')


class Browser:
    """Keeps cookies, and sends the forms of the page that was looked at last.

    Attributes:
        site: that it asks.
        cookies: that it keeps.
        token: of that page's forms.
        origin: which its pages have.
    """

    def __init__(self, site: Site, *, origin: str = "http://localhost") -> None:
        self.site = site
        self.cookies: dict[str, str] = {}
        self.token = ""
        self.origin = origin

    def ask(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any) -> TestResponse:
        """Send one request with all cookies, and keep those that come."""
        said = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}
        answer = self.site.ask(method, path, headers={**HTML, **said, **(headers or {})}, **options)
        for header in answer.headers.getlist("Set-Cookie"):
            for name, morsel in SimpleCookie(header).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        found = _TOKEN.search(answer.text) if answer.mimetype == "text/html" else None
        if found is not None:
            self.token = found[1]
        return answer

    def get(self, path: str, *, headers: Mapping[str, str] | None = None) -> TestResponse:
        """Look at a page."""
        return self.ask("GET", path, headers=headers)

    def post(
        self, path: str, form: Mapping[str, Any] | None = None, *, headers: Mapping[str, str | None] | None = None
    ) -> TestResponse:
        """Send a form; headers that are None are left out."""
        said = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin", **(headers or {})}
        return self.ask(
            "POST",
            path,
            headers={name: value for name, value in said.items() if value is not None},
            data=urlencode({"csrf_token": self.token, **(form or {})}, doseq=True),
            content_type="application/x-www-form-urlencoded",
        )

    def sign_in(self, name: str, password: str, after: str = "") -> TestResponse:
        """Look at the form, and send it."""
        self.get("/ui/sign-in")
        return self.post("/ui/sign-in", {"name": name, "password": password, "next": after})


class Secret(NamedTuple):
    """What goes with a form: the field, and the cookie of the visit that it belongs to."""

    field: str
    cookie: str


def secret(site: Site) -> Secret:
    """What a stranger's form has, which does for whoever brings a credential."""
    stranger = copy(site)
    stranger.always = {}
    shown = stranger.ask("GET", "/ui/sign-in", headers=HTML)
    found = _TOKEN.search(shown.text)
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
