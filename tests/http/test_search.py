"""What `GET /api/search` and the pages of the search answer, and to whom."""

from html import unescape
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import yaml

from tests.support.packages import package
from tests.support.repositories import Shop, provenance
from tests.support.site import Site

PASSWORD = "word"
RULES = [
    {"who": "user:reader", "may": "read", "on": "open/**"},
    {"who": "user:narrow", "may": "read", "on": "secret/web"},
    {"who": "user:writer", "may": "publish", "on": "open/*"},
]


def publish(shop: Shop, repository: str, name: str, **others: Any) -> None:
    shop.publish(package(name, **others), repository=repository)


@pytest.fixture
def filled(shop: Shop) -> Shop:
    publish(shop, "open", "web", keywords=["pages"])
    publish(shop, "open", "cache", deprecated=True)
    publish(shop, "secret", "web", keywords=["classified"], annotations={"artifacthub.io/license": "Secret-1.0"})
    publish(shop, "secret", "plans")
    shop.make_findable()
    return shop


@pytest.fixture
def guarded(filled: Shop, tmp_path: Path) -> Site:
    made = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    users = ("reader", "narrow", "writer", "stranger")
    (tmp_path / "users").write_text("".join(f"{name}:{made}\n" for name in users))
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"permissions": RULES}))
    return Site(filled, admin_password=PASSWORD, htpasswd=tmp_path / "users", permissions=tmp_path / "rules.yaml")


def found(site: Site, query: str = "") -> Any:
    answer = site.get(f"/api/search{query}")
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def charts(site: Site, query: str = "") -> list[str]:
    return [f"{each['repository']}/{each['name']}" for each in found(site, query)["charts"]]


def test_that_deprecated_charts_are_not_shown_is_said_below_those_that_are(shop: Shop, site: Site) -> None:
    publish(shop, "open", "grafana", deprecated=True)
    publish(shop, "open", "stack", description="Prometheus and Grafana")
    shop.make_findable()
    page = site.get("/ui/search?q=grafana").text
    assert "1 deprecated chart is not shown." in page
    assert '<a href="/ui/search?q=grafana&amp;deprecated=shown">Show it too</a>' in page
    assert "not shown." not in site.get("/ui/search?q=grafana&deprecated=shown").text
    assert "not shown." not in site.get("/ui/search?q=stack").text


def test_another_page_is_no_filter(filled: Shop, site: Site) -> None:
    assert "some are set" not in site.get("/ui/search?page=2&size=1").text
    assert "some are set" in site.get("/ui/search?repository=open").text


def test_the_shape_of_an_answer(shop: Shop, site: Site) -> None:
    data = package(
        "web",
        appVersion="2",
        description="Serves pages",
        keywords=["Http"],
        annotations={"artifacthub.io/license": "MIT", "artifacthub.io/operator": "true"},
    )
    shop.publish(data, provenance(data, "web-1.0.0.tgz", name="web"), repository="team/app")
    shop.make_findable()
    assert found(site, "?q=webb") == {
        "query": "webb",
        "searched": "web",
        "mended": True,
        "total": 1,
        "page": 1,
        "size": 20,
        "charts": [
            {
                "repository": "team/app",
                "name": "web",
                "version": "1.0.0",
                "app_version": "2",
                "description": "Serves pages",
                "keywords": ["http"],
                "type": "application",
                "license": "MIT",
                "category": "",
                "alternative_name": "",
                "created": "2023-11-14T22:13:20Z",
                "signed": True,
                "deprecated": False,
                "prerelease": False,
                "images": False,
                "crds": False,
                "operator": True,
                "security_updates": False,
                "page": "/ui/charts/team/app/web",
            }
        ],
        "facets": {
            "repository": [{"value": "team/app", "count": 1}],
            "keyword": [{"value": "http", "count": 1}],
            "type": [{"value": "application", "count": 1}],
            "license": [{"value": "MIT", "count": 1}],
            "signed": 1,
            "images": 0,
            "crds": 0,
            "deprecated": 0,
        },
        "indexing": {"behind": False, "indexed": None, "charts": None},
    }


@pytest.mark.parametrize(
    ("user", "seen"),
    [
        ("admin", {"open/web", "open/cache", "secret/web", "secret/plans"}),
        ("reader", {"open/web", "open/cache"}),
        ("narrow", {"secret/web"}),
    ],
)
def test_only_what_one_may_read_is_found_or_counted_anywhere(guarded: Site, user: str, seen: set[str]) -> None:
    there = guarded.by(user, PASSWORD)
    answer = found(there, "?deprecated=shown")
    assert ({f"{each['repository']}/{each['name']}" for each in answer["charts"]}, answer["total"]) == (seen, len(seen))
    assert sum(each["count"] for each in answer["facets"]["repository"]) == len(seen)
    for path in ("/ui/", "/ui/search", "/ui/search?q=web", "/ui/search?q=webb&deprecated=shown", "/ui/search?q=plan"):
        page = there.get(path)
        assert page.status_code == 200
        for hidden in {"secret", "plans", "Secret-1.0", "classified"} if user == "reader" else set():
            assert hidden not in page.text
        assert user != "narrow" or "open" not in page.text


def test_a_typo_is_not_mended_to_what_one_may_not_read(guarded: Site) -> None:
    assert found(guarded.by("admin", PASSWORD), "?q=plams")["searched"] == "plans"
    assert found(guarded.by("reader", PASSWORD), "?q=plams")["searched"] == "plams"


