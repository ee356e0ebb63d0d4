"""Workloads that an issuer makes known: what their tokens open, and what they do not, over the whole application."""

import base64
import json
import random
import string
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from chartrepo.access import Tokens, issuer_keys
from tests.support.issuers import AUDIENCE, GITHUB, GITLAB, KUBERNETES, WORKFLOW, Key, LocalIssuer, running
from tests.support.packages import package
from tests.support.pushes import push
from tests.support.repositories import Shop
from tests.support.site import Site

PASSWORD: Final = "s3cret"
EXCHANGE: Final = "/api/token"
CLAIMS: Final[Mapping[str, Mapping[str, Any]]] = {
    "github": GITHUB,
    "gitlab": GITLAB,
    "cluster": KUBERNETES,
    "sso": {"sub": "4f1c", "preferred_username": "ada", "groups": ["platform"]},
}
OWN: Final = {"github": "apps", "gitlab": "lab", "cluster": "ops", "sso": "team"}
"""The repository that each may publish to."""


class World:
    """A server with four issuers, each of which may publish to a repository of its own.

    Attributes:
        issuers: by name.
        rules: the file of rules.
        site: that is asked.
    """

    def __init__(self, shop: Shop, folder: Path, issuers: dict[str, LocalIssuer]) -> None:
        self.issuers = issuers
        self.rules = folder / "rules.yaml"
        self.document: dict[str, Any] = {
            "permissions": [
                {"who": f"github:{WORKFLOW}", "may": ["publish", "read"], "on": "apps/*"},
                {
                    "who": {"issuer": "gitlab", "project_path": "acme/web", "ref_protected": True},
                    "may": ["publish", "read"],
                    "on": "lab/*",
                },
                {"who": "cluster:ci/pusher", "may": ["publish", "read"], "on": "ops/*"},
                {"who": "group:sso:platform", "may": ["publish", "read"], "on": "team/*"},
                {"who": "authenticated", "may": "read", "on": "shared/*"},
            ],
            "issuers": {
                "github": {"url": issuers["github"].url, "audience": AUDIENCE},
                "gitlab": {"url": issuers["gitlab"].url, "audience": ["other", AUDIENCE]},
                "cluster": {"kind": "kubernetes", "url": issuers["cluster"].url, "audience": AUDIENCE},
                "sso": {
                    "url": issuers["sso"].url,
                    "audience": AUDIENCE,
                    "user": "preferred_username",
                    "groups": "groups",
                    "authenticated": True,
                },
            },
        }
        self.write()
        self.site = Site(shop, permissions=self.rules)

    def write(self) -> None:
        """Write the file of rules as `document` has them."""
        self.rules.write_text(yaml.safe_dump(self.document))

    def token(self, name: str, **changes: Any) -> str:
        return self.issuers[name].token(CLAIMS[name], **changes)

    def bearing(self, name: str, **changes: Any) -> Site:
        """The site, as a workload of an issuer asks it."""
        return self.site.bearing(self.token(name, **changes))


