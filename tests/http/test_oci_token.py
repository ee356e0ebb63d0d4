"""How clients of a registry log in: the challenge, the token they get for their credential, and what it is good for."""

import base64
import re
from pathlib import Path
from typing import Any

import pytest

from tests.http.test_permissions import write_rules
from tests.support.packages import package
from tests.support.pushes import push
from tests.support.repositories import Shop
from tests.support.site import Site

PASSWORD = "s3cret"
TOKEN = "/v2/token"


@pytest.fixture
def site(shop: Shop, tmp_path: Path) -> Site:
    """Everybody reads public/**, admin does everything."""
    write_rules(tmp_path / "rules.yaml", [(["anonymous"], ["read"], ["public/**"])])
    for repository in ("public", "team"):
        shop.publish(package("web"), repository=repository)
    return Site(shop, admin_password=PASSWORD, permissions=tmp_path / "rules.yaml")


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def challenge(answer: Any) -> dict[str, str]:
    """The parameters of the one challenge of an answer."""
    (header,) = answer.headers.getlist("WWW-Authenticate")
    scheme, _, rest = header.partition(" ")
    assert scheme == "Bearer"
    return dict(re.findall(r'(\w+)="([^"]*)"', rest))


def got(site: Site, **query: str) -> str:
    text = site.get(TOKEN + "?" + "&".join(f"{name}={value}" for name, value in query.items())).get_json()["token"]
    assert isinstance(text, str)
    return text


class TestChallenge:
    def test_the_base_has_one_though_everybody_may_read(self, shop: Shop) -> None:
        site = Site(shop, admin_password=PASSWORD)
        answer = site.get("/v2/")
        assert answer.status_code == 401
        assert challenge(answer) == {"realm": "http://localhost/v2/token", "service": "chartrepo"}
        assert site.get("/v2/", **basic("admin", "wrong")).status_code == 401

    def test_a_server_without_any_credential_has_none(self, shop: Shop) -> None:
        assert Site(shop).get("/v2/").status_code == 200

    @pytest.mark.parametrize(
        ("method", "path", "scope"),
        [
            ("GET", "/v2/team/web/manifests/1.0.0", "repository:team/web:pull"),
            ("HEAD", "/v2/team/web/manifests/1.0.0", "repository:team/web:pull"),
            ("GET", "/v2/team/web/tags/list", "repository:team/web:pull"),
            ("POST", "/v2/team/web/blobs/uploads/", "repository:team/web:pull,push"),
            ("PUT", "/v2/team/web/manifests/1.0.0", "repository:team/web:pull,push"),
            ("DELETE", "/v2/team/web/manifests/1.0.0", "repository:team/web:delete"),
        ],
    )
    def test_it_says_what_the_token_is_for(self, site: Site, method: str, path: str, scope: str) -> None:
        answer = site.ask(method, path)
        assert answer.status_code == 401
        assert challenge(answer)["scope"] == scope

    def test_it_says_that_a_token_does_not_hold(self, site: Site) -> None:
        assert challenge(site.bearing("crr_x").get("/v2/team/web/tags/list"))["error"] == "invalid_token"

    @pytest.mark.parametrize("name", ["a%22b", "a%0d%0ax", "%C3%BC"])
    def test_nothing_of_a_path_that_is_no_name_is_in_it(self, site: Site, name: str) -> None:
        answer = site.get(f"/v2/{name}/tags/list")
        if answer.status_code == 401:
            assert "scope" not in challenge(answer)

    @pytest.mark.parametrize("host", ['x"y', "x y", "x,y", "x/y", "", "[::1", "a:b"])
    def test_nothing_of_a_host_that_can_be_none_is_in_it(self, site: Site, host: str) -> None:
        assert challenge(site.ask("GET", "/v2/", headers={"Host": host}))["realm"] == TOKEN

    def test_its_address_is_the_setting_s(self, shop: Shop) -> None:
        site = Site(shop, admin_password=PASSWORD, external_url="https://charts.example.com/charts")
        assert challenge(site.get("/v2/"))["realm"] == "https://charts.example.com/v2/token"

    def test_the_classic_side_keeps_its_own(self, site: Site) -> None:
        assert site.get("/team/index.yaml").headers["WWW-Authenticate"].startswith("Basic ")


