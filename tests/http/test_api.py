"""ChartMuseum's API, and what we add to it."""

import base64
import io
import os

import pytest

from chartrepo.http.uploads import Spool
from storage.base import NoSpace, Unavailable
from tests.support.packages import archive, chart_yaml, package
from tests.support.repositories import NOW, Shop, provenance
from tests.support.site import Site

APP = package(description="x")
SAVED = {"saved": True}
JSON = "application/json; charset=utf-8"


@pytest.fixture
def stocked(site: Site) -> Site:
    for name, version in (
        ("web", "1.0.0"),
        ("app", "1.0.0"),
        ("app", "1.1.0"),
        ("app", "2.0.0-rc.1"),
        ("redis", "7.0.0"),
    ):
        assert site.upload(package(name, version)).status_code == 201
    return site


class TestUploads:
    def test_a_package_is_sent_raw(self, site: Site) -> None:
        answer = site.upload(APP)
        assert (answer.status_code, answer.json) == (201, SAVED)
        assert answer.headers["Content-Type"] == JSON
        assert site.get("/charts/app-1.0.0.tgz").data == APP

    def test_curl_s_own_content_type_does_no_harm(self, site: Site) -> None:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert site.upload(APP, headers=form).json == SAVED

    def test_a_package_is_sent_in_a_form_with_or_without_its_provenance(self, site: Site) -> None:
        assert site.send_form(chart=APP).json == SAVED
        web = package("web")
        signature = provenance(web, "web-1.0.0.tgz", name="web")
        assert site.send_form(chart=web, prov=signature).json == SAVED
        assert site.get("/charts/web-1.0.0.tgz").data == web
        assert site.get("/charts/web-1.0.0.tgz.prov").data == signature

    def test_of_a_form_both_are_taken_or_neither(self, site: Site) -> None:
        answer = site.send_form(chart=APP, prov=provenance(b"other bytes"))
        assert answer.status_code == 400
        assert "app-1.0.0.tgz" in answer.json["error"]
        assert site.get("/charts/app-1.0.0.tgz").status_code == 404
        assert site.get("/charts/app-1.0.0.tgz.prov").status_code == 404

    @pytest.mark.parametrize("fields", [{}, {"other": APP}, {"chart": "text"}, {"note": "x", "prov": "text"}])
    def test_a_form_without_either_is_told_which_fields_are_read(self, site: Site, fields: dict[str, bytes]) -> None:
        answer = site.send_form(**fields)
        assert answer.status_code == 400
        assert answer.json == {"error": "no package or provenance file found in form fields chart and prov"}

    def test_provenance_can_come_later_raw_or_in_a_form(self, site: Site) -> None:
        web = package("web")
        site.upload(APP)
        site.upload(web)
        assert site.upload(provenance(APP), "/api/prov").json == SAVED
        assert site.send_form(prov=provenance(web, "web-1.0.0.tgz", name="web")).json == SAVED
        assert site.get("/charts/app-1.0.0.tgz.prov").data == provenance(APP)
        assert site.get("/charts/web-1.0.0.tgz.prov").status_code == 200

    def test_provenance_goes_to_nested_repositories_too(self, site: Site) -> None:
        site.upload(APP, "/api/team/charts/charts")
        assert site.upload(provenance(APP), "/api/team/charts/prov").json == SAVED
        assert site.get("/team/charts/charts/app-1.0.0.tgz.prov").data == provenance(APP)

    def test_a_second_upload_is_a_conflict_in_chartmuseum_s_words(self, site: Site) -> None:
        site.upload(APP)
        raw, form = site.upload(APP), site.send_form(chart=APP)
        assert (raw.status_code, raw.json["error"]) == (409, "file already exists")
        assert (form.status_code, form.json["error"]) == (409, "chart already exists")
        assert raw.json["detail"] == "app-1.0.0.tgz already exists"

    def test_what_cannot_be_served_and_is_in_the_way_is_told_with_what_to_do(self, site: Site) -> None:
        site.shop.put("app-1.0.0.tgz", b"rubbish")
        answer = site.upload(APP)
        assert (answer.status_code, answer.json["error"]) == (409, "file already exists")
        assert "cannot be served (the package is not a gzip file" in answer.json["detail"]
        assert "upload with ?force to replace it, or delete this version first" in answer.json["detail"]
        assert site.delete("/api/charts/app/1.0.0").json == {"deleted": True}
        assert site.upload(APP).status_code == 201

    def test_a_second_provenance_is_a_conflict_too(self, site: Site) -> None:
        site.send_form(chart=APP, prov=provenance(APP))
        answer = site.upload(provenance(APP), "/api/prov")
        assert (answer.status_code, answer.json["error"]) == (409, "file already exists")
        assert site.upload(provenance(APP), "/api/prov?force").status_code == 201

    @pytest.mark.parametrize("query", ["?force", "?force=", "?force=true"])
    def test_force_replaces(self, site: Site, query: str) -> None:
        other = package(appVersion="2")
        site.upload(APP)
        assert site.upload(other, f"/api/charts{query}").status_code == 201
        assert site.get("/charts/app-1.0.0.tgz").data == other
        assert site.send_form(f"/api/charts{query}", chart=APP).status_code == 201
        assert site.get("/charts/app-1.0.0.tgz").data == APP
        assert site.ledger.uploads == ["created", "replaced", "replaced"]

    @pytest.mark.parametrize(
        ("setting", "plain", "forced"), [("never", 409, 409), ("force", 409, 201), ("always", 201, 201)]
    )
    def test_whether_a_version_can_be_replaced_is_a_setting(
        self, shop: Shop, setting: str, plain: int, forced: int
    ) -> None:
        site = Site(shop, allow_overwrite=setting)
        site.upload(APP)
        assert site.upload(package(appVersion="2")).status_code == plain
        assert site.upload(package(appVersion="3"), "/api/charts?force").status_code == forced

    def test_a_refusal_names_the_field_the_value_and_the_remedy(self, site: Site) -> None:
        answer = site.upload(package(version="1.2.3.4"))
        assert (answer.status_code, answer.headers["Content-Type"]) == (400, JSON)
        assert "Chart.yaml" in answer.json["error"]
        assert "'1.2.3.4'" in answer.json["error"]

    def test_an_empty_body_is_refused(self, site: Site) -> None:
        assert site.upload(b"").status_code == 400
        assert site.upload(b"", "/api/prov").status_code == 400

    def test_a_name_that_no_storage_takes_is_refused(self, site: Site) -> None:
        for name in (".chartrepo-x", "x" * 1000):
            answer = site.upload(package(name))
            assert answer.status_code == 400
            assert name[:80] in answer.json["error"]

    @pytest.mark.parametrize("path", ["/api//charts", "/api/charts/", "/api/charts/app", "/api/repositories"])
    def test_no_package_goes_where_none_is_sent_to(self, site: Site, path: str) -> None:
        answer = site.upload(APP, path)
        assert (answer.status_code, answer.json) == (404, {"error": "not found"})
        assert list(site.shop.inner.list()) == []

    @pytest.mark.parametrize(
        "repository",
        ["UPPER CASE", "a..b", "..", "v2", "metrics", "api", "team/", "my_repo__", "-x", "x/" * 200 + "x", "x" * 300],
    )
    @pytest.mark.parametrize("end", ["charts", "prov"])
    def test_an_upload_to_what_cannot_be_a_repository_is_told_what_can(
        self, site: Site, repository: str, end: str
    ) -> None:
        path = f"/api/{repository}/{end}"
        for answer in (site.upload(APP, path), site.send_form(path, chart=APP)):
            assert answer.status_code == 400
            assert f"{repository[:200]!r}"[:-1] in answer.json["error"]
            assert " cannot name a repository: " in answer.json["error"]
        assert site.ledger.uploads == ["refused", "refused"]
        for method in ("GET", "DELETE"):
            answer = site.ask(method, path)
            assert (answer.status_code, answer.json) == (404, {"error": "not found"})
        assert list(site.shop.inner.list()) == []

    def test_folders_with_capitals_are_repositories_here(self, site: Site) -> None:
        assert site.upload(APP, "/api/Team/App/charts").status_code == 201
        assert site.get("/Team/App/charts/app-1.0.0.tgz").data == APP

    def test_a_large_one_is_taken_where_somebody_removed_the_folder_that_it_waits_in(self, site: Site) -> None:
        (site.shop.folder / "uploads").rmdir()
        large = package(files={"noise.bin": os.urandom(1 << 20)})
        assert site.upload(large).status_code == 201

    def test_a_full_disk_is_told(self, site: Site) -> None:
        site.shop.storage.fail("put", NoSpace("no space left in the bucket"))
        answer = site.upload(APP)
        assert (answer.status_code, answer.json) == (507, {"error": "no space left in the bucket"})
        assert site.upload(APP).status_code == 201

    def test_a_storage_that_does_not_answer_asks_to_come_back(self, site: Site) -> None:
        site.shop.storage.fail("put", Unavailable("the bucket does not answer"))
        answer = site.upload(APP)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")

    def test_each_upload_is_counted_by_how_it_ended(self, shop: Shop) -> None:
        site = Site(shop, max_upload_size=10_000)
        site.upload(APP)
        site.upload(APP)
        site.upload(b"nonsense")
        site.send_form(other=b"x")
        site.upload(bytes(20_000))
        site.shop.storage.fail("put", Unavailable("away"))
        site.upload(package("web"))
        site.upload(package("web"), headers={"Origin": "http://evil.example.com"})
        assert site.ledger.uploads == [
            "created", "conflict", "refused", "refused", "too_large", "failed", "denied",
        ]  # fmt: skip


