"""Forms come from pages of ours, or nothing is done: before any view runs, whoever sends them."""

import base64
from pathlib import Path
from typing import Final

import pytest
from flask import Flask, Response, request

from chartrepo.core.permissions import Action
from chartrepo.http.auth import visitor_of
from tests.http.test_permissions import write_rules
from tests.support.forms import Browser
from tests.support.repositories import Shop
from tests.support.site import Site
from tests.support.users import users

WRITE: Final = "/ui/test-of-writing"


def with_a_form(site: Site) -> list[str]:
    """Add a page with a form to a site, and return what that has written."""
    written: list[str] = []
    flask = site.app._flask
    assert isinstance(flask, Flask)

    def show() -> str:
        visitor_of(request.environ).require(Action.PUBLISH, "", "app")
        return flask.jinja_env.from_string("<form method=post>{{ csrf_field() }}</form>").render()

    def write() -> Response:
        visitor_of(request.environ).require(Action.PUBLISH, "", "app")
        written.append(request.form.get("what", ""))
        return Response("written")

    flask.add_url_rule(WRITE, "test_of_writing", show, methods=["GET"])
    flask.add_url_rule(WRITE, "test_of_written", write, methods=["POST", "PUT", "DELETE", "PATCH"])
    return written


class TestWithAUser:
    @pytest.fixture
    def site(self, shop: Shop, tmp_path: Path) -> Site:
        write_rules(
            tmp_path / "rules.yaml", [(["user:ada"], ["read", "publish"], ["*"]), (["anonymous"], ["read"], ["*"])]
        )
        return Site(
            shop, admin_password="secret", htpasswd=users(tmp_path, ada="pass"), permissions=tmp_path / "rules.yaml"
        )

    @pytest.fixture
    def written(self, site: Site) -> list[str]:
        return with_a_form(site)

    @pytest.fixture
    def ada(self, site: Site, written: list[str]) -> Browser:
        browser = Browser(site)
        assert browser.sign_in("ada", "pass").status_code == 303
        assert browser.get(WRITE).status_code == 200
        return browser

    def test_a_form_of_ours_is_taken(self, ada: Browser, written: list[str]) -> None:
        assert ada.post(WRITE, {"what": "it"}).status_code == 200
        assert written == ["it"]

    def test_a_script_sends_its_secret_as_a_header(self, ada: Browser, written: list[str]) -> None:
        answer = ada.post(WRITE, {"csrf_token": ""}, headers={"X-CSRF-Token": ada.token})
        assert answer.status_code == 200
        assert ada.post(WRITE, headers={"X-CSRF-Token": "wrong"}).status_code == 403

    def test_browsers_that_say_nothing_of_where_it_comes_from_will_do(self, ada: Browser) -> None:
        assert ada.post(WRITE, headers={"Origin": None, "Sec-Fetch-Site": None}).status_code == 200
        assert ada.post(WRITE, headers={"Sec-Fetch-Site": "none"}).status_code == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "https://evil.example.com"},
            {"Origin": "null"},
            {"Origin": ""},
            {"Origin": "http://localhost.evil.example.com"},
            {"Origin": "http://localhost:8081"},
            {"Origin": "http://[bad"},
            {"Origin": "localhost"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "https://evil.example.com", "Sec-Fetch-Site": None},
        ],
    )
    def test_that_of_another_page_is_not_even_with_the_secret(
        self, ada: Browser, written: list[str], headers: dict[str, str | None]
    ) -> None:
        answer = ada.post(WRITE, headers=headers)
        assert answer.status_code == 403
        assert "A page of another site sent this form" in answer.text
        assert written == []

    def test_without_the_secret_of_this_very_session_nothing_is_done(
        self, ada: Browser, site: Site, written: list[str]
    ) -> None:
        stranger, other = Browser(site), Browser(site)
        stranger.get("/ui/sign-in")
        other.sign_in("ada", "pass")
        other.get(WRITE)
        right = base64.urlsafe_b64decode(ada.token)
        cut, altered = base64.urlsafe_b64encode(right[:-1]), base64.urlsafe_b64encode(right[:-1] + b"\0")
        for token in (
            "",
            "x",
            "é",
            ada.token[:-8],
            cut.decode(),
            altered.decode(),
            stranger.token,
            other.token,
            "A" * 88,
        ):
            answer = ada.post(WRITE, {"csrf_token": token})
            assert answer.status_code == 403, token
            assert "load the page anew" in answer.text
            assert "WWW-Authenticate" not in answer.headers
        for method in ("PUT", "DELETE", "PATCH"):
            assert ada.ask(method, WRITE).status_code == 403
        assert written == []

    def test_that_from_before_signing_in_is_good_no_more(self, site: Site, written: list[str]) -> None:
        browser = Browser(site)
        browser.get("/ui/sign-in")
        before = browser.token
        browser.post("/ui/sign-in", {"name": "ada", "password": "pass"})
        assert browser.post(WRITE, {"csrf_token": before}).status_code == 403
        assert written == []

    def test_a_credential_that_the_browser_keeps_needs_it_too(self, site: Site, written: list[str]) -> None:
        browser, basic = Browser(site), site.by("ada", "pass").always
        assert browser.post(WRITE, headers=basic).status_code == 403
        browser.get(WRITE, headers=basic)
        assert browser.post(WRITE, headers=basic).status_code == 200
        assert len(written) == 1

    def test_that_of_a_session_is_none_beside_a_credential(self, ada: Browser, site: Site, written: list[str]) -> None:
        assert ada.post(WRITE, headers=site.by("ada", "pass").always).status_code == 403
        assert written == []

    def test_nobody_is_signed_in_by_another_page(self, site: Site) -> None:
        """The form of signing in has a secret too: else a page could sign its visitor in as somebody else."""
        browser, thief = Browser(site), Browser(site)
        thief.get("/ui/sign-in")
        form = {"name": "ada", "password": "pass", "csrf_token": thief.token}
        assert browser.post("/ui/sign-in", form).status_code == 403
        browser.get("/ui/sign-in")
        assert browser.post("/ui/sign-in", form).status_code == 403
        assert "chartrepo_session" not in browser.cookies

    def test_who_may_not_is_told_so_before_the_form_is_looked_at(self, site: Site, written: list[str]) -> None:
        admin_only = Browser(site)
        admin_only.get("/ui/sign-in")
        assert admin_only.post(WRITE).status_code == 401
        assert written == []

    def test_it_looks_another_in_each_answer(self, ada: Browser, site: Site) -> None:
        tokens = set()
        for _ in range(20):
            ada.get(WRITE)
            tokens.add(ada.token)
        assert len(tokens) == 20
        assert len({token[:20] for token in tokens}) == 20
        assert len({token[-20:] for token in tokens}) == 20

    def test_a_link_from_elsewhere_leads_to_a_page_that_could_write(self, ada: Browser) -> None:
        assert ada.get(WRITE, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200

    def test_behind_a_proxy_that_is_not_trusted_our_pages_are_known_by_the_host(
        self, ada: Browser, written: list[str]
    ) -> None:
        answer = ada.post(WRITE, headers={"Host": "charts.example.com", "Origin": "https://charts.example.com"})
        assert answer.status_code == 200

    def test_under_an_address_of_the_settings(self, shop: Shop, tmp_path: Path) -> None:
        site = Site(shop, admin_password="secret", external_url="https://charts.example.com")
        written = with_a_form(site)
        browser = Browser(site, origin="https://charts.example.com")
        browser.sign_in("admin", "secret")
        browser.get(WRITE)
        assert browser.post(WRITE).status_code == 200
        assert len(written) == 1


class TestOpenWrites:
    """Without credentials, on one's own machine: pages of ours write, and no others."""

    @pytest.fixture
    def written(self, site: Site) -> list[str]:
        return with_a_form(site)

    @pytest.fixture
    def browser(self, site: Site, written: list[str]) -> Browser:
        browser = Browser(site, origin="http://localhost:8080")
        assert browser.get(WRITE, headers={"Host": "localhost:8080"}).status_code == 200
        return browser

    def test_a_page_of_ours_writes(self, browser: Browser, written: list[str]) -> None:
        for host in ("localhost:8080", "127.0.0.1:8080", "[::1]:8080"):
            headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
            assert browser.post(WRITE, {"what": host}, headers=headers).status_code == 200
        assert len(written) == 3

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "https://evil.example.com"},
            {"Origin": "http://localhost:8081"},
            {"Origin": "http://127.0.0.1:8080"},
            {"Origin": "https://localhost:8080"},
            {"Origin": "null"},
            {"Origin": None},
            {"Origin": None, "Sec-Fetch-Site": None},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ],
    )
    def test_no_other_page_does(self, browser: Browser, written: list[str], headers: dict[str, str | None]) -> None:
        answer = browser.post(WRITE, headers={"Host": "localhost:8080", **headers})
        assert answer.status_code == 403
        assert written == []

    @pytest.mark.parametrize(
        "host", ["evil.example.com:8080", "localhost.evil.com:8080", "127.0.0.1.nip.io", "192.168.1.5:8080", "0.0.0.0"]
    )
    def test_no_name_that_was_made_to_lead_here_does(self, browser: Browser, written: list[str], host: str) -> None:
        """DNS rebinding: the page of another site is of the origin that it asks, and reads our forms."""
        rebound = Browser(browser.site, origin=f"http://{host}")
        assert rebound.get(WRITE, headers={"Host": host}).status_code == 403
        rebound.get("/ui/sign-in", headers={"Host": host})
        rebound.cookies, rebound.token = browser.cookies, browser.token
        answer = rebound.post(WRITE, headers={"Host": host})
        assert answer.status_code == 403
        assert "loopback name" in answer.text
        assert written == []

    def test_without_the_secret_none_does(self, browser: Browser, written: list[str]) -> None:
        for token in ("", "x", "A" * 88):
            answer = browser.post(WRITE, {"csrf_token": token}, headers={"Host": "localhost:8080"})
            assert answer.status_code == 403
        token, browser.cookies = browser.token, {}
        answer = browser.post(WRITE, {"csrf_token": token}, headers={"Host": "localhost:8080"})
        assert answer.status_code == 403
        assert written == []

    @pytest.mark.parametrize("header", ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP"])
    def test_nobody_writes_through_a_proxy(self, browser: Browser, written: list[str], header: str) -> None:
        headers = {"Host": "localhost:8080", header: "198.51.100.7"}
        assert browser.post(WRITE, headers=headers).status_code == 403
        assert browser.get(WRITE, headers=headers).status_code == 403
        assert written == []

    def test_the_api_takes_nothing_from_a_page_of_ours_either(self, browser: Browser) -> None:
        for headers in ({}, {"X-CSRF-Token": browser.token}):
            answer = browser.post("/api/charts", headers={"Host": "localhost:8080", **headers})
            assert answer.status_code == 403
            assert "no web page may write" in answer.text

    def test_without_open_writes_none_writes(self, shop: Shop) -> None:
        site = Site(shop, open_writes=False)
        written = with_a_form(site)
        browser = Browser(site)
        assert browser.get(WRITE).status_code == 403
        browser.get("/ui/nothing")
        assert browser.post(WRITE).status_code == 403
        assert written == []


def test_a_cookie_for_forms_is_given_to_who_has_none(site: Site) -> None:
    with_a_form(site)
    browser = Browser(site)
    first = browser.get(WRITE, headers={"Host": "localhost"})
    (cookie,) = first.headers.getlist("Set-Cookie")
    assert cookie.startswith("chartrepo_visit=")
    assert cookie.endswith("; Path=/ui; HttpOnly; SameSite=Lax")
    assert browser.get(WRITE, headers={"Host": "localhost"}).headers.getlist("Set-Cookie") == []
    assert browser.get("/ui/nothing").headers.getlist("Set-Cookie") == [], "no page without a form sets one"
