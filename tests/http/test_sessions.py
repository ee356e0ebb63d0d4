"""Sessions over HTTP: who is signed in, where that counts, and when it ends."""

import re
from collections.abc import Mapping
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import bcrypt
import pytest
from werkzeug.test import TestResponse

from tests.http.test_permissions import write_rules
from tests.support.packages import package
from tests.support.repositories import Shop
from tests.support.site import Site

HTML: Final = {"Accept": "text/html"}
SESSION: Final = "chartrepo_session"
VISIT: Final = "chartrepo_visit"
_TOKEN: Final = re.compile(r'name="csrf_token" value="([^"]+)"')


class Browser:
    """What a browser does with cookies and forms, without a socket.

    Attributes:
        site: that it asks.
        cookies: that it keeps.
        origin: which its pages have.
    """

    def __init__(self, site: Site, *, origin: str = "http://localhost") -> None:
        self.site = site
        self.cookies: dict[str, str] = {}
        self.origin = origin
        self.token = ""

    def ask(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any) -> TestResponse:
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

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.ask("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(
        self, path: str, form: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> TestResponse:
        """Send a form of the page that was looked at last."""
        said = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin", **(headers or {})}
        return self.ask(
            "POST",
            path,
            headers={name: value for name, value in said.items() if value},
            data=urlencode({"csrf_token": self.token, **(form or {})}),
            content_type="application/x-www-form-urlencoded",
        )

    def sign_in(self, name: str, password: str, after: str = "") -> TestResponse:
        self.get("/ui/sign-in")
        return self.post("/ui/sign-in", {"name": name, "password": password, "next": after})


def users(folder: Path, **passwords: str) -> Path:
    """A file of users."""
    path = folder / "users"
    lines = (f"{name}:{bcrypt.hashpw(word.encode(), bcrypt.gensalt(4)).decode()}" for name, word in passwords.items())
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def site(shop: Shop, tmp_path: Path) -> Site:
    """A private server with one user who may read and publish in `team`."""
    shop.publish(package())
    write_rules(tmp_path / "rules.yaml", [(["user:ada"], ["read", "publish"], ["team/**", "*"])])
    return Site(
        shop, admin_password="secret", htpasswd=users(tmp_path, ada="pass"), permissions=tmp_path / "rules.yaml"
    )


@pytest.fixture
def browser(site: Site) -> Browser:
    return Browser(site)