@pytest.fixture
def world(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr("chartrepo.watched._LOOKS", 0.0)
    monkeypatch.setattr("chartrepo.http.believed.SECONDS", 0.0)
    with ExitStack() as stack:
        yield World(shop, tmp_path, {name: stack.enter_context(running()) for name in CLAIMS})


def status_of_upload(site: Site, repository: str, version: str = "1.0.0") -> int:
    return site.upload(package("web", version), f"/api/{repository}/charts").status_code


def records(site: Site) -> list[dict[str, Any]]:
    """The audit records that wait, each as it was written."""
    return [json.loads(line) for line in site.spool.lines() if line]


@pytest.mark.parametrize("name", CLAIMS)
class TestEveryIssuer:
    def test_its_workload_publishes_where_the_rule_says_and_nowhere_else(self, world: World, name: str) -> None:
        there = world.bearing(name)
        for repository in OWN.values():
            assert (status_of_upload(there, repository) == 201) == (repository == OWN[name])
        assert there.get(f"/{OWN[name]}/index.yaml").status_code == 200
        assert there.delete(f"/api/{OWN[name]}/charts/web/1.0.0").status_code == 403

    def test_its_token_is_taken_as_the_password_with_any_name_but_none(self, world: World, name: str) -> None:
        token = world.token(name)
        assert status_of_upload(world.site.by("whoever", token), OWN[name]) == 201
        assert status_of_upload(world.site.by("", token), OWN[name], "2.0.0") == 401

    def test_it_gets_a_token_of_a_registry_and_pushes(self, world: World, name: str) -> None:
        there = world.site.by("any", world.token(name))
        said = there.get("/v2/token?scope=x&offline_token=true").get_json()
        assert said["expires_in"] == 300
        assert "refresh_token" not in said
        there = world.site.bearing(said["token"])
        assert push(there, f"{OWN[name]}/web", package("web"), "1.0.0").status_code == 201
        assert there.ask("POST", "/v2/elsewhere/web/blobs/uploads/").status_code == 404

    def test_it_gets_one_of_a_quarter_of_an_hour_with_the_same_rights(self, world: World, name: str) -> None:
        said = world.bearing(name).ask("POST", EXCHANGE).get_json()
        assert (said["expires_in"], said["token_type"], said["access_token"]) == (900, "Bearer", said["token"])
        for there in (world.site.bearing(said["token"]), world.site.by("any", said["token"])):
            assert status_of_upload(there, OWN[name]) in {201, 409}
            assert status_of_upload(there, "elsewhere") == 404
        issued = world.site.by("any", said["token"]).get("/v2/token").get_json()
        assert issued["expires_in"] == 300
        pushed = push(world.site.bearing(issued["token"]), f"{OWN[name]}/web", package("web", "2.0.0"), "2.0.0")
        assert pushed.status_code == 201

    def test_taking_it_out_of_the_file_ends_all_that_was_got_from_it(self, world: World, name: str) -> None:
        exchanged = world.bearing(name).ask("POST", EXCHANGE).get_json()["token"]
        assert [each["action"] for each in records(world.site)] == ["create-token"]
        registry = world.site.by("any", world.token(name)).get("/v2/token").get_json()["token"]
        assert status_of_upload(world.site.bearing(exchanged), OWN[name]) == 201
        world.document["issuers"].pop(name)
        world.write()
        for text in (exchanged, registry, world.token(name)):
            assert status_of_upload(world.site.bearing(text), OWN[name], "2.0.0") == 401

    def test_a_rule_that_changes_holds_for_what_was_got_before(self, world: World, name: str) -> None:
        exchanged = world.bearing(name).ask("POST", EXCHANGE).get_json()["token"]
        world.document["permissions"] = [{"who": "user:nobody", "may": "read", "on": "x"}]
        world.write()
        assert status_of_upload(world.site.bearing(exchanged), OWN[name]) == 404


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("github", {"repository": "evil/web"}),
        ("github", {"ref": "refs/heads/x"}),
        ("github", {"job_workflow_ref": WORKFLOW.replace("release", "other")}),
        ("github", {"job_workflow_ref": WORKFLOW.replace("main", "x"), "ref": "refs/heads/x"}),
        ("gitlab", {"project_path": "evil/web"}),
        ("gitlab", {"ref_protected": "false"}),
        ("cluster", {"kubernetes.io": {"namespace": "default", "serviceaccount": {"name": "pusher"}}}),
        ("cluster", {"kubernetes.io": {"namespace": "ci", "serviceaccount": {"name": "default"}}}),
        ("sso", {"groups": ["other"]}),
        ("sso", {"groups": None}),
    ],
)
def test_a_workload_that_the_rule_does_not_mean_publishes_nothing(
    world: World, name: str, changes: dict[str, Any]
) -> None:
    assert status_of_upload(world.bearing(name, **changes), OWN[name]) == 404


def test_what_was_got_under_another_claim_of_the_user_does_not_hold(world: World) -> None:
    text = world.bearing("sso").ask("POST", EXCHANGE).get_json()["token"]
    world.document["issuers"]["sso"]["user"] = "sub"
    world.write()
    assert status_of_upload(world.site.bearing(text), "team") == 201
    world.document["issuers"]["sso"]["user"] = "email"
    world.write()
    assert status_of_upload(world.site.bearing(text), "team", "2.0.0") == 401


def test_who_is_authenticated_the_table_of_issuers_says(world: World) -> None:
    shop = world.site.shop
    shop.publish(package("web"), repository="shared")
    for name in CLAIMS:
        status = world.bearing(name).get("/shared/charts/web-1.0.0.tgz").status_code
        assert status == (200 if name == "sso" else 404)


