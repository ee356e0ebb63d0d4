"""Artifact Hub's search: its shape, whose charts are in it, and how much is in memory."""

import json
import tracemalloc
from pathlib import Path
from typing import Any, Final

import bcrypt
import pytest

from chartrepo.catalog import Catalog
from tests.http.test_permissions import write_rules
from tests.support.catalogs import build
from tests.support.catalogs import package as record
from tests.support.packages import package
from tests.support.repositories import Shop
from tests.support.site import Site

PATH: Final = "/api/chartsvc/v1/charts/search"


def found(site: Site, words: str = "", path: str = PATH) -> list[dict[str, Any]]:
    answer = site.get(f"{path}?q={words}")
    assert answer.status_code == 200, answer.text
    data: list[dict[str, Any]] = json.loads(answer.data)["data"]
    return data


def ids(site: Site, words: str = "") -> list[str]:
    return [each["id"] for each in found(site, words)]


def test_a_chart_is_told_in_artifact_hub_s_shape(shop: Shop) -> None:
    site = Site(shop, context_path="/hub", external_url="https://charts.example.com", open_writes=True)
    for version in ("1.0.0", "2.0.0-rc.1"):
        data = package("web", version, description='It "serves" ☃', appVersion="7")
        assert site.upload(data, "/hub/api/team/app/charts").status_code == 201
    assert found(site, path=f"/hub{PATH}") == [
        {
            "id": "team/app/web",
            "type": "chart",
            "artifactHub": {"packageUrl": "https://charts.example.com/hub/ui/charts/team/app/web"},
            "attributes": {
                "name": "web",
                "description": 'It "serves" ☃',
                "repo": {"name": "team/app", "url": "https://charts.example.com/hub/team/app"},
            },
            "relationships": {
                "latestChartVersion": {
                    "data": {"version": "1.0.0", "app_version": "7", "created": "2023-11-14T22:13:20Z"}
                }
            },
        }
    ]


def test_without_words_all_are_told_and_where_there_are_none_an_empty_list(site: Site) -> None:
    assert site.get(PATH).data == b'{"data":[]}\n'
    for name in ("web", "app"):
        site.upload(package(name))
        site.upload(package(name), "/api/team/charts")
    assert ids(site) == ["app", "web", "team/app", "team/web"]
    assert ids(site, "%20") == ids(site)
    site.delete("/api/charts/app/1.0.0")
    assert ids(site) == ["web", "team/app", "team/web"]


def test_everybody_gets_what_is_theirs(shop: Shop, tmp_path: Path) -> None:
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    (tmp_path / "users").write_text(f"bob:{hashed}\n")
    write_rules(tmp_path / "rules.yaml", [(["user:bob"], ["read"], ["team/web", "b/**"])])
    site = Site(shop, admin_password="secret", htpasswd=tmp_path / "users", permissions=tmp_path / "rules.yaml")
    admin, bob = site.by("admin", "secret"), site.by("bob", "secret")
    for path in ("a/web", "b/web", "team/web", "team/app"):
        repository, _, name = path.partition("/")
        admin.upload(package(name), f"/api/{repository}/charts")
    assert ids(bob) == ["b/web", "team/web"]
    assert ids(admin) == ["a/web", "b/web", "team/app", "team/web"]
    assert site.get(PATH).status_code == 401


def test_a_catalog_that_cannot_be_asked_is_told_and_no_empty_list(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.upload(package())
    with site.shop.catalog.rebuilding():
        assert site.get(PATH).status_code == 503


def test_a_hundred_thousand_charts_are_not_in_memory_at_once(site: Site) -> None:
    build_many(site.shop.catalog, 20_000)
    tracemalloc.start()
    try:
        pieces = site._client.open(f"{PATH}?q=", buffered=False)
        length = sum(map(len, pieces.iter_encoded()))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    pieces.close()
    assert length > 4_000_000
    assert most < 2_000_000


def build_many(catalog: Catalog, count: int) -> None:
    build(catalog, *(record(f"chart-{number:06}", repository=f"r{number % 7}") for number in range(count)))
