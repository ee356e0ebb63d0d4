"""What a chart depends on, what its lock pins and what it brings along."""

from typing import Any

import pytest

from chartrepo.core.chart_dependencies import Dependency, bundled, missing, read_dependencies

LOCK = b"""\
dependencies:
- name: redis
  repository: oci://host/x
  version: 18.1.0
- name: redis
  repository: https://host/y
  version: 17.0.0
- name: common
  repository: file://../common
  version: 2
digest: sha256:0
"""


def test_all_is_told_of_a_dependency() -> None:
    declared = [
        {"name": "redis", "version": "^18", "repository": "oci://host/x", "condition": "redis.enabled"},
        {"name": "redis", "version": "17.x", "repository": "https://host/y", "alias": "cache", "tags": ["db", "x"]},
        {"name": "common", "version": "*", "repository": "file://../common"},
        {"name": "other", "version": "1.x", "repository": "https://host/z"},
    ]
    files = ["charts/redis-18.1.0.tgz", "charts/common/Chart.yaml", "charts/common/x/y", "charts/other-1.2.3.tgz"]
    found = read_dependencies(declared, LOCK, files)
    assert found == [
        Dependency("redis", "^18", "oci://host/x", "redis.enabled", (), "", "18.1.0", "charts/redis-18.1.0.tgz"),
        Dependency("redis", "17.x", "https://host/y", "", ("db", "x"), "cache", "17.0.0", ""),
        Dependency("common", "*", "file://../common", "", (), "", "2", "charts/common"),
        Dependency("other", "1.x", "https://host/z", "", (), "", "", "charts/other-1.2.3.tgz"),
    ]
    assert [each.bundled_version for each in found] == ["", "", "", "1.2.3"]


@pytest.mark.parametrize("lock", [None, b"", b"[", b"dependencies: 3", b"dependencies: [3, {name: []}]", b"\xff"])
@pytest.mark.parametrize("declared", [None, "x", 3, [None, 3, {"name": 3, "tags": 3}]])
def test_what_is_odd_is_left_out(lock: bytes | None, declared: Any) -> None:
    assert all(each.name == "" for each in read_dependencies(declared, lock, []))


def test_what_is_brought_along_is_what_helm_loads() -> None:
    files = ["charts/a/Chart.yaml", "charts/a/charts/b/Chart.yaml", "charts/_x/Chart.yaml", "charts/c-1.tgz",
             "charts/c-1.tgz.prov", "charts/README.md", "templates/charts/d.tgz"]  # fmt: skip
    assert bundled(files) == ["charts/a", "charts/c-1.tgz"]


NEEDED = [{"name": "redis"}, {"name": "common"}, {"name": "redis", "alias": "cache"}]
OTHER = b"apiVersion: v2\nname: redis\nversion: 9.0.0\n"


@pytest.mark.parametrize(
    ("files", "lacks"),
    [
        ({}, ["redis", "common"]),
        ({"charts/redis-18.0.0.tgz": b"", "charts/common/Chart.yaml": b""}, []),
        ({"charts/redis-18.0.0.tgz": b""}, ["common"]),
        ({"charts/any/Chart.yaml": OTHER}, ["common"]),  # Helm goes by the name inside
        ({"charts/any/Chart.yaml": b"["}, []),
        ({"charts/any/Chart.yaml": b"name: else"}, ["redis", "common"]),
        ({"charts/any.tgz": b""}, []),  # may be any of them
        ({"charts/README.md": b"", "charts/_redis/Chart.yaml": OTHER}, ["redis", "common"]),
        ({f"charts/x{number}/Chart.yaml": b"" for number in range(300)}, []),
    ],
)
def test_what_helm_misses_is_told_where_it_is_sure(files: dict[str, bytes], lacks: list[str]) -> None:
    assert missing(NEEDED, files, files.get) == lacks


@pytest.mark.parametrize("declared", [None, "x", 3, [], [None, 3, {"name": 3}, {"name": ""}, {}]])
def test_who_needs_nothing_misses_nothing(declared: Any) -> None:
    assert missing(declared, [], lambda _: None) == []
