"""Publish, delete and read, with hands in the storage and storages that fail."""

import io
import threading
from hashlib import sha256
from pathlib import Path

import pytest

from chartrepo.core.errors import (
    AlreadyPublished,
    CatalogIncomplete,
    CatalogUnavailable,
    ChartNotFound,
    FileNotFound,
    InvalidName,
    PackageRefused,
    ProvenanceRefused,
    VersionNotFound,
    WritesUnsafe,
)
from chartrepo.examine import NO_STATE
from chartrepo.repository import Overwrite, Repositories
from storage.base import Changed, Misconfigured, NoSpace, Unavailable
from tests.storage.buckets import at, client, fresh_bucket
from tests.support.packages import package
from tests.support.repositories import NOW, Shop, provenance
from tests.support.s3server import Gateway

APP = package()
OTHER = package(appVersion="2.0")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.build()
    return shop


class TestPublish:
    def test_a_package_can_be_read_and_is_listed_at_once(self, shop: Shop) -> None:
        published = shop.publish(APP)

        assert not published.replaced
        assert shop.fetch() == APP
        assert shop.listed() == ["app 1.0.0"]

    def test_the_record_tells_digest_size_and_time(self, shop: Shop) -> None:
        record = shop.publish(APP).record

        assert (record.digest, record.size, record.created) == (sha256(APP).hexdigest(), len(APP), NOW)

    def test_a_second_upload_of_a_version_is_refused_and_changes_nothing(self, shop: Shop) -> None:
        shop.publish(APP)

        with pytest.raises(AlreadyPublished, match=r"app-1.0.0.tgz already exists"):
            shop.publish(OTHER)

        assert shop.fetch() == APP

    def test_the_same_bytes_again_are_a_second_upload_too(self, shop: Shop) -> None:
        shop.publish(APP)

        with pytest.raises(AlreadyPublished):
            shop.publish(APP)

    def test_force_replaces_and_gives_a_new_time(self, shop: Shop) -> None:
        shop.publish(APP)
        shop.clock.now += 60

        published = shop.publish(OTHER, force=True)

        assert published.replaced
        assert published.record.created == NOW + 60
        assert shop.fetch() == OTHER

    def test_never_means_that_force_does_not_help(self, shop: Shop) -> None:
        shop.publish(APP)
        shop.overwrite = Overwrite.NEVER

        with pytest.raises(AlreadyPublished):
            shop.publish(OTHER, force=True)

    def test_always_needs_no_force(self, shop: Shop) -> None:
        shop.publish(APP)
        shop.overwrite = Overwrite.ALWAYS

        assert shop.publish(OTHER).replaced

    def test_what_helm_would_accept_and_we_do_not_is_refused_with_the_reason(self, shop: Shop) -> None:
        with pytest.raises(PackageRefused, match=r"checksum|CRC"):
            shop.publish(APP[:-8] + bytes(4) + APP[-4:])

        assert shop.listed() == []

    def test_two_charts_never_share_a_file(self, shop: Shop) -> None:
        shop.publish(package("a", "1-2.0.0"))

        with pytest.raises(PackageRefused, match=r"a-1-2\.0\.0\.tgz.*choose another"):
            shop.publish(package("a-1", "2.0.0"), force=True)

    def test_a_name_that_no_repository_can_have_is_refused(self, shop: Shop) -> None:
        with pytest.raises(InvalidName):
            shop.publish(repository="../up")

    def test_where_writers_cannot_be_kept_apart_nobody_writes(self, shop: Shop) -> None:
        repositories = Repositories(shop.storage, shop.catalog, writes_are_safe=False)

        with pytest.raises(WritesUnsafe, match="single_writer"):
            repositories.publish("", io.BytesIO(APP))

    def test_nothing_is_written_while_the_catalog_cannot_promise_it(self, tmp_path: Path) -> None:
        unbuilt = Shop(tmp_path / "new")

        with pytest.raises((CatalogIncomplete, CatalogUnavailable)):
            unbuilt.publish(APP)

        assert not [call for call in unbuilt.storage.calls if call.operation == "put"]

    def test_of_many_at_once_exactly_one_wins_and_the_index_names_its_bytes(self, shop: Shop) -> None:
        contenders = [package(appVersion=str(number)) for number in range(16)]
        outcomes: list[str] = []

        def contend(data: bytes) -> None:
            try:
                outcomes.append(shop.publish(data).record.digest)
            except AlreadyPublished:
                outcomes.append("refused")

        threads = [threading.Thread(target=contend, args=(data,)) for data in contenders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        (winner,) = (outcome for outcome in outcomes if outcome != "refused")
        assert sha256(shop.fetch()).hexdigest() == winner
        assert shop.catalog.versions("", "app")[0].digest == winner


class TestPublishOverWhatSomebodyLeft:
    """A package lies in storage and the catalog does not know it: its writer died, or it was put there by hand."""

    def test_the_same_bytes_finish_the_dead_upload_and_keep_its_time(self, shop: Shop) -> None:
        shop.put("app-1.0.0.tgz", APP, published=NOW - 500)

        published = shop.publish(APP)

        assert not published.replaced
        assert published.record.created == NOW - 500
        assert shop.listed() == ["app 1.0.0"]

    def test_other_bytes_are_refused_and_what_lies_there_is_published(self, shop: Shop) -> None:
        shop.put("app-1.0.0.tgz", APP)

        with pytest.raises(AlreadyPublished):
            shop.publish(OTHER)

        assert shop.listed() == ["app 1.0.0"]
        assert shop.fetch() == APP

    def test_force_replaces_it(self, shop: Shop) -> None:
        shop.put("app-1.0.0.tgz", APP)

        assert shop.publish(OTHER, force=True).replaced

    def test_a_version_that_was_removed_by_hand_can_be_published_again(self, shop: Shop) -> None:
        shop.publish(APP)
        shop.inner.delete("app-1.0.0.tgz")

        assert not shop.publish(OTHER).replaced
        assert shop.fetch() == OTHER

    def test_a_file_that_cannot_be_read_is_not_overwritten_without_force(self, shop: Shop) -> None:
        shop.put("app-1.0.0.tgz", b"rubbish")

        with pytest.raises(AlreadyPublished, match=r"cannot be served \(the package is not a gzip file: .*\?force"):
            shop.publish(APP)
        assert shop.publish(APP, force=True).replaced

    def test_where_nothing_may_be_replaced_it_is_in_the_way_until_it_is_deleted(self, shop: Shop) -> None:
        shop.overwrite = Overwrite.NEVER
        shop.put("app-1.0.0.tgz", b"rubbish")

        with pytest.raises(AlreadyPublished, match=r": set allow_overwrite to force, or delete this version first"):
            shop.publish(APP, force=True)
        shop.repositories.delete("", "app", "1.0.0")
        assert not shop.publish(APP).replaced

    def test_a_replacement_by_hand_in_the_same_moment_is_noticed(self, shop: Shop) -> None:
        shop.publish(APP)
        shop.put("app-1.0.0.tgz", OTHER)

        assert shop.publish(package(appVersion="3.0"), force=True).replaced

    def test_what_never_comes_to_rest_is_given_up(self, shop: Shop) -> None:
        shop.publish(APP)
        shop.storage.fail("put", Changed("again"), times=None)

        with pytest.raises(Unavailable, match="keeps changing"):
            shop.publish(OTHER, force=True)


class TestPublishOnAFailingStorage:
    def test_no_space_leaves_nothing(self, shop: Shop) -> None:
        shop.storage.fail("put", NoSpace("full"))

        with pytest.raises(NoSpace):
            shop.publish(APP)

        assert shop.listed() == []
        assert shop.publish(APP)

    def test_an_upload_that_died_after_its_package_is_served_and_then_listed(self, shop: Shop) -> None:
        shop.storage.fail("put", Unavailable("the answer was lost"), when="after")
        with pytest.raises(Unavailable):
            shop.publish(APP)

        assert shop.fetch() == APP
        assert shop.listed() == ["app 1.0.0"]

    def test_a_package_whose_provenance_cannot_be_written_waits_unlisted_for_the_next_try(self, shop: Shop) -> None:
        shop.storage.fail("put", NoSpace("full"), key="app-1.0.0.tgz.prov", times=2)
        for _ in range(2):
            with pytest.raises(NoSpace):
                shop.publish(APP, provenance(APP))
        assert [info.key for info in shop.inner.list()] == ["app-1.0.0.tgz"]
        assert shop.listed() == []

        published = shop.publish(APP, provenance(APP))

        assert (published.replaced, published.record.signed) == (False, True)
        assert shop.fetch_provenance() == provenance(APP)

    def test_once_it_was_read_it_is_published_and_its_provenance_can_be_sent_alone(self, shop: Shop) -> None:
        shop.storage.fail("put", NoSpace("full"), key="app-1.0.0.tgz.prov")
        with pytest.raises(NoSpace):
            shop.publish(APP, provenance(APP))
        assert shop.fetch() == APP

        with pytest.raises(AlreadyPublished):
            shop.publish(APP, provenance(APP))
        shop.repositories.publish_provenance("", provenance(APP))

        assert shop.fetch_provenance() == provenance(APP)

    def test_a_package_of_somebody_else_is_not_touched_when_the_provenance_cannot_be_written(self, shop: Shop) -> None:
        shop.put("app-1.0.0.tgz", APP)
        shop.storage.fail("put", Unavailable("503"), key="app-1.0.0.tgz.prov")

        with pytest.raises(Unavailable):
            shop.publish(APP, provenance(APP))

        assert shop.fetch() == APP


class TestProvenance:
    def test_it_is_published_with_its_package(self, shop: Shop) -> None:
        record = shop.publish(APP, provenance(APP)).record

        assert record.signed
        assert shop.fetch_provenance() == provenance(APP)

    def test_of_another_package_it_is_refused_and_the_package_too(self, shop: Shop) -> None:
        with pytest.raises(ProvenanceRefused):
            shop.publish(APP, provenance(OTHER))

        assert shop.listed() == []

    def test_it_may_come_after_its_package(self, shop: Shop) -> None:
        shop.publish(APP)

        shop.repositories.publish_provenance("", provenance(APP))

        assert shop.fetch_provenance() == provenance(APP)

    def test_it_may_come_before_its_package_and_waits_unseen(self, shop: Shop) -> None:
        shop.repositories.publish_provenance("", provenance(APP))
        with pytest.raises(FileNotFound):
            shop.fetch_provenance()

        assert shop.publish(APP).record.signed

    def test_a_second_one_needs_force(self, shop: Shop) -> None:
        shop.publish(APP, provenance(APP))

        with pytest.raises(AlreadyPublished):
            shop.repositories.publish_provenance("", provenance(APP))
        shop.repositories.publish_provenance("", provenance(APP), force=True)

    def test_alone_it_is_refused_where_the_published_package_is_another(self, shop: Shop) -> None:
        shop.publish(APP)

        with pytest.raises(ProvenanceRefused):
            shop.repositories.publish_provenance("", provenance(OTHER))

    def test_alone_it_is_refused_where_it_states_another_chart_that_could_have_this_file(self, shop: Shop) -> None:
        data = package("app-1.0.0", "2.0.0")
        shop.publish(data)

        other = provenance(data, "app-1.0.0-2.0.0.tgz", version="1.0.0-2.0.0")
        with pytest.raises(ProvenanceRefused, match=r"states the chart 'app', but the package holds 'app-1\.0\.0'"):
            shop.repositories.publish_provenance("", other)

    def test_of_replaced_bytes_it_counts_no_more(self, shop: Shop) -> None:
        shop.publish(APP, provenance(APP))
        shop.publish(OTHER, force=True)

        with pytest.raises(FileNotFound):
            shop.fetch_provenance()

    def test_put_there_by_hand_it_is_served_at_once(self, shop: Shop) -> None:
        shop.publish(APP)
        shop.put("app-1.0.0.tgz.prov", provenance(APP))

        assert shop.fetch_provenance() == provenance(APP)

    def test_put_there_by_hand_for_other_bytes_it_is_not_served(self, shop: Shop) -> None:
        shop.publish(APP)
        shop.put("app-1.0.0.tgz.prov", provenance(OTHER))

        with pytest.raises(FileNotFound):
            shop.fetch_provenance()


class TestDelete:
    def test_a_version_is_gone_from_index_and_storage(self, shop: Shop) -> None:
        shop.publish(APP, provenance(APP))

        shop.repositories.delete("", "app", "1.0.0")

        assert shop.listed() == []
        assert list(shop.inner.list()) == []
        with pytest.raises(FileNotFound):
            shop.fetch()

    def test_it_takes_the_version_exactly(self, shop: Shop) -> None:
        shop.publish(APP)

        for wanted in ("1.0", "v1.0.0", "latest", "../1.0.0", ""):
            with pytest.raises(VersionNotFound):
                shop.repositories.delete("", "app", wanted)

    def test_another_chart_with_the_same_file_name_is_not_meant(self, shop: Shop) -> None:
        shop.publish(package("a", "1-2.0.0"))

        with pytest.raises(VersionNotFound):
            shop.repositories.delete("", "a-1", "2.0.0")

    def test_what_was_replaced_by_hand_meanwhile_is_deleted_too(self, shop: Shop) -> None:
        shop.publish(APP)
        shop.put("app-1.0.0.tgz", OTHER)

        shop.repositories.delete("", "app", "1.0.0")

        assert list(shop.inner.list()) == []

    def test_a_package_that_only_the_storage_knows_can_be_deleted(self, shop: Shop) -> None:
        shop.put("app-1.0.0.tgz", APP)

        shop.repositories.delete("", "app", "1.0.0")

        assert list(shop.inner.list()) == []

    @pytest.mark.parametrize("data", [b"rubbish", package("web")], ids=["no package", "another package"])
    def test_what_is_set_aside_under_the_file_name_goes_with_its_provenance(self, shop: Shop, data: bytes) -> None:
        shop.put("app-1.0.0.tgz", data)
        shop.put("app-1.0.0.tgz.prov", provenance(APP))
        shop.put("app-1.1.0.tgz", b"rubbish")
        shop.sync()

        shop.repositories.delete("", "app", "1.0.0")

        assert [info.key for info in shop.inner.list()] == ["app-1.1.0.tgz"]
        assert [aside.file for aside in shop.catalog.set_aside()] == ["app-1.1.0.tgz"]
        with pytest.raises(VersionNotFound):
            shop.repositories.delete("", "app", "1.0.0")

    def test_a_whole_chart_goes_and_its_neighbour_stays(self, shop: Shop) -> None:
        for version in ("1.0.0", "1.1.0", "2.0.0"):
            shop.publish(package(version=version))
        shop.publish(package("web"))

        assert shop.repositories.delete_chart("", "app") == 3
        assert shop.listed() == ["web 1.0.0"]

    def test_a_chart_that_is_not_there_is_said_so(self, shop: Shop) -> None:
        with pytest.raises(ChartNotFound):
            shop.repositories.delete_chart("", "app")

    def test_a_failing_storage_loses_nothing(self, shop: Shop) -> None:
        shop.publish(APP)
        shop.storage.fail("delete", Unavailable("503"))

        with pytest.raises(Unavailable):
            shop.repositories.delete("", "app", "1.0.0")

        assert shop.fetch() == APP
        assert shop.listed() == ["app 1.0.0"]

    def test_who_cannot_remove_the_provenance_leaves_nothing_that_is_listed(self, shop: Shop) -> None:
        shop.publish(APP, provenance(APP))
        shop.storage.fail("delete", Unavailable("503"), key="app-1.0.0.tgz.prov")

        with pytest.raises(Unavailable):
            shop.repositories.delete("", "app", "1.0.0")

        assert shop.listed() == []
        with pytest.raises(FileNotFound):
            shop.fetch_provenance()


class TestReadWithHandsInTheStorage:
    def test_a_package_is_found_before_any_sync(self, shop: Shop) -> None:
        shop.put("team/app-1.0.0.tgz", APP)

        assert shop.fetch(repository="team") == APP
        assert shop.listed("team") == ["app 1.0.0"]

    def test_a_replaced_package_is_read_again_before_it_is_served(self, shop: Shop) -> None:
        shop.publish(APP)
        shop.put("app-1.0.0.tgz", OTHER)

        opened = shop.repositories.open_package("", "app-1.0.0.tgz")

        with opened.reader as reader:
            assert opened.served is not None
            assert opened.served.digest == sha256(reader.read()).hexdigest() == sha256(OTHER).hexdigest()

    def test_one_that_was_removed_is_not_found_and_leaves_the_index(self, shop: Shop) -> None:
        shop.publish(APP)
        shop.inner.delete("app-1.0.0.tgz")

        with pytest.raises(FileNotFound):
            shop.fetch()
        assert shop.listed() == []

    def test_one_that_cannot_be_read_is_not_served(self, shop: Shop) -> None:
        shop.put("app-1.0.0.tgz", b"rubbish")

        with pytest.raises(FileNotFound):
            shop.fetch()
        assert [aside.file for aside in shop.catalog.set_aside()] == ["app-1.0.0.tgz"]

    def test_one_under_a_wrong_name_is_not_served_and_told_its_right_one(self, shop: Shop) -> None:
        shop.put("renamed.tgz", APP)

        with pytest.raises(FileNotFound):
            shop.fetch("renamed.tgz")
        assert "rename the file to 'app-1.0.0.tgz'" in shop.catalog.set_aside()[0].reason

    def test_while_the_catalog_is_not_built_packages_are_served_as_they_lie(self, tmp_path: Path) -> None:
        unbuilt = Shop(tmp_path / "new")
        unbuilt.put("app-1.0.0.tgz", APP)
        unbuilt.put("app-1.0.0.tgz.prov", provenance(APP))

        assert unbuilt.fetch() == APP
        assert unbuilt.fetch_provenance() == provenance(APP)
        with pytest.raises(FileNotFound):
            unbuilt.fetch("web-1.0.0.tgz")

    def test_one_that_never_comes_to_rest_is_given_up(self, shop: Shop) -> None:
        shop.publish(APP)
        shop.storage.fail("open", Changed("again"), times=None, key="app-1.0.0.tgz")

        with pytest.raises((Unavailable, Changed)):
            shop.fetch()

    def test_find_tells_what_is_known_without_opening(self, shop: Shop) -> None:
        shop.publish(APP)
        shop.storage.calls.clear()

        assert shop.repositories.find_package("", "app-1.0.0.tgz").size == len(APP)
        assert shop.storage.calls == []
        with pytest.raises(FileNotFound):
            shop.repositories.find_package("", "web-1.0.0.tgz")


@pytest.mark.real_s3
class TestWithoutAnETag:
    """Files in the folder of an S3 gateway that came there without the gateway: it has no ETag for them."""

    @pytest.fixture
    def bucket(self, real_gateway: Gateway) -> str:
        return fresh_bucket(real_gateway.s3)

    @pytest.fixture
    def shop(self, real_gateway: Gateway, bucket: str, tmp_path: Path) -> Shop:
        return Shop(tmp_path, inner=at(real_gateway.s3, bucket))

    def test_a_package_is_set_aside_by_a_build_as_by_a_sync(
        self, real_gateway: Gateway, bucket: str, shop: Shop
    ) -> None:
        real_gateway.put_by_hand(bucket, "app-1.0.0.tgz", APP)
        shop.build()
        real_gateway.put_by_hand(bucket, "team/app-1.0.0.tgz", APP)
        shop.sync()

        assert [(each.repository, each.reason) for each in shop.catalog.set_aside()] == [
            ("", NO_STATE),
            ("team", NO_STATE),
        ]
        assert shop.sync().changed == 0

    @pytest.mark.parametrize("built", [True, False])
    def test_it_is_not_served_and_who_asks_for_it_is_told_why(
        self, real_gateway: Gateway, bucket: str, shop: Shop, built: bool
    ) -> None:
        if built:
            shop.build()
        real_gateway.put_by_hand(bucket, "app-1.0.0.tgz", APP)

        with pytest.raises(Misconfigured, match=r"'app-1.0.0.tgz': the store gives no ETag .* as with `aws s3 cp`"):
            shop.fetch()

    def test_put_through_s3_it_is_served(self, real_gateway: Gateway, bucket: str, shop: Shop) -> None:
        real_gateway.put_by_hand(bucket, "app-1.0.0.tgz", APP)
        shop.build()
        client(real_gateway.s3.endpoint_url).put_object(Bucket=bucket, Key="app-1.0.0.tgz", Body=APP)
        shop.sync()

        assert shop.fetch() == APP
        assert list(shop.catalog.set_aside()) == []

    def test_an_upload_by_force_replaces_it(self, real_gateway: Gateway, bucket: str, shop: Shop) -> None:
        real_gateway.put_by_hand(bucket, "app-1.0.0.tgz", APP)
        shop.build()
        shop.publish(OTHER, force=True)

        assert shop.fetch() == OTHER

    def test_a_provenance_file_is_not_served(self, real_gateway: Gateway, bucket: str, shop: Shop) -> None:
        shop.build()
        shop.publish(APP)
        real_gateway.put_by_hand(bucket, "app-1.0.0.tgz.prov", provenance(APP))

        with pytest.raises(FileNotFound):
            shop.fetch_provenance()
        assert shop.fetch() == APP


def test_an_upload_asks_the_storage_for_one_put_and_looks_for_a_provenance(shop: Shop) -> None:
    shop.storage.calls.clear()

    shop.publish(APP)

    assert [call.operation for call in shop.storage.calls if call.operation != "open"] == ["put"]
    assert not [call for call in shop.storage.calls if call.operation == "list"]


def test_what_is_set_aside_is_not_written_over_by_a_create_that_the_store_does_not_refuse(shop: Shop) -> None:
    """versitygw takes no condition on what it gives no ETag for."""
    shop.put("app-1.0.0.tgz", b"no package")
    shop.sync()
    before = len(shop.storage.calls)
    with pytest.raises(AlreadyPublished):
        shop.publish(APP)
    assert [call.operation for call in shop.storage.calls[before:] if call.operation == "put"] == []
    shop.publish(APP, force=True)
    assert shop.fetch() == APP
