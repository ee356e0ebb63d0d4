"""ChartMuseum's bearer tokens: what they open, what the challenge says, and what is checked once it is set."""

import time
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.support.issuers import AUDIENCE, GITHUB, Issuer, Key, key_set, rsa_key
from tests.support.packages import package
from tests.support.pushes import push
from tests.support.repositories import Shop, provenance
from tests.support.site import Site

REALM: Final = "https://auth.example.com/oauth/token"
SERVICE: Final = "charts.example.com"


@pytest.fixture
def cert(tmp_path: Path) -> Path:
    path = tmp_path / "server.pem"
    path.write_bytes(rsa_key().pem)
    return path


def site(shop: Shop, cert: Path, **settings: Any) -> Site:
    said = {"auth_cert_path": cert, "auth_realm": REALM, "auth_service": SERVICE}
    return Site(shop, bearer_auth=True, **{**said, **settings})


def token(*access: tuple[str, list[str]], key: Key | None = None, **claims: Any) -> str:
    """A token as ChartMuseum's own library makes them, which names no key, and no issuer unless it is told to."""
    listed = [{"type": "artifact-repository", "name": name, "actions": actions} for name, actions in access]
    now = int(time.time())
    said = {"exp": now + 300, "iat": now, "access": listed, **claims}
    return (key or rsa_key()).sign({name: value for name, value in said.items() if value is not None}, kid="")


def status_of_upload(there: Site, path: str = "/api/org/web/charts", version: str = "1.0.0") -> int:
    return there.upload(package("app", version), path).status_code


class TestRights:
    @pytest.mark.parametrize(
        ("access", "reads", "writes"),
        [
            ([("org/web", ["pull"])], True, False),
            ([("org/web", ["push"])], False, True),
            ([("org/web", ["pull", "push"])], True, True),
            ([("org", ["pull", "push"])], False, False),
            ([("org/web/deep", ["pull", "push"])], False, False),
            ([("org/*", ["pull", "push"])], False, False),
            ([("**", ["pull", "push"])], False, False),
            ([("repo", ["pull", "push"])], False, False),
            ([("org/web", ["sysinfo", "*", "PULL"])], False, False),
            (
                [("other", ["pull"]), ("org/web", ["pull"]), ("x" * 300, ["pull"]), ("a/" * 120 + "a", ["pull"])],
                True,
                False,
            ),
            ([], False, False),
        ],
    )
    def test_are_what_the_token_says(
        self, shop: Shop, cert: Path, access: list[tuple[str, list[str]]], reads: bool, writes: bool
    ) -> None:
        there = site(shop, cert).bearing(token(*access))
        shop.publish(package("app"), repository="org/web")
        assert there.get("/org/web/charts/app-1.0.0.tgz").status_code == (200 if reads else 404)
        refused = 403 if reads else 404
        assert status_of_upload(there, version="2.0.0") == (201 if writes else refused)
        assert status_of_upload(there, "/api/org/web/charts?force", "2.0.0") == (201 if writes else refused)
        assert there.delete("/api/org/web/charts/app/2.0.0").status_code == (200 if writes else refused)
        signed = provenance(package("app"), "app-1.0.0.tgz", name="app", version="1.0.0")
        assert there.upload(signed, "/api/org/web/prov").status_code == (201 if writes else refused)
        for path, name in (("/api/org/charts", "org"), ("/api/charts", "repo")):
            assert (status_of_upload(there, path) == 201) == ((name, ["pull", "push"]) in access)

    def test_the_root_is_called_repo(self, shop: Shop, cert: Path) -> None:
        there = site(shop, cert).bearing(token(("repo", ["pull", "push"])))
        assert status_of_upload(there, "/api/charts") == 201
        assert list(yaml.safe_load(there.get("/index.yaml").data)["entries"]) == ["app"]
        assert there.get("/team/index.yaml").status_code == 200
        assert status_of_upload(there, "/api/team/charts") == 404

    @pytest.mark.parametrize(
        "access",
        [
            None,
            "all",
            {"type": "artifact-repository"},
            [None, "x", 1, []],
            [{"type": "artifact-repository", "name": ["repo"], "actions": ["pull"]}],
            [{"type": "artifact-repository", "name": "repo", "actions": "pull"}],
            [{"type": "artifact-repository", "name": "", "actions": ["pull"]}],
            [{"type": "repository", "name": "repo", "actions": ["pull"]}],
            [{"name": "repo", "actions": ["pull"]}],
        ],
    )
    def test_what_is_no_access_opens_nothing(self, shop: Shop, cert: Path, access: Any) -> None:
        shop.publish(package("app"))
        there = site(shop, cert).bearing(token(access=access))
        assert there.get("/charts/app-1.0.0.tgz").status_code in {401, 404}

    def test_it_is_taken_as_a_password_and_by_a_registry(self, shop: Shop, cert: Path) -> None:
        there = site(shop, cert).by("any", token(("org/web", ["pull", "push"])))
        assert status_of_upload(there) == 201
        text = there.get("/v2/token").get_json()["token"]
        assert push(there.bearing(text), "org/web/app", package("app", "2.0.0"), "2.0.0").status_code == 201
        assert there.bearing(text).ask("POST", "/v2/org/other/blobs/uploads/").status_code == 404

    def test_everybody_reads_where_anonymous_get_lets_them(self, shop: Shop, cert: Path) -> None:
        assert site(shop, cert).get("/index.yaml").status_code == 401
        there = site(shop, cert, auth_anonymous_get=True)
        assert there.get("/index.yaml").status_code == 200
        assert status_of_upload(there) == 401


