"""Policies over HTTP: what is refused, and how; what is hidden, and from whom; and what never comes back."""

from pathlib import Path

import bcrypt
import pytest
from werkzeug.test import TestResponse

from chartrepo.http.ops import Ops
from chartrepo.metrics import Metrics
from chartrepo.registry import Blobs, Collector
from tests.support.packages import package
from tests.support.pushes import find, message, push, put_manifest, said, send_parts, tags
from tests.support.repositories import Shop
from tests.support.site import Site

PLAIN = package("web", "v1.0.0-rc")
SOUND = package("web", icon="https://example.com/icon.svg")
POLICIES = """\
policies:
  - {on: ["team/**"], since: 2020-01-01, versions: [stable-only, no-leading-v], required: [icon]}
"""
IMMUTABLE = """policies: [{on: "team/**", since: 2020-01-01, immutable: true}]\n"""
ALL_WRONG = (
    "Chart.yaml: version 'v1.0.0-rc' is a prerelease: write three numbers alone, as 1.2.3; "
    "Chart.yaml: version 'v1.0.0-rc' begins with 'v': write '1.0.0'; "
    'Chart.yaml: icon is missing: write it (all by policy 1, on "team/**", of policies.yaml)'
)


@pytest.fixture(autouse=True)
def look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chartrepo.watched._LOOKS", 0.0)


def hold_to(shop: Shop, text: str) -> None:
    """Write the file of policies anew."""
    fresh = shop.folder / "fresh"
    fresh.write_text(text)
    fresh.replace(shop.folder / "policies.yaml")


@pytest.fixture
def site(shop: Shop) -> Site:
    shop.police(POLICIES)
    return Site(shop)


def error(answer: TestResponse) -> str:
    return str(answer.json["error"])


def scraped(ops: Ops) -> str:
    return ops.metrics().get_data(as_text=True)


class TestAtTheDoor:
    def test_a_raw_upload_is_refused_with_all_that_is_wrong(self, site: Site) -> None:
        answer = site.upload(PLAIN, "/api/team/charts")
        assert (answer.status_code, error(answer)) == (400, ALL_WRONG)
        assert site.ledger.uploads == ["refused"]

    def test_a_form_is_refused_with_all_that_is_wrong(self, site: Site, shop: Shop) -> None:
        answer = site.send_form("/api/team/charts", chart=PLAIN)
        assert (answer.status_code, error(answer)) == (400, ALL_WRONG)
        assert list(shop.inner.list()) == []

    @pytest.mark.parametrize("tag", ["", "v1.0.0-rc", "latest"])
    def test_a_push_is_refused_with_all_that_is_wrong_whatever_its_tag(self, site: Site, tag: str) -> None:
        manifest = send_parts(site, "team/web", PLAIN)
        answer = put_manifest(site, "team/web", manifest, tag)
        assert said(answer) == (400, "MANIFEST_INVALID")
        assert message(answer) == ALL_WRONG
        assert find(site, "team/web", manifest.digest) == ""

    def test_a_chart_that_is_pushed_under_another_name_is_judged_by_that(self, site: Site) -> None:
        assert said(push(site, "team/other", PLAIN, "latest")) == (400, "MANIFEST_INVALID")
        assert push(site, "public/web", PLAIN, "v1.0.0-rc").status_code == 201

    def test_what_breaks_nothing_is_taken_in_both_protocols(self, site: Site) -> None:
        assert site.upload(SOUND, "/api/team/charts").status_code == 201
        assert push(site, "team/lib", package("lib", icon="i"), "1.0.0").status_code == 201

    def test_who_may_not_publish_a_chart_learns_nothing_of_what_it_has_to_be_like(
        self, shop: Shop, tmp_path: Path
    ) -> None:
        shop.police(POLICIES)
        (tmp_path / "users").write_text(f"ada:{bcrypt.hashpw(b's', bcrypt.gensalt(4)).decode()}\n")
        (tmp_path / "rules.yaml").write_text('permissions: [{who: ["user:ada"], may: publish, on: ["team/app"]}]')
        site = Site(shop, htpasswd=tmp_path / "users", permissions=tmp_path / "rules.yaml").by("ada", "s")
        refused = site.upload(PLAIN, "/api/team/charts")
        assert refused.status_code in (403, 404)
        assert "icon" not in error(refused)
        told = site.upload(package("app"), "/api/team/charts")
        assert (told.status_code, "icon is missing" in error(told)) == (400, True)

    def test_an_edit_of_the_file_holds_for_the_next_upload(self, site: Site, shop: Shop) -> None:
        hold_to(shop, "policies: []")
        assert site.upload(PLAIN, "/api/team/charts").status_code == 201
        hold_to(shop, POLICIES)
        assert site.upload(package("web", "2.0.0"), "/api/team/charts").status_code == 400

    def test_a_bad_edit_changes_nothing_and_shows_in_the_metric(self, site: Site, shop: Shop, tmp_path: Path) -> None:
        ops = Ops(shop.catalog, Metrics(tmp_path), files=shop.policing.files)
        assert 'chartrepo_access_file_ok{setting="policies"} 1.0' in scraped(ops)
        hold_to(shop, "policies: [{on: 7}]")
        assert site.upload(PLAIN, "/api/team/charts").status_code == 400
        assert 'chartrepo_access_file_ok{setting="policies"} 0.0' in scraped(ops)


