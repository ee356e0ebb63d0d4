"""GET of index.yaml: forms, parts, compression, and what caches are told."""

import gzip
import io
import json
from pathlib import Path

import pytest
import yaml
from werkzeug.http import http_date

from chartrepo.core.errors import CatalogUnavailable
from chartrepo.http.helm import Classic, Options
from chartrepo.indexes import Indexes
from tests.support.packages import package
from tests.support.repositories import Shop
from tests.support.site import Site

HELM_3 = "Helm/3.20.2"


def versions(document: bytes) -> dict[str, list[str]]:
    entries = yaml.safe_load(document)["entries"]
    return {name: [entry["version"] for entry in chart] for name, chart in entries.items()}


class TestContent:
    def test_an_empty_repository_has_an_empty_index(self, site: Site) -> None:
        for repository in ("", "/team/app"):
            answer = site.get(f"{repository}/index.yaml")
            assert answer.status_code == 200
            assert yaml.safe_load(answer.data) == {
                "apiVersion": "v1",
                "generated": "1970-01-01T00:00:00Z",
                "entries": {},
            }

    def test_a_repository_shows_its_own_charts_only(self, site: Site) -> None:
        site.upload(package("root"))
        site.upload(package("nested"), "/api/team/app/charts")
        site.upload(package("odd"), "/api/team/charts/charts")

        assert list(versions(site.get("/index.yaml").data)) == ["root"]
        assert list(versions(site.get("/team/app/index.yaml").data)) == ["nested"]
        assert list(versions(site.get("/team/charts/index.yaml").data)) == ["odd"]
        assert versions(site.get("/team/index.yaml").data) == {}

    def test_addresses_are_relative(self, site: Site) -> None:
        site.upload(package("app", "1.0.0+build"), "/api/team/charts")

        (entry,) = yaml.safe_load(site.get("/team/index.yaml").data)["entries"]["app"]

        assert entry["urls"] == ["charts/app-1.0.0+build.tgz"]

    def test_a_chart_url_makes_them_absolute_with_context_path_and_repository(self, shop: Shop) -> None:
        site = Site(shop, chart_url="https://charts.example.com", context_path="/charts")
        site.upload(package(), "/charts/api/team/charts")

        (entry,) = yaml.safe_load(site.get("/charts/team/index.yaml").data)["entries"]["app"]

        assert entry["urls"] == ["https://charts.example.com/charts/team/charts/app-1.0.0.tgz"]

    def test_the_context_path_is_told_to_cm_push(self, shop: Shop) -> None:
        site = Site(shop, context_path="/charts")

        for agent in ("", HELM_3):
            document = yaml.safe_load(site.get("/charts/index.yaml", User_Agent=agent).data)
            assert document["serverInfo"] == {"contextPath": "/charts"}

    def test_head_tells_the_length_and_sends_nothing(self, site: Site) -> None:
        site.upload(package())

        answer = site.head("/index.yaml")

        assert answer.data == b""
        assert answer.headers["Content-Length"] == str(len(site.get("/index.yaml").data))


class TestForms:
    @pytest.mark.parametrize("agent", [HELM_3, "Helm/3.20", "Helm/3.13+unreleased", "Helm/4.1.4", "Helm/10.0"])
    def test_helm_3_13_and_newer_get_json(self, site: Site, agent: str) -> None:
        answer = site.get("/index.yaml", User_Agent=agent)
        assert answer.mimetype == "application/json"
        assert json.loads(answer.data)["apiVersion"] == "v1"

    @pytest.mark.parametrize(
        "agent", ["", "Helm/3.12.3", "Helm/2.17", "argocd-repo-server/3.0", "curl/8", "Go-http-client/1.1", "Helm/x"]
    )
    def test_all_others_get_yaml(self, site: Site, agent: str) -> None:
        assert site.get("/index.yaml", User_Agent=agent).mimetype == "application/x-yaml"

    def test_caches_are_told_what_the_form_depends_on(self, site: Site) -> None:
        assert site.get("/index.yaml").headers["Vary"] == "Accept-Encoding, User-Agent"

    @pytest.mark.parametrize(("form", "media_type"), [("yaml", "application/x-yaml"), ("json", "application/json")])
    def test_a_setting_forces_one_form_for_caches_that_ignore_that(
        self, shop: Shop, form: str, media_type: str
    ) -> None:
        site = Site(shop, index_format=form)
        for agent in ("curl/8", HELM_3):
            answer = site.get("/index.yaml", User_Agent=agent)
            assert (answer.mimetype, answer.headers["Vary"]) == (media_type, "Accept-Encoding")

    def test_both_forms_say_the_same(self, site: Site) -> None:
        site.upload(package(description="🎉 y: no\n#", keywords=["yes", "1e3"], annotations={"on": "0o7"}))

        as_yaml = yaml.safe_load(site.get("/index.yaml").data)
        as_json = json.loads(site.get("/index.yaml", User_Agent=HELM_3).data)

        assert as_yaml == as_json


