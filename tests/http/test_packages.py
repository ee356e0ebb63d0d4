"""GET of packages and provenance files."""

from hashlib import sha256
from pathlib import Path

import pytest

from chartrepo.core.errors import CatalogUnavailable
from storage.base import Unavailable
from storage.local import LocalStorage
from storage.memory import MemoryStorage
from tests.support.packages import package
from tests.support.repositories import Shop, provenance
from tests.support.site import Site

APP = package()
NOISE = b"".join(sha256(b"%d" % number).digest() for number in range(30_000))
PATH = "/charts/app-1.0.0.tgz"


@pytest.fixture(params=["memory", "folder"])
def shop(tmp_path: Path, request: pytest.FixtureRequest) -> Shop:
    shop = Shop(tmp_path, MemoryStorage() if request.param == "memory" else LocalStorage(tmp_path / "data"))
    shop.inner.check()
    shop.build()
    shop.publish(APP)
    return shop


class TestWhole:
    def test_the_bytes_are_those_that_were_published(self, site: Site) -> None:
        answer = site.get(PATH)
        assert (answer.status_code, answer.data) == (200, APP)
        assert answer.headers["Content-Type"] == "application/x-tar"
        assert answer.headers["Content-Length"] == str(len(APP))
        assert answer.headers["ETag"] == f'"{sha256(APP).hexdigest()}"'
        assert answer.headers["Last-Modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
        assert answer.headers["Accept-Ranges"] == "bytes"

    def test_large_ones_are_sent_in_pieces_with_their_length(self, shop: Shop) -> None:
        data = package("large", files={"noise": NOISE})
        assert len(data) > 512 * 1024
        shop.publish(data)
        answer = Site(shop).get("/charts/large-1.0.0.tgz")
        assert answer.data == data
        assert answer.headers["Content-Length"] == str(len(data))

    def test_head_says_the_same_and_sends_nothing(self, site: Site) -> None:
        whole, head = site.get(PATH), site.head(PATH)
        assert head.data == b""
        ours = {name: value for name, value in whole.headers.items() if name != "X-Request-Id"}
        assert {name: value for name, value in head.headers.items() if name != "X-Request-Id"} == ours

    def test_the_query_of_the_repository_s_address_comes_along_and_does_no_harm(self, site: Site) -> None:
        assert site.get(f"{PATH}?versions=1").data == APP
        assert site.get(f"{PATH}?versions=nonsense&charts=").data == APP

    def test_a_package_that_is_not_there_is_no_object(self, site: Site) -> None:
        for path in ("/charts/app-2.0.0.tgz", "/team/charts/app-1.0.0.tgz", "/charts/.tgz", f"{PATH}.prov"):
            answer = site.get(path)
            assert (answer.status_code, answer.json) == (404, {"error": "object not found"})

    def test_a_deleted_one_is_gone(self, site: Site) -> None:
        site.delete("/api/charts/app/1.0.0")
        assert site.get(PATH).status_code == 404

    def test_it_is_served_while_the_catalog_is_away(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*_: object) -> None:
            raise CatalogUnavailable("the database is away")

        monkeypatch.setattr(type(site.shop.catalog), "package", away)

        answer = site.get(PATH)
        assert (answer.status_code, answer.data) == (200, APP)
        assert site.get(PATH, If_None_Match=answer.headers["ETag"]).status_code == 304

    def test_a_storage_that_does_not_answer_is_told(self, site: Site) -> None:
        site.shop.storage.fail("open", Unavailable("the bucket does not answer"))
        answer = site.get(PATH)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert answer.json == {"error": "the bucket does not answer"}


class TestNames:
    @pytest.mark.parametrize("path", ["/charts/app-1.0.0+b.1.tgz", "/charts/app-1.0.0%2Bb.1.tgz"])
    def test_a_plus_may_be_written_in_both_ways(self, site: Site, path: str) -> None:
        data = package("app", "1.0.0+b.1")
        site.upload(data)
        assert site.get(path).data == data

    @pytest.mark.parametrize(
        "name", ["a b", "ä", "日本", "100%", "a#b", "a?b", "it's", 'say "x"', "a&b", "a;b", "-", ".app"]
    )
    def test_odd_names_come_back_by_the_address_that_the_index_gives(self, site: Site, name: str) -> None:
        data = package(name)
        assert site.upload(data).status_code == 201
        (entry,) = site.get("/api/charts").json[name]
        assert site.get("/" + entry["urls"][0]).data == data

    @pytest.mark.parametrize(
        "path",
        [
            "/charts/../charts/app-1.0.0.tgz",
            "/charts/%2e%2e/app-1.0.0.tgz",
            "/charts/..%2f..%2fapp-1.0.0.tgz",
            "/team/../charts/app-1.0.0.tgz",
            "//charts/app-1.0.0.tgz",
            "/charts//app-1.0.0.tgz",
            "/charts/app-1.0.0.tgz/",
            "/charts/app-1.0.0.tgz%00",
            "/charts/%00.tgz",
            "/charts/a%0d%0ab.tgz",
            "/charts/%ff%fe.tgz",
            "/charts/%c0%ae%c0%ae.tgz",
            "/charts/%ed%a0%80.tgz",
            "/charts/.chartrepo.tgz",
            "/charts/.chartrepo/catalog.tgz",
            "/.chartrepo/charts/x.tgz",
            "/.hidden/charts/app-1.0.0.tgz",
            "/charts/" + "x" * 1000 + ".tgz",
            "/charts/" + "x" * 300 + ".tgz",
            "/charts/index.yaml.tgz.exe",
            "/charts/",
            "/charts",
            "/data/app-1.0.0.tgz",
            "/api/charts/app-1.0.0.tgz",
            "/v2/charts/app-1.0.0.tgz",
        ],
    )
    def test_no_other_path_leads_to_a_file(self, site: Site, path: str) -> None:
        answer = site.get(path)
        assert answer.status_code == 404
        assert "errors" in answer.json or answer.json["error"] in {"object not found", "not found", "chart not found"}


class TestRanges:
    @pytest.mark.parametrize(
        ("asked", "start", "stop"),
        [
            ("bytes=0-0", 0, 1),
            ("bytes=10-19", 10, 20),
            ("bytes=100-", 100, len(APP)),
            ("bytes=-10", len(APP) - 10, len(APP)),
            ("bytes=0-999999", 0, len(APP)),
            ("bytes=-999999", 0, len(APP)),
        ],
    )
    def test_a_part_is_sent(self, site: Site, asked: str, start: int, stop: int) -> None:
        answer = site.get(PATH, Range=asked)
        assert (answer.status_code, answer.data) == (206, APP[start:stop])
        assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(APP)}"
        assert answer.headers["Content-Length"] == str(stop - start)

    @pytest.mark.parametrize("asked", [f"bytes={len(APP)}-", "bytes=99999-100000", "bytes=-0"])
    def test_what_lies_beyond_the_end_cannot_be_had(self, site: Site, asked: str) -> None:
        answer = site.get(PATH, Range=asked)
        assert (answer.status_code, answer.data) == (416, b"")
        assert answer.headers["Content-Range"] == f"bytes */{len(APP)}"

    @pytest.mark.parametrize(
        "asked", ["bytes=0-1,5-6", "lines=1-2", "bytes=5-1", "bytes=", "nonsense", "bytes=a-b", "bytes=-"]
    )
    def test_several_parts_or_nonsense_give_the_whole(self, site: Site, asked: str) -> None:
        answer = site.get(PATH, Range=asked)
        assert (answer.status_code, answer.data) == (200, APP)

    def test_a_part_is_sent_only_of_what_the_client_has_begun(self, site: Site) -> None:
        whole = site.get(PATH)
        for known in (whole.headers["ETag"], whole.headers["Last-Modified"]):
            assert site.get(PATH, Range="bytes=0-9", If_Range=known).status_code == 206
        for other in ('"other"', f"W/{whole.headers['ETag']}", "Tue, 14 Nov 2023 22:13:21 GMT", "nonsense"):
            assert site.get(PATH, Range="bytes=0-9", If_Range=other).status_code == 200

    def test_head_has_no_parts(self, site: Site) -> None:
        answer = site.head(PATH, Range="bytes=0-9")
        assert (answer.status_code, answer.headers["Content-Length"]) == (200, str(len(APP)))