class TestChecks:
    @pytest.mark.parametrize(
        ("settings", "claims", "status"),
        [
            ({}, {}, 200),
            ({}, {"iss": "whoever", "aud": "whatever"}, 200),
            ({"auth_issuer": "us"}, {}, 401),
            ({"auth_issuer": "us"}, {"iss": "them"}, 401),
            ({"auth_issuer": "us"}, {"iss": "us"}, 200),
            ({"auth_audience": "charts"}, {}, 401),
            ({"auth_audience": "charts"}, {"aud": "other"}, 401),
            ({"auth_audience": "charts"}, {"aud": ["other", "charts"]}, 200),
            ({"auth_issuer": "us", "auth_audience": "charts"}, {"iss": "us", "aud": "charts"}, 200),
            ({"auth_issuer": "us", "auth_audience": "charts"}, {"iss": "us", "aud": "us"}, 401),
            ({}, {"exp": int(time.time()) - 100}, 401),
            ({}, {"nbf": int(time.time()) + 10**6}, 401),
            ({}, {"exp": None}, 200),
        ],
    )
    def test_audience_and_issuer_are_checked_once_they_are_set(
        self, shop: Shop, cert: Path, settings: dict[str, str], claims: dict[str, Any], status: int
    ) -> None:
        there = site(shop, cert, **settings).bearing(token(("repo", ["pull"]), **claims))
        assert there.get("/index.yaml").status_code == status

    def test_the_key_may_lie_in_a_certificate(self, shop: Shop, cert: Path) -> None:
        cert.write_bytes(rsa_key().certificate)
        there = site(shop, cert)
        assert there.bearing(token(("repo", ["pull"]))).get("/index.yaml").status_code == 200
        assert there.bearing(token(("repo", ["pull"]), key=Key("x", "RS256"))).get("/index.yaml").status_code == 401

    def test_another_key_or_algorithm_is_refused(self, shop: Shop, cert: Path) -> None:
        for key in (Key("x", "RS256"), Key("y", "ES256")):
            assert site(shop, cert).bearing(token(("repo", ["pull"]), key=key)).get("/index.yaml").status_code == 401

    def test_a_new_key_ends_what_was_got_under_the_old_one(
        self, shop: Shop, cert: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("chartrepo.watched._LOOKS", 0.0)
        monkeypatch.setattr("chartrepo.http.believed.SECONDS", 0.0)
        there = site(shop, cert)
        old = token(("repo", ["pull"]))
        got = there.by("x", old).get("/v2/token").get_json()["token"]
        assert there.bearing(got).get("/index.yaml").status_code == 200
        new = Key("new", "RS256")
        cert.write_bytes(new.pem)
        for text in (old, got):
            assert there.bearing(text).get("/index.yaml").status_code == 401
        assert there.bearing(token(("repo", ["pull"]), key=new)).get("/index.yaml").status_code == 200

    def test_nothing_that_is_got_for_one_lasts_longer(self, shop: Shop, cert: Path) -> None:
        text = token(("repo", ["pull"]), exp=int(time.time()) + 100)
        there = site(shop, cert)
        assert there.bearing(text).ask("POST", "/api/token").status_code == 403
        assert 0 < there.by("x", text).get("/v2/token").get_json()["expires_in"] <= 100
        ended = token(("repo", ["pull"]), exp=int(time.time()) - 10)  # within the leeway
        assert there.by("x", ended).get("/v2/token").get_json()["expires_in"] == 1

    def test_a_refusal_says_what_is_missing_in_the_token(self, shop: Shop, cert: Path) -> None:
        error = site(shop, cert).bearing(token(("repo", ["pull"]))).upload(package("app")).get_json()["error"]
        assert error.startswith("the token does not say under access that it may publish here")

    def test_an_issuer_of_the_table_is_tried_with_its_own_keys_alone(
        self, shop: Shop, cert: Path, tmp_path: Path
    ) -> None:
        issuer = Issuer("https://github.example", Key())
        (tmp_path / "keys.json").write_bytes(key_set(issuer.key))
        sso = {"issuer": issuer.url, "jwks_file": "keys.json", "audience": AUDIENCE, "authenticated": True}
        rules = [{"who": "authenticated", "may": "read", "on": "**"}]
        (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"permissions": rules, "issuers": {"sso": sso}}))
        there = site(shop, cert, permissions=tmp_path / "rules.yaml")
        assert there.bearing(issuer.token(GITHUB)).get("/index.yaml").status_code == 200
        forged = token(("repo", ["pull"]), iss=issuer.url)
        assert there.bearing(forged).get("/index.yaml").status_code == 401
        # Its rights are its own, and not those of everybody with a credential.
        assert there.bearing(token(("repo", ["push"]))).get("/index.yaml").status_code == 200
        shop.publish(package("app"))
        assert there.bearing(token(("repo", ["push"]))).get("/charts/app-1.0.0.tgz").status_code == 404


