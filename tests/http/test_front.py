"""What every request passes: ids, paths, errors, logs, metrics, and nothing hostile that gets through."""

import re
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest

from chartrepo.core import errors as core
from chartrepo.core.errors import ChartrepoError
from chartrepo.http import errors
from chartrepo.http.answers import STATUS_LINES, Answer
from chartrepo.http.auth import Visitor
from storage import base as storage
from tests.support.packages import package
from tests.support.repositories import Shop
from tests.support.site import Site

APP = package()


class TestRequestIds:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/index.yaml", 200),
            ("HEAD", "/index.yaml", 200),
            ("GET", "/charts/none-1.0.0.tgz", 404),
            ("GET", "/nothing", 404),
            ("GET", "/%ff", 404),
            ("GET", "/health", 200),
            ("GET", "/api/charts?offset=x", 400),
            ("POST", "/api/charts", 400),
            ("PUT", "/", 404),
        ],
    )
    def test_every_answer_bears_one_and_the_log_has_it_too(
        self, site: Site, method: str, path: str, status: int
    ) -> None:
        answer = site.ask(method, path)
        assert answer.status_code == status
        assert re.fullmatch("[0-9a-f]{16}", answer.headers["X-Request-Id"])
        assert [line.request for line in site.lines] == [answer.headers["X-Request-Id"]]

    def test_a_sane_one_of_the_client_is_kept(self, site: Site) -> None:
        assert site.get("/index.yaml", X_Request_Id="trace-42").headers["X-Request-Id"] == "trace-42"
        assert site.get("/health", X_Request_Id="trace-42").headers["X-Request-Id"] == "trace-42"

    def test_an_insane_one_is_not(self, site: Site) -> None:
        for header in ("a b", "x" * 100, "<script>", ""):
            assert re.fullmatch("[0-9a-f]{16}", site.get("/health", X_Request_Id=header).headers["X-Request-Id"])


class TestBooks:
    def test_each_request_is_counted_once_under_its_route(self, site: Site) -> None:
        site.upload(APP)
        site.upload(APP, "/api/team/app/charts")
        site.get("/index.yaml")
        site.get("/team/app/index.yaml")
        site.head("/charts/app-1.0.0.tgz")
        site.get("/charts/app-1.0.0.tgz.prov")
        site.get("/api/charts/app")
        site.get("/api/charts/app/1.0.0/values")
        site.delete("/api/charts/app/1.0.0")
        site.upload(b"", "/api/prov")
        site.get("/health")
        site.get("/no/such/path")
        site.get("/api/nothing/here")
        assert site.ledger.requests == [
            ("/api/{repository}/charts", "POST", 201),
            ("/api/{repository}/charts", "POST", 201),
            ("/{repository}/index.yaml", "GET", 200),
            ("/{repository}/index.yaml", "GET", 200),
            ("/{repository}/charts/{file}.tgz", "HEAD", 200),
            ("/{repository}/charts/{file}.tgz.prov", "GET", 404),
            ("/api/{repository}/charts/{name}", "GET", 200),
            ("/api/{repository}/charts/{name}/{version}/values", "GET", 200),
            ("/api/{repository}/charts/{name}/{version}", "DELETE", 200),
            ("/api/{repository}/prov", "POST", 400),
            ("/health", "GET", 200),
            (None, "GET", 404),
            (None, "GET", 404),
        ]

    def test_no_route_bears_what_a_client_made_up(self, site: Site) -> None:
        for path in ("/évil/index.yaml", "/api/x%0ay/charts/<b>", "/charts/<b>.tgz"):
            for method in ("GET", "POST", "DELETE", "BREW"):
                site.ask(method, path)
        assert all(route is None or re.fullmatch(r"[a-z/{}.]+", route) for route, _, _ in site.ledger.requests)

    def test_the_access_log_has_the_path_as_it_came(self, site: Site) -> None:
        site.get("/charts/index.yaml?versions=1", User_Agent="Helm/4.1.4")
        (line,) = site.lines
        assert (line.method, line.path, line.status, line.agent) == (
            "GET",
            "/charts/index.yaml?versions=1",
            200,
            "Helm/4.1.4",
        )

    def test_the_access_log_has_the_size_of_what_was_sent(self, site: Site) -> None:
        site.upload(APP)
        answer = site.get("/charts/app-1.0.0.tgz")
        assert site.lines[-1].size == len(answer.data)


