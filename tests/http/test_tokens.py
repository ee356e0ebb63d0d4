"""The API of tokens, and tokens as callers of everything else."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from chartrepo import layout
from chartrepo.access import Tokens
from chartrepo.core.tokens import MAX_RECORD, compose, id_in
from storage.base import ANYWAY, Unavailable
from storage.local import LocalStorage
from tests.http.test_permissions import write_rules
from tests.support.faults import FaultyStorage
from tests.support.packages import package
from tests.support.processes import eventually
from tests.support.repositories import NOW, Clock, Shop
from tests.support.site import Site

PATH: Final = "/api/tokens"
DOWN: Final = Unavailable("the storage does not answer")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.state = FaultyStorage(shop.state)
    shop.build()
    return shop


@pytest.fixture
def state(shop: Shop) -> FaultyStorage:
    assert isinstance(shop.state, FaultyStorage)
    return shop.state


@pytest.fixture
def site(shop: Shop, tmp_path: Path) -> Site:
    """A private server that nobody but admin may do anything on by its rules."""
    write_rules(tmp_path / "rules.yaml", [])
    return Site(shop, admin_password="secret", permissions=tmp_path / "rules.yaml")


@pytest.fixture
def admin(site: Site) -> Site:
    return site.by("admin", "secret")


def create(site: Site, name: str = "ci", *allow: str, **more: object) -> dict[str, Any]:
    answer = site.ask("POST", PATH, json={"name": name, "allow": allow or ["publish:team/**"], **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


class TestTheApi:
    def test_a_token_is_made_shown_once_used_and_revoked(self, admin: Site, site: Site) -> None:
        made = create(admin, expires="12h")
        text = made.pop("token")
        assert id_in(text) == made["id"]
        assert (made["name"], made["allow"], made["made_by"]) == ("ci", ["publish:team/**"], "user:admin")
        assert site.bearing(text).upload(package(), "/api/team/charts").status_code == 201
        answer = admin.get(PATH)
        (listed,) = answer.get_json()["tokens"]
        assert listed.pop("last_used") is not None
        assert made.pop("last_used") is None
        assert listed == made
        assert text not in answer.text
        assert admin.delete(f"{PATH}/ci").get_json() == {"revoked": [made["id"]]}
        eventually(lambda: site.bearing(text).get("/index.yaml").status_code == 401, what="it is not believed any more")
        assert admin.get(PATH).get_json() == {"tokens": [], "spoilt": []}

    def test_the_log_says_who_made_and_revoked_it_and_not_what_it_is(
        self, admin: Site, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level("INFO"):
            made = create(admin)
            admin.delete(f"{PATH}/ci")
        assert f"user:admin made token:ci ({made['id']})" in caplog.messages
        assert f"user:admin revoked token ci ({made['id']})" in caplog.messages
        assert made["token"] not in caplog.text

    def test_neither_it_nor_the_list_is_stored_on_the_way(self, admin: Site) -> None:
        made = admin.ask("POST", PATH, json={"name": "ci"})
        assert [answer.headers["Cache-Control"] for answer in (made, admin.get(PATH))] == ["no-store"] * 2

    def test_it_lasts_90_days_and_allows_nothing_unless_more_is_said(self, admin: Site) -> None:
        made = admin.ask("POST", PATH, json={"name": "ci"}).get_json()
        record = Tokens(admin.shop.state).find("ci")
        assert record is not None
        assert record.expires == record.created + 90 * 86400
        assert made["allow"] == []

    def test_one_can_be_revoked_by_its_id(self, admin: Site) -> None:
        made = create(admin)
        assert admin.delete(f"{PATH}/{made['id']}").status_code == 200
        assert admin.delete(f"{PATH}/{made['id']}").status_code == 404

    def test_a_spoilt_one_is_listed(self, admin: Site) -> None:
        made = create(admin)
        admin.shop.state.put(layout.token_key(made["id"]), b"?", condition=ANYWAY)
        assert admin.get(PATH).get_json() == {
            "tokens": [],
            "spoilt": [{"id": made["id"], "problem": "the record is no JSON"}],
        }

    def test_a_name_is_there_once(self, admin: Site) -> None:
        create(admin)
        answer = admin.ask("POST", PATH, json={"name": "ci"})
        assert (answer.status_code, "there is a token ci already" in answer.get_json()["error"]) == (409, True)

    @pytest.mark.parametrize(
        ("body", "problem"),
        [
            (b"", "the body is no JSON"),
            (b"{", "the body is no JSON"),
            (b"\xff", "the body is no JSON"),
            (b"[" * 100_000, "the body is no JSON"),
            (b"[]", "no JSON object of name, allow, expires"),
            (b'{"name": "ci", "allowed": []}', "no JSON object of name, allow, expires and nothing else"),
            (b"{}", "name: give the token a name"),
            (b'{"name": 1}', "name: give the token a name"),
            (b'{"name": "C I"}', "name: 'C I' names no token"),
            (b'{"name": "ci", "allow": "read:**"}', "allow: write a list"),
            (b'{"name": "ci", "allow": [1]}', "allow: write a list"),
            (b'{"name": "ci", "allow": ["x:**"]}', "allow: there is no action 'x'"),
            (b'{"name": "ci", "expires": 90}', "expires: '90' is no text"),
            (b'{"name": "ci", "expires": null}', "expires: 'None' is no text"),
            (b'{"name": "ci", "expires": "soon"}', "expires: 'soon' is not never, nor a duration"),
        ],
    )
    def test_what_is_wrong_is_said(self, admin: Site, body: bytes, problem: str) -> None:
        answer = admin.ask("POST", PATH, data=body)
        assert answer.status_code == 400
        assert problem in answer.get_json()["error"]
        assert list(admin.shop.state.list(layout.TOKENS_PREFIX)) == []

    def test_a_body_is_bounded(self, admin: Site) -> None:
        assert admin.ask("POST", PATH, data=b" " * (MAX_RECORD + 1)).status_code == 413
        assert admin.ask("POST", PATH, data=json.dumps({"name": "ci"}).encode().ljust(MAX_RECORD)).status_code == 201

    def test_it_is_for_who_may_do_everything(self, admin: Site, site: Site) -> None:
        less = site.bearing(create(admin, "less", "admin:team/**", "read:**")["token"])
        nothing = site.bearing(create(admin, "nothing", "admin:none/x")["token"])
        everything = site.bearing(create(admin, "everything", "admin:**")["token"])
        for method, path in (("GET", PATH), ("POST", PATH), ("DELETE", f"{PATH}/less")):
            assert site.ask(method, path, json={"name": "new"}).status_code == 401
            assert less.ask(method, path, json={"name": "new"}).status_code == 403
            assert nothing.ask(method, path, json={"name": "new"}).status_code == 403
        assert everything.ask("POST", PATH, json={"name": "new"}).get_json()["made_by"] == "token:everything"
        assert len(everything.get(PATH).get_json()["tokens"]) == 4

    def test_a_web_page_of_another_site_makes_none(self, admin: Site) -> None:
        headers = {"Sec-Fetch-Site": "cross-site"}
        assert admin.ask("POST", PATH, json={"name": "ci"}, headers=headers).status_code == 403

    def test_a_storage_that_does_not_answer_is_said_to_be_so(self, admin: Site, state: FaultyStorage) -> None:
        for operation in ("list", "put"):
            state.fail(operation, DOWN)
            assert admin.ask("POST", PATH, json={"name": "ci"}).status_code == 503
        assert admin.get(PATH).get_json()["tokens"] == []

    def test_a_repository_called_tokens_is_still_one(self, admin: Site) -> None:
        assert admin.upload(package("web"), f"{PATH}/charts").status_code == 201
        assert list(admin.get(f"{PATH}/charts").get_json()) == ["web"]
        assert admin.delete(f"{PATH}/charts/web/1.0.0").status_code == 200


class TestWhereNobodyIsKnown:
    """A server without any credential answers as it would if there were no tokens."""

    def test_a_token_is_not_looked_at(self, shop: Shop, state: FaultyStorage) -> None:
        text, _ = Tokens(shop.state).create("ci", ["admin:**"], lifetime=None, made_by="")
        shop.publish(package())
        site = Site(shop, open_writes=False)
        state.calls.clear()
        for there in (site, site.bearing(text), site.by("x", text), site.bearing("crt_wrong")):
            assert there.get("/index.yaml").status_code == 200
            assert there.upload(package("web")).status_code == 403
            assert there.ask("POST", PATH, json={"name": "new"}).status_code == 403
        assert state.calls == []

    def test_none_is_made_that_would_wait_for_its_day(self, shop: Shop) -> None:
        answer = Site(shop, open_writes=True).ask("POST", PATH, json={"name": "ci", "allow": ["admin:**"]})
        assert answer.status_code == 403
        assert "this server takes no tokens: set admin_password" in answer.get_json()["error"]
        assert Tokens(shop.state).listing().tokens == ()


class TestCallers:
    def test_a_token_may_what_it_says_also_without_a_file_of_rules(self, shop: Shop) -> None:
        text, _ = Tokens(shop.state).create("ci", ["publish:team/**"], lifetime=None, made_by="")
        site = Site(shop, admin_password="secret").bearing(text)
        assert site.upload(package("web"), "/api/team/charts").status_code == 201
        assert site.upload(package("web"), "/api/charts").status_code == 403
        assert site.delete("/api/team/charts/web/1.0.0").status_code == 403

    def test_a_refusal_names_the_token(self, admin: Site, site: Site) -> None:
        there = site.bearing(create(admin, "ci", "read:team/**")["token"])
        assert admin.upload(package("web"), "/api/team/charts").status_code == 201
        assert "token:ci may not delete here" in there.delete("/api/team/charts/web/1.0.0").get_json()["error"]

    def test_a_wrong_one_is_refused_everywhere(self, admin: Site, site: Site) -> None:
        text = create(admin)["token"]
        wrong = (compose(text[4:14], "0" * 30), compose("0" * 10, text[14:44]), text[:-1], "crt_", f"{text} x")
        for number, each in enumerate(wrong):
            for there in (site.bearing(each), site.by("x", each)):
                for path in ("/index.yaml", "/api/charts", "/v2/", "/v2/team/web/tags/list", "/metrics"):
                    address = {"REMOTE_ADDR": f"192.0.2.{number}"}
                    assert there.ask("GET", path, environ_overrides=address).status_code in {401, 429}
                    assert there.get("/livez").status_code == 200

    def test_the_name_beside_it_must_not_be_empty(self, admin: Site, site: Site) -> None:
        text = create(admin, "ci", "read:**")["token"]
        assert site.by("", text).get("/index.yaml").status_code == 401
        for name in ("x", "admin", "token", "ci", "ü"):
            assert site.by(name, text).get("/index.yaml").status_code == 200

    def test_guesses_are_slowed_and_slow_no_token_that_is_in_use(self, admin: Site, site: Site) -> None:
        text = create(admin, "ci", "read:**")["token"]
        good = site.bearing(text)
        assert good.get("/index.yaml").status_code == 200
        gone = site.bearing(compose("0" * 10, "0" * 30))
        statuses = [gone.get("/index.yaml").status_code for _ in range(12)]
        assert statuses == [401] * 10 + [429] * 2
        assert good.get("/index.yaml").status_code == 200

    def test_while_the_storage_does_not_answer_only_tokens_are_refused(
        self, admin: Site, site: Site, state: FaultyStorage
    ) -> None:
        text = create(admin, "ci", "read:**")["token"]
        state.fail("open", DOWN, times=None)
        for path in ("/index.yaml", "/api/charts", "/v2/", "/metrics"):
            answer = site.bearing(text).get(path)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
            assert admin.get(path).status_code in {200, 404}
            assert site.get(path).status_code == 401
        state.heal()
        assert site.bearing(text).get("/index.yaml").status_code == 200

    def test_an_answer_at_hand_waits_for_no_storage(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        shop = Shop(tmp_path, LocalStorage(tmp_path / "data"))
        shop.inner.check()
        state = shop.state = FaultyStorage(shop.state)
        shop.build()
        shop.clock.now = NOW - 100
        shop.publish(package())
        shop.clock.now = NOW
        site = Site(shop, admin_password="secret")
        tokens = site.app._authorizer._directory.tokens
        assert tokens is not None
        clock = Clock(1000.0)
        monkeypatch.setattr(tokens, "_clock", clock)
        monkeypatch.setattr(site.app._authorizer._believed, "_clock", clock)
        text, _ = tokens.create("ci", ["read:**"], lifetime=None, made_by="")
        path, there = "/charts/app-1.0.0.tgz", site.bearing(text)

        def is_at_hand() -> bool:
            asked = {
                "REQUEST_METHOD": "GET",
                "PATH_INFO": path,
                "QUERY_STRING": "",
                "HTTP_AUTHORIZATION": f"Bearer {text}",
            }
            return site.app.at_hand(asked) is not None

        eventually(lambda: there.get(path).status_code == 200 and is_at_hand(), what=f"{path} is at hand")
        clock.now += 5
        state.fail("open", DOWN, times=None)
        state.calls.clear()
        assert not is_at_hand()
        assert state.calls == []
        assert there.get(path).status_code == 503
        assert site.by("admin", "secret").get(path).status_code == 200
        state.heal()
        assert there.get(path).status_code == 200
        assert is_at_hand()

    def test_a_pipeline_with_a_revoked_one_slows_nobody_who_logs_in_from_beside_it(
        self, admin: Site, site: Site
    ) -> None:
        text = create(admin, "ci", "read:**")["token"]
        admin.delete(f"{PATH}/ci")
        eventually(lambda: site.bearing(text).get("/index.yaml").status_code == 401, what="it is not believed any more")
        statuses = {site.bearing(text).get("/index.yaml").status_code for _ in range(30)}
        assert statuses <= {401, 429}
        fresh = Site(site.shop, admin_password="another")
        for _ in range(30):
            fresh.bearing(text).get("/index.yaml")
        assert fresh.by("admin", "another").get("/index.yaml").status_code == 200

    def test_neither_a_lost_catalog_nor_a_reindex_has_a_part_in_it(
        self, admin: Site, shop: Shop, tmp_path: Path
    ) -> None:
        living = create(admin, "living", "read:**")["token"]
        revoked = create(admin, "revoked", "read:**")["token"]
        admin.upload(package())
        admin.delete(f"{PATH}/revoked")
        before = sorted((info.key, info.state) for info in shop.state.list(layout.TOKENS_PREFIX))
        shop.close()
        for file in tmp_path.glob("catalog*"):
            file.unlink()
        anew = Shop(tmp_path, shop.inner, shop.state)
        anew.build()
        there = Site(anew, admin_password="secret", permissions=tmp_path / "rules.yaml")
        assert there.by("admin", "secret").ask("POST", "/api/sync").status_code == 200
        assert sorted((info.key, info.state) for info in shop.state.list(layout.TOKENS_PREFIX)) == before
        assert there.bearing(living).get("/charts/app-1.0.0.tgz").status_code == 200
        assert there.bearing(revoked).get("/charts/app-1.0.0.tgz").status_code == 401