class TestHidden:
    @pytest.fixture
    def site(self, shop: Shop) -> Site:
        shop.police("policies: []")
        site = Site(shop)
        assert site.upload(SOUND, "/api/team/charts").status_code == 201
        assert push(site, "team/web", package("web", "2.0.0"), "2.0.0").status_code == 201
        return site

    def hide(self, shop: Shop) -> None:
        hold_to(shop, POLICIES.replace("since: 2020-01-01", "existing: hide"))
        assert shop.judge() == 1

    def entries(self, site: Site) -> object:
        return site.get("/team/index.yaml", User_Agent="Helm/4.0.0").json["entries"]

    def test_a_hidden_version_is_nowhere(self, site: Site, shop: Shop) -> None:
        digest = find(site, "team/web", "2.0.0")
        assert site.get("/team/charts/web-2.0.0.tgz").status_code == 200
        self.hide(shop)
        index = site.get("/team/index.yaml", User_Agent="Helm/4.0.0").json
        assert [each["version"] for each in index["entries"]["web"]] == ["1.0.0"]
        assert [each["version"] for each in site.get("/api/team/charts/web").json] == ["1.0.0"]
        assert site.get("/api/team/charts/web/2.0.0").status_code == 404
        assert site.get("/api/team/charts/web/latest").json["version"] == "1.0.0"
        for path in ("/team/charts/web-2.0.0.tgz", "/api/team/charts/web/2.0.0/values"):
            assert site.get(path).status_code == 404
        assert tags(site, "team/web") == ["1.0.0"]
        assert find(site, "team/web", "2.0.0") == ""
        assert find(site, "team/web", digest) == ""
        (told,) = site.get("/api/repositories").json["repositories"]
        assert (told["versions"], told["set_aside"][0]["file"]) == (1, "web-2.0.0.tgz")
        assert "icon is missing" in told["set_aside"][0]["reason"]

    def test_what_is_shown_again_is_as_it_was(self, site: Site, shop: Shop) -> None:
        digest, before = find(site, "team/web", "2.0.0"), self.entries(site)
        self.hide(shop)
        hold_to(shop, "policies: []")
        assert shop.judge() == 1
        assert self.entries(site) == before
        assert site.get("/team/charts/web-2.0.0.tgz").data == package("web", "2.0.0")
        assert find(site, "team/web", "2.0.0") == digest
        assert tags(site, "team/web") == ["1.0.0", "2.0.0"]

    def test_it_is_counted_by_itself(self, site: Site, shop: Shop, tmp_path: Path) -> None:
        self.hide(shop)
        shop.put("team/broken-1.0.0.tgz", b"nothing")
        shop.sync()
        text = scraped(Ops(shop.catalog, Metrics(tmp_path)))
        for name in ("hidden", "set_aside"):
            assert f'chartrepo_packages_{name}{{repository="team"}} 1.0' in text

    def test_an_upload_in_its_place_is_told_what_is_in_the_way(self, site: Site, shop: Shop) -> None:
        self.hide(shop)
        answer = site.upload(package("web", "2.0.0", icon="i"), "/api/team/charts")
        assert answer.status_code == 409
        assert "icon is missing" in answer.json["detail"]
        assert site.upload(package("web", "2.0.0", icon="i"), "/api/team/charts?force").status_code == 201
        assert tags(site, "team/web") == ["1.0.0", "2.0.0"]

    def test_what_was_pushed_for_it_is_no_garbage(self, site: Site, shop: Shop) -> None:
        digest = find(site, "team/web", "2.0.0")
        self.hide(shop)
        collector = Collector(Blobs(shop.repositories), grace=0.0, untagged=True)
        collector.collect()
        hold_to(shop, "policies: []")
        shop.judge()
        assert find(site, "team/web", "2.0.0") == digest
        assert site.delete("/api/team/charts/web/2.0.0").status_code == 200
        collector.collect()
        assert list(shop.inner.list("_oci/")) == []

    def test_it_can_be_deleted(self, site: Site, shop: Shop) -> None:
        self.hide(shop)
        assert site.delete("/api/team/charts/web/2.0.0").status_code == 200
        assert shop.catalog.set_aside() == []


