"""Signing in with an issuer: who gets in, and what of all that could be put in its place does not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
import urllib3
import yaml
from werkzeug.test import TestResponse

from tests.support.forms import Browser
from tests.support.issuers import AUDIENCE, CLIENT, CLIENT_SECRET, DISCOVERY, TOKEN, Provider, signing_in
from tests.support.processes import eventually
from tests.support.repositories import Shop
from tests.support.site import Site
from tests.support.web import Answer

BEGIN: Final = "/ui/sign-in/sso"
BACK: Final = f"{BEGIN}/back"
ISSUER: Final = "chartrepo_issuer"
SESSION: Final = "chartrepo_session"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with signing_in() as found:
        yield found


@pytest.fixture
def other() -> Iterator[Provider]:
    with signing_in() as found:
        yield found


class World:
    """A server with two issuers to sign in with.

    Attributes:
        site: the server.
        browser: of a person.
        path: of the file of rules.
        document: what it says.
    """

    def __init__(self, shop: Shop, folder: Path, provider: Provider, other: Provider) -> None:
        (folder / "secret").write_text(f"{CLIENT_SECRET}\n")
        self.path = folder / "rules.yaml"
        client = {"client_id": CLIENT, "client_secret_file": "secret"}
        self.document: dict[str, Any] = {
            "permissions": [
                {"who": "sso:grace", "may": ["read", "publish"], "on": "team/**"},
                {"who": "group:sso:platform", "may": "read", "on": "platform/*"},
            ],
            "issuers": {
                "sso": {
                    "url": provider.url,
                    "audience": AUDIENCE,
                    "user": "preferred_username",
                    "groups": "groups",
                    "sign_in": {**client, "scopes": ["openid", "groups"]},
                },
                "partner": {"url": other.url, "audience": AUDIENCE, "sign_in": client},
                "machines": {"url": "https://machines.example.com", "audience": AUDIENCE},
            },
        }
        self.write()
        self.site = Site(shop, permissions=self.path)
        self.browser = Browser(self.site)
        self.provider = provider

    def write(self) -> None:
        self.path.write_text(yaml.safe_dump(self.document))

    def begin(self, name: str = "sso", after: str = "/ui/tokens") -> str:
        """Ask to sign in, and return where the browser is sent."""
        answer = self.browser.get(f"/ui/sign-in/{name}?{urlencode({'next': after})}")
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    def go(self, address: str) -> str:
        """Go to the issuer, and return to which address of ours it sends the browser."""
        answer = urllib3.request("GET", address, redirect=False)
        assert answer.status == 302
        parts = urlsplit(answer.headers["Location"])
        assert f"{parts.scheme}://{parts.netloc}" == "http://localhost"
        return f"{parts.path}?{parts.query}"

    def sign_in(self) -> TestResponse:
        return self.browser.get(self.go(self.begin()))

    @property
    def who(self) -> str | None:
        """Who is signed in."""
        answer = self.browser.get("/ui/tokens")
        return answer.text.partition('class="person">')[2].partition("<")[0] if answer.status_code == 200 else None


@pytest.fixture
def world(shop: Shop, tmp_path: Path, provider: Provider, other: Provider) -> World:
    return World(shop, tmp_path, provider, other)


def changed(address: str, **changes: str | None) -> str:
    """An address with other values in its query."""
    parts = urlsplit(address)
    query = dict(parse_qsl(parts.query)) | changes
    return f"{parts.path}?{urlencode({name: value for name, value in query.items() if value is not None})}"


class TestGettingIn:
    def test_who_signs_in_there_is_known_here_and_goes_on(self, world: World) -> None:
        form = world.browser.get("/ui/sign-in?next=/ui/tokens").text
        assert f'href="{BEGIN}?next=%2Fui%2Ftokens">Sign in with sso</a>' in form
        assert "Sign in with partner" in form
        assert "machines" not in form
        answer = world.sign_in()
        assert (answer.status_code, answer.headers["Location"]) == (303, "/ui/tokens")
        assert ISSUER not in world.browser.cookies
        assert world.who == "sso:grace"

    def test_the_issuer_is_asked_as_it_should_be(self, world: World, provider: Provider) -> None:
        address = world.begin()
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert address.startswith(f"{provider.url}/authorize?realm=main&")
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["redirect_uri"] == f"http://localhost{BACK}"
        assert asked["scope"] == "openid groups"
        assert asked["code_challenge_method"] == "S256"
        assert len(asked["code_challenge"]) == 43
        assert len(asked["state"]) >= 32
        assert len(asked["nonce"]) >= 32
        again = parse_qs(urlsplit(world.begin()).query)
        assert all(again[name][0] != asked[name] for name in ("state", "nonce", "code_challenge"))
        world.sign_in()
        (form,) = provider.used
        assert form["grant_type"] == "authorization_code"
        assert len(form["code_verifier"]) >= 43
        assert "client_secret" not in form

    def test_rights_come_of_the_name_and_of_the_groups(self, world: World) -> None:
        world.sign_in()
        page = world.browser.get("/ui/tokens").text
        assert "Publish" in page
        assert "Sign out" in page

    def test_the_way_back_is_that_of_the_settings(self, shop: Shop, world: World) -> None:
        site = Site(shop, permissions=world.path, external_url="https://charts.example.com", context_path="/c")
        answer = Browser(site).get("/c/ui/sign-in/sso")
        asked = parse_qs(urlsplit(answer.headers["Location"]).query)
        assert asked["redirect_uri"] == ["https://charts.example.com/c/ui/sign-in/sso/back"]
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("__Secure-chartrepo_issuer=")
        assert cookie.endswith("; Path=/c/ui; HttpOnly; SameSite=Lax; Max-Age=600; Secure")

    def test_a_secret_goes_into_the_form_where_the_issuer_wants_that(self, world: World, provider: Provider) -> None:
        provider.say(token_endpoint_auth_methods_supported=["client_secret_post"])
        address = world.go(world.begin())
        assert world.browser.get(address).status_code == 503, "this one takes it in the header alone"
        assert provider.used[-1]["client_secret"] == CLIENT_SECRET

    def test_nobody_who_was_made_known_so_makes_tokens(self, world: World) -> None:
        world.sign_in()
        page = world.browser.get("/ui/tokens").text
        assert "you can make no lasting tokens here" in page
        form = {"name": "x", "action": "read", "on": "team/**", "expires": "30d"}
        assert world.browser.post("/ui/tokens", form).status_code == 403

    def test_it_is_recorded(self, world: World) -> None:
        world.sign_in()
        lines = [json.loads(line) for batch in world.site.spool.batches() for line in batch.read_bytes().splitlines()]
        assert [(line["action"], line["outcome"], line["caller"]) for line in lines] == [
            ("log-in", "done", "sso:grace")
        ]

    def test_it_ends_with_the_issuer(self, world: World) -> None:
        world.sign_in()
        world.document["issuers"]["sso"]["sign_in"]["client_id"] = "another"
        world.write()
        eventually(lambda: world.who is None, what="the client was changed")

    def test_the_rest_of_the_server_asks_for_the_audience_of_pipelines(self, world: World, provider: Provider) -> None:
        for_pages = provider.issuer.token(provider.claims, aud=CLIENT)
        assert world.site.bearing(for_pages).get("/team/index.yaml").status_code == 401
        for_pipelines = provider.issuer.token(provider.claims)
        assert world.site.bearing(for_pipelines).get("/team/index.yaml").status_code == 200


class TestWhatDoesNotGetIn:
    def refused(self, world: World, address: str, message: str, status: int = 401) -> None:
        answer = world.browser.get(address)
        assert answer.status_code == status, answer.text
        assert message in answer.text
        assert "WWW-Authenticate" not in answer.headers
        assert SESSION not in world.browser.cookies
        assert world.who is None

    def test_an_answer_that_this_browser_did_not_begin(self, world: World) -> None:
        """Login CSRF: a page that sends its visitor here with its own code."""
        address = world.go(world.begin())
        world.browser.cookies.clear()
        self.refused(world, address, "no sign-in was begun in this browser")
        assert world.provider.used == []

    @pytest.mark.parametrize("state", ["", "x", None, "é"])
    def test_an_answer_with_another_state(self, world: World, state: str | None) -> None:
        self.refused(world, changed(world.go(world.begin()), state=state), "the answer to another sign-in (state)")
        assert world.provider.used == []

    def test_an_answer_to_another_sign_in_of_the_same_browser(self, world: World) -> None:
        first = world.go(world.begin())
        world.begin()
        self.refused(world, first, "the answer to another sign-in (state)")

    def test_an_answer_that_was_used_already(self, world: World) -> None:
        address = world.go(world.begin())
        kept = dict(world.browser.cookies)
        assert world.browser.get(address).status_code == 303
        world.browser.cookies = kept
        self.refused(world, address, "was used already")
        assert len(world.provider.used) == 1

    def test_one_that_another_replica_has_used(self, world: World, shop: Shop) -> None:
        address = world.go(world.begin())
        replica = Browser(Site(shop, permissions=world.path))
        replica.cookies = dict(world.browser.cookies)
        assert replica.get(address).status_code == 303
        self.refused(world, address, "was used already")

    def test_an_answer_at_the_address_of_another_issuer(self, world: World, other: Provider) -> None:
        """Mix-up: the code of one issuer must not go to another."""
        address = world.go(world.begin())
        self.refused(world, address.replace("/sso/", "/partner/"), "no sign-in was begun")
        assert other.used == []
        assert world.provider.used == []

    def test_an_answer_that_says_another_issuer_sent_it(self, world: World, other: Provider) -> None:
        address = world.go(world.begin())
        self.refused(world, changed(address, iss=other.url), "the answer of another issuer (iss)")

    def test_an_answer_of_the_right_issuer_that_says_so_is_taken(self, world: World) -> None:
        address = changed(world.go(world.begin()), iss=world.provider.url)
        assert world.browser.get(address).status_code == 303

    def test_a_code_that_was_made_for_another_browser(self, world: World) -> None:
        """PKCE: a stolen code is no good without the verifier, which only one browser has."""
        stolen = dict(parse_qsl(urlsplit(world.go(world.begin())).query))["code"]
        address = world.go(world.begin())
        self.refused(world, changed(address, code=stolen), "gives nothing for its code")

    @pytest.mark.parametrize("code", [None, "", "x" * 5000])
    def test_no_code(self, world: World, code: str | None) -> None:
        self.refused(world, changed(world.go(world.begin()), code=code), "sent no code")

    def test_what_the_issuer_says_is_told_and_runs_nothing(self, world: World, provider: Provider) -> None:
        provider.refuses = "access_denied"
        answer = world.browser.get(world.go(world.begin()))
        assert answer.status_code == 401
        assert "sso says &#39;access_denied&#39;: &#39;&lt;b&gt;not you&lt;/b&gt;&#39;" in answer.text

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"nonce": None}, "another sign-in (nonce)"),
            ({"nonce": "x"}, "another sign-in (nonce)"),
            ({"nonce": 1}, "another sign-in (nonce)"),
            ({"aud": AUDIENCE}, "another audience"),
            ({"aud": None}, "does not hold"),
            ({"aud": [CLIENT, "another"]}, "another client (azp)"),
            ({"aud": [CLIENT, "another"], "azp": "another"}, "another client (azp)"),
            ({"azp": "another"}, "another client (azp)"),
            ({"iss": "https://evil.example.com"}, "does not hold"),
            ({"exp": 1}, "expired"),
            ({"exp": None}, "does not hold"),
            ({"preferred_username": None}, "preferred_username"),
        ],
    )
    def test_a_token_that_is_not_for_this_sign_in(
        self, world: World, provider: Provider, changes: dict[str, Any], message: str
    ) -> None:
        provider.changes = changes
        self.refused(world, world.go(world.begin()), message)

    def test_several_audiences_are_right_where_it_was_given_to_us(self, world: World, provider: Provider) -> None:
        provider.changes = {"aud": [CLIENT, "another"], "azp": CLIENT}
        assert world.sign_in().status_code == 303

    def test_a_token_that_another_key_has_signed(self, world: World, provider: Provider, other: Provider) -> None:
        provider.issuer.key = other.issuer.key
        answer = world.sign_in()
        assert answer.status_code == 401
        assert SESSION not in world.browser.cookies

    def test_one_who_is_in_too_many_groups(self, world: World, provider: Provider) -> None:
        provider.claims["groups"] = [f"{number * 7919 % 100_003:x}-{number**3:x}" for number in range(500)]
        answer = world.sign_in()
        assert answer.status_code == 401
        assert "fits into a cookie" in answer.text


class TestAnIssuerThatFails:
    @pytest.mark.parametrize(
        "change",
        [
            {"authorization_endpoint": None},
            {"authorization_endpoint": "javascript:alert(1)"},
            {"authorization_endpoint": "http://evil.example.com/a"},
            {"authorization_endpoint": "https://me@evil.example.com/a"},
            {"token_endpoint": "http://evil.example.com/t"},
            {"token_endpoint": ["x"]},
            {"issuer": "https://evil.example.com"},
        ],
    )
    def test_a_document_that_says_nothing_sound_sends_nobody_anywhere(
        self, world: World, provider: Provider, change: dict[str, Any]
    ) -> None:
        provider.say(**change)
        answer = world.browser.get(BEGIN)
        assert answer.status_code == 503
        assert "nobody can sign in with sso now" in answer.text
        assert "Location" not in answer.headers
        assert provider.url not in answer.text

    @pytest.mark.parametrize(
        "answer",
        [
            Answer(status=500),
            Answer(b"no JSON"),
            Answer(b"[]"),
            Answer(b'{"access_token": "x"}'),
            Answer(b'{"id_token": 1}'),
            Answer(b" " * 600_000),
            Answer(b'{"error": "invalid_client"}', 401),
            Answer(status=302, headers=(("Location", "/elsewhere"),)),
        ],
    )
    def test_an_answer_that_is_no_token_signs_nobody_in(self, world: World, provider: Provider, answer: Answer) -> None:
        address = world.go(world.begin())
        provider.answers[TOKEN] = answer
        found = world.browser.get(address)
        assert found.status_code == 503
        assert "nobody can sign in with sso now" in found.text
        assert SESSION not in world.browser.cookies
        assert [asked.path for asked in provider.asked if asked.path == "/elsewhere"] == []

    def test_it_is_asked_once_where_people_sign_in(self, world: World, provider: Provider) -> None:
        for _ in range(5):
            world.begin()
        assert provider.paths().count(DISCOVERY) == 1

    def test_a_secret_that_cannot_be_read_is_told_in_the_log_alone(
        self, world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        address = world.go(world.begin())
        (tmp_path / "secret").unlink()
        answer = world.browser.get(address)
        assert answer.status_code == 503
        assert "secret" not in answer.text
        assert "client_secret_file" in caplog.text

    @pytest.mark.parametrize("path", ["/ui/sign-in/none", "/ui/sign-in/machines", "/ui/sign-in/machines/back"])
    def test_an_issuer_with_which_nobody_signs_in_is_not_there(self, world: World, path: str) -> None:
        assert world.browser.get(path).status_code == 404
