"""Signing in and out, where a session counts, when it ends, and what does not pass for one."""

import base64
import json
import zlib
from pathlib import Path
from typing import Any, Final

import pytest

from chartrepo import layout
from chartrepo.access import Tokens
from storage.base import Unavailable
from tests.http.test_permissions import write_rules
from tests.support.faults import FaultyStorage
from tests.support.forms import Browser
from tests.support.packages import package
from tests.support.processes import eventually
from tests.support.repositories import Shop
from tests.support.site import Site
from tests.support.users import users

SESSION: Final = "chartrepo_session"
VISIT: Final = "chartrepo_visit"
TOKENS: Final = "/ui/tokens"
"""A page that is for those alone who are known."""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.state = FaultyStorage(shop.state)
    shop.build()
    return shop


@pytest.fixture
def site(shop: Shop, tmp_path: Path) -> Site:
    """A private server with a user who may read and publish in `team` and the root, and an administrator."""
    shop.publish(package())
    write_rules(tmp_path / "rules.yaml", [(["user:ada"], ["read", "publish"], ["team/**", "*"])])
    return Site(
        shop, admin_password="secret", htpasswd=users(tmp_path, ada="pass"), permissions=tmp_path / "rules.yaml"
    )


@pytest.fixture
def browser(site: Site) -> Browser:
    return Browser(site)


@pytest.fixture
def ada(browser: Browser) -> Browser:
    assert browser.sign_in("ada", "pass").status_code == 303
    return browser


def records(site: Site) -> list[dict[str, Any]]:
    return [json.loads(line) for batch in site.spool.batches() for line in batch.read_bytes().splitlines()]


