"""The index as a file beside the packages."""

from pathlib import Path

import pytest
import yaml

from chartrepo import published
from chartrepo.published import PublishedIndexes
from storage.base import NotFound
from tests.support.packages import package
from tests.support.repositories import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.build()
    return shop


@pytest.fixture
def indexes(shop: Shop) -> PublishedIndexes:
    return PublishedIndexes(shop.repositories, context_path="")


def read(shop: Shop, repository: str = "") -> dict[str, list[dict[str, object]]]:
    key = f"{repository}/index.yaml" if repository else "index.yaml"
    with shop.inner.open(key) as reader:
        entries: dict[str, list[dict[str, object]]] = yaml.safe_load(reader.read())["entries"]
    return entries


def test_urls_are_bare_file_names_because_the_index_lies_beside_them(shop: Shop, indexes: PublishedIndexes) -> None:
    shop.publish(repository="team/x")

    indexes.write_all()

    assert read(shop, "team/x")["app"][0]["urls"] == ["app-1.0.0.tgz"]


def test_it_is_written_again_only_after_a_change(shop: Shop, indexes: PublishedIndexes) -> None:
    shop.publish()
    indexes.write_all()
    shop.storage.calls.clear()

    indexes.write_all()
    assert shop.storage.calls == []

    shop.publish(package("web"))
    indexes.write_all()
    assert sorted(read(shop)) == ["app", "web"]


def test_a_repository_that_became_empty_gets_an_empty_index(shop: Shop, indexes: PublishedIndexes) -> None:
    shop.publish()
    indexes.write_all()
    shop.repositories.delete("", "app", "1.0.0")

    indexes.write_all()

    assert read(shop) == {}


def test_a_repository_that_became_empty_just_before_the_server_was_killed_gets_an_empty_index(
    shop: Shop, indexes: PublishedIndexes
) -> None:
    shop.publish(repository="team")
    indexes.write_all()
    shop.repositories.delete("team", "app", "1.0.0")

    PublishedIndexes(shop.repositories, context_path="").write_all()

    assert read(shop, "team") == {}


def test_a_burst_of_changes_is_written_once_it_has_come_to_rest(
    shop: Shop, indexes: PublishedIndexes, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(published.time, "monotonic", lambda: now)
    shop.publish()
    indexes.write_changed()
    now += 0.9
    shop.publish(package("web"))
    indexes.write_changed()
    now += 0.9
    indexes.write_changed()
    with pytest.raises(NotFound):
        shop.inner.stat("index.yaml")

    now += 0.2
    indexes.write_changed()
    assert sorted(read(shop)) == ["app", "web"]


def test_changes_that_never_rest_are_written_all_the_same(
    shop: Shop, indexes: PublishedIndexes, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(published.time, "monotonic", lambda: now)
    for number in range(25):
        shop.publish(package(version=f"1.{number}.0"))
        indexes.write_changed()
        now += 0.5

    assert len(read(shop)["app"]) >= 20


def test_sync_takes_it_for_no_package(shop: Shop, indexes: PublishedIndexes) -> None:
    shop.publish()
    indexes.write_all()

    assert shop.sync().found == 1
