"""ChartMuseum's API, answer for answer: one table, held against our server and, where it is at hand, ChartMuseum's.

The variable CHARTMUSEUM gives the path of its binary. What we answer otherwise on purpose is not in the table: texts of
errors that would show a path of the server, HEAD where ChartMuseum has none, and 400 where it says 500 for a file that
is no provenance.
"""

import http.client
import json
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support.packages import archive, chart_yaml, package
from tests.support.processes import Process, answers, free_port
from tests.support.repositories import provenance
from tests.support.server import running

APP = package(description="x")
JSON = "application/json; charset=utf-8"
NOT_FOUND = {"error": "not found"}
SAVED = {"saved": True}


@dataclass
class Museum:
    """A server that speaks the API.

    Attributes:
        port: on the loopback.
        repository: one that holds nothing, with a slash at its end; empty for the root.
    """

    port: int
    repository: str

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str, bytes]:
        """Status, Content-Type and body of an answer; `{r}/` in the path is the repository."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path.replace("{r}/", self.repository), body, headers or {})
            with connection.getresponse() as answer:
                return answer.status, answer.headers.get("Content-Type", ""), answer.read()

    def json(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
        """Status and value of an answer that has to be JSON."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        status, kind, data = self.ask(method, path, body, named)
        assert kind == JSON
        return status, json.loads(data)

    def form(self, path: str, **files: bytes) -> tuple[int, Any]:
        """What a form gets, with files whose names are full paths, as cm-push sends them."""
        parts = b"".join(
            b'--b\r\nContent-Disposition: form-data; name="%b"; filename="/x/%b"\r\n\r\n%b\r\n'
            % (name.encode(), name.encode(), data)
            for name, data in files.items()
        )
        return self.json("POST", path, parts + b"--b--\r\n", Content_Type="multipart/form-data; boundary=b")


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with running(tmp_path_factory.mktemp("server"), "--open-writes", "--workers", "1") as server:
        yield server.port


@pytest.fixture(params=["chartrepo", "chartmuseum"])
def museum(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Museum]:
    """Ours with a repository of its own, and a ChartMuseum of its own, which may take `/info` for a repository."""
    if request.param == "chartrepo":
        yield Museum(request.getfixturevalue("ours"), f"r{uuid4().hex}/")
        return
    binary = os.environ.get("CHARTMUSEUM")
    if not binary:
        pytest.skip("the variable CHARTMUSEUM names no binary to compare with")
    port = free_port()
    storage = ["--storage", "local", "--storage-local-rootdir", str(tmp_path / "data")]
    process = Process([binary, "--port", str(port), *storage], log=tmp_path / "log", folder=tmp_path)
    try:
        process.wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"), what="it answered")
        yield Museum(port, "")
    finally:
        process.kill()


@pytest.fixture
def stocked(museum: Museum) -> Museum:
    for name, version in (
        ("web", "1.0.0"),
        ("app", "1.0.0"),
        ("app", "1.1.0"),
        ("app", "2.0.0-rc.1"),
        ("redis", "7.0.0"),
    ):
        assert museum.json("POST", "/api/{r}/charts", package(name, version)) == (201, SAVED)
    return museum


def test_uploads_are_saved(museum: Museum) -> None:
    web = package("web")
    assert museum.json("POST", "/api/{r}/charts", APP) == (201, SAVED)
    assert museum.form("/api/{r}/charts", chart=web, prov=provenance(web, "web-1.0.0.tgz", name="web")) == (201, SAVED)
    assert museum.json("POST", "/api/{r}/prov", provenance(APP)) == (201, SAVED)
    assert museum.ask("GET", "/{r}/charts/app-1.0.0.tgz") == (200, "application/x-tar", APP)
    assert museum.ask("GET", "/{r}/charts/app-1.0.0.tgz.prov") == (200, "application/pgp-signature", provenance(APP))
    assert museum.ask("GET", "/{r}/charts/web-1.0.0.tgz.prov")[0] == 200