class TestForms:
    """Bodies that no form library makes."""

    @staticmethod
    def body(*, end: bytes = b"\r\n--b--\r\n", data: bytes = APP) -> bytes:
        head = b'--b\r\nContent-Disposition: form-data; name="chart"; filename="/x/app-1.0.0.tgz"\r\n\r\n'
        return head + data + end

    @staticmethod
    def send(site: Site, body: bytes, content_type: str = "multipart/form-data; boundary=b") -> tuple[int, str]:
        answer = site.upload(body, headers={"Content-Type": content_type})
        return answer.status_code, answer.json.get("error", "")

    def test_a_whole_one_is_taken(self, site: Site) -> None:
        assert self.send(site, self.body()) == (201, "")

    @pytest.mark.parametrize("end", [b"", b"\r\n", b"\r\n--b", b"\r\n--b\r\n", b"\r\n--b\r\nContent-Dis"])
    def test_one_that_broke_off_is_not_taken_for_an_empty_one(self, site: Site, end: bytes) -> None:
        status, error = self.send(site, self.body(end=end))
        assert status == 400
        assert "broke off" in error
        assert list(site.shop.inner.list()) == []

    def test_one_without_a_boundary_is_malformed(self, site: Site) -> None:
        assert self.send(site, self.body(), "multipart/form-data")[0] == 400
        assert self.send(site, self.body(), "multipart/form-data; boundary=ä")[0] == 400

    def test_a_large_one_that_broke_off_leaves_no_open_file(self, site: Site) -> None:
        assert self.send(site, self.body(data=bytes(2_000_000), end=b""))[0] == 400

    @pytest.mark.parametrize("field", ["chart", "prov"])
    def test_of_two_packages_none_is_dropped_without_a_word(self, site: Site, field: str) -> None:
        part = b'--b\r\nContent-Disposition: form-data; name="%b"; filename="x"\r\n\r\n' % field.encode()
        body = part + APP + b"\r\n" + part + package("web") + b"\r\n--b--\r\n"
        assert self.send(site, body) == (
            400,
            f"the form has several files {field}: send each package in a form of its own",
        )
        assert list(site.shop.inner.list()) == []

    def test_too_many_fields_are_refused(self, site: Site) -> None:
        field = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n'
        status, error = self.send(site, field * 2000 + b"--b--\r\n")
        assert status == 400
        assert "send chart and prov as files" in error

    def test_a_full_disk_under_waiting_uploads_is_told(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Spool, "file", lambda _: io.FileIO("/dev/full", "r+"))
        assert self.send(site, self.body())[0] == 507
        assert site.upload(APP).status_code == 507