class TestParts:
    @pytest.fixture
    def stocked(self, site: Site) -> Site:
        for name, version in (
            ("web", "1.0.0"),
            ("web", "1.1.0"),
            ("web", "2.0.0-rc.1"),
            ("web", "2.0.0-rc.2"),
            ("web-tools", "0.1.0"),
            ("redis", "7.0.0-beta"),
        ):
            site.upload(package(name, version))
        return site

    def test_versions_are_the_newest_and_the_newest_stable_one(self, stocked: Site) -> None:
        assert versions(stocked.get("/index.yaml?versions=1").data) == {
            "redis": ["7.0.0-beta"],
            "web": ["2.0.0-rc.2", "1.1.0"],
            "web-tools": ["0.1.0"],
        }
        assert versions(stocked.get("/index.yaml?versions=3").data)["web"] == ["2.0.0-rc.2", "2.0.0-rc.1", "1.1.0"]

    def test_both_forms_leave_out_the_same(self, stocked: Site) -> None:
        for query in ("versions=1", "versions=2", "versions=3", "versions=9", "charts=web*", "charts=web&versions=1"):
            as_yaml = stocked.get(f"/index.yaml?{query}")
            as_json = stocked.get(f"/index.yaml?{query}", User_Agent=HELM_3)
            assert json.loads(as_json.data) == yaml.safe_load(as_yaml.data)

    @pytest.mark.parametrize(
        ("patterns", "names"),
        [
            ("web", ["web"]),
            ("web*", ["web", "web-tools"]),
            ("r?dis,web", ["redis", "web"]),
            ("[rw]e*", ["redis", "web", "web-tools"]),
            ("WEB", []),
            ("nothing", []),
        ],
    )
    def test_charts_are_chosen_by_shell_patterns(self, stocked: Site, patterns: str, names: list[str]) -> None:
        assert list(versions(stocked.get(f"/index.yaml?charts={patterns}").data)) == names

    def test_what_else_stands_in_the_query_is_ignored(self, stocked: Site) -> None:
        assert stocked.get("/index.yaml?x=1&y").data == stocked.get("/index.yaml").data

    @pytest.mark.parametrize(
        "query", ["versions=0", "versions=-1", "versions=x", "versions=", "versions=1.5", "charts="]
    )
    def test_values_without_a_meaning_are_refused_with_an_example(self, stocked: Site, query: str) -> None:
        answer = stocked.get(f"/index.yaml?{query}")
        assert answer.status_code == 400
        assert f"as {query.partition('=')[0]}=" in answer.json["error"]

    def test_too_many_or_too_long_patterns_are_refused(self, stocked: Site) -> None:
        assert stocked.get("/index.yaml?charts=" + "a," * 101).status_code == 400
        assert stocked.get("/index.yaml?charts=" + "a" * 251).status_code == 400

    def test_a_part_has_an_etag_of_its_own(self, stocked: Site) -> None:
        etags = {
            stocked.get(f"/index.yaml{query}").headers["ETag"]
            for query in ("", "?versions=1", "?versions=2", "?charts=web", "?charts=redis")
        }
        assert len(etags) == 5