def test_who_is_behind_is_told_in_numbers_only_to_who_reads_all(guarded: Site, filled: Shop) -> None:
    publish(filled, "secret", "late")
    assert found(guarded.by("admin", PASSWORD))["indexing"] == {"behind": True, "indexed": 4, "charts": 5}
    assert found(guarded.by("reader", PASSWORD))["indexing"] == {"behind": True, "indexed": None, "charts": None}
    assert "4 of 5 charts are indexed so far." in guarded.by("admin", PASSWORD).get("/ui/search").text
    assert "Not all charts are indexed so far." in guarded.by("reader", PASSWORD).get("/ui/search").text


def test_who_may_read_nothing_sees_that(guarded: Site) -> None:
    assert guarded.get("/api/search").status_code == 401
    assert guarded.by("stranger", PASSWORD).get("/api/search").status_code == 404
    home = guarded.by("stranger", PASSWORD).get("/ui/")
    assert (home.status_code, "You may not read any chart here" in home.text) == (200, True)
    assert "no rule lets you read anything" in home.text
    assert "You may not read any chart here" in guarded.by("stranger", PASSWORD).get("/ui/search").text
    assert guarded.get("/ui/").status_code == 401


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("page=0", "page is no whole number"),
        ("page=-1", "page is no whole number"),
        ("page=9999999999", "page is no whole number"),
        ("page=²", "page is no whole number"),
        ("size=x", "size is no whole number"),
        ("sort=best", "sort is none of relevance, name, newest"),
        ("deprecated=1", "deprecated is none of hidden, shown, only"),
        ("signed=maybe", "signed is neither true nor false"),
    ],
)
def test_a_parameter_that_means_nothing_is_refused(site: Site, query: str, complaint: str) -> None:
    answer = site.get(f"/api/search?{query}")
    assert (answer.status_code, complaint in answer.text) == (400, True)


@pytest.mark.parametrize(
    "text", ["%22", "%27", "a*", "-a", "AND", "NEAR(a%205)", "%00", "%ff", "%F0%9F%91%8D", "a" * 10_000, "(", "%25"]
)  # fmt: skip
def test_what_is_looked_for_can_be_anything(filled: Shop, text: str) -> None:
    site = Site(filled)
    assert site.get(f"/api/search?q={text}").status_code == 200
    assert site.get(f"/ui/search?q={text}").status_code == 200


def test_filters_pages_and_sizes_of_an_address(filled: Shop) -> None:
    site = Site(filled)
    assert charts(site, "?sort=name") == ["secret/plans", "open/web", "secret/web"]
    assert charts(site, "?sort=name&size=1&page=2") == ["open/web"]
    assert charts(site, "?repository=open&deprecated=only") == ["open/cache"]
    assert charts(site, "?repository=open&repository=secret&keyword=PAGES") == ["open/web"]
    assert charts(site, "?license=Secret-1.0&type=application&signed=0") == ["secret/web"]
    assert charts(site, "?repository=") == []
    assert (charts(site, "?size=100000"), charts(site, "?page=999999999")) == (charts(site), [])
    page = site.get("/ui/search?repository=open&keyword=pages&sort=newest").text
    assert 'value="open" checked' in page
    assert "/ui/search?sort=newest" in page


def test_a_repository_called_search_is_reached_as_any_other(shop: Shop, site: Site) -> None:
    assert site.upload(package("app"), "/api/search/charts").status_code == 201
    assert site.get("/api/search/charts/app/1.0.0").status_code == 200


@pytest.mark.parametrize("url", ["", "https://charts.example.com"])
def test_first_commands_are_those_for_this_server(shop: Shop, tmp_path: Path, url: str) -> None:
    site = Site(shop, admin_password=PASSWORD, auth_anonymous_get=True, context_path="/charts", chart_url=url)
    text = unescape(site.get("/charts/ui/").text)
    where = f"{url or 'http://localhost'}/charts"
    assert f"curl --user YOUR-NAME --data-binary @hello-0.1.0.tgz {where}/api/charts" in text
    assert f"helm repo add charts {where}<" in text
    assert f"helm registry login {where.split('/')[2]} --username YOUR-NAME{'' if url else ' --plain-http'}<" in text
    assert "Publish the first one" in site.by("admin", PASSWORD).get("/charts/ui/").text
    assert "curl --user admin --data-binary" in site.by("admin", PASSWORD).get("/charts/ui/").text
    rules = tmp_path / "permissions.yaml"
    rules.write_text("permissions:\n  - {who: [anonymous], may: [read, publish], on: ['drop/**']}\n")
    text = Site(shop, admin_password=PASSWORD, permissions=rules).get("/ui/").text
    assert "curl --data-binary @hello-0.1.0.tgz http://localhost/api/your-repository/charts" in text
    assert "helm registry login" not in text
    site = Site(shop, open_writes=False)
    assert "Nobody may publish to this server yet" in site.get("/ui/").text


def test_pages_are_linked_with_all_that_was_chosen(shop: Shop, site: Site) -> None:
    for number in range(25):
        publish(shop, "team", f"app-{number:02}", keywords=["a b"])
    shop.make_findable()
    text = site.get("/ui/search?q=app&keyword=a+b&page=2").text
    assert 'href="/ui/search?q=app&amp;keyword=a+b"' in text
    assert "Page 2 of 2" in text
    assert text.count('class="hit"') == 5