class TestReading:
    def test_charts_are_listed_by_name(self, stocked: Site) -> None:
        answer = stocked.get("/api/charts")
        assert answer.headers["Content-Type"] == JSON
        listed = {name: [entry["version"] for entry in entries] for name, entries in answer.json.items()}
        assert list(listed.items()) == [
            ("app", ["2.0.0-rc.1", "1.1.0", "1.0.0"]),
            ("redis", ["7.0.0"]),
            ("web", ["1.0.0"]),
        ]

    def test_a_repository_that_holds_nothing_lists_nothing(self, site: Site) -> None:
        for path in ("/api/charts", "/api/team/charts"):
            assert (site.get(path).status_code, site.get(path).data) == (200, b"{}")

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("limit=1", ["app"]),
            ("limit=2", ["app", "redis"]),
            ("offset=1", ["redis", "web"]),
            ("offset=1&limit=1", ["redis"]),
            ("offset=0", ["app", "redis", "web"]),
            ("offset=3", []),
            ("offset=99&limit=5", []),
            ("limit=1000000000", ["app", "redis", "web"]),
        ],
    )
    def test_offset_and_limit_count_names(self, stocked: Site, query: str, names: list[str]) -> None:
        assert list(stocked.get(f"/api/charts?{query}").json) == names

    @pytest.mark.parametrize(
        ("query", "error"),
        [
            *(
                (f"offset={value}", "offset is not a valid non-negative integer")
                for value in ("-1", "x", "", "1.5", "٣")
            ),
            *((f"limit={value}", "limit is not a valid positive integer") for value in ("0", "-1", "x", "", "1e3")),
        ],
    )
    def test_other_values_are_refused(self, stocked: Site, query: str, error: str) -> None:
        answer = stocked.get(f"/api/charts?{query}")
        assert (answer.status_code, answer.json) == (400, {"error": error})

    def test_the_versions_of_a_chart_come_newest_first(self, stocked: Site) -> None:
        entries = stocked.get("/api/charts/app").json
        assert [entry["version"] for entry in entries] == ["2.0.0-rc.1", "1.1.0", "1.0.0"]

    def test_an_entry_is_that_of_the_index(self, stocked: Site) -> None:
        index = stocked.get("/index.yaml", User_Agent="Helm/4.1.4").json
        assert stocked.get("/api/charts").json == index["entries"]
        assert stocked.get("/api/charts/app").json == index["entries"]["app"]
        assert stocked.get("/api/charts/web/1.0.0").json == index["entries"]["web"][0]

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ("1.0.0", "1.0.0"),
            ("latest", "1.1.0"),
            ("", "1.1.0"),
            ("^1.0", "1.1.0"),
            ("%5E1.0", "1.1.0"),
            ("~1.0.0", "1.0.0"),
            ("1.x", "1.1.0"),
            ("%3E0.0.0-0", "2.0.0-rc.1"),
            ("2.0.0-rc.1", "2.0.0-rc.1"),
        ],
    )
    def test_a_version_is_named_or_described(self, stocked: Site, wanted: str, found: str) -> None:
        answer = stocked.get(f"/api/charts/app/{wanted}")
        assert (answer.status_code, answer.json["version"]) == (200, found)
        head = stocked.head(f"/api/charts/app/{wanted}")
        assert (head.status_code, head.data) == (200, b"")

    @pytest.mark.parametrize(
        ("path", "error"),
        [
            ("nope", "chart not found"),
            ("", "chart not found"),
            ("nope/1.0.0", "no chart name found"),
            ("/1.0.0", "no chart name found"),
            ("nope/1.0.0/values", "no chart name found"),
            ("app/9.9.9", "no chart version found for app-9.9.9"),
            ("app/%5E9", "no chart version found for app-^9"),
            ("app/nonsense!", "no chart version found for app-nonsense!"),
            ("app/9.9.9/templates", "no chart version found for app-9.9.9"),
            ("app/1.0.0/other", "not found"),
            ("app/1.0.0/values/", "not found"),
            ("app/1.0.0/", "not found"),
        ],
    )
    def test_what_is_not_there_is_told_in_chartmuseum_s_words(self, stocked: Site, path: str, error: str) -> None:
        answer = stocked.get(f"/api/charts/{path}")
        assert (answer.status_code, answer.json) == (404, {"error": error})
        assert stocked.head(f"/api/charts/{path}").status_code == 404

    def test_a_chart_may_be_called_as_nearly_anything(self, site: Site) -> None:
        for name in ("sync", "repositories", "latest", "api", "ä b"):
            site.upload(package(name))
            assert site.get(f"/api/charts/{name}/1.0.0").json["name"] == name

    def test_templates_and_values_come_out_of_the_package(self, stocked: Site) -> None:
        answer = stocked.get("/api/charts/app/latest/templates").json
        (template,) = answer["templates"]
        assert template["name"] == "templates/configmap.yaml"
        assert base64.b64decode(template["data"]).startswith(b"apiVersion: v1\n")
        assert answer["values"] == {"replicas": 1}

        values = stocked.get("/api/charts/app/1.0.0/values")
        assert (values.data, values.headers["Content-Type"]) == (b"replicas: 1\n", "application/yaml")

    def test_a_chart_without_values_has_none(self, site: Site) -> None:
        site.upload(archive([("bare/Chart.yaml", chart_yaml("bare"))]))
        answer = site.get("/api/charts/bare/1.0.0/values")
        assert (answer.status_code, answer.json) == (404, {"error": "values.yaml not found"})
        assert site.get("/api/charts/bare/1.0.0/templates").json == {"templates": [], "values": {}}

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "POST"])
    @pytest.mark.parametrize("path", ["/api/charts/app", "/health", "/index.yaml", "/charts/app-1.0.0.tgz", "/"])
    def test_other_methods_find_nothing(self, stocked: Site, method: str, path: str) -> None:
        answer = stocked.ask(method, path)
        assert (answer.status_code, answer.json) == (404, {"error": "not found"})

    @pytest.mark.parametrize(
        "path", ["/nothing", "/api", "/api/", "/api/x/y", "/health/", "/charts/x.txt", "/apicharts"]
    )
    def test_any_other_path_is_not_found(self, stocked: Site, path: str) -> None:
        answer = stocked.get(path)
        assert (answer.status_code, answer.json) == (404, {"error": "not found"})


