"""Answers are kept only as long as they would be the same."""

import gc
import os
from pathlib import Path

import pytest

from chartrepo.http.answers import Answer
from chartrepo.http.kept import Kept, KeptAnswers, Shows
from chartrepo.indexes import Index
from storage.local import LocalStorage
from tests.support.packages import package
from tests.support.processes import eventually
from tests.support.repositories import NOW, Shop
from tests.support.site import Site

ROOT = Shows("", None)

APP = package()
NEWER = package(values="changed: true\n")
PATH = "/charts/app-1.0.0.tgz"


def request(path: str = PATH, **others: str) -> dict[str, str]:
    return {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": "", **others}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path, LocalStorage(tmp_path / "data"))
    shop.inner.check()
    shop.build()
    shop.clock.now = NOW - 100
    shop.publish(APP)
    shop.clock.now = NOW
    return shop


def keep(site: Site, path: str = PATH, **headers: str) -> None:
    """GET something until it is at hand: the folder of the catalog has to be quiet for a moment."""
    asked = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    eventually(
        lambda: site.get(path, **headers).status_code == 200 and site.app.at_hand(request(path, **asked)) is not None,
        what=f"{path} is at hand",
    )


class TestPackages:
    def test_what_was_asked_for_is_at_hand_and_the_same(self, site: Site, shop: Shop) -> None:
        first = site.get(PATH)
        keep(site)
        opened = len(shop.storage.calls)
        again = site.get(PATH)
        assert (again.data, again.status_code) == (APP, 200)
        assert len(shop.storage.calls) == opened
        assert {**again.headers, "X-Request-Id": ""} == {**first.headers, "X-Request-Id": ""}
        assert site.head(PATH).headers["Content-Length"] == str(len(APP))
        assert site.head(PATH).data == b""

    def test_another_one_in_its_place_is_seen_at_once(self, site: Site, shop: Shop) -> None:
        keep(site)
        shop.publish(NEWER, force=True)
        assert site.get(PATH).data == NEWER

    def test_one_that_is_deleted_is_gone_at_once(self, site: Site) -> None:
        keep(site)
        assert site.delete("/api/charts/app/1.0.0").status_code == 200
        assert site.get(PATH).status_code == 404

    def test_what_hands_do_in_the_folder_is_seen_at_once(self, site: Site, shop: Shop, tmp_path: Path) -> None:
        keep(site)
        shop.put("app-1.0.0.tgz", NEWER)
        assert site.get(PATH).data == NEWER
        keep(site)
        (tmp_path / "data/app-1.0.0.tgz").unlink()
        assert site.get(PATH).status_code == 404

    def test_an_earlier_file_put_back_by_hand_is_looked_at_again(self, site: Site, shop: Shop, tmp_path: Path) -> None:
        keep(site)
        file = tmp_path / "data/app-1.0.0.tgz"
        times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
        shop.publish(NEWER, force=True)
        file.write_bytes(APP)
        os.utime(file, ns=times)
        assert site.get(PATH).data == APP
        assert shop.catalog.package("", "app-1.0.0.tgz").size == len(APP)

    def test_conditions_and_ranges_are_heeded(self, site: Site) -> None:
        keep(site)
        etag = site.get(PATH).headers["ETag"]
        assert site.get(PATH, If_None_Match=etag).status_code == 304
        assert site.get(PATH, If_Modified_Since="Fri, 01 Jan 2100 00:00:00 GMT").status_code == 304
        assert site.get(PATH, Range="bytes=0-3").data == APP[:4]

    def test_neither_query_nor_headers_keep_a_second_one(self, site: Site) -> None:
        keep(site)
        for asked in (request(QUERY_STRING="x=1"), request(HTTP_USER_AGENT="Helm/3.17.3")):
            assert site.app.at_hand(asked) is not None

    def test_what_is_at_hand_needs_the_credential_all_the_same(self, shop: Shop) -> None:
        site = Site(shop, basic_auth_user="ada", basic_auth_password="secret")
        keep(site, Authorization="Basic YWRhOnNlY3JldA==")
        assert site.get(PATH).status_code == 401

    def test_one_that_is_younger_than_its_date_is_not_kept(self, site: Site, shop: Shop) -> None:
        shop.publish(package("young"))
        keep(site)
        assert site.get("/charts/young-1.0.0.tgz").status_code == 200
        assert site.app.at_hand(request("/charts/young-1.0.0.tgz")) is not None  # it is older by the clock of the site
        os.utime(shop.folder / "data/young-1.0.0.tgz")
        fresh = site.get("/charts/young-1.0.0.tgz")
        assert fresh.status_code == 200
        assert site.app.at_hand(request("/charts/young-1.0.0.tgz")) is None

    def test_packages_are_served_as_they_lie_while_the_catalog_is_gone(self, site: Site, shop: Shop) -> None:
        keep(site)
        for file in shop.folder.glob("catalog*"):
            file.unlink()
        assert site.get(PATH).data == APP


class TestIndexes:
    def test_an_upload_shows_in_an_index_that_is_at_hand(self, site: Site, shop: Shop) -> None:
        keep(site, "/index.yaml")
        shop.publish(package("web"))
        assert "web-1.0.0.tgz" in site.get("/index.yaml").text

    def test_each_form_and_part_is_kept_for_itself(self, site: Site, shop: Shop) -> None:
        shop.publish(package("web"))
        keep(site, "/index.yaml", User_Agent="Helm/3.17.3")
        assert site.get("/index.yaml", User_Agent="Helm/3.17.3").headers["Content-Type"] == "application/json"
        assert site.get("/index.yaml", User_Agent="Helm/3.12.0").headers["Content-Type"] == "application/x-yaml"
        assert site.get("/index.yaml", Accept_Encoding="gzip").headers["Content-Encoding"] == "gzip"
        assert "web" not in site.get("/index.yaml?charts=app", User_Agent="Helm/3.17.3").text

    def test_its_date_changes_when_the_second_of_the_change_is_over(self, shop: Shop) -> None:
        site = Site(shop)
        keep(site, "/index.yaml")
        before = site.get("/index.yaml").headers["Last-Modified"]
        eventually(lambda: site.get("/index.yaml").headers["Last-Modified"] != before, what="the date is the true one")


def kept_answers(size: int) -> KeptAnswers:
    return KeptAnswers(size, lambda environ: environ.get("HTTP_USER_AGENT"))


class TestKeeping:
    @staticmethod
    def kept(answers: KeptAnswers, path: str) -> bool:
        return answers.get(path, request(path)) is not None

    def test_what_was_kept_for_longest_goes_first(self) -> None:
        answers = kept_answers(10_000)
        for number in range(5):
            body = bytes(2000)
            answer = Answer(200, [], [body], len(body), still=lambda: True, by_path=True)
            answers.keep(f"/{number}", request(f"/{number}"), Kept("route", answer, ROOT))
        assert [self.kept(answers, f"/{number}") for number in range(5)] == [False, False, True, True, True]

    def test_one_that_comes_again_takes_no_more_room(self) -> None:
        answers = kept_answers(10_000)
        answer = Answer(200, [], [bytes(2000)], 2000, still=lambda: True, by_path=True)
        answers.keep("/first", request("/first"), Kept("route", answer, ROOT))
        for _ in range(10):
            answers.keep("/again", request("/again"), Kept("route", answer, ROOT))
        assert self.kept(answers, "/first")

    @pytest.mark.parametrize(
        ("asked", "answer"),
        [
            (request(), Answer(200, [], [b"x"], 1)),
            (request(), Answer(200, [], [bytes(2**20 + 1)], 2**20 + 1, still=lambda: True, by_path=True)),
            (request(), Answer(200, [], [b"x"], 1, still=lambda: False, by_path=True)),
            ({**request(), "REQUEST_METHOD": "HEAD"}, Answer(200, [], [], 1, still=lambda: True, by_path=True)),
            (request(HTTP_RANGE="bytes=0-1"), Answer(206, [], [b"x"], 1, still=lambda: True, by_path=True)),
        ],
        ids=["cannot tell", "too large", "changed", "no GET", "a part"],
    )
    def test_what_cannot_be_given_again_is_not_kept(self, asked: dict[str, str], answer: Answer) -> None:
        answers = kept_answers(2**24)
        answers.keep(PATH, asked, Kept("route", answer, ROOT))
        assert answers.get(PATH, request()) is None

    def test_addresses_that_clients_make_long_are_not_kept(self) -> None:
        answers = kept_answers(2**24)
        answer = Answer(200, [], [b"x"], 1, still=lambda: True)
        asked = request("/index.yaml", QUERY_STRING="x" * 2000)
        answers.keep("/index.yaml", asked, Kept("route", answer, ROOT))
        assert answers.get("/index.yaml", asked) is None

    def test_an_index_is_kept_once_however_clients_call_themselves(self, site: Site) -> None:
        keep(site, "/index.yaml", User_Agent="Helm/3.17.3")
        assert site.app.at_hand(request("/index.yaml", HTTP_USER_AGENT="Helm/3.99.0 of mine")) is not None
        assert site.app.at_hand(request("/index.yaml", HTTP_USER_AGENT="curl")) is None

    def test_what_is_kept_keeps_nothing_else_alive(self, site: Site, shop: Shop) -> None:
        keep(site, "/index.yaml")
        before = {id(each) for each in _indexes()}
        for number in range(5):
            shop.publish(package("more", f"1.{number}.0"))
            for query in ("", "?a", "?b"):
                assert site.get(f"/index.yaml{query}").status_code == 200
        assert len([each for each in _indexes() if id(each) not in before]) <= 1

    @pytest.mark.parametrize("header", ["CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"])
    def test_a_request_with_a_body_is_not_answered_at_once(self, site: Site, header: str) -> None:
        keep(site)
        for path in (PATH, "/livez"):
            assert site.app.at_hand(request(path)) is not None
            assert site.app.at_hand(request(path, **{header: "5"})) is None


def _indexes() -> list[Index]:
    gc.collect()
    return [each for each in gc.get_objects() if isinstance(each, Index)]