class TestCaching:
    def test_who_holds_it_is_told_so(self, site: Site) -> None:
        whole = site.get(PATH)
        for header in (
            {"If_None_Match": whole.headers["ETag"]},
            {"If_None_Match": f"W/{whole.headers['ETag']}"},
            {"If_Modified_Since": whole.headers["Last-Modified"]},
        ):
            answer = site.get(PATH, **header)
            assert (answer.status_code, answer.data) == (304, b"")
            assert answer.headers["ETag"] == whole.headers["ETag"]

    def test_a_replaced_one_is_sent_anew(self, site: Site) -> None:
        etag = site.get(PATH).headers["ETag"]
        site.upload(package(appVersion="2"), "/api/charts?force")
        assert site.get(PATH, If_None_Match=etag).status_code == 200

    @pytest.mark.parametrize(
        ("overwrite", "delete", "told"),
        [
            ("never", False, "public, max-age=31536000, immutable"),
            ("never", True, "public, no-cache"),
            ("force", False, "public, no-cache"),
            ("force", True, "public, no-cache"),
            ("always", False, "public, no-cache"),
        ],
    )
    def test_only_what_can_never_change_is_kept_for_good(
        self, shop: Shop, overwrite: str, delete: bool, told: str
    ) -> None:
        site = Site(shop, allow_overwrite=overwrite, allow_delete=delete)
        assert site.get(PATH).headers["Cache-Control"] == told

    def test_what_needed_a_credential_is_private(self, shop: Shop) -> None:
        secret = {"basic_auth_user": "me", "basic_auth_password": "secret"}
        login = "Basic bWU6c2VjcmV0"
        assert Site(shop, **secret).get(PATH, Authorization=login).headers["Cache-Control"] == "private, no-cache"
        for_good = Site(shop, **secret, allow_overwrite="never", allow_delete=False)
        told = for_good.get(PATH, Authorization=login).headers["Cache-Control"]
        assert told == "private, max-age=31536000, immutable"
        open_to_read = Site(shop, **secret, auth_anonymous_get=True)
        assert open_to_read.get(PATH).headers["Cache-Control"] == "public, no-cache"