class TestSigningIn:
    def test_who_has_to_be_known_is_sent_to_the_form_and_back(self, browser: Browser) -> None:
        answer = browser.get(f"{TOKENS}?x=1&y=a%20b")
        assert answer.status_code == 302
        assert answer.headers["Location"] == "/ui/sign-in?next=%2Fui%2Ftokens%3Fx%3D1%26y%3Da%2520b"
        assert "WWW-Authenticate" not in answer.headers
        assert answer.headers["Cache-Control"] == "no-store"
        form = browser.get(answer.headers["Location"])
        assert form.status_code == 200
        assert 'name="next" value="/ui/tokens?x=1&amp;y=a%20b"' in form.text
        done = browser.sign_in("ada", "pass", "/ui/tokens?x=1&y=a%20b")
        assert (done.status_code, done.headers["Location"]) == (303, "/ui/tokens?x=1&y=a%20b")
        assert browser.get(TOKENS).status_code == 200

    def test_the_cookie_is_for_pages_alone_and_for_no_script(self, browser: Browser) -> None:
        answer = browser.sign_in("ada", "pass")
        (session, visit) = answer.headers.getlist("Set-Cookie")
        assert session.startswith(f"{SESSION}=")
        assert session.endswith("; Path=/ui; HttpOnly; SameSite=Lax; Max-Age=43200")
        assert visit == f"{VISIT}=; Path=/ui; HttpOnly; SameSite=Lax; Max-Age=0"
        assert answer.headers["Cache-Control"] == "no-store"

    def test_over_https_it_is_secure_and_below_the_context_path(self, shop: Shop) -> None:
        site = Site(
            shop,
            admin_password="secret",
            external_url="https://charts.example.com",
            context_path="/charts",
            session_expires=90.0,
        )
        browser = Browser(site, origin="https://charts.example.com")
        browser.get("/charts/ui/sign-in")
        answer = browser.post("/charts/ui/sign-in", {"name": "admin", "password": "secret"})
        assert answer.headers["Location"] == "/charts/ui/"
        cookie = answer.headers.getlist("Set-Cookie")[0]
        assert cookie.startswith("__Secure-chartrepo_session=")
        assert cookie.endswith("; Path=/charts/ui; HttpOnly; SameSite=Lax; Max-Age=90; Secure")
        assert browser.get("/charts/ui/tokens").status_code == 200
        plain = Browser(site)
        plain.cookies = {SESSION: browser.cookies["__Secure-chartrepo_session"]}
        assert plain.get("/charts/ui/tokens").status_code == 302, "one that somebody on the way has put there"

    def test_a_wrong_password_is_said_on_the_form_and_not_put_back_into_it(self, browser: Browser, site: Site) -> None:
        answer = browser.sign_in("ada", "wr0ng<>", "/ui/tokens")
        assert answer.status_code == 401
        assert "The name or the password is wrong." in answer.text
        assert 'value="ada"' in answer.text
        assert "wr0ng" not in answer.text
        assert 'value="/ui/tokens"' in answer.text
        assert "WWW-Authenticate" not in answer.headers
        assert SESSION not in browser.cookies
        (record,) = records(site)
        assert record["action"] == "log-in"
        assert (record["outcome"], record["claims"], record["protocol"]) == ("refused", "user:ada", "page")
        assert "wr0ng" not in json.dumps(record)

    def test_guesses_are_counted_with_all_others(self, browser: Browser, site: Site) -> None:
        for _ in range(5):
            assert site.by("ada", "wrong").get("/index.yaml").status_code == 401
            assert browser.sign_in("ada", "wrong").status_code == 401
        answer = browser.sign_in("ada", "pass")
        assert answer.status_code == 429
        assert 0 < int(answer.headers["Retry-After"]) <= 6
        assert "Too many passwords were wrong" in answer.text

    def test_it_is_recorded(self, ada: Browser, site: Site) -> None:
        (record,) = records(site)
        assert (record["action"], record["outcome"], record["caller"]) == ("log-in", "done", "user:ada")

    @pytest.mark.parametrize(("name", "password"), [("", "pass"), ("ada", ""), (" ", "pass")])
    def test_an_empty_field_is_said(self, browser: Browser, name: str, password: str) -> None:
        answer = browser.sign_in(name, password)
        assert answer.status_code == 400
        assert "Write your name and your password." in answer.text

    def test_who_has_signed_in_is_sent_on(self, ada: Browser) -> None:
        answer = ada.get("/ui/sign-in?next=/ui/tokens")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/ui/tokens")

    def test_the_name_stands_on_each_page_beside_the_way_out(self, ada: Browser) -> None:
        page = ada.get("/ui/nothing-here").text
        assert '<span class="person">user:ada</span>' in page
        assert 'action="/ui/sign-out"' in page
        assert "Sign in" not in page

    def test_an_api_token_does_and_its_session_ends_with_it(self, browser: Browser, shop: Shop) -> None:
        tokens = Tokens(shop.state)
        text, token = tokens.create("ci", ["read:team/**"], lifetime=None, made_by="x")
        assert browser.sign_in("whoever", text).status_code == 303
        assert "token:ci" in browser.get(TOKENS).text
        tokens.revoke(token.id)
        eventually(lambda: browser.get(TOKENS).status_code == 302, what="the token's session ended")

    def test_a_token_that_ends_soon_does_not(self, browser: Browser, site: Site) -> None:
        short = site.by("ada", "pass").get("/v2/token").get_json()["token"]
        answer = browser.sign_in("ada", short)
        assert answer.status_code == 400
        assert "ends soon" in answer.text

    def test_where_nobody_can_sign_in_the_page_says_so(self, shop: Shop) -> None:
        browser = Browser(Site(shop, open_writes=False))
        page = browser.get("/ui/sign-in")
        assert page.status_code == 200
        assert "Nobody can sign in here" in page.text
        assert 'type="password"' not in page.text
        assert "Sign in</a>" not in browser.get("/ui/nothing").text
        refused = browser.get(TOKENS)
        assert refused.status_code == 401
        assert "nobody can sign in here" in refused.text


