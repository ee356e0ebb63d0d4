"""`helm search hub --endpoint` with real helms: a wrong answer makes them say that there is nothing, and end well."""

import json
from collections.abc import Iterator
from typing import Any, Final

import bcrypt
import pytest

from tests.support.helm import Helm, HelmError
from tests.support.http import get
from tests.support.packages import package
from tests.support.processes import eventually
from tests.support.server import Server, running

PASSWORD: Final = "s3cret"
RULES: Final = """\
permissions:
  - {who: [anonymous], may: [read], on: ["public/**"]}
  - {who: ["user:ada"], may: [read], on: ["team/**"]}
"""
LONG: Final = "A web server that is described at length, so that the column has no room for all of it"


@pytest.fixture(scope="module", params=["gunicorn", "granian"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serves public/app to all and team/web to ada, below a context path."""
    folder = tmp_path_factory.mktemp("hub")
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(5)).decode()
    (folder / "users").write_text(f"ada:{hashed}\n")
    (folder / "rules.yaml").write_text(RULES)
    for repository, name in (("public", "app"), ("team", "web"), ("team", "secret")):
        for version in ("1.0.0", "1.2.0", "2.0.0-rc.1"):
            file = folder / "data" / repository / f"{name}-{version}.tgz"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(package(name, version, appVersion="7.1", description=LONG if name == "web" else name))
    files = ("--htpasswd", folder / "users", "--permissions", folder / "rules.yaml")
    with running(folder, "--server", request.param, *files, context_path="/charts") as server:
        eventually(lambda: hits(server, "q=app") == 1, what="the charts can be found")
        yield server


def hits(server: Server, query: str) -> int:
    return len(get(f"{server.url}/api/chartsvc/v1/charts/search?{query}").json["data"])


def as_ada(server: Server) -> str:
    return server.url.replace("http://", f"http://ada:{PASSWORD}@")


def search(helm: Helm, endpoint: str, *arguments: str) -> list[dict[str, Any]]:
    said = helm.run("search", "hub", *arguments, "--endpoint", endpoint, "-o", "json").stdout
    found: list[dict[str, Any]] = json.loads(said)
    return found


def test_a_public_chart_is_found_with_all_that_helm_shows(server: Server, helm: Helm) -> None:
    (found,) = search(helm, server.url, "app", "--list-repo-url")
    assert found == {
        "url": f"{server.url}/ui/charts/public/app",
        "version": "1.2.0",
        "app_version": "7.1",
        "description": "app",
        "repository": {"url": f"{server.url}/public", "name": "public"},
    }


def test_without_words_all_that_one_may_read_are_listed(server: Server, helm: Helm) -> None:
    def urls(endpoint: str) -> list[str]:
        return [each["url"].removeprefix(f"{server.url}/ui/charts/") for each in search(helm, endpoint)]

    assert urls(server.url) == ["public/app"]
    assert urls(as_ada(server)) == ["public/app", "team/secret", "team/web"]


def test_a_private_chart_is_found_with_a_credential_in_the_endpoint_and_by_nobody_else(
    server: Server, helm: Helm
) -> None:
    (found,) = search(helm, as_ada(server), "web")
    assert found["url"] == f"{server.url}/ui/charts/team/web"
    assert search(helm, server.url, "web") == []
    with pytest.raises(HelmError, match="unable to perform search"):
        search(helm, server.url.replace("http://", "http://ada:wrong@"), "web")


def test_the_table_is_cut_where_helm_is_told_to(server: Server, helm: Helm) -> None:
    def table(*arguments: str) -> list[str]:
        return helm.run("search", "hub", "web", "--endpoint", as_ada(server), *arguments).stdout.splitlines()

    heading, row = table("--max-col-width", "20")
    assert heading.split() == ["URL", "CHART", "VERSION", "APP", "VERSION", "DESCRIPTION"]
    assert LONG not in row
    heading, row = table("--max-col-width", "0", "--list-repo-url")
    assert LONG in row
    assert f"{server.url}/team" in row.split()
    assert "1.2.0" in row.split()


def test_what_is_not_there_is_told_so(server: Server, helm: Helm) -> None:
    assert "No results found" in helm.run("search", "hub", "nothing-of-the-kind", "--endpoint", server.url).stdout
    assert (
        "No results found"
        in helm.run("search", "hub", "nothing-of-the-kind", "--endpoint", server.url, check=False).stdout
    )
