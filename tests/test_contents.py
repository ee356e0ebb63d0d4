"""What is in packages, read when somebody looks at it."""

import io
from collections.abc import Mapping
from pathlib import Path

import pytest

from chartrepo import contents
from chartrepo.catalog import PackageRecord
from chartrepo.contents import ContentsCache
from chartrepo.core.archive import read_package
from chartrepo.core.errors import FileNotFound
from tests.support.packages import chart_yaml, package
from tests.support.repositories import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.build()
    return shop


def put(shop: Shop, version: str = "1.0.0", files: Mapping[str, str] | None = None) -> PackageRecord:
    """Publish a version of `app` that holds these files besides."""
    record = shop.publish(package("app", version, files=dict(files or {}))).record
    assert isinstance(record, PackageRecord)
    return record


def test_all_files_are_told_and_the_large_ones_by_name_and_size_alone(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "LARGEST_FILE", 100)
    files = {"README.md": "\ufeff# hello", "big.txt": "x" * 101, "docs/deep.md": "deep"}
    record = put(shop, files=files)
    found = ContentsCache(shop.repositories).of(record)
    assert list(found.files) == [
        "Chart.yaml",
        "values.yaml",
        "templates/configmap.yaml",
        "README.md",
        "big.txt",
        "docs/deep.md",
    ]
    assert found.text("README.md") == "# hello"
    assert found.files["big.txt"].size == 101
    assert found.text("big.txt") is None
    assert found.data("missing") is None


def test_what_is_kept_of_a_package_is_bounded(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "MOST_OF_A_PACKAGE", 400)
    record = put(shop, files={f"{number}.txt": "x" * 100 for number in range(5)})
    found = ContentsCache(shop.repositories).of(record)
    assert sum(len(file.data or b"") for file in found.files.values()) <= 400
    assert len(found.files) == 8


def test_a_file_at_the_top_is_found_in_whatever_case(shop: Shop) -> None:
    record = put(shop, files={"ReadMe.MD": "hello", "docs/LICENSE": "deep"})
    found = ContentsCache(shop.repositories).of(record)
    assert found.find("README.md", "README") == "ReadMe.MD"
    assert found.find("LICENSE") is None


def test_a_package_is_read_once_while_there_is_room(shop: Shop) -> None:
    records = [put(shop, f"1.{number}.0", files={"a.txt": "x" * 1000}) for number in range(4)]
    cache = ContentsCache(shop.repositories, most=2 * 3000)
    first = cache.of(records[0])
    assert cache.of(records[0]) is first
    for record in records[1:]:
        cache.of(record)
    assert cache.of(records[3]) is cache.of(records[3])
    assert cache.of(records[0]) is not first


def test_a_package_that_was_replaced_is_not_shown_as_the_other(shop: Shop) -> None:
    record = put(shop)
    shop.publish(package("app", "1.0.0", description="another"), force=True)
    with pytest.raises(FileNotFound, match="was replaced a moment ago: try again"):
        ContentsCache(shop.repositories).of(record)


def needy(*names: str, files: Mapping[str, bytes | str]) -> bytes:
    dependencies = [{"name": name, "version": "1.x", "repository": "https://example.com"} for name in names]
    return package("needy", dependencies=dependencies, files=dict(files))


REDIS = chart_yaml("redis", "1.0.0")


@pytest.mark.parametrize(
    "data",
    [
        needy("redis", files={}),
        needy("redis", "redis-cluster", files={"charts/redis-cluster-1.0.0.tgz": package("redis-cluster")}),
        needy("redis", files={"charts/redis-exporter-2.0.0.tgz": package("redis-exporter")}),
        needy("redis", "pg", files={f"charts/redis-{n}.0.0.tgz": package("redis", f"{n}.0.0") for n in (1, 2)}),
        needy("redis", "pg", files={"charts/redis/Chart.yaml": REDIS, "charts/redis-1.0.0.tgz": package("redis")}),
        needy("a", "b", files={"charts/a/Chart.yaml": chart_yaml("b", "1.0.0")}),
        needy("redis", files={"charts/redis/Chart.yaml": chart_yaml("valkey", "1.0.0")}),
        needy("redis", files={"charts/redis-1.0.0.tgz": package("valkey")}),
        needy("redis", "pg", files={"charts/whatever.tgz": package("redis")}),
        needy("redis", files={"charts/redis/Chart.yaml": REDIS}),
        needy("redis", files={"charts/_redis/Chart.yaml": REDIS, "charts/redis-1.0.0.tgz.prov": "x"}),
        needy("", files={}),
        needy("x" * 600, files={"charts/x/Chart.yaml": chart_yaml("x" * 600, "1.0.0")}),
    ],
    ids=range(13),
)
def test_dependencies_are_missing_just_as_at_the_door(shop: Shop, data: bytes) -> None:
    record = shop.publish(data).record
    assert isinstance(record, PackageRecord)
    assert ContentsCache(shop.repositories).of(record).missing == read_package(io.BytesIO(data)).missing


def test_nothing_is_said_to_be_missing_beside_a_chart_that_is_not_looked_into(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "LARGEST_FILE", 100)
    record = shop.publish(needy("redis", files={"charts/x.tgz": package("x")})).record
    assert isinstance(record, PackageRecord)
    assert ContentsCache(shop.repositories).of(record).missing == ()