class TestProvenance:
    def test_it_lies_beside_its_package(self, site: Site) -> None:
        data = package("signed")
        signature = provenance(data, "signed-1.0.0.tgz", name="signed")
        site.send_form(chart=data, prov=signature)

        answer = site.get("/charts/signed-1.0.0.tgz.prov")

        assert (answer.status_code, answer.data) == (200, signature)
        assert answer.headers["Content-Type"] == "application/pgp-signature"
        assert site.get("/charts/signed-1.0.0.tgz.prov", If_None_Match=answer.headers["ETag"]).status_code == 304

    def test_it_is_never_kept_for_good_since_it_can_come_later(self, shop: Shop) -> None:
        shop.publish(package("signed"), provenance(package("signed"), "signed-1.0.0.tgz", name="signed"))
        site = Site(shop, allow_overwrite="never", allow_delete=False)
        assert site.get("/charts/signed-1.0.0.tgz.prov").headers["Cache-Control"] == "public, no-cache"

    def test_one_that_speaks_of_other_bytes_is_not_there(self, shop: Shop) -> None:
        shop.put("app-1.0.0.tgz.prov", provenance(b"other bytes"))
        assert Site(shop).get(f"{PATH}.prov").status_code == 404


class _Bucket(MemoryStorage):
    def url(self, key: str, *, expires: int, filename: str) -> str | None:
        return f"https://bucket.example.com/{key}?expires={expires}&as={filename}"


class TestRedirects:
    @pytest.fixture
    def shop(self, tmp_path: Path) -> Shop:
        shop = Shop(tmp_path, _Bucket())
        shop.build()
        shop.publish(APP)
        return shop

    def test_the_client_is_sent_to_the_store(self, shop: Shop) -> None:
        site = Site(shop, storage_redirect=True, redirect_expires=300.0)
        answer = site.get(PATH)
        assert answer.status_code == 302
        assert answer.headers["Location"] == "https://bucket.example.com/app-1.0.0.tgz?expires=300&as=app-1.0.0.tgz"
        assert answer.headers["Cache-Control"] == "private, max-age=150"

    def test_head_is_answered_here_since_a_presigned_address_is_for_get(self, shop: Shop) -> None:
        answer = Site(shop, storage_redirect=True).head(PATH)
        assert (answer.status_code, answer.headers["Content-Length"]) == (200, str(len(APP)))

    def test_nothing_is_read_from_the_store_for_it(self, shop: Shop) -> None:
        site = Site(shop, storage_redirect=True)
        shop.storage.calls.clear()
        site.get(PATH)
        assert shop.storage.calls == []

    def test_it_has_to_be_asked_for_by_a_setting(self, shop: Shop) -> None:
        assert Site(shop).get(PATH).data == APP

    def test_what_is_not_there_is_not_redirected_to(self, shop: Shop) -> None:
        assert Site(shop, storage_redirect=True).get("/charts/none-1.0.0.tgz").status_code == 404

    def test_a_storage_without_addresses_streams_all_the_same(self, tmp_path: Path) -> None:
        shop = Shop(tmp_path)
        shop.build()
        shop.publish(APP)
        assert Site(shop, storage_redirect=True).get(PATH).data == APP