class TestWhereAPersonIsSent:
    @pytest.mark.parametrize(
        "after",
        [
            "https://evil.example.com/",
            "//evil.example.com/ui/",
            "/\\evil.example.com",
            "\\\\evil.example.com",
            "/ui\\..\\x",
            "/ui/\\evil.example.com",
            "/ui/x\r\nSet-Cookie: a=b",
            "/ui/x\ty",
            "javascript:alert(1)",
            "/api/charts",
            "/uix/",
            "/ui",
            " /ui/",
            "/ui/\u00e9",
            "/ui/" + "x" * 3000,
            "/ui/sign-out",
            "/ui/sign-out?x",
            "/ui/sign-in",
            "/ui/sign-in/sso/back?code=x",
            "/ui/../other/delete",
            "/ui/x/..",
            "/ui/%2e%2E/other",
            "/ui/.%2e/other?x",
            "/ui/./sign-out",
            "ui/x",
            "",
        ],
    )
    def test_it_is_a_page_of_ours_or_the_first_one(self, browser: Browser, after: str) -> None:
        answer = browser.sign_in("ada", "pass", after)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/ui/")

    @pytest.mark.parametrize("after", ["/ui/", "/ui/charts/app@1.0.0?x=%2F%2Fevil/../#readme", "/ui/sign-ins"])
    def test_any_page_of_ours_will_do(self, browser: Browser, after: str) -> None:
        assert browser.sign_in("ada", "pass", after).headers["Location"] == after

    @pytest.mark.parametrize(
        "headers",
        [
            {"Accept": "*/*"},
            {"Accept": "image/png,*/*"},
            {"Sec-Fetch-Dest": "empty"},
            {"Authorization": "Basic eDp5"},
        ],
    )
    def test_programs_scripts_and_pictures_are_told_and_not_sent(
        self, browser: Browser, headers: dict[str, str]
    ) -> None:
        answer = browser.get(TOKENS, headers=headers)
        assert answer.status_code == 401
        assert "WWW-Authenticate" not in answer.headers

    def test_a_challenge_of_chartmuseum_s_is_on_no_page(self, shop: Shop, tmp_path: Path) -> None:
        site = Site(shop, admin_password="secret", htpasswd=users(tmp_path, ada="pass"))
        assert "WWW-Authenticate" not in site.ask("GET", TOKENS).headers


class TestWhereItCounts:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/index.yaml"),
            ("GET", "/charts/app-1.0.0.tgz"),
            ("GET", "/api/charts"),
            ("GET", "/api/tokens"),
            ("POST", "/api/charts"),
            ("POST", "/api/tokens"),
            ("DELETE", "/api/charts/app/1.0.0"),
            ("GET", "/v2/"),
            ("GET", "/v2/_catalog"),
            ("GET", "/metrics"),
        ],
    )
    def test_neither_the_api_nor_oci_looks_at_it(self, browser: Browser, method: str, path: str) -> None:
        browser.sign_in("admin", "secret")
        assert browser.get(TOKENS).status_code == 200
        assert browser.ask(method, path, data=package("web") if method == "POST" else None).status_code == 401

    def test_it_gets_no_token_for_registries(self, ada: Browser) -> None:
        assert ada.ask("GET", "/v2/token").status_code == 401
        assert ada.ask("POST", "/api/token").status_code == 401

    def test_a_credential_wins_over_it(self, ada: Browser, site: Site) -> None:
        admin = site.by("admin", "secret").always
        page = ada.get(TOKENS, headers=admin)
        assert "user:admin" in page.text
        assert "Sign out" not in page.text
        assert ada.get(TOKENS, headers=site.by("ada", "wrong").always).status_code == 401