def test_a_second_upload_is_a_conflict_unless_it_is_forced(museum: Museum) -> None:
    museum.json("POST", "/api/{r}/charts", APP)
    status, answer = museum.json("POST", "/api/{r}/charts", APP)
    assert (status, answer["error"]) == (409, "file already exists")
    status, answer = museum.form("/api/{r}/charts", chart=APP)
    assert (status, answer["error"]) == (409, "chart already exists")
    assert museum.json("POST", "/api/{r}/charts?force", APP) == (201, SAVED)
    assert museum.form("/api/{r}/charts?force", chart=APP) == (201, SAVED)


def test_what_is_no_package_is_refused(museum: Museum) -> None:
    for body in (b"", b"nonsense", package(version="1.2.3.4"), archive([("app/values.yaml", "")])):
        status, answer = museum.json("POST", "/api/{r}/charts", body)
        assert (status, list(answer)) == (400, ["error"])
    assert museum.form("/api/{r}/charts", prov=b"nonsense")[0] == 400
    assert museum.form("/api/{r}/charts", other=APP) == (
        400,
        {"error": "no package or provenance file found in form fields chart and prov"},
    )


def test_a_repository_that_holds_nothing_is_empty(museum: Museum) -> None:
    assert museum.json("GET", "/api/{r}/charts") == (200, {})
    status, kind, data = museum.ask("GET", "/{r}/index.yaml")
    assert (status, kind) == (200, "application/x-yaml")
    assert b"entries: {}\n" in data


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("limit=1", ["app"]),
        ("limit=2&offset=1", ["redis", "web"]),
        ("offset=9&limit=9", []),
        ("offset=0", ["app", "redis", "web"]),
    ],
)
def test_offset_and_limit_count_names(stocked: Museum, query: str, names: list[str]) -> None:
    status, charts = stocked.json("GET", f"/api/{{r}}/charts?{query}")
    assert (status, sorted(charts)) == (200, names)


@pytest.mark.parametrize("value", ["-1", "x", "", "1.5"])
def test_other_values_are_refused(museum: Museum, value: str) -> None:
    offset, limit = "offset is not a valid non-negative integer", "limit is not a valid positive integer"
    assert museum.json("GET", f"/api/{{r}}/charts?offset={value}") == (400, {"error": offset})
    assert museum.json("GET", f"/api/{{r}}/charts?limit={value}") == (400, {"error": limit})
    assert museum.json("GET", "/api/{r}/charts?limit=0") == (400, {"error": limit})