class TestDeleting:
    def test_a_version_goes_with_its_provenance(self, site: Site) -> None:
        site.send_form(chart=APP, prov=provenance(APP))
        answer = site.delete("/api/charts/app/1.0.0")
        assert (answer.status_code, answer.json) == (200, {"deleted": True})
        assert list(site.shop.inner.list()) == []
        assert site.get("/api/charts").json == {}

    @pytest.mark.parametrize("version", ["latest", "^1", "1", "1.0", "v1.0.0", "1.0.0 ", "9.9.9", "", "..%2fapp-1.0.0"])
    def test_only_the_exact_version_does(self, stocked: Site, version: str) -> None:
        answer = stocked.delete(f"/api/charts/app/{version}")
        assert answer.status_code == 404
        assert len(stocked.get("/api/charts/app").json) == 3

    @pytest.mark.parametrize(
        "path", ["app", "app/", "", "/", "/1.0.0", "app?all_versions", "app?all_versions=1", "?all_versions=true"]
    )
    def test_scripts_that_send_empty_variables_delete_nothing(self, stocked: Site, path: str) -> None:
        assert stocked.delete(f"/api/charts/{path}").status_code == 404
        assert len(list(stocked.shop.inner.list())) == 5

    def test_a_whole_chart_goes_where_it_is_said_plainly(self, stocked: Site) -> None:
        answer = stocked.delete("/api/charts/app?all_versions=true")
        assert (answer.status_code, answer.json) == (200, {"deleted": True, "versions": 3})
        assert list(stocked.get("/api/charts").json) == ["redis", "web"]
        assert stocked.delete("/api/charts/app?all_versions=true").json == {"error": "chart not found"}

    def test_a_chart_of_another_name_in_the_same_file_stays(self, site: Site) -> None:
        site.upload(package("a", "1-2.0"))
        assert site.delete("/api/charts/a-1/2.0").status_code == 404
        assert site.get("/charts/a-1-2.0.tgz").status_code == 200

    def test_it_can_be_switched_off(self, shop: Shop) -> None:
        site = Site(shop, allow_delete=False)
        site.upload(APP)
        for path in ("/api/charts/app/1.0.0", "/api/charts/app?all_versions=true"):
            answer = site.delete(path)
            assert answer.status_code == 403
            assert "allow_delete" in answer.json["error"]
        assert site.get("/charts/app-1.0.0.tgz").data == APP