class TestDownloading:
    """Packages from a page: a session counts there, and the paths that Helm has ask for a credential."""

    PATH: Final = "/ui/packages/charts/app-1.0.0.tgz"

    def test_who_is_signed_in_gets_it_as_helm_does(self, ada: Browser, site: Site) -> None:
        answer, helm = ada.get(self.PATH), site.by("ada", "pass").get("/charts/app-1.0.0.tgz")
        assert answer.status_code == helm.status_code == 200
        assert answer.data == helm.data == package()
        for name in ("Content-Type", "ETag", "Cache-Control", "Accept-Ranges"):
            assert answer.headers.get(name) == helm.headers.get(name)
        assert ada.get(self.PATH, headers={"Range": "bytes=0-9"}).data == package()[:10]
        assert ada.ask("HEAD", self.PATH).status_code == 200

    def test_who_is_not_is_sent_to_the_form(self, ada: Browser, site: Site) -> None:
        assert ada.get(self.PATH).status_code == 200
        answer = Browser(site).get(self.PATH)
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/ui/sign-in?next=%2Fui%2Fpackages%2F")
        script = Browser(site).get(self.PATH, headers={"Accept": "*/*"})
        assert script.status_code == 401
        assert "WWW-Authenticate" not in script.headers

    @pytest.mark.parametrize(
        "path", ["/charts/app-9.0.0.tgz", "/charts/app-1.0.0.tgz.prov", "/index.yaml", "/x", "", "/ui/x/charts/a-1.tgz"]
    )
    def test_what_is_not_there_is_told_on_a_page(self, ada: Browser, path: str) -> None:
        answer = ada.get(f"/ui/packages{path}")
        assert answer.status_code == 404
        assert "There is nothing here" in answer.text

    def test_what_one_may_not_read_is_not_there(self, ada: Browser, shop: Shop) -> None:
        shop.publish(package("web"), repository="other")
        answer = ada.get("/ui/packages/other/charts/web-1.0.0.tgz")
        missing = ada.get("/ui/packages/other/charts/none-1.0.0.tgz")
        assert answer.status_code == missing.status_code == 404

    def test_everybody_gets_what_everybody_may(self, shop: Shop) -> None:
        shop.publish(package())
        browser = Browser(Site(shop))
        for _ in range(2):
            assert browser.get(self.PATH).data == package()
        assert browser.get("/ui/packages/charts/app-2.0.0.tgz").status_code == 404


class TestItsEnd:
    def test_signing_out_ends_it_also_in_a_copy(self, ada: Browser, site: Site) -> None:
        thief = Browser(site)
        thief.cookies = dict(ada.cookies)
        assert thief.get(TOKENS).status_code == 200
        ada.get(TOKENS)
        answer = ada.post("/ui/sign-out")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/ui/")
        assert SESSION not in ada.cookies
        assert thief.get(TOKENS).status_code == 302
        assert ada.get(TOKENS).status_code == 302

    def test_it_is_signed_out_here_where_that_cannot_be_written_down(self, ada: Browser, shop: Shop) -> None:
        assert isinstance(shop.state, FaultyStorage)
        ada.get(TOKENS)
        stolen = dict(ada.cookies)
        shop.state.fail("put", Unavailable("no answer"), times=None)
        assert ada.post("/ui/sign-out").status_code == 303
        ada.cookies = stolen
        assert ada.get(TOKENS).status_code == 302

    def test_nobody_signs_out_by_a_link(self, ada: Browser) -> None:
        assert ada.get("/ui/sign-out").status_code == 404
        assert ada.get(TOKENS).status_code == 200

    def test_it_ends_with_the_password_and_the_user(self, ada: Browser, tmp_path: Path) -> None:
        users(tmp_path, ada="another")
        eventually(lambda: ada.get(TOKENS).status_code == 302, what="the session ended with the password")
        ada.sign_in("ada", "another")
        assert ada.get(TOKENS).status_code == 200
        users(tmp_path, grace="x")
        eventually(lambda: ada.get(TOKENS).status_code == 302, what="the session ended with the user")

    def test_rights_are_asked_for_each_time(self, ada: Browser, tmp_path: Path) -> None:
        assert "Publish" in ada.get("/ui/nothing").text
        write_rules(tmp_path / "rules.yaml", [(["user:ada"], ["read"], ["*"])])
        eventually(lambda: "Publish" not in ada.get("/ui/nothing").text, what="the rule was taken back")

    def test_a_second_one_ends_the_first(self, ada: Browser, site: Site) -> None:
        before = Browser(site)
        before.cookies = dict(ada.cookies)
        ada.get(TOKENS)
        ada.post("/ui/sign-in", {"name": "admin", "password": "secret"})
        assert "user:admin" in ada.get(TOKENS).text
        assert before.get(TOKENS).status_code == 302

    def test_while_the_storage_is_silent_nobody_is_taken_for_anonymous(self, ada: Browser, shop: Shop) -> None:
        assert isinstance(shop.state, FaultyStorage)
        other = Browser(ada.site)
        other.sign_in("ada", "pass")
        shop.state.fail("stat", Unavailable("no answer"), times=None)
        answer = other.get(TOKENS)
        assert answer.status_code == 503
        assert "Not right now" in answer.text
        shop.state.heal()
        assert other.get(TOKENS).status_code == 200


