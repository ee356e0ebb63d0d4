"""The page of tokens: made, shown once, used, revoked; one's own, and all of them for administrators."""

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from chartrepo.access import Tokens
from storage.base import ANYWAY
from tests.http.test_permissions import write_rules
from tests.support.forms import Browser
from tests.support.packages import package
from tests.support.processes import eventually
from tests.support.repositories import Shop
from tests.support.site import Site
from tests.support.users import users

PAGE = "/ui/tokens"
FORM: dict[str, Any] = {"name": "laptop", "action": ["read", "publish"], "on": "team/**", "expires": "30d"}
_TOKEN = re.compile(r"crt_[0-9A-Za-z]{46}")


@pytest.fixture
def site(shop: Shop, tmp_path: Path) -> Site:
    write_rules(
        tmp_path / "rules.yaml",
        [
            (["user:ada"], ["read", "publish"], ["team/**"]),
            (["user:grace"], ["read"], ["*"]),
            (["token:ci"], ["admin"], ["ci/**"]),
        ],
    )
    return Site(
        shop,
        admin_password="secret",
        htpasswd=users(tmp_path, ada="pass", grace="pass"),
        permissions=tmp_path / "rules.yaml",
    )


def signed_in(site: Site, name: str, password: str = "pass") -> Browser:
    browser = Browser(site)
    assert browser.sign_in(name, password).status_code == 303
    assert browser.get(PAGE).status_code == 200
    return browser


@pytest.fixture
def ada(site: Site) -> Browser:
    return signed_in(site, "ada")


def made(browser: Browser, **changes: Any) -> str:
    answer = browser.post(PAGE, {**FORM, **changes})
    assert answer.status_code == 200, answer.text
    found = _TOKEN.search(answer.text)
    assert found is not None
    return found[0]


def record_of(site: Site, action: str, outcome: str = "done") -> dict[str, Any]:
    lines = [json.loads(line) for batch in site.spool.batches() for line in batch.read_bytes().splitlines()]
    (found,) = (line for line in lines if (line["action"], line["outcome"]) == (action, outcome))
    return found


def test_it_is_made_shown_once_used_and_revoked(ada: Browser, site: Site) -> None:
    text = made(ada)
    assert site.bearing(text).upload(package("web"), "/api/team/charts").status_code == 201
    assert site.by("ada", text).get("/team/index.yaml").status_code == 200
    assert site.bearing(text).upload(package("web"), "/api/other/charts").status_code == 404
    assert record_of(site, "publish")["caller"] == "token:user:ada/laptop"
    page = ada.get(PAGE).text
    assert text not in page
    assert "laptop" in page
    assert "read:team/**" in page
    token_id = text[4:14]
    assert ada.post(f"{PAGE}/revoke", {"id": token_id}).status_code == 303
    assert "laptop" not in ada.get(PAGE).text.partition("<h1>")[2].partition("Make a token")[0]
    eventually(lambda: site.bearing(text).get("/team/index.yaml").status_code == 401, what="it was revoked")


def test_the_answer_with_its_text_is_kept_nowhere_and_has_lines_to_paste(ada: Browser) -> None:
    answer = ada.post(PAGE, FORM)
    assert answer.headers.getlist("Cache-Control")[-1] == "no-store"
    text = html.unescape(answer.text)
    assert 'helm repo add team http://localhost/team --username ada --password "$TOKEN"' in text
    assert 'echo "$TOKEN" | helm registry login localhost --username ada --password-stdin' in text
    assert (
        'curl -H "Authorization: Bearer $TOKEN" --data-binary @web-1.0.0.tgz http://localhost/api/team/charts' in text
    )


def test_it_is_audited(ada: Browser, site: Site) -> None:
    text = made(ada)
    record = record_of(site, "create-token")
    assert (record["outcome"], record["caller"], record["token"]) == ("done", "user:ada", "user:ada/laptop")
    assert record["token_id"] == text[4:14]
    assert "as far as user:ada may" in record["detail"]
    ada.post(f"{PAGE}/revoke", {"id": text[4:14]})
    record = record_of(site, "revoke-token")
    assert (record["outcome"], record["token"], record["protocol"]) == ("done", "user:ada/laptop", "page")
    assert ada.post(PAGE, {**FORM, "on": "**"}).status_code == 400
    record = record_of(site, "create-token", "refused")
    assert "you may not read all of" in record["detail"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"on": "**"}, "you may not read all of '**'"),
        ({"on": "other/*"}, "you may not publish all of 'other/*'"),
        ({"action": ["admin"]}, "choose what the token is for"),
        ({"action": []}, "choose what the token is for"),
        ({"on": "  "}, "choose on which charts"),
        ({"expires": "never"}, "within a year"),
        ({"expires": "x"}, "is not never"),
        ({"name": "ci:<b>"}, "names no token"),
    ],
)
def test_what_cannot_be_is_said_and_what_was_written_stays(ada: Browser, changes: dict[str, Any], message: str) -> None:
    answer = ada.post(PAGE, {**FORM, **changes})
    assert answer.status_code == 400
    assert message in html.unescape(answer.text)
    assert "<b>" not in answer.text
    assert _TOKEN.search(answer.text) is None
    assert html.escape(str(changes.get("name", "laptop"))) in answer.text