def test_an_issuer_makes_no_user_of_the_file_and_no_group_of_the_table(world: World) -> None:
    world.document["permissions"] = [
        {"who": ["user:ada", "group:platform", "token:ada"], "may": ["read", "publish"], "on": "team/*"}
    ]
    world.document["groups"] = {"platform": ["grace"]}
    world.write()
    assert status_of_upload(world.bearing("sso"), "team") == 404
    world.document["groups"] = {"platform": ["sso:ada"]}
    world.write()
    assert status_of_upload(world.bearing("sso"), "team") == 201


class TestRefusals:
    def test_pull_request_target_is_refused_with_the_reason(self, world: World) -> None:
        for method, path in (("GET", "/apps/index.yaml"), ("POST", EXCHANGE), ("GET", "/v2/token")):
            answer = world.bearing("github", event_name="pull_request_target").ask(method, path)
            assert answer.status_code == 401
            assert "pull_request_target" in answer.get_data(as_text=True)

    def test_the_reason_is_told_to_whoever_has_a_token_of_the_issuer(self, world: World) -> None:
        answer = world.bearing("github", aud="https://other.example").get("/apps/index.yaml")
        assert answer.status_code == 401
        assert AUDIENCE in answer.get_json()["error"]
        assert "WWW-Authenticate" in answer.headers

    def test_a_refusal_names_the_workload(self, world: World) -> None:
        error = world.bearing("github").delete("/api/apps/charts/web/1.0.0").get_json()["error"]
        assert f"github:{WORKFLOW} may not delete" in error

    def test_without_keys_it_is_503_and_not_401(self, world: World) -> None:
        world.issuers["github"].fail()
        answer = world.bearing("github").get("/apps/index.yaml")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert answer.get_json()["error"].startswith("the keys of the issuer github cannot be had now")
        assert world.bearing("github").ask("POST", EXCHANGE).status_code == 503
        assert world.bearing("github").get("/v2/apps/web/tags/list").status_code == 503
        assert world.bearing("gitlab").get("/lab/index.yaml").status_code == 200

    def test_an_outage_takes_no_keys_away(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        assert status_of_upload(world.bearing("github"), "apps") == 201
        monkeypatch.setattr(issuer_keys, "FRESH", 0.0)
        world.issuers["github"].fail()
        for version in ("2.0.0", "3.0.0"):
            assert status_of_upload(world.bearing("github"), "apps", version) == 201

    def test_new_keys_are_found_and_old_ones_forgotten(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(issuer_keys, "SOONEST", 0.0)
        old = world.token("github")
        assert world.site.bearing(old).get("/apps/index.yaml").status_code == 200
        world.issuers["github"].rotate()
        assert world.bearing("github").get("/apps/index.yaml").status_code == 200
        assert world.site.bearing(old).get("/apps/index.yaml").status_code == 401

    def test_a_flood_of_unknown_keys_does_not_reach_the_issuer(self, world: World) -> None:
        issuer = world.issuers["github"]
        assert world.bearing("github").get("/apps/index.yaml").status_code == 200
        for number in range(50):
            assert world.bearing("github", key=Key(f"key {number}")).get("/apps/index.yaml").status_code == 401
        assert issuer.asked == 1


class TestBelieving:
    def test_a_token_is_not_believed_beyond_its_end(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("chartrepo.http.believed.SECONDS", 1000.0)
        monkeypatch.setattr("chartrepo.access.identity_tokens.LEEWAY", 0)
        there = world.bearing("github", lasts=100)
        assert there.get("/apps/index.yaml").status_code == 200
        remembered = [until for _, until in there.app._authorizer._believed._callers.values()]
        assert [until - time.monotonic() <= 100 for until in remembered] == [True]

    def test_one_that_ended_within_the_leeway_is_not_remembered(self, world: World) -> None:
        there = world.bearing("github", lasts=-5)
        assert there.get("/apps/index.yaml").status_code == 200
        remembered = [until for _, until in there.app._authorizer._believed._callers.values()]
        assert [until <= time.monotonic() for until in remembered] == [True]


class TestExchange:
    @pytest.mark.parametrize("how", ["bearer", "basic", "json", "form", "token exchange"])
    def test_the_token_comes_as_one_types_it(self, world: World, how: str) -> None:
        token = world.token("github")
        kind = {"content_type": "application/x-www-form-urlencoded"}
        options: dict[str, Any] = {
            "bearer": {"headers": {"Authorization": f"Bearer {token}"}},
            "basic": {"headers": {"Authorization": "Basic " + base64.b64encode(f"x:{token}".encode()).decode()}},
            "json": {"data": json.dumps({"token": token}), "content_type": "application/json"},
            "form": {"data": f"token={token}", **kind},
            "token exchange": {
                "data": "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=" + token,
                **kind,
            },
        }[how]
        answer = world.site.ask("POST", EXCHANGE, **options)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
        assert answer.get_json()["caller"] == f"github:{WORKFLOW}"

    @pytest.mark.parametrize(
        ("options", "status"),
        [
            ({}, 401),
            ({"data": "token=x"}, 401),
            ({"data": "{", "content_type": "application/json"}, 400),
            ({"data": "[]", "content_type": "application/json"}, 400),
            ({"data": b"\xff", "content_type": "application/x-www-form-urlencoded"}, 400),
            ({"data": b"x" * 70_000}, 413),
            ({"headers": {"Authorization": "Bearer eyJ.eyJ.x"}}, 401),
            ({"headers": {"Authorization": "Bearer crr_x"}}, 401),
        ],
    )
    def test_what_is_no_token_of_an_issuer_gets_none(self, world: World, options: dict[str, Any], status: int) -> None:
        answer = world.site.ask("POST", EXCHANGE, **options)
        assert answer.status_code == status
        assert answer.get_json()["error"]

    def test_it_is_not_exchanged_again_and_makes_nothing_that_lasts(self, world: World) -> None:
        world.document["permissions"] = [{"who": f"github:{WORKFLOW}", "may": "admin", "on": "**"}]
        world.write()
        text = world.bearing("github").ask("POST", EXCHANGE).get_json()["token"]
        registry = world.site.by("x", text).get("/v2/token").get_json()["token"]
        for each in (text, registry):
            assert world.site.bearing(each).ask("POST", EXCHANGE).status_code == 401
            assert world.site.bearing(each).ask("POST", "/api/tokens", json={"name": "ci"}).status_code == 403
        assert world.bearing("github").ask("POST", "/api/tokens", json={"name": "ci"}).status_code == 403
        assert world.site.by("x", registry).get("/v2/token").status_code == 401
        form = {"grant_type": "refresh_token", "refresh_token": text}
        assert world.site.ask("POST", "/v2/token", data=form).status_code == 401

    def test_what_it_gets_ends_with_it(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("chartrepo.access.registry_tokens.EXCHANGED_LIFETIME", 100)
        text = world.bearing("github").ask("POST", EXCHANGE).get_json()["token"]
        assert 90 <= world.site.by("x", text).get("/v2/token").get_json()["expires_in"] <= 100

    def test_an_issuer_that_says_too_much_is_told(self, world: World) -> None:
        chosen = random.Random(1)
        groups = ["".join(chosen.choices(string.ascii_letters, k=32)) for _ in range(250)]
        answer = world.bearing("sso", groups=groups).ask("POST", EXCHANGE)
        assert (answer.status_code, "have fewer claims" in answer.get_json()["error"]) == (400, True)

    def test_a_server_without_issuers_gives_none(self, shop: Shop) -> None:
        issuer = LocalIssuer.__new__(LocalIssuer)
        issuer.url, issuer.key = "https://issuer.example", Key()
        site = Site(shop, admin_password=PASSWORD).bearing(issuer.token(GITHUB))
        assert site.ask("POST", EXCHANGE).status_code == 401
        assert site.get("/index.yaml").status_code == 401


def test_a_login_is_asked_for_and_api_tokens_count_where_issuers_are_all_there_is(world: World) -> None:
    assert world.site.get("/v2/").status_code == 401
    text, _ = Tokens(world.site.shop.state).create("ci", ["publish:team/*"], lifetime=None, made_by="tests")
    assert status_of_upload(world.site.bearing(text), "team") == 201
    world.document["issuers"] = {}
    world.write()
    assert status_of_upload(world.site.bearing(text), "team", "2.0.0") == 401