def test_entries_are_those_of_the_index(stocked: Museum) -> None:
    status, charts = stocked.json("GET", "/api/{r}/charts")
    assert status == 200
    assert {name: [entry["version"] for entry in entries] for name, entries in charts.items()} == {
        "app": ["2.0.0-rc.1", "1.1.0", "1.0.0"],
        "redis": ["7.0.0"],
        "web": ["1.0.0"],
    }
    assert stocked.json("GET", "/api/{r}/charts/app") == (200, charts["app"])
    assert stocked.json("GET", "/api/{r}/charts/web/1.0.0") == (200, charts["web"][0])
    (entry,) = charts["web"]
    assert set(entry) == {"name", "version", "apiVersion", "urls", "created", "digest"}
    assert entry["urls"] == ["charts/web-1.0.0.tgz"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("1.0.0", "1.0.0"), ("latest", "1.1.0"), ("", "1.1.0"), ("^1.0", "1.1.0"), ("~1.0.0", "1.0.0"),
        ("1.x", "1.1.0"), ("%3E0.0.0-0", "2.0.0-rc.1"), ("2.0.0-rc.1", "2.0.0-rc.1"),
    ],
)  # fmt: skip
def test_a_version_is_named_or_described(stocked: Museum, wanted: str, found: str) -> None:
    status, entry = stocked.json("GET", f"/api/{{r}}/charts/app/{wanted}")
    assert (status, entry["version"]) == (200, found)
    assert stocked.ask("HEAD", f"/api/{{r}}/charts/app/{wanted}")[0] == 200


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/api/{r}/charts/nope", "chart not found"),
        ("/api/{r}/charts/", "chart not found"),
        ("/api/{r}/charts/nope/1.0.0", "no chart name found"),
        ("/api/{r}/charts/nope/1.0.0/values", "no chart name found"),
        ("/api/{r}/charts/nope/1.0.0/templates", "no chart name found"),
        ("/api/{r}/charts/app/9.9.9", "no chart version found for app-9.9.9"),
        ("/api/{r}/charts/app/%5E9", "no chart version found for app-^9"),
        ("/api/{r}/charts/app/9.9.9/values", "no chart version found for app-9.9.9"),
        ("/api/{r}/charts/app/1.0.0/other", "not found"),
        ("/api/{r}/charts/app/1.0.0/values/more", "not found"),
        ("/{r}/charts/none-1.0.0.tgz", "object not found"),
        ("/{r}/charts/app-1.0.0.tgz.prov", "object not found"),
        ("/health/", "not found"),
        ("/api", "not found"),
        ("/nothing", "not found"),
    ],
)
def test_what_is_not_there_is_told_in_these_words(stocked: Museum, path: str, error: str) -> None:
    assert stocked.json("GET", path) == (404, {"error": error})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/api/{r}/charts"), ("PATCH", "/health"), ("OPTIONS", "/api/{r}/charts"), ("POST", "/{r}/index.yaml"),
        ("DELETE", "/{r}/charts/app-1.0.0.tgz"), ("DELETE", "/api/{r}/charts/app"), ("DELETE", "/api/{r}/charts"),
    ],
)  # fmt: skip
def test_other_methods_find_nothing(stocked: Museum, method: str, path: str) -> None:
    assert stocked.json(method, path) == (404, NOT_FOUND)


@pytest.mark.parametrize("path", ["app/9.9.9", "app/latest", "app/^1", "nope/1.0.0", "app/", "/1.0.0"])
def test_only_an_exact_version_is_deleted(stocked: Museum, path: str) -> None:
    assert stocked.json("DELETE", f"/api/{{r}}/charts/{path}")[0] == 404
    assert len(stocked.json("GET", "/api/{r}/charts/app")[1]) == 3


def test_a_deleted_version_is_gone(stocked: Museum) -> None:
    assert stocked.json("DELETE", "/api/{r}/charts/web/1.0.0") == (200, {"deleted": True})
    assert stocked.json("GET", "/{r}/charts/web-1.0.0.tgz") == (404, {"error": "object not found"})
    assert stocked.json("GET", "/api/{r}/charts/web") == (404, {"error": "chart not found"})


def test_templates_and_values_come_out_of_the_package(museum: Museum) -> None:
    bare = archive([("bare/Chart.yaml", chart_yaml("bare")), ("bare/templates/a.yaml", "x")])
    museum.json("POST", "/api/{r}/charts", APP)
    museum.json("POST", "/api/{r}/charts", bare)
    status, answer = museum.json("GET", "/api/{r}/charts/app/latest/templates")
    assert (status, [each["name"] for each in answer["templates"]]) == (200, ["templates/configmap.yaml"])
    assert answer["values"] == {"replicas": 1}
    assert museum.ask("GET", "/api/{r}/charts/app/1.0.0/values") == (200, "application/yaml", b"replicas: 1\n")
    assert museum.json("GET", "/api/{r}/charts/bare/1.0.0/values") == (404, {"error": "values.yaml not found"})
    assert museum.json("GET", "/api/{r}/charts/bare/1.0.0/templates")[1]["templates"] == [
        {"name": "templates/a.yaml", "data": "eA=="}
    ]


def test_probes_and_the_welcome_answer(museum: Museum) -> None:
    assert museum.json("GET", "/health") == (200, {"healthy": True})
    status, info = museum.json("GET", "/info")
    assert (status, list(info)) == (200, ["version"])
    status, kind, _ = museum.ask("GET", "/")
    assert (status, kind.partition(";")[0]) == (200, "text/html")