class TestChallenge:
    @pytest.mark.parametrize(
        ("method", "path", "scope"),
        [
            ("GET", "/index.yaml", "repo:pull"),
            ("GET", "/org/web/index.yaml", "org/web:pull"),
            ("HEAD", "/org/web/charts/app-1.0.0.tgz", "org/web:pull"),
            ("GET", "/org/web/charts/app-1.0.0.tgz.prov", "org/web:pull"),
            ("GET", "/api/org/web/charts", "org/web:pull"),
            ("POST", "/api/org/web/charts", "org/web:push"),
            ("POST", "/api/charts", "repo:push"),
            ("POST", "/api/org/prov", "org:push"),
            ("POST", "/api/prov", "repo:push"),
            ("DELETE", "/api/org/web/charts/app/1.0.0", "org/web:push"),
        ],
    )
    def test_it_is_chartmuseum_s(self, shop: Shop, cert: Path, method: str, path: str, scope: str) -> None:
        expected = f'Bearer realm="{REALM}",service="{SERVICE}",scope="artifact-repository:{scope}"'
        for there in (site(shop, cert), site(shop, cert).bearing("eyJ.eyJ.x")):
            answer = there.ask(method, path)
            assert (answer.status_code, answer.headers.getlist("WWW-Authenticate")) == (401, [expected])

    def test_a_path_that_is_of_no_repository_has_no_scope(self, shop: Shop, cert: Path) -> None:
        (header,) = site(shop, cert).get("/api/tokens").headers.getlist("WWW-Authenticate")
        assert header == f'Bearer realm="{REALM}",service="{SERVICE}"'

    def test_below_a_context_path_it_names_the_repository_alone(self, shop: Shop, cert: Path) -> None:
        answer = site(shop, cert, context_path="/charts").get("/charts/org/index.yaml")
        assert 'scope="artifact-repository:org:pull"' in answer.headers["WWW-Authenticate"]

    def test_passwords_are_asked_for_too_where_there_are_any(self, shop: Shop, cert: Path) -> None:
        headers = site(shop, cert, admin_password="secret").get("/index.yaml").headers.getlist("WWW-Authenticate")
        assert [header.partition(" ")[0] for header in headers] == ["Bearer", "Basic"]

    def test_the_side_of_registries_keeps_its_own(self, shop: Shop, cert: Path) -> None:
        (header,) = site(shop, cert).get("/v2/").headers.getlist("WWW-Authenticate")
        assert 'realm="http://localhost/v2/token"' in header
