"""What browsers are told: nothing that opens more than was meant."""

from typing import Any

import pytest

from tests.support.packages import package
from tests.support.repositories import Shop
from tests.support.site import Site

APP = package()
PORTAL = "https://portal.example.com"
PATHS = ["/", "/index.yaml", "/charts/app-1.0.0.tgz", "/api/charts", "/v2/", "/v2/app/tags/list", "/nothing"]
ASKED = {"Origin": PORTAL, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}


def ask(shop: Shop, path: str, method: str = "GET", /, *, headers: dict[str, str], **settings: Any) -> dict[str, str]:
    answer = Site(shop, **settings).ask(method, path, headers=headers)
    return {name.lower(): ", ".join(answer.headers.get_all(name)) for name, _ in answer.headers}


class TestSecurityHeaders:
    @pytest.mark.parametrize("path", PATHS)
    def test_no_answer_is_taken_for_what_it_does_not_say_it_is(self, site: Site, path: str) -> None:
        assert site.get(path).headers.get_all("X-Content-Type-Options") == ["nosniff"]

    def test_a_page_is_in_no_frame_and_loads_nothing(self, site: Site) -> None:
        headers = site.get("/").headers
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert headers["Referrer-Policy"] == "same-origin"

    def test_https_alone_is_asked_for_where_it_is_known_to_be_there(self, shop: Shop) -> None:
        for url, asked in (("https://charts.example.com", True), ("http://charts.example.com", False), ("", False)):
            headers = ask(shop, "/index.yaml", headers={}, external_url=url)
            assert ("strict-transport-security" in headers) == asked


class TestOtherSites:
    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize("method", ["GET", "OPTIONS"])
    def test_read_nothing_by_default(self, shop: Shop, path: str, method: str) -> None:
        headers = ask(shop, path, method, headers=ASKED)
        assert not [name for name in headers if name.startswith("access-control")]

    @pytest.mark.parametrize("path", PATHS)
    def test_read_where_they_are_named(self, shop: Shop, path: str) -> None:
        shop.publish(APP)
        headers = ask(shop, path, headers={"Origin": PORTAL}, cors_allow_origin=(PORTAL,))
        assert headers["access-control-allow-origin"] == PORTAL
        assert "Origin" in headers["vary"]
        assert "Docker-Content-Digest" in headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in headers

    @pytest.mark.parametrize(
        "origin",
        [
            "https://portal.example.com.evil.example",
            "http://portal.example.com",
            "https://portal.example.com:8443",
            "null",
        ],
    )
    def test_read_nothing_where_others_are_named(self, shop: Shop, origin: str) -> None:
        for method in ("GET", "OPTIONS"):
            headers = ask(shop, "/index.yaml", method, headers={**ASKED, "Origin": origin}, cors_allow_origin=(PORTAL,))
            assert "access-control-allow-origin" not in headers
            assert headers["vary"].endswith("Origin")  # a cache must not give this answer to the portal

    def test_may_all_be_named(self, shop: Shop) -> None:
        headers = ask(shop, "/index.yaml", headers={"Origin": PORTAL}, cors_allow_origin=("*",))
        assert headers["access-control-allow-origin"] == "*"
        assert "Origin" not in headers.get("vary", "")

    def test_what_is_kept_for_one_is_not_told_to_another(self, shop: Shop) -> None:
        site = Site(shop, cors_allow_origin=(PORTAL,))
        for origin, told in ((PORTAL, PORTAL), ("https://evil.example", None), (PORTAL, PORTAL)):
            answer = site.ask("GET", "/index.yaml", headers={"Origin": origin})
            assert answer.headers.get("Access-Control-Allow-Origin") == told

    def test_are_told_beforehand_how_they_may_read_also_without_a_credential(self, shop: Shop) -> None:
        headers = {"basic_auth_user": "me", "basic_auth_password": "secret", "cors_allow_origin": (PORTAL,)}
        answer = Site(shop, **headers).ask("OPTIONS", "/team/index.yaml", headers=ASKED)
        assert answer.status_code == 204
        assert answer.headers["Access-Control-Allow-Origin"] == PORTAL
        assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD"
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]

    def test_see_that_a_credential_is_asked_for(self, shop: Shop) -> None:
        settings = {"basic_auth_user": "me", "basic_auth_password": "secret", "cors_allow_origin": (PORTAL,)}
        answer = Site(shop, **settings).ask("GET", "/team/index.yaml", headers={"Origin": PORTAL})
        assert answer.status_code == 401
        assert answer.headers["Access-Control-Allow-Origin"] == PORTAL

    def test_never_write(self, shop: Shop) -> None:
        site = Site(shop, cors_allow_origin=("*",))
        page = {"Origin": PORTAL, "Sec-Fetch-Site": "cross-site"}
        for method, path in (
            ("POST", "/api/charts"),
            ("DELETE", "/api/charts/app/1.0.0"),
            ("POST", "/v2/app/blobs/uploads/"),
        ):
            assert site.ask(method, path, headers=page, data=APP).status_code == 403