def test_one_of_the_name_of_another_gets_nothing_by_it(ada: Browser, site: Site) -> None:
    text = made(ada, name="ci")
    assert site.bearing(text).upload(package("web"), "/api/ci/charts").status_code == 404
    assert site.bearing(text).get("/ci/charts/web-1.0.0.tgz").status_code == 404


def test_a_registry_login_with_it_is_capped_as_well(ada: Browser, site: Site, tmp_path: Path) -> None:
    text = made(ada, action=["read"])
    login = site.by("ada", text).get("/v2/token?service=chartrepo").get_json()["token"]
    assert site.bearing(login).get("/team/index.yaml").status_code == 200
    assert site.bearing(login).upload(package("web"), "/api/team/charts").status_code in {403, 404}
    users(tmp_path, grace="pass")
    eventually(lambda: site.bearing(login).get("/team/index.yaml").status_code == 401, what="the owner was removed")
    assert site.bearing(text).get("/team/index.yaml").status_code == 401


def test_nobody_revokes_what_is_anothers(ada: Browser, site: Site) -> None:
    text = made(ada)
    grace = signed_in(site, "grace")
    for form in ({"id": text[4:14]}, {"id": text[4:14], "all": "1"}, {"id": ""}, {"id": "../x"}):
        assert grace.post(f"{PAGE}/revoke", form).status_code == 404
    assert site.bearing(text).get("/team/index.yaml").status_code == 200
    assert "laptop" not in grace.get(PAGE).text.partition("Make a token")[0]


def test_administrators_see_and_revoke_all(ada: Browser, site: Site, shop: Shop) -> None:
    text = made(ada)
    tokens = Tokens(shop.state)
    _, bare = tokens.create("robot", [], lifetime=None, made_by="x")
    admin = signed_in(site, "admin", "secret")
    page = admin.get(PAGE).text
    assert "user:ada/laptop" in page
    assert "robot" in page
    for token_id in (text[4:14], bare.id):
        assert admin.post(f"{PAGE}/revoke", {"id": token_id, "all": "1"}).status_code == 303
    assert tokens.listing().tokens == ()
    assert "There are no tokens but yours." in admin.get(PAGE).text


def test_a_record_that_cannot_be_read_is_shown_and_revoked(site: Site, shop: Shop) -> None:
    Tokens(shop.state).create("robot", [], lifetime=None, made_by="x")
    key = next(info.key for info in shop.state.list("tokens/"))
    shop.state.delete(key)
    shop.state.put(key, b"{}", condition=ANYWAY)
    admin = signed_in(site, "admin", "secret")
    assert "the record has other fields" in admin.get(PAGE).text
    token_id = key.removeprefix("tokens/").removesuffix(".json")
    assert admin.post(f"{PAGE}/revoke", {"id": token_id, "all": "1"}).status_code == 303
    assert "the record has other fields" not in admin.get(PAGE).text


class TestWhoMakesNone:
    def test_who_signed_in_with_a_token(self, site: Site, shop: Shop) -> None:
        text, _ = Tokens(shop.state).create("ci", ["read:team/**"], lifetime=None, made_by="x")
        browser = Browser(site)
        browser.sign_in("x", text)
        assert "You have signed in with a token, which makes no others." in browser.get(PAGE).text
        assert browser.post(PAGE, FORM).status_code == 403

    def test_one_of_ones_own(self, ada: Browser, site: Site) -> None:
        text = made(ada, action=["read"])
        browser = Browser(site)
        browser.sign_in("ada", text)
        assert "token:user:ada/laptop" in browser.get(PAGE).text
        assert browser.post(PAGE, {**FORM, "name": "second"}).status_code == 403

    def test_one_of_an_administrators_own_by_the_api(self, site: Site) -> None:
        admin = signed_in(site, "admin", "secret")
        text = made(admin, action=["read", "publish", "overwrite", "delete"], on="**")
        answer = site.bearing(text).ask("POST", "/api/tokens", json={"name": "x", "allow": ["read:**"]})
        assert answer.status_code == 403
        assert site.bearing(text).get("/api/tokens").status_code == 403
        assert site.bearing(text).get("/api/audit").status_code == 403

    def test_who_brings_a_registry_token(self, site: Site) -> None:
        login = site.by("ada", "pass").get("/v2/token").get_json()["token"]
        browser, headers = Browser(site), site.bearing(login).always
        browser.get(PAGE, headers=headers)
        assert browser.post(PAGE, FORM, headers=headers).status_code == 403

    def test_who_is_not_known(self, site: Site, shop: Shop) -> None:
        browser = Browser(site)
        assert browser.get(PAGE).status_code == 302
        open_site = Browser(Site(shop, admin_password="x", auth_anonymous_get=True))
        assert open_site.get(PAGE).status_code == 302
        open_site.get("/ui/sign-in")
        assert open_site.post(PAGE, FORM).status_code == 401

    def test_whoever_where_there_are_no_users(self, shop: Shop) -> None:
        browser = Browser(Site(shop))
        assert browser.get(PAGE).status_code == 401
