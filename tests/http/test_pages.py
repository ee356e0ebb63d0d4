"""What all pages have in common: how people get there, and what a page may do in a browser."""

import gzip
import re

import pytest

from tests.support.repositories import Shop
from tests.support.site import Site

PERSON = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("path", "page"),
    [("/", "/ui/"), ("/team", "/ui/repositories/team"), ("/team/app/", "/ui/repositories/team/app")],
)
def test_a_person_who_asks_for_a_repository_is_sent_to_its_page(site: Site, path: str, page: str) -> None:
    answer = site.get(path, Accept=PERSON)
    assert (answer.status_code, answer.headers["Location"]) == (302, page)
    assert answer.headers["Vary"] == "Accept"
    assert answer.headers["Cache-Control"] == "no-store"


def test_pages_are_below_the_context_path(shop: Shop) -> None:
    site = Site(shop, context_path="/charts")
    assert site.get("/charts", Accept=PERSON).headers["Location"] == "/charts/ui/"
    assert site.get("/charts/team", Accept=PERSON).headers["Location"] == "/charts/ui/repositories/team"
    assert site.get("/", Accept=PERSON).headers["Location"] == "/charts/ui/"


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html;q=0, */*", ""])
def test_a_program_is_sent_nowhere(site: Site, accept: str) -> None:
    assert site.get("/", Accept=accept).status_code == 200
    assert site.get("/team/app", Accept=accept).status_code == 404


@pytest.mark.parametrize("path", ["/a%20b", "/api", "/v2x/..", "/team//app"])
def test_what_can_be_no_repository_has_no_page(site: Site, path: str) -> None:
    assert site.get(path, Accept=PERSON).status_code == 404


def test_a_person_is_sent_to_the_pages_whether_there_is_such_a_repository_or_not(shop: Shop) -> None:
    """And is asked for nothing: a browser would ask for a name and a password by itself."""
    closed = Site(shop, basic_auth_user="me", basic_auth_password="secret")
    for path in ("/", "/team", "/nothing"):
        answer = closed.get(path, Accept=PERSON)
        assert (answer.status_code, "WWW-Authenticate" in answer.headers) == (302, False)


def test_a_page_loads_nothing_from_elsewhere_and_runs_nothing_that_stands_in_it(site: Site) -> None:
    answer = site.get("/ui/nothing")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "style=" not in answer.text
    assert re.findall(r"<script(?![^>]*\bsrc=)", answer.text) == []


def test_what_is_not_there_is_told_in_a_page(site: Site) -> None:
    answer = site.get("/ui/nothing")
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "<h1>There is nothing here</h1>" in answer.text
    assert site.get("/nothing").mimetype == "application/json"


def test_a_page_is_smaller_for_who_can_unpack_it(site: Site) -> None:
    plain, packed = site.get("/ui/nothing"), site.get("/ui/nothing", Accept_Encoding="gzip")
    assert gzip.decompress(packed.data) == plain.data
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.data) < len(plain.data)
    assert "Accept-Encoding" in packed.headers["Vary"]


def test_the_files_of_pages_are_kept_for_ever_under_a_name_that_changes_with_them(site: Site) -> None:
    style = re.search(r'href="(/static/style\.[0-9a-f]{10}\.css)"', site.get("/ui/nothing").text)
    assert style is not None
    answer = site.get(style[1])
    assert (answer.status_code, answer.mimetype) == (200, "text/css")
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    packed = site.get(style[1], Accept_Encoding="gzip")
    assert gzip.decompress(packed.data) == answer.data
    assert site.get("/static/style.css").status_code == 404
    assert site.get("/static/../app.py").status_code == 404


def test_the_files_of_pages_are_for_everybody(shop: Shop) -> None:
    closed = Site(shop, basic_auth_user="me", basic_auth_password="secret")
    icon = re.search(r'"(/static/icon\.[0-9a-f]+\.svg)"', Site(shop).get("/ui/nothing").text)
    assert icon is not None
    assert closed.get(icon[1]).status_code == 200