class TestGetting:
    def test_a_password_gets_one_that_is_good_everywhere(self, site: Site) -> None:
        answer = site.get(
            TOKEN + "?service=chartrepo&scope=repository:team/web:pull&scope=x", **basic("admin", PASSWORD)
        )
        said = answer.get_json()
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
        assert said["token"] == said["access_token"]
        assert said["expires_in"] >= 300
        assert re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z", said["issued_at"])
        assert "refresh_token" not in said
        there = site.bearing(said["token"])
        assert there.get("/v2/").status_code == 200
        assert push(there, "team/web", package("web", "2.0.0"), "2.0.0").status_code == 201
        assert site.by("anybody", said["token"]).get("/team/index.yaml").status_code == 200

    @pytest.mark.parametrize(("user", "password"), [("admin", "wrong"), ("nobody", PASSWORD), ("", ""), ("admin", "")])
    def test_a_wrong_one_gets_none(self, site: Site, user: str, password: str) -> None:
        assert site.get(TOKEN, **basic(user, password)).status_code == 401
        form = {"grant_type": "password", "username": user, "password": password}
        assert site.ask("POST", TOKEN, data=form).status_code == 401

    def test_anonymous_gets_one_for_what_everybody_may_read(self, site: Site) -> None:
        there = site.bearing(got(site, scope="repository:team/web:pull"))
        assert there.get("/v2/").status_code == 200
        assert there.get("/v2/public/web/tags/list").status_code == 200
        assert there.get("/v2/team/web/tags/list").status_code == 401
        assert there.ask("POST", "/v2/public/web/blobs/uploads/").status_code == 401

    def test_anonymous_gets_none_where_there_is_nothing_to_read(self, shop: Shop, tmp_path: Path) -> None:
        write_rules(tmp_path / "rules.yaml", [])
        assert Site(shop, admin_password=PASSWORD, permissions=tmp_path / "rules.yaml").get(TOKEN).status_code == 401

    def test_a_registry_token_gets_no_other(self, site: Site) -> None:
        text = site.get(TOKEN, **basic("admin", PASSWORD)).get_json()["token"]
        assert site.bearing(text).get(TOKEN).status_code == 401

    def test_an_api_token_gets_one_that_ends_with_it(self, site: Site) -> None:
        admin = site.by("admin", PASSWORD)
        made = admin.ask("POST", "/api/tokens", json={"name": "ci", "allow": ["read:team/**"]}).get_json()["token"]
        text = site.get(TOKEN, **basic("x", made)).get_json()["token"]
        there = site.bearing(text)
        assert there.get("/v2/team/web/tags/list").status_code == 200
        assert there.ask("POST", "/v2/team/web/blobs/uploads/").status_code == 403
        assert admin.delete("/api/tokens/ci").status_code == 200
        assert site.by("y", text).get("/v2/team/web/tags/list").status_code == 401  # who was not believed just now


class TestPosting:
    def test_a_password_gets_one_and_what_renews_it(self, site: Site) -> None:
        form = {"grant_type": "password", "username": "admin", "password": PASSWORD, "access_type": "offline"}
        said = site.ask("POST", TOKEN, data=form).get_json()
        assert site.bearing(said["access_token"]).get("/v2/team/web/tags/list").status_code == 200
        renewed = site.ask(
            "POST", TOKEN, data={"grant_type": "refresh_token", "refresh_token": said["refresh_token"]}
        ).get_json()
        assert site.bearing(renewed["token"]).get("/v2/team/web/tags/list").status_code == 200
        assert site.bearing(said["refresh_token"]).get("/v2/team/web/tags/list").status_code == 401

    def test_by_get_too(self, site: Site) -> None:
        said = site.get(TOKEN + "?offline_token=true", **basic("admin", PASSWORD)).get_json()
        form = {"grant_type": "refresh_token", "refresh_token": said["refresh_token"]}
        assert site.ask("POST", TOKEN, data=form).status_code == 200

    @pytest.mark.parametrize("text", ["", "crr_x", "crt_x", "x" * 3000])
    def test_what_renews_nothing_is_401(self, site: Site, text: str) -> None:
        form = {"grant_type": "refresh_token", "refresh_token": text}
        assert site.ask("POST", TOKEN, data=form).status_code == 401

    @pytest.mark.parametrize("form", [{}, {"grant_type": "x"}, {"grant_type": "client_credentials"}])
    def test_another_grant_is_400_with_what_to_write(self, site: Site, form: dict[str, str]) -> None:
        answer = site.ask("POST", TOKEN, data=form)
        assert answer.status_code == 400
        assert "grant_type: write password" in answer.get_json()["errors"][0]["message"]

    def test_a_large_form_is_refused(self, site: Site) -> None:
        form = {"grant_type": "password", "username": "x", "password": "x" * 100_000}
        assert site.ask("POST", TOKEN, data=form).status_code == 413

    @pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=x", "text/plain", ""])
    def test_what_is_no_such_form_is_400_in_the_specification_s_form(self, site: Site, kind: str) -> None:
        for data in (b"abc", b"\xff\xfe", b"--x\r\n", b"&".join(b"a=1" for _ in range(1100))):
            answer = site.ask("POST", TOKEN, data=data, headers={"Content-Type": kind})
            assert answer.status_code == 400
            assert answer.get_json()["errors"][0]["message"]

    def test_a_registry_token_makes_no_lasting_one(self, site: Site) -> None:
        text = site.get(TOKEN, **basic("admin", PASSWORD)).get_json()["token"]
        asked = {"name": "ci", "allow": ["admin:**"], "expires": "never"}
        for there in (site.bearing(text), site.by("x", text)):
            answer = there.ask("POST", "/api/tokens", json=asked)
            assert answer.status_code == 403
            assert "send the password or an API token" in answer.get_json()["error"]

    def test_guesses_are_slowed_here_too(self, site: Site) -> None:
        form = {"grant_type": "password", "username": "admin", "password": "wrong"}
        statuses = [site.ask("POST", TOKEN, data=form).status_code for _ in range(12)]
        assert statuses[0] == 401
        assert statuses[-1] == 429
