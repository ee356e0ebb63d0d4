"""The pages that publish and delete, and those of repositories, artifacts and the status, over HTTP."""

import json
import random
import re
from html import unescape
from typing import Any, Final

import bcrypt
import pytest

from chartrepo.core.audit import Record
from chartrepo.core.errors import CatalogUnavailable
from storage.base import Unavailable
from tests.http.test_permissions import signed, write_rules
from tests.support.forms import HTML, secret, send, submit
from tests.support.oci_contents import Content, digest_of
from tests.support.packages import package
from tests.support.pushes import push, put_blob, put_manifest
from tests.support.repositories import Shop
from tests.support.site import Site

WEB: Final = package("web", appVersion="7", description="Serves pages.")
OTHER: Final = package("web", appVersion="8")
POLICIES: Final = """\
policies:
  - {on: ["team/**"], since: 2020-01-01, versions: [stable-only], required: [icon]}
  - {on: ["team/secret"], since: 2020-01-01, largest: 1MiB}
  - {on: ["final/**"], since: 2020-01-01, immutable: true}
"""
RULES: Final[list[tuple[list[str], list[str], list[str]]]] = [
    (["anonymous"], ["read"], ["public/**"]),
    (["user:ada"], ["read", "publish"], ["**"]),
    (["user:grace"], ["read"], ["team/web"]),
    (["user:grace"], ["publish"], ["team/web"]),
]
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture(autouse=True)
def look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chartrepo.watched._LOOKS", 0.0)


@pytest.fixture
def site(shop: Shop) -> Site:
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    (shop.folder / "users").write_text(f"ada:{hashed}\ngrace:{hashed}\n")
    write_rules(shop.folder / "rules.yaml", RULES)
    shop.police(POLICIES)
    return opened(shop)


def opened(shop: Shop, **settings: Any) -> Site:
    folder = shop.folder
    return Site(shop, admin_password="secret", htpasswd=folder / "users", permissions=folder / "rules.yaml", **settings)


@pytest.fixture
def admin(site: Site) -> Site:
    return site.by("admin", "secret")


def records(site: Site) -> list[dict[str, Any]]:
    """The audit records, but for what differs each time."""
    varying = {"id", "time", "request", "address"}
    lines = [json.loads(line) for line in filter(None, site.spool.lines())]
    return [{name: value for name, value in line.items() if name not in varying} for line in lines]