class TestImmutable:
    @pytest.fixture
    def site(self, shop: Shop) -> Site:
        shop.police(IMMUTABLE)
        site = Site(shop, allow_overwrite="always")
        assert site.upload(SOUND, "/api/team/charts").status_code == 201
        return site

    STAYS = (
        "web-1.0.0.tgz already exists, and stays as it is: publish a new version "
        '(policy 1, on "team/**", of policies.yaml)'
    )
    GONE = (
        "web-1.0.0.tgz was deleted, and a deleted version does not come back: publish a new version "
        '(policy 1, on "team/**", of policies.yaml)'
    )

    def test_no_protocol_replaces_a_version(self, site: Site) -> None:
        other = package("web")
        for answer in (site.upload(other, "/api/team/charts?force"), site.send_form("/api/team/charts", chart=other)):
            assert (answer.status_code, error(answer)) == (409, self.STAYS)
        answer = push(site, "team/web", other, "1.0.0")
        assert (said(answer), message(answer)) == ((409, "DENIED"), self.STAYS)
        assert site.get("/team/charts/web-1.0.0.tgz").data == SOUND

    def test_the_same_package_may_be_pushed_again(self, site: Site) -> None:
        assert push(site, "team/web", SOUND, "1.0.0").status_code == 201

    @pytest.mark.parametrize("by", ["/api/team/charts/web/1.0.0", "/v2/team/web/manifests/1.0.0"])
    def test_what_one_protocol_deletes_neither_brings_back(self, site: Site, shop: Shop, by: str) -> None:
        assert site.delete(by).status_code in (200, 202)
        shop.reindex()
        for answer in (site.upload(SOUND, "/api/team/charts"), site.send_form("/api/team/charts", chart=SOUND)):
            assert (answer.status_code, error(answer)) == (409, self.GONE)
        answer = push(site, "team/web", SOUND, "1.0.0")
        assert (said(answer), message(answer)) == ((409, "DENIED"), self.GONE)
        assert tags(site, "team/web") in (None, [])
        assert push(site, "team/web", package("web", "1.0.1"), "1.0.1").status_code == 201

    def test_deleting_a_whole_chart_is_for_good_too(self, site: Site) -> None:
        assert site.delete("/api/team/charts/web?all_versions=true").status_code == 200
        assert site.upload(SOUND, "/api/team/charts").status_code == 409