class TestCompression:
    def test_gzip_is_sent_only_where_it_is_asked_for(self, site: Site) -> None:
        site.upload(package())
        plain = site.get("/index.yaml")
        assert "Content-Encoding" not in plain.headers

        for accepted in ("gzip", "gzip, deflate, br", "br;q=1.0, gzip;q=0.8"):
            packed = site.get("/index.yaml", Accept_Encoding=accepted)
            assert packed.headers["Content-Encoding"] == "gzip"
            assert gzip.decompress(packed.data) == plain.data

        for accepted in ("identity", "gzip;q=0", "deflate", "x-gzip-not"):
            assert "Content-Encoding" not in site.get("/index.yaml", Accept_Encoding=accepted).headers

    def test_the_compressed_form_is_one_member_and_has_an_etag_of_its_own(self, site: Site) -> None:
        site.upload(package("app"))
        site.upload(package("web"))
        packed = site.get("/index.yaml", Accept_Encoding="gzip")

        assert packed.headers["ETag"] != site.get("/index.yaml").headers["ETag"]
        with gzip.GzipFile(fileobj=io.BytesIO(packed.data)) as file:
            assert file.read() == site.get("/index.yaml").data
        assert packed.data.count(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff") == 1

    def test_a_part_is_compressed_too(self, site: Site) -> None:
        site.upload(package("app"))
        packed = site.get("/index.yaml?versions=1", Accept_Encoding="gzip")
        assert gzip.decompress(packed.data) == site.get("/index.yaml?versions=1").data

    def test_a_304_names_no_encoding(self, site: Site) -> None:
        etag = site.get("/index.yaml", Accept_Encoding="gzip").headers["ETag"]
        answer = site.get("/index.yaml", Accept_Encoding="gzip", If_None_Match=etag)
        assert answer.status_code == 304
        assert "Content-Encoding" not in answer.headers


class TestCaching:
    def test_who_holds_the_index_is_told_so(self, site: Site) -> None:
        site.upload(package())
        first = site.get("/index.yaml")

        again = site.get("/index.yaml", If_None_Match=first.headers["ETag"])

        assert again.status_code == 304
        assert again.data == b""
        assert "Content-Length" not in again.headers
        assert {name: again.headers[name] for name in ("ETag", "Vary", "Cache-Control", "Last-Modified")} == {
            name: first.headers[name] for name in ("ETag", "Vary", "Cache-Control", "Last-Modified")
        }

    def test_a_weak_comparison_is_enough(self, site: Site) -> None:
        etag = site.get("/index.yaml").headers["ETag"]
        assert site.get("/index.yaml", If_None_Match=f'"other", W/{etag}').status_code == 304
        assert site.get("/index.yaml", If_None_Match="*").status_code == 304

    def test_a_publication_changes_the_etag(self, site: Site) -> None:
        etag = site.get("/index.yaml").headers["ETag"]
        site.upload(package())
        assert site.get("/index.yaml", If_None_Match=etag).status_code == 200

    def test_two_workers_give_the_same_etag_and_the_same_bytes(self, shop: Shop) -> None:
        one, other = Site(shop), Site(shop)
        one.get("/index.yaml")  # it renders what follows as a change, the other one as a whole
        for name in ("web", "app", "redis"):
            one.upload(package(name))
            one.get("/index.yaml", Accept_Encoding="gzip")
        for encoding in ("", "gzip"):
            answers = [each.get("/index.yaml", Accept_Encoding=encoding) for each in (one, other)]
            assert answers[0].headers["ETag"] == answers[1].headers["ETag"]
            assert answers[0].data == answers[1].data

    def test_a_client_may_ask_with_a_date(self, site: Site) -> None:
        site.upload(package())
        assert site.get("/index.yaml", If_Modified_Since="Fri, 01 Jan 2100 00:00:00 GMT").status_code == 304
        assert site.get("/index.yaml", If_Modified_Since="Sat, 01 Jan 2000 00:00:00 GMT").status_code == 200
        assert site.get("/index.yaml", If_Modified_Since="yesterday").status_code == 200

    def test_two_changes_in_one_second_are_not_taken_for_one(self, shop: Shop) -> None:
        shop.publish(package("app"))
        changed = shop.catalog.repositories()[0].changed_at
        moments = iter([changed + 0.3, changed + 0.9, changed + 5])
        classic = Classic(shop.repositories, Indexes(shop.catalog), Options(), clock=lambda: next(moments))
        request = {"REQUEST_METHOD": "GET"}

        told_at_once = dict(classic.index(request, "").headers)["Last-Modified"]

        later = classic.index({**request, "HTTP_IF_MODIFIED_SINCE": told_at_once}, "")
        assert later.status == 200  # whatever was published in the rest of that second
        assert dict(classic.index(request, "").headers)["Last-Modified"] == http_date(changed)

    def test_an_etag_tells_more_than_a_date(self, site: Site) -> None:
        answer = site.get("/index.yaml", If_None_Match='"other"', If_Modified_Since="Fri, 01 Jan 2100 00:00:00 GMT")
        assert answer.status_code == 200

    def test_every_use_of_a_cached_index_is_to_be_checked(self, shop: Shop) -> None:
        assert Site(shop).get("/index.yaml").headers["Cache-Control"] == "public, no-cache"

    def test_where_reading_needs_a_credential_no_shared_cache_keeps_it(self, shop: Shop) -> None:
        site = Site(shop, basic_auth_user="me", basic_auth_password="secret")
        answer = site.get("/index.yaml", Authorization="Basic bWU6c2VjcmV0")
        assert answer.headers["Cache-Control"] == "private, no-cache"


class TestWhenTheCatalogIsAway:
    def test_an_unfinished_catalog_asks_to_come_back(self, tmp_path: Path) -> None:
        answer = Site(Shop(tmp_path)).get("/index.yaml")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")

    def test_an_index_at_hand_is_not_given_for_the_newest_one(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        site.upload(package())
        site.get("/index.yaml")

        def away(*_: object) -> None:
            raise CatalogUnavailable("the database is away")

        monkeypatch.setattr(type(site.shop.catalog), "mark", away)

        assert site.get("/index.yaml").status_code == 503