def text_of(page: str) -> str:
    """What a page says, without its tags."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", page.partition("<main")[2])))


class TestPublish:
    def test_a_form_publishes_and_leads_to_the_chart(self, shop: Shop, admin: Site) -> None:
        answer = submit(admin, "/ui/publish", repository="app", chart=WEB, prov=signed(WEB, "web"), do="publish")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/ui/charts/app/web@1.0.0?done=published")
        assert shop.fetch("web-1.0.0.tgz", "app") == WEB
        assert shop.fetch_provenance("web-1.0.0.tgz", "app") == signed(WEB, "web")

    def test_a_script_publishes_and_is_told_where_it_is(self, shop: Shop, admin: Site) -> None:
        answer = send(admin, "/ui/publish/app", chart=WEB)
        assert answer.status_code == 201
        assert answer.get_json() == {"saved": True, "location": "/ui/charts/app/web@1.0.0?done=published"}
        assert shop.listed("app") == ["web 1.0.0"]

    def test_it_is_counted_and_recorded_as_an_upload(self, shop: Shop, site: Site) -> None:
        admin, ada = site.by("admin", "secret"), site.by("ada", "secret")
        told = []
        for path, way in (("/api/one/charts", "api"), ("/ui/publish/two", "page")):
            site.ledger.uploads.clear()
            before = len(records(site))
            for caller, query, data in (
                (admin, "", WEB),
                (admin, "", OTHER),
                (admin, "?force", OTHER),
                (admin, "?force", OTHER),
                (ada, "?force", WEB),
                (site, "", WEB),
                (admin, "", b"no package"),
            ):
                if way == "api":
                    caller.send_form(path + query, chart=data)
                else:
                    send(caller, path + query, chart=data)
            written = [{**each, "repository": "R", "protocol": "P"} for each in records(site)[before:]]
            told.append((list(site.ledger.uploads), written))
        for one, two in zip(told[0][1], told[1][1], strict=True):
            assert one == two
        assert told[0][0] == told[1][0]
        assert told[0][0] == ["created", "conflict", "replaced", "replaced", "denied", "denied", "refused"]

    def test_all_that_is_wrong_is_a_list(self, admin: Site) -> None:
        bad = package("web", "1.0.0-rc")
        answer = submit(admin, "/ui/publish", repository="team", chart=bad, prov=signed(WEB, "web"), do="publish")
        said = re.findall(r"<li>(.*?)</li>", answer.text.partition("It was refused")[2].partition("</ul>")[0])
        assert answer.status_code == 400
        assert len(said) == 3
        assert [each for each in said if "icon is missing" in each]
        sent = send(admin, "/ui/publish/team", chart=bad)
        assert (sent.status_code, len(sent.get_json()["problems"])) == (400, 2)
        assert sent.get_json()["error"] == admin.upload(bad, "/api/team/charts").get_json()["error"]

    def test_what_was_refused_is_recorded_once_and_as_refused(self, site: Site, admin: Site) -> None:
        send(admin, "/ui/publish/team", chart=package("web", "1.0.0-rc"))
        assert [(each["action"], each["outcome"]) for each in records(site)] == [("publish", "refused")]

    def test_a_form_can_be_only_checked(self, shop: Shop, admin: Site, site: Site) -> None:
        answer = submit(admin, "/ui/publish", repository="app", chart=WEB, do="check")
        assert answer.status_code == 200
        said = text_of(answer.text)
        assert "This would be published" in said
        assert "web 1.0.0, of 7" in said
        assert "Chart.yaml" in said
        assert "choose the files once more" in said
        assert shop.listed("app") == []
        assert (records(site), site.ledger.uploads) == ([], [])

    def test_a_script_checks_first(self, shop: Shop, admin: Site, site: Site) -> None:
        answer = send(admin, "/ui/publish/app?dry_run", chart=WEB)
        said = answer.get_json()
        assert (answer.status_code, said["outcome"], said["name"], said["file_count"]) == (200, "created", "web", 3)
        assert said["files"][0].keys() == {"path", "size"}
        assert shop.listed("app") == []
        assert (records(site), site.ledger.uploads) == ([], [])

    @pytest.mark.parametrize("way", ["form", "script"])
    def test_a_version_that_is_there_is_replaced_only_where_the_box_says_so(
        self, shop: Shop, admin: Site, way: str
    ) -> None:
        shop.publish(WEB, repository="app")

        def publish(*, replace: bool) -> int:
            if way == "script":
                return send(admin, f"/ui/publish/app{'?force' if replace else ''}", chart=OTHER).status_code
            box = {"force": "on"} if replace else {}
            return submit(admin, "/ui/publish", repository="app", chart=OTHER, do="publish", **box).status_code

        assert publish(replace=False) == 409
        assert shop.fetch("web-1.0.0.tgz", "app") == WEB
        assert publish(replace=True) == {"form": 303, "script": 201}[way]
        assert shop.fetch("web-1.0.0.tgz", "app") == OTHER

    def test_the_box_is_there_only_for_who_may_replace(self, shop: Shop, site: Site) -> None:
        def has_box(there: Site) -> bool:
            return 'name="force"' in there.ask("GET", "/ui/publish/app", headers=HTML).text

        assert has_box(site.by("admin", "secret"))
        assert not has_box(site.by("ada", "secret"))
        for setting in ("never", "always"):
            assert not has_box(opened(shop, allow_overwrite=setting).by("admin", "secret"))

    def test_nothing_happens_without_the_secret_of_the_form(self, shop: Shop, admin: Site) -> None:
        for headers in ({}, {"X-CSRF-Token": "guessed"}):
            answer = admin.ask("POST", "/ui/publish/app", data=WEB, headers=headers)
            assert answer.status_code == 403
        assert admin.send_form("/ui/publish/app", chart=WEB).status_code == 403
        assert (
            submit(admin, "/ui/publish/app", headers={"Origin": "https://evil.example"}, chart=WEB).status_code == 403
        )
        assert shop.listed("app") == []

    def test_a_form_that_makes_no_sense_is_read_only_of_who_has_had_a_page(self, admin: Site) -> None:
        def publish(**headers: str) -> int:
            kind = {"Content-Type": "multipart/form-data"}  # and no boundary
            return admin.ask("POST", "/ui/publish/app", data=WEB, headers={**HTML, **kind, **headers}).status_code

        assert publish() == 403
        assert publish(Cookie=secret(admin).cookie) == 400

    def test_a_form_without_a_package_says_so(self, admin: Site) -> None:
        for fields in ({}, {"chart": b""}, {"prov": b"x"}):
            answer = submit(admin, "/ui/publish", repository="app", **fields)
            assert answer.status_code == 400
        assert "choose a package" in submit(admin, "/ui/publish", repository="app", prov=b"x").text

    @pytest.mark.parametrize("repository", ["Te am", "v2/x", "../x", "a//b"])
    def test_what_cannot_be_a_repository_is_refused(self, admin: Site, repository: str) -> None:
        assert submit(admin, "/ui/publish", repository=repository, chart=WEB).status_code in {400, 404}
        assert admin.get(f"/ui/publish/{repository}").status_code == 404

    def test_a_form_may_be_as_large_as_an_upload(self, shop: Shop, site: Site) -> None:
        small = opened(shop, max_upload_size=1000).by("admin", "secret")
        big = package("web", files={"big": random.Random(1).randbytes(20_000)})
        assert send(small, "/ui/publish/app", chart=big).status_code == 413
        assert submit(small, "/ui/publish", repository="app", chart=big).status_code == 413

    def test_a_storage_that_fails_is_told(self, shop: Shop, admin: Site, site: Site) -> None:
        shop.storage.fail("put", Unavailable("the storage does not answer"), times=None)
        answer = submit(admin, "/ui/publish", repository="app", chart=WEB)
        assert (answer.status_code, "the storage does not answer" in answer.text) == (503, True)
        assert site.ledger.uploads == ["failed"]

    def test_the_first_commands_are_for_where_one_may_publish(self, site: Site) -> None:
        assert "/api/your-repository/charts" in site.by("grace", "secret").ask("GET", "/ui/", headers=HTML).text
        for name in ("ada", "admin"):
            assert "your-repository" not in site.by(name, "secret").ask("GET", "/ui/", headers=HTML).text

    def test_repositories_are_suggested_only_to_who_may_publish_there(self, shop: Shop, site: Site) -> None:
        for repository in ("team", "public", "other"):
            shop.publish(package("web", icon="x"), repository=repository)
        shown = site.by("grace", "secret").ask("GET", "/ui/publish", headers=HTML).text
        assert re.findall(r'<option value="([^"]*)"', shown) == ["team"]


class TestDelete:
    def test_a_version_goes_when_its_name_is_typed(self, shop: Shop, site: Site, admin: Site) -> None:
        for version in ("1.0.0", "2.0.0"):
            shop.publish(package("web", version), repository="app")
        asked = admin.ask("GET", "/ui/delete/app/web@1.0.0", headers=HTML)
        assert "web-1.0.0.tgz" in asked.text
        assert records(site) == []

        wrong = submit(admin, "/ui/delete/app/web@1.0.0", confirm="wed")
        assert (wrong.status_code, "nothing was deleted" in wrong.text) == (400, True)
        assert len(shop.listed("app")) == 2

        done = submit(admin, "/ui/delete/app/web@1.0.0", confirm="web")
        assert (done.status_code, done.headers["Location"]) == (303, "/ui/versions/app/web?done=deleted")
        assert shop.listed("app") == ["web 2.0.0"]
        last = submit(admin, "/ui/delete/app/web@2.0.0", confirm="web")
        assert last.headers["Location"] == "/ui/repositories/app?done=deleted"
        assert "It was deleted" in admin.ask("GET", last.headers["Location"], headers=HTML).text

    def test_it_is_recorded_as_by_the_api(self, shop: Shop, site: Site, admin: Site) -> None:
        told = []
        for repository, way in (("one", "api"), ("two", "page")):
            for version in ("1.0.0", "2.0.0", "3.0.0"):
                shop.publish(package("web", version), repository=repository)
            before = len(records(site))
            if way == "api":
                admin.delete("/api/one/charts/web/1.0.0")
                admin.delete("/api/one/charts/web?all_versions=true")
                site.delete("/api/one/charts/web/1.0.0")
            else:
                submit(admin, "/ui/delete/two/web@1.0.0", confirm="web")
                submit(admin, "/ui/delete/two/web", confirm="web")
                submit(site, "/ui/delete/two/web", confirm="web")
            told.append([(e["action"], e["outcome"], e["caller"], e.get("digest")) for e in records(site)[before:]])
        assert told[0] == told[1]
        assert [each[1] for each in told[0]] == ["done", "done", "done", "refused"]

    def test_a_whole_chart_goes(self, shop: Shop, admin: Site) -> None:
        for version in ("1.0.0", "2.0.0"):
            shop.publish(package("web", version), repository="app")
        shop.publish(package("web-2"), repository="app")
        assert "2 versions" in text_of(admin.ask("GET", "/ui/delete/app/web", headers=HTML).text)
        assert submit(admin, "/ui/delete/app/web", confirm="web").status_code == 303
        assert shop.listed("app") == ["web-2 1.0.0"]

    def test_it_says_that_an_immutable_version_does_not_come_back(self, shop: Shop, admin: Site) -> None:
        shop.publish(WEB, repository="final")
        assert "does not come back" in admin.ask("GET", "/ui/delete/final/web@1.0.0", headers=HTML).text
        assert submit(admin, "/ui/delete/final/web@1.0.0", confirm="web").status_code == 303
        assert "does not come back" in submit(admin, "/ui/publish", repository="final", chart=WEB).text

    def test_where_nothing_is_deleted_nothing_is(self, shop: Shop, site: Site) -> None:
        shop.publish(WEB, repository="app")
        strict = opened(shop, allow_delete=False).by("admin", "secret")
        for answer in (strict.get("/ui/delete/app/web"), submit(strict, "/ui/delete/app/web", confirm="web")):
            assert (answer.status_code, "set allow_delete to true" in answer.text) == (403, True)
        assert shop.listed("app") == ["web 1.0.0"]

    def test_what_is_not_there_is_not(self, admin: Site) -> None:
        for path in ("/ui/delete/app/web", "/ui/delete/app/web@1.0.0", "/ui/delete/", "/ui/delete/Te am/web"):
            assert admin.get(path).status_code == 404

    def test_a_word_in_an_address_says_nothing_but_ours(self, admin: Site) -> None:
        for word in ("<script>", "You have won", "deleted2", ""):
            shown = admin.ask("GET", f"/ui/repositories?done={word}", headers=HTML)
            assert 'class="box good" role="status"' not in shown.text
            assert word not in text_of(shown.text) or not word


class TestRepositories:
    def test_all_are_listed_with_their_sums(self, shop: Shop, site: Site) -> None:
        for repository, name in (("", "root"), ("public", "web"), ("public", "db"), ("team/deep", "x")):
            shop.publish(package(name, icon="x"), repository=repository)
        said = text_of(site.by("admin", "secret").ask("GET", "/ui/repositories", headers=HTML).text)
        assert re.findall(r"(root repository|public|team/deep) (\d+) (\d+)", said) == [
            ("root repository", "1", "1"),
            ("public", "2", "2"),
            ("team/deep", "1", "1"),
        ]
        everybody = site.ask("GET", "/ui/repositories", headers=HTML).text
        assert re.findall(r'href="/ui/repositories/([^"]*)"', everybody) == ["public"]

    def test_what_may_be_read_in_part_is_counted_so_far(
        self, shop: Shop, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("chartrepo.http.pages.repositories.COUNTED", 2)
        write_rules(shop.folder / "rules.yaml", [(["anonymous"], ["read"], ["*/a*"])])
        for name in ("a1", "a2", "b1"):
            shop.publish(package(name), repository="few")
        for name in ("a1", "a2", "a3"):
            shop.publish(package(name), repository="many")
        shop.publish(package("b1"), repository="none")
        said = text_of(site.get("/ui/repositories").text)
        assert re.search(r"few 2 2 \d+ bytes", said)
        assert re.search(r"many more than 2 ", said)
        assert "none" not in said

    def test_a_package_is_published_into_the_root(self, shop: Shop, admin: Site) -> None:
        assert send(admin, "/ui/publish/", chart=WEB).status_code == 201
        assert submit(admin, "/ui/publish", repository="", chart=package("db")).status_code == 303
        assert shop.listed() == ["db 1.0.0", "web 1.0.0"]

    def test_the_root_repository_has_a_page_of_its_own(self, shop: Shop, admin: Site) -> None:
        shop.publish(WEB)
        assert '<a href="/ui/repositories/">root repository</a>' in admin.get("/ui/repositories").text
        assert "Root repository" in text_of(admin.get("/ui/repositories/").text)

    def test_no_link_leads_a_session_where_none_counts(self, shop: Shop, site: Site) -> None:
        """An index behind a credential is named, and not linked: a browser would ask for a password there."""
        write_rules(
            shop.folder / "rules.yaml", [(["anonymous"], ["read"], ["public/**"]), (["user:ada"], ["read"], ["**"])]
        )
        for repository in ("public", "team"):
            shop.publish(package("web", icon="x"), repository=repository)
        ada = site.by("ada", "secret")
        assert 'href="/public/index.yaml"' in ada.get("/ui/repositories/public").text
        shown = ada.get("/ui/repositories/team").text
        assert "/team/index.yaml" in shown
        assert 'href="/team/index.yaml"' not in shown
        assert 'href="/api/' not in site.by("admin", "secret").get("/ui/status").text

    def test_more_than_a_page_are_on_the_next_one(
        self, shop: Shop, admin: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("chartrepo.http.pages.repositories.CHARTS", 2)
        monkeypatch.setattr("chartrepo.http.pages.repositories.REPOSITORIES", 2)
        for number in range(5):
            shop.publish(package(f"chart{number}"), repository="app")
            shop.publish(package("x"), repository=f"r{number}")
        seen, address = [], "/ui/repositories/app"
        while address:
            shown = admin.get(address).text
            seen += re.findall(r'href="/ui/charts/app/(chart\d)"', shown)
            more = re.search(r'href="([^"]*)">Next page', shown)
            address = unescape(more[1]) if more else ""
        assert seen == [f"chart{number}" for number in range(5)]
        seen, address = [], "/ui/repositories"
        while address:
            shown = admin.get(address).text
            seen += re.findall(r'scope="row" class="row-name"><a href="/ui/repositories/([^"]*)"', shown)
            more = re.search(r'href="([^"]*)">Next page', shown)
            address = unescape(more[1]) if more else ""
        assert seen == ["app", "r0", "r1", "r2", "r3", "r4"]

    def test_a_chart_has_its_newest_version_and_what_it_says(self, shop: Shop, admin: Site) -> None:
        for version in ("1.0.0", "2.0.0-rc.1", "1.1.0"):
            shop.publish(package("web", version, description=f"Is {version}."), repository="app")
        shop.publish(package("db", "1.0.0-rc.1", deprecated=True), repository="app")
        said = text_of(admin.get("/ui/repositories/app").text)
        assert "Is 1.1.0." in said
        assert "Is 2.0.0-rc.1." not in said
        assert "db deprecated 1.0.0-rc.1" in said

    def test_an_empty_one_says_how_to_publish_into_it_to_who_may(self, site: Site) -> None:
        said = text_of(site.by("ada", "secret").get("/ui/repositories/fresh").text)
        assert "Publish the first chart" in said
        assert "helm push CHART-VERSION.tgz oci://localhost/fresh" in said
        assert "/api/fresh/charts" in said
        assert "Publish the first chart" not in text_of(site.get("/ui/repositories/public").text)

    def test_what_holds_there_is_told_as_far_as_the_caller_may_know(self, shop: Shop, site: Site) -> None:
        shop.publish(package("web", icon="x"), repository="team")
        admin = text_of(site.by("admin", "secret").get("/ui/repositories/team").text)
        assert "user:grace may publish on team/web (rule 4)" in admin
        assert "user:admin may do everything on ** (settings)" in admin
        assert "everybody may read on public/**" not in admin
        assert "Policy on team/**" in admin
        assert "Chart.yaml has icon." in admin
        assert "Policy on team/secret" in admin
        grace = text_of(site.by("grace", "secret").get("/ui/repositories/team").text)
        assert "You may read some charts." in grace
        assert "You may not delete." in grace
        assert "rule 4" not in grace
        assert "Chart.yaml has icon." in grace
        assert "secret" not in grace

    def test_set_aside_packages_are_for_who_can_mend_them(self, shop: Shop, site: Site) -> None:
        shop.publish(package("web", icon="x"), repository="team")
        shop.put("team/broken-1.0.0.tgz", b"no package")
        shop.sync()
        for user in ("admin", "ada", "grace"):
            shown = site.by(user, "secret").get("/ui/repositories/team")
            assert shown.status_code == 200
            assert ("broken-1.0.0.tgz" in shown.text) == (user == "admin")

    def test_a_log_in_is_in_the_commands_only_where_one_is_needed(self, shop: Shop, site: Site) -> None:
        ada = site.by("ada", "secret")
        assert "helm repo add public http://localhost/public " in text_of(ada.get("/ui/repositories/public").text)
        said = text_of(ada.get("/ui/repositories/team").text)
        assert said.count("This asks for the password; an API token does as well:") == 2
        assert "helm repo add team http://localhost/team --username ada Copy helm search repo team/" in said
        assert "helm registry login localhost --username ada" in said
        assert "capitals" in text_of(ada.get("/ui/repositories/Team").text)


class TestArtifacts:
    @pytest.fixture
    def notes(self, admin: Site) -> str:
        """An artifact that is no chart, with two tags, and what is about the second; the digest of that one."""
        return pushed_notes(admin, "team/notes")

    def test_tags_have_what_they_name(self, admin: Site, notes: str) -> None:
        shown = admin.get("/ui/artifacts/team/notes").text
        said = text_of(shown)
        assert re.findall(r"\b(v\d) sha256", said) == ["v1", "v2"]
        assert "application/vnd.example.notes" in said
        assert "1.4 KiB" in said
        assert "oras pull localhost/team/notes:v1" in said
        one = text_of(admin.get(f"/ui/artifacts/team/notes?manifest={notes}").text)
        assert notes in one
        assert "What refers to it" in one
        assert "application/spdx+json" in one
        assert "What it is for" in one

    def test_it_is_on_the_page_of_its_repository_and_charts_are_not(self, shop: Shop, admin: Site, notes: str) -> None:
        push(admin, "team/web", package("web", icon="x"), "1.0.0")
        pushed_notes(admin, "team/deep/others")
        shown = admin.get("/ui/repositories/team").text
        assert re.findall(r'href="/ui/artifacts/([^"]*)"', shown) == ["team/notes"]
        assert re.findall(r"notes (\d) (\d)", text_of(shown)) == [("2", "3")]
        assert admin.get("/ui/artifacts/team/web").status_code == 404
        assert notes

    def test_a_tag_goes_and_then_its_manifest(self, admin: Site, site: Site, notes: str) -> None:
        before = len(records(site))
        asked = admin.get("/ui/artifacts/team/notes?delete=v2")
        assert "The tag goes" in asked.text
        assert len(records(site)) == before
        done = submit(admin, "/ui/artifacts/team/notes", reference="v2")
        assert (done.status_code, done.headers["Location"]) == (303, "/ui/artifacts/team/notes?done=deleted")
        said = text_of(admin.get("/ui/artifacts/team/notes").text)
        assert "v2" not in said
        assert "Without a tag" in said
        assert submit(admin, "/ui/artifacts/team/notes", reference=notes).status_code == 303
        assert admin.get(f"/v2/team/notes/manifests/{notes}").status_code == 404
        assert [each["action"] for each in records(site)[before:]] == ["delete", "delete"]

    def test_it_is_for_whom_it_is(self, shop: Shop, site: Site, notes: str) -> None:
        assert site.get("/ui/artifacts/team/notes").status_code == 401
        assert site.by("grace", "secret").get("/ui/artifacts/team/notes").status_code == 404
        ada = site.by("ada", "secret")
        assert ada.get("/ui/artifacts/team/notes").status_code == 200
        assert "delete=" not in ada.get("/ui/artifacts/team/notes").text
        assert ada.get("/ui/artifacts/team/notes?delete=v1").status_code == 403
        assert submit(ada, "/ui/artifacts/team/notes", reference="v1").status_code == 403
        strict = opened(shop, allow_delete=False).by("admin", "secret")
        assert strict.get("/ui/artifacts/team/notes?delete=v1").status_code == 403
        assert submit(strict, "/ui/artifacts/team/notes", reference="v1").status_code == 403
        assert "v1" in ada.get("/ui/artifacts/team/notes").text
        assert notes

    def test_a_chart_is_not_deleted_there(self, shop: Shop, admin: Site) -> None:
        push(admin, "app/web", WEB, "1.0.0")
        for reference in ("1.0.0", "", "not a tag!"):
            assert submit(admin, "/ui/artifacts/app/web", reference=reference).status_code == 400
        assert shop.listed("app") == ["web 1.0.0"]

    def test_what_is_not_there_is_not(self, admin: Site, notes: str) -> None:
        for path in (
            "team/nothing",
            "Team/Notes",
            "team/notes?manifest=sha256:x",
            f"team/notes?manifest={notes[:-1]}0",
        ):
            assert admin.get(f"/ui/artifacts/{path}").status_code == 404
        assert submit(admin, "/ui/artifacts/team/notes", reference="v9").status_code == 404


def pushed_notes(site: Site, name: str) -> str:
    """Push an artifact that is no chart."""
    config, digest = b"{}", ""
    for tag in ("v1", "v2"):
        layer = tag.encode() * 500
        for blob in (config, layer):
            put_blob(site, name, blob)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": "application/vnd.example.notes",
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(config), "size": 2},
            "layers": [{"mediaType": "text/plain", "digest": digest_of(layer), "size": len(layer)}],
            "annotations": {"purpose": "What it is for"},
        }
        content = Content(json.dumps(manifest).encode(), MANIFEST)
        assert put_manifest(site, name, content, tag).status_code == 201
        digest, size = content.digest, len(content.data)
    about = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": "application/spdx+json",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(config), "size": 2},
        "layers": [],
        "subject": {"mediaType": MANIFEST, "digest": digest, "size": size},
    }
    assert put_manifest(site, name, Content(json.dumps(about).encode(), MANIFEST)).status_code == 201
    return digest


class TestStatus:
    def test_it_says_how_the_server_stands(self, shop: Shop, admin: Site) -> None:
        shop.publish(package("web", icon="x"), repository="team")
        shop.put("team/broken-1.0.0.tgz", b"no package")
        assert submit(admin, "/ui/status").headers["Location"] == "/ui/status?done=synced"
        admin.delete("/api/team/charts/web/9.9.9")
        said = text_of(admin.get("/ui/status?done=synced").text)
        assert "The catalog was compared with the storage." in said
        assert "team 1 1" in said
        assert "1 package that cannot be" in said
        assert "complete" in said
        assert "user:admin delete team/web 9.9.9 refused" in said
        assert "File of permissions can be used" in said
        assert "admin_password set, and not shown" in said
        assert "secret" not in said

    def test_a_catalog_that_cannot_be_asked_is_told_of(self, admin: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object, **__: object) -> Any:
            raise CatalogUnavailable("the catalog does not answer", detail="no route to db.internal")

        monkeypatch.setattr("chartrepo.catalog.shelves.Shelves.repositories", fail)
        answer = admin.get("/ui/status")
        assert (answer.status_code, "no route to db.internal" in answer.text) == (200, True)

    def test_a_broken_file_is_told_of(self, shop: Shop, admin: Site) -> None:
        (shop.folder / "policies.yaml").write_text("policies: [")
        assert "The file of policies cannot be used" in text_of(admin.get("/ui/status").text)

    def test_records_that_quote_others_are_text(self, shop: Shop, site: Site, admin: Site) -> None:
        admin.delete("/api/team/charts/<script>alert(1)<script>/1.0.0")
        assert "<script>alert" not in admin.get("/ui/status").text
        assert [Record.from_line(line) for line in filter(None, site.spool.lines())] != [None]

    def test_it_is_for_admins_alone(self, site: Site) -> None:
        assert site.get("/ui/status").status_code == 401
        for user in ("ada", "grace"):
            there = site.by(user, "secret")
            assert there.get("/ui/status").status_code == 403
            assert submit(there, "/ui/status").status_code == 403


def test_a_page_of_more_charts_asks_the_catalog_no_more_often(
    shop: Shop, admin: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, asked = type(shop.catalog.shelves)._reading, []

    def counting(self: Any) -> Any:
        asked.append(self)
        return reading(self)

    for place in (type(shop.catalog.shelves), type(shop.catalog.browsing)):
        monkeypatch.setattr(place, "_reading", counting)

    def counted(repository: str, number: int) -> int:
        for index in range(number):
            shop.publish(package(f"chart{index}"), repository=repository)
        asked.clear()
        assert admin.get(f"/ui/repositories/{repository}").status_code == 200
        return len(asked)

    assert counted("few", 2) == counted("more", 20) < 8