class TestOurs:
    def test_repositories_are_listed_with_what_was_set_aside(self, site: Site) -> None:
        site.upload(APP, "/api/team/charts")
        site.shop.put("team/broken-1.0.0.tgz", b"nonsense")
        site.shop.put("no way/app-1.0.0.tgz", APP)
        site.ask("POST", "/api/sync")

        answer = site.get("/api/repositories").json

        (team,) = answer["repositories"]
        assert {name: team[name] for name in ("name", "charts", "versions", "bytes")} == {
            "name": "team",
            "charts": 1,
            "versions": 1,
            "bytes": len(APP),
        }
        (aside,) = team["set_aside"]
        assert aside["file"] == "broken-1.0.0.tgz"
        assert "gzip" in aside["reason"]
        (folder,) = answer["set_aside_folders"]
        assert folder["name"] == "no way"

    def test_a_sync_finds_what_hands_put_there(self, site: Site) -> None:
        site.shop.put("app-1.0.0.tgz", APP, published=NOW - 100)
        answer = site.ask("POST", "/api/sync")
        assert answer.status_code == 200
        assert answer.json["found"] == 1
        assert list(site.get("/api/charts").json) == ["app"]


def test_all_of_it_lies_below_the_context_path(shop: Shop) -> None:
    site = Site(shop, context_path="/charts")
    form = {"chart": (io.BytesIO(package("web")), "web.tgz")}
    assert site.upload(APP, "/charts/api/charts").status_code == 201
    assert site.ask("POST", "/charts/api/team/charts", data=form).status_code == 201
    assert list(site.get("/charts/api/charts").json) == ["app"]
    assert site.get("/charts/api/team/charts/web/latest").json["name"] == "web"
    assert site.get("/charts/charts/app-1.0.0.tgz").data == APP
    assert site.get("/charts/team/charts/web-1.0.0.tgz").status_code == 200
    assert site.delete("/charts/api/charts/app/1.0.0").status_code == 200
    for path in ("/api/charts", "/index.yaml", "/chartsapi/charts", "/charts2/index.yaml", "/info"):
        assert site.get(path).status_code == 404