class TestWhatIsNone:
    def test_one_that_was_there_before_signing_in_is_not_kept(self, browser: Browser, site: Site) -> None:
        """Session fixation: whoever put a cookie into a browser does not know the session that comes of it."""
        thief = Browser(site)
        thief.sign_in("ada", "pass")
        browser.cookies = dict(thief.cookies)
        browser.get(TOKENS)
        browser.post("/ui/sign-in", {"name": "admin", "password": "secret"})
        assert browser.cookies[SESSION] != thief.cookies[SESSION]
        assert "user:admin" not in thief.get(TOKENS).text

    def test_one_of_another_server(self, ada: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
        folder = tmp_path_factory.mktemp("other")
        shop = Shop(folder)
        shop.build()
        other = Browser(Site(shop, admin_password="secret", htpasswd=users(folder, ada="pass")))
        other.sign_in("ada", "pass")
        ada.cookies = other.cookies
        assert ada.get(TOKENS).status_code == 302

    def test_two_of_which_nobody_knows_which_is_ours(self, ada: Browser) -> None:
        text = ada.cookies[SESSION]
        for said in (f"{SESSION}={text}; {SESSION}=x", f"{SESSION}=x; a=b; {SESSION}={text}"):
            assert ada.site.ask("GET", TOKENS, headers={"Cookie": said, "Accept": "text/html"}).status_code == 302
        said = {"Cookie": f"a=b;{SESSION}={text} ; c", "Accept": "text/html"}
        assert ada.site.ask("GET", TOKENS, headers=said).status_code == 200

    @pytest.mark.parametrize("text", ["", ".", "x.y.z", "\xff", "a" * 10_000, "; ; =;"])
    def test_garbage(self, browser: Browser, text: str) -> None:
        browser.cookies[SESSION] = text
        assert browser.get(TOKENS).status_code == 302

    def test_one_whose_time_is_over(self, shop: Shop, tmp_path: Path) -> None:
        browser = Browser(Site(shop, admin_password="secret", session_expires=1.0, auth_anonymous_get=False))
        browser.sign_in("admin", "secret")
        assert browser.get(TOKENS).status_code == 200
        eventually(lambda: browser.get(TOKENS).status_code == 302, what="its time was over")

    def test_what_a_cookie_holds_is_no_secret(self, ada: Browser) -> None:
        payload = ada.cookies[SESSION].split(".")[2]
        said = zlib.decompress(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        assert json.loads(said).keys() == {"s", "e", "n", "c"}
        assert b"pass" not in said
        assert b"$2" not in said


def test_notes_lie_beside_all_state(ada: Browser, shop: Shop) -> None:
    ada.get(TOKENS)
    ada.post("/ui/sign-out")
    (note,) = shop.state.list(layout.ENDED_SESSIONS_PREFIX)
    assert layout.end_of_session(note.key) is not None
