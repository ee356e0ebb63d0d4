"""Who may read, who may write, and that no route forgets to ask."""

import base64
import re
from typing import Any
from unittest.mock import Mock

import pytest
from flask import Flask

from chartrepo.core.oci import Name
from chartrepo.http.answers import Answer
from chartrepo.http.challenges import TOKEN_PATH
from chartrepo.http.oci_paths import Endpoint
from chartrepo.http.ops import OPEN
from tests.support.packages import package
from tests.support.repositories import Shop
from tests.support.site import Site

APP = package()
SECRET: dict[str, Any] = {"basic_auth_user": "me", "basic_auth_password": "s3cr:et ü"}
PROBES = {"/health", "/info", "/livez", "/readyz"}
READS = [
    "/",
    "/metrics",
    "/artifacthub-repo.yml",
    "/index.yaml",
    "/team/index.yaml",
    "/charts/app-1.0.0.tgz",
    "/charts/app-1.0.0.tgz.prov",
    "/team/charts/app-1.0.0.tgz",
    "/api/charts",
    "/api/charts/app",
    "/api/charts/app/1.0.0",
    "/api/charts/app/1.0.0/values",
    "/api/charts/app/1.0.0/templates",
    "/api/repositories",
]
WRITES = [
    ("POST", "/api/charts"),
    ("POST", "/api/prov"),
    ("POST", "/api/team/charts"),
    ("POST", "/api/sync"),
    ("DELETE", "/api/charts/app/1.0.0"),
    ("DELETE", "/api/charts/app?all_versions=true"),
]


_OTHERS = {
    ("POST", TOKEN_PATH): 400,  # it is the form that is asked for first
    ("GET", "/ui"): 302,
    ("HEAD", "/ui"): 302,
    ("GET", "/static/<name>"): 404,
    ("HEAD", "/static/<name>"): 404,
    ("GET", "/ui/sign-in"): 200,
    ("GET", "/api/openapi.json"): 200,
    ("HEAD", "/api/openapi.json"): 200,
    ("GET", "/ui/api"): 200,
    ("HEAD", "/ui/api"): 200,
    ("HEAD", "/ui/sign-in"): 200,
    ("POST", "/ui/sign-in"): 403,  # no page of ours has sent that form
    ("POST", "/ui/sign-out"): 403,
    **{(method, f"/ui/sign-in/<name>{back}"): 404 for method in ("GET", "HEAD") for back in ("", "/back")},
}
"""What those without a credential are answered by routes that are for everybody."""


