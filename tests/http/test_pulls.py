"""What is a pull and what is not, in both protocols, and who is told how many there were."""

from pathlib import Path
from typing import Any, Final

import bcrypt
import pytest

from storage.base import ANYWAY
from storage.local import LocalStorage
from tests.support.oci_contents import digest_of
from tests.support.packages import package
from tests.support.processes import eventually
from tests.support.pushes import find, json_of, pull, push, put_blob
from tests.support.repositories import NOW, Shop
from tests.support.site import Site

APP: Final = package()
FILE: Final = "/charts/app-1.0.0.tgz"
BLOB: Final = f"/v2/app/blobs/{digest_of(APP)}"
PATHS: Final = pytest.mark.parametrize("path", [FILE, BLOB])


def pulls(site: Site, chart: str = "app", repository: str = "") -> Any:
    """What the API tells once all is gathered."""
    site.gathering.gather()
    return json_of(site.get(f"/api{repository and '/' + repository}/charts/{chart}/pulls"))


def count(site: Site) -> int:
    told: int = pulls(site)["pulls"]
    return told


@pytest.fixture
def published(site: Site) -> Site:
    assert site.upload(APP).status_code == 201
    return site


class TestCounted:
    @PATHS
    def test_a_package(self, published: Site, shop: Shop, path: str) -> None:
        shop.clock.now = 1_800_000_000
        assert published.get(path).data == APP
        assert pulls(published) == {
            "pulls": 1,
            "last_pull": "2027-01-15T08:00:00Z",
            "versions": {"1.0.0": {"pulls": 1, "last_pull": "2027-01-15T08:00:00Z"}},
        }

    @PATHS
    @pytest.mark.parametrize("part", ["bytes=0-3", "bytes=0-"])
    def test_its_beginning(self, published: Site, path: str, part: str) -> None:
        assert published.get(path, Range=part).status_code == 206
        assert count(published) == 1

    def test_a_pull_through_oci_once(self, site: Site) -> None:
        push(site, "app", APP, "1.0.0")
        assert count(site) == 0
        assert pull(site, "app", "1.0.0").package == APP
        assert count(site) == 1

    def test_a_package_that_nobody_pushed_by_its_made_manifest(self, published: Site) -> None:
        assert pull(published, "app", "1.0.0").package == APP
        assert count(published) == 1

    def test_a_package_that_lies_as_a_blob_too(self, site: Site, shop: Shop) -> None:
        push(site, "app", APP, "1.0.0")
        key = next(iter(shop.inner.list("_oci/"))).key.rpartition("/_")[0]
        shop.inner.put(f"{key}/_blobs/sha256/{digest_of(APP).partition(':')[2]}", APP, condition=ANYWAY)
        assert site.get(BLOB).data == APP
        assert count(site) == 1

    def test_versions_and_repositories_by_themselves(self, site: Site) -> None:
        for repository in ("more", "team"):
            for version in ("1.0.0", "2.0.0"):
                assert site.upload(package("app", version), f"/api/{repository}/charts").status_code == 201
        for path in ("more/charts/app-1.0.0.tgz", "more/charts/app-2.0.0.tgz", "team/charts/app-2.0.0.tgz"):
            assert site.get(f"/{path}").status_code == 200
        site.get("/more/charts/app-2.0.0.tgz")
        versions = {name: each["pulls"] for name, each in pulls(site, repository="more")["versions"].items()}
        assert versions == {"1.0.0": 1, "2.0.0": 2}
        assert pulls(site, repository="team")["pulls"] == 1


class TestAtHand:
    @pytest.fixture
    def shop(self, tmp_path: Path) -> Shop:
        shop = Shop(tmp_path, LocalStorage(tmp_path / "data"), LocalStorage(tmp_path / "state"))
        shop.inner.check()
        shop.state.check()
        shop.build()
        shop.clock.now = NOW - 100
        return shop

    @PATHS
    def test_what_is_kept_is_counted_each_time_it_is_given(self, published: Site, path: str) -> None:
        asked = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": ""}
        times = 0

        def at_hand() -> bool:
            nonlocal times
            times += 1
            return published.get(path).status_code == 200 and published.app.at_hand(asked) is not None

        eventually(at_hand, what=f"{path} is at hand")
        for _ in range(5):
            published.get(path)
        published.head(path)
        assert count(published) == times + 5