class TestErrors:
    def test_every_error_has_a_row_in_the_table(self) -> None:
        kinds = [*_subclasses(core.ChartrepoError), *_subclasses(storage.StorageError)]
        served = ("chartrepo.core.errors", "chartrepo.http", "storage")  # others are for the command line alone
        for kind in [kind for kind in kinds if kind.__module__.startswith(served)]:
            assert any(parent in errors.STATUS for parent in kind.__mro__), kind

    def test_every_row_has_a_status_that_can_be_sent(self) -> None:
        assert {status for status, _ in errors.STATUS.values()} <= set(STATUS_LINES)

    def test_whatever_is_worth_another_try_says_when(self) -> None:
        assert all(headers == [("Retry-After", "2")] for status, headers in errors.STATUS.values() if status == 503)

    @pytest.mark.parametrize("path", ["/index.yaml", "/charts/app-1.0.0.tgz", "/api/charts"])
    def test_what_nobody_foresaw_is_an_error_without_a_traceback(
        self, site: Site, path: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fails(*_: object) -> None:
            raise ZeroDivisionError("a secret detail")

        for method in ("mark", "package", "changes"):
            monkeypatch.setattr(type(site.shop.catalog), method, fails)

        answer = site.get(path)

        assert answer.status_code == 500
        assert answer.headers["X-Request-Id"] in answer.json["error"]
        assert "secret" not in answer.text
        assert "ZeroDivisionError" in caplog.text


def _subclasses(kind: type[Exception]) -> list[type[Exception]]:
    return [each for child in kind.__subclasses__() for each in (child, *_subclasses(child))]


class TestPaths:
    def test_load_balancers_find_the_probes_at_the_root_whatever_the_context_path(self, shop: Shop) -> None:
        site = Site(shop, context_path="/charts")
        for path in ("/", "/charts", "/charts/", "/health", "/charts/health", "/livez", "/charts/livez", "/readyz"):
            assert site.get(path).status_code == 200, path

    def test_a_repository_may_be_called_charts(self, site: Site) -> None:
        site.upload(APP, "/api/charts/charts")
        assert site.get("/charts/charts/app-1.0.0.tgz").data == APP
        assert site.get("/charts/index.yaml").status_code == 200

    def test_a_path_that_is_none_is_not_found(self, site: Site) -> None:
        for path in ("*", "", "index.yaml"):
            answer = site._client.open("/", method="OPTIONS", environ_overrides={"PATH_INFO": path})
            assert answer.status_code == 404


class TestHostileInput:
    EVIL = "<script>alert(1)</script>"

    def test_no_header_becomes_part_of_the_welcome(self, shop: Shop) -> None:
        for settings in ({}, {"context_path": "/charts"}):
            for host in (f"x{self.EVIL}", '"><img src=x>', "a b", "evil.example.com\t", "{0}"):
                answer = Site(shop, **settings).get("/", Host=host, X_Forwarded_Host=self.EVIL)
                assert "<script" not in answer.text
                assert "<img" not in answer.text

    def test_no_answer_can_be_taken_for_another_type(self, site: Site) -> None:
        for path in ("/", "/index.yaml", "/api/charts", "/nothing", "/health", f"/api/charts/{self.EVIL}"):
            assert site.get(path).headers["X-Content-Type-Options"] == "nosniff"

    def test_errors_are_json_whatever_they_quote(self, site: Site) -> None:
        for path in (f"/api/charts/{self.EVIL}", f"/api/charts/app/{self.EVIL}", f"/index.yaml?versions={self.EVIL}"):
            answer = site.get(path)
            assert answer.mimetype == "application/json"
            assert set(answer.json) == {"error"}

    def test_names_and_queries_do_not_split_headers(self, site: Site) -> None:
        for path in ("/charts/a%0d%0aSet-Cookie:%20x=1.tgz", "/index.yaml?charts=%0d%0aSet-Cookie:x=1"):
            assert "Set-Cookie" not in site.get(path).headers

    def test_a_pattern_that_would_take_for_ever_does_not(self, site: Site) -> None:
        site.upload(package("a" * 200))
        assert site.get("/index.yaml?charts=" + "*a" * 60 + "b").status_code == 200


class TestBodies:
    @pytest.fixture
    def site(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Site:
        """A site of which all parts behind `Front` only read the body."""

        def read(environ: dict[str, Any]) -> bytes:
            try:
                return b"%d" % len(environ["wsgi.input"].read())
            except ChartrepoError as error:
                return str(error).encode()

        def flask(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
            text = read(environ)
            start_response("200 OK", [("Content-Length", str(len(text)))])
            return [text]

        def oci(environ: dict[str, Any], found: object, visitor: Visitor) -> Answer:
            visitor.needs_nothing()
            text = read(environ)
            return Answer(200, body=[text], length=len(text))

        site = Site(shop, max_upload_size=100, max_blob_size=1000, context_path="/oci")
        monkeypatch.setattr(site.app, "_flask", flask)
        monkeypatch.setattr(site.app, "_oci", Mock(answer=oci))
        return site

    @pytest.mark.parametrize(
        ("path", "size", "text"),
        [
            ("/v2/web/blobs/uploads/8c1b", 1000, "1000"),
            (
                "/v2/web/blobs/uploads/8c1b",
                1001,
                "the upload is larger than 1000 bytes: raise max_blob_size to allow it",
            ),
            (
                "/v2/web/manifests/1.0.0",
                101,
                "the upload is larger than 100 bytes: raise max_upload_size to allow it",
            ),
            ("/oci/api/charts", 101, "the upload is larger than 100 bytes: raise max_upload_size to allow it"),
        ],
    )
    def test_blobs_have_a_limit_of_their_own(self, site: Site, path: str, size: int, text: str) -> None:
        assert site.upload(bytes(size), path).text == text
