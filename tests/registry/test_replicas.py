"""Replicas that share nothing but a bucket: each has a catalog of its own, and learns of the others when asked."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.oci_contents import digest_of
from tests.support.pushes import APP, NEWER, blob, find, manifest_of, pull, push, put_manifest, send_parts
from tests.support.repositories import Shop
from tests.support.site import Site


@pytest.fixture
def other(tmp_path: Path, shop: Shop) -> Site:
    """Another replica."""
    folder = tmp_path / "other"
    folder.mkdir()
    there = Shop(folder, shop.inner, shop.state)
    there.build()
    return Site(there)


def test_a_tag_goes_with_a_version_that_another_replica_deleted(site: Site, other: Site) -> None:
    push(site, "app", APP, "1.0.0")
    assert find(other, "app", "1.0.0")
    site.delete("/api/charts/app/1.0.0")
    assert find(other, "app", "1.0.0") == ""


def test_a_tag_gives_the_package_by_which_another_replica_replaced_it(site: Site, other: Site) -> None:
    push(site, "app", APP, "1.0.0")
    assert pull(other, "app", "1.0.0").package == APP
    site.upload(NEWER, "/api/charts?force")
    assert pull(other, "app", "1.0.0").package == NEWER


def test_each_request_of_a_pull_may_reach_another_replica(site: Site, other: Site) -> None:
    push(site, "app", APP, "1.0.0")
    assert other.get(f"/v2/app/blobs/{digest_of(APP)}").data == APP
    assert blob(other, "app", digest_of(APP)) == APP


def test_a_manifest_can_be_had_by_its_digest_where_another_replica_published(site: Site, other: Site) -> None:
    push(site, "app", APP, "1.0.0")
    pushed = find(site, "app", "1.0.0")
    assert find(other, "app", pushed) == pushed


def test_a_made_manifest_can_be_had_by_its_digest_where_another_replica_published(site: Site, other: Site) -> None:
    site.upload(APP)
    made = find(site, "app", "1.0.0")
    assert find(other, "app", made) == made


def test_a_package_is_taken_again_that_another_replica_published_since_it_was_sent(site: Site, other: Site) -> None:
    manifest = send_parts(other, "app", APP, created="later")
    push(site, "app", APP, "1.0.0")
    assert put_manifest(other, "app", manifest).status_code == 201
    assert put_manifest(other, "app", manifest, "1.0.0").status_code == 201
    assert manifest.digest != manifest_of(APP).digest


@pytest.mark.parametrize(("strangers", "looks"), [(True, 1), (False, 0)])
def test_a_bucket_is_searched_for_a_digest_only_where_strangers_write(
    shop: Shop, *, strangers: bool, looks: int
) -> None:
    shop.publish(APP)
    repositories = replace(shop.repositories, look=None, strangers=strangers)
    shop.storage.calls.clear()
    assert not repositories.learn("", "app")
    assert [call.operation for call in shop.storage.calls] == ["list"] * looks  # what is known is not opened