class TestNotCounted:
    @PATHS
    def test_looking(self, published: Site, path: str) -> None:
        etag = published.head(path).headers["ETag"]
        assert published.get(path, If_None_Match=etag).status_code == 304
        assert published.get(path, Range="bytes=4-").status_code == 206
        assert published.get(path, Range="bytes=-4").status_code == 206
        assert published.get(path, Range="bytes=999999-").status_code == 416
        assert pulls(published) == {"pulls": 0, "last_pull": None, "versions": {}}

    def test_all_that_is_no_package(self, site: Site) -> None:
        push(site, "app", APP, "1.0.0")
        manifest = find(site, "app", "1.0.0")
        config = json_of(site.get("/v2/app/manifests/1.0.0"))["config"]["digest"]
        for path in (
            "/index.yaml",
            "/api/charts/app/1.0.0",
            "/api/charts/app/1.0.0/values",
            "/charts/app-1.0.0.tgz.prov",
            "/charts/none-1.0.0.tgz",
            "/v2/app/manifests/1.0.0",
            f"/v2/app/manifests/{manifest}",
            f"/v2/app/blobs/{config}",
        ):
            site.get(path)
        assert count(site) == 0

    def test_a_blob_of_another_artifact(self, published: Site) -> None:
        digest = put_blob(published, "app", b"something")
        assert published.get(f"/v2/app/blobs/{digest}").data == b"something"
        assert count(published) == 0

    def test_whoever_is_refused(self, shop: Shop) -> None:
        site = Site(shop, basic_auth_user="ada", basic_auth_password="secret")
        known = site.by("ada", "secret")
        assert known.upload(APP).status_code == 201
        assert [site.get(path).status_code for path in (FILE, BLOB)] == [401, 401]
        assert count(known) == 0
        assert known.get(FILE).status_code == 200
        assert count(known) == 1

    def test_anything_where_it_is_not_wanted(self, shop: Shop, tmp_path: Path) -> None:
        site = Site(shop, pulls=False)
        site.upload(APP)
        site.get(FILE)
        answer = site.get("/api/charts/app/pulls")
        assert (answer.status_code, "set pulls to true" in answer.text) == (404, True)
        assert not (tmp_path / "pull-counts").exists()


class TestTold:
    def test_of_a_chart_that_is_not_there(self, published: Site) -> None:
        for path in ("/api/charts/none/pulls", "/api/team/charts/app/pulls"):
            assert (published.get(path).status_code, json_of(published.get(path))) == (
                404,
                {"error": "chart not found"},
            )

    def test_to_those_who_may_read_the_chart(self, shop: Shop, tmp_path: Path) -> None:
        (tmp_path / "rules.yaml").write_text("permissions:\n  - {who: ['user:ada'], may: [read], on: ['seen']}\n")
        (tmp_path / "users").write_text(f"ada:{bcrypt.hashpw(b'pw', bcrypt.gensalt(5)).decode()}\n")
        site = Site(shop, admin_password="secret", htpasswd=tmp_path / "users", permissions=tmp_path / "rules.yaml")
        admin = site.by("admin", "secret")
        for name in ("seen", "hidden"):
            assert admin.upload(package(name)).status_code == 201
            assert admin.get(f"/charts/{name}-1.0.0.tgz").status_code == 200
        admin.gathering.gather()
        for who, statuses in ((admin, [200, 200]), (site.by("ada", "pw"), [200, 404]), (site, [401, 401])):
            asked = [who.get(f"/api/charts/{name}/pulls").status_code for name in ("seen", "hidden")]
            assert asked == statuses

    def test_versions_that_are_gone_in_the_sum_alone(self, published: Site) -> None:
        published.upload(package("app", "2.0.0"))
        published.get(FILE)
        published.get("/charts/app-2.0.0.tgz")
        assert published.ask("DELETE", "/api/charts/app/1.0.0").status_code == 200
        told = pulls(published)
        assert (told["pulls"], list(told["versions"])) == (2, ["2.0.0"])