def basic(user: str, password: str, scheme: str = "Basic") -> dict[str, str]:
    return {"Authorization": f"{scheme} {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


LOGIN = basic("me", "s3cr:et ü")


@pytest.fixture
def guarded(shop: Shop) -> Site:
    shop.publish(APP)
    return Site(shop, **SECRET, artifacthub_repository_id="1234")


class TestACredential:
    @pytest.mark.parametrize(
        ("method", "path"), [*(("GET", path) for path in READS), *(("HEAD", path) for path in READS), *WRITES]
    )
    def test_every_route_asks_for_it(self, guarded: Site, method: str, path: str) -> None:
        answer = guarded.ask(method, path, data=APP if method == "POST" else None)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="chartrepo", charset="UTF-8"'
        if method != "HEAD":
            assert answer.json == {"error": "unauthorized"}

    def test_no_route_of_flask_is_forgotten(self, guarded: Site) -> None:
        flask = guarded.app._flask
        assert isinstance(flask, Flask)
        for rule in flask.url_map.iter_rules():
            path = rule.rule.replace("<path:rest>", "charts/app/1.0.0")
            for method in (rule.methods or set()) & {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"}:
                status = guarded.ask(method, path).status_code
                assert status == _OTHERS.get((method, path), 200 if rule.endpoint in OPEN else 401), f"{method} {path}"

    def test_no_endpoint_of_oci_is_forgotten(self, guarded: Site) -> None:
        for endpoint in Endpoint:
            path = re.sub(r"{(\w+)}", r"\1", endpoint.value)
            for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
                assert guarded.ask(method, path).status_code == 401, f"{method} {path}"

    def test_what_was_made_without_asking_anybody_is_not_sent(
        self, guarded: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(guarded.app, "_oci", Mock(answer=lambda *_: Answer(200)))
        monkeypatch.setattr(guarded.app, "_oci_reads", Mock(answer=lambda *_: (Name("", "app"), Answer(200))))
        flask = guarded.app._flask
        assert isinstance(flask, Flask)
        for endpoint in flask.view_functions.keys() - OPEN:
            monkeypatch.setitem(flask.view_functions, endpoint, lambda **_: "made")
        for path in ("/v2/app/tags/list", "/v2/app/manifests/1.0.0", "/api/charts"):
            assert guarded.ask("GET", path, headers=LOGIN).status_code == 500, path

    def test_only_the_probes_and_the_version_are_open(self, guarded: Site) -> None:
        assert {f"/{endpoint}" for endpoint in OPEN} | {"/livez"} == PROBES
        for path in PROBES:
            assert guarded.get(path).status_code == 200

    def test_whoever_has_it_reads_and_writes(self, guarded: Site) -> None:
        assert guarded.ask("GET", "/index.yaml", headers=LOGIN).status_code == 200
        assert guarded.ask("POST", "/api/charts", headers=LOGIN, data=package("web")).status_code == 201
        assert guarded.ask("DELETE", "/api/charts/web/1.0.0", headers=LOGIN).status_code == 200

    def test_the_scheme_s_case_and_blanks_around_it_do_not_matter(self, guarded: Site) -> None:
        for scheme in ("basic", "BASIC", "Basic "):
            assert guarded.ask("GET", "/index.yaml", headers=basic("me", "s3cr:et ü", scheme)).status_code == 200

    @pytest.mark.parametrize(
        "header",
        [
            basic("me", "wrong"),
            basic("you", "s3cr:et ü"),
            basic("", ""),
            basic("me", ""),
            basic("me:s3cr", "et ü!"),
            basic("me", "s3cr:et ü", "Bearer"),
            {"Authorization": "Basic"},
            {"Authorization": "Basic ***"},
            {"Authorization": "Basic \xff\xfe"},
            {"Authorization": "me:s3cr:et"},
            {"Authorization": ""},
        ],
    )
    def test_anything_else_is_refused(self, guarded: Site, header: dict[str, str]) -> None:
        assert guarded.ask("GET", "/index.yaml", headers=header).status_code == 401
        assert guarded.ask("POST", "/api/charts", headers=header, data=package("web")).status_code == 401

    def test_reading_can_be_opened(self, shop: Shop) -> None:
        shop.publish(APP)
        site = Site(shop, **SECRET, auth_anonymous_get=True)
        assert {site.get(path).status_code for path in READS} <= {200, 404}
        for method, path in WRITES:
            assert site.ask(method, path, data=APP).status_code == 401

    def test_a_refused_upload_is_not_read(self, guarded: Site) -> None:
        class Untouched:
            def read(self, *_: object) -> bytes:
                raise AssertionError("the body was read before the credential was checked")

        environ = {"wsgi.input": Untouched(), "CONTENT_LENGTH": str(10**9)}
        answer = guarded._client.open("/api/charts", method="POST", environ_overrides=environ, buffered=False)
        assert answer.status_code == 401

    def test_a_page_of_another_site_may_not_use_the_browser_s_credential(self, guarded: Site) -> None:
        for site in ("cross-site", "same-site"):
            answer = guarded.ask("POST", "/api/charts", headers={**LOGIN, "Sec-Fetch-Site": site}, data=package("web"))
            assert answer.status_code == 403
            assert "write with a program such as curl, or from a page of this site" in answer.json["error"]

    def test_a_page_of_ours_may(self, guarded: Site) -> None:
        for site in ("same-origin", "none"):
            headers = {**LOGIN, "Sec-Fetch-Site": site}
            assert guarded.ask("POST", "/api/charts?force", headers=headers, data=package("web")).status_code == 201


class TestWithoutACredential:
    @pytest.mark.parametrize(("method", "path"), WRITES)
    def test_nobody_writes_and_everybody_is_told_which_settings_to_use(
        self, shop: Shop, method: str, path: str
    ) -> None:
        shop.publish(APP)
        answer = Site(shop, open_writes=False).ask(method, path, data=APP)
        assert answer.status_code == 403
        for name in ("basic_auth_user", "basic_auth_password", "--open-writes"):
            assert name in answer.json["error"]

    def test_everybody_reads(self, shop: Shop) -> None:
        shop.publish(APP)
        assert Site(shop, open_writes=False).get("/charts/app-1.0.0.tgz").data == APP


class TestOpenWrites:
    @pytest.mark.parametrize(
        "host",
        ["localhost", "localhost:8080", "127.0.0.1", "127.0.0.1:8080", "127.8.8.8", "[::1]:80", "[::1]", "LOCALHOST"],
    )
    def test_a_program_of_this_machine_writes(self, site: Site, host: str) -> None:
        assert site.upload(APP, headers={"Host": host}).status_code == 201

    @pytest.mark.parametrize(
        "host",
        [
            "evil.example.com",
            "evil.example.com:8080",
            "192.168.1.5",
            "localhost.evil.com",
            "127.0.0.1.nip.io",
            "[::2]",
            "0.0.0.0",
            "",
        ],
    )
    def test_a_name_that_leads_here_from_elsewhere_is_refused(self, site: Site, host: str) -> None:
        answer = site.upload(APP, headers={"Host": host})
        assert answer.status_code == 403
        assert "basic_auth_user" in answer.json["error"]

    @pytest.mark.parametrize("path", ["/api/charts", "/v2/app/blobs/uploads/"])
    @pytest.mark.parametrize(
        "header", ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP"]
    )
    def test_nobody_writes_through_a_proxy_on_this_machine(self, site: Site, header: str, path: str) -> None:
        answer = site.ask("POST", path, headers={header: "198.51.100.7"}, data=APP)
        assert answer.status_code == 403
        assert "through a proxy" in answer.text
        assert site.get("/index.yaml").status_code == 200

    @pytest.mark.parametrize(
        "header",
        [
            {"Origin": "http://evil.example.com"},
            {"Origin": "http://localhost"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-origin"},
            {"Sec-Fetch-Site": "none"},
        ],
    )
    def test_no_web_page_writes(self, site: Site, header: dict[str, str]) -> None:
        for method, path in WRITES:
            answer = site.ask(method, path, headers=header, data=APP)
            assert answer.status_code == 403
        assert list(site.shop.inner.list()) == []
