"""What a chart depends on, what its lock pins and what it brings along."""

from typing import Any

import pytest

from chartrepo.core.chart import UNNAMED
from chartrepo.core.chart_dependencies import (
    Dependency,
    bundled,
    missing,
    name_in_chart_yaml,
    read_dependencies,
)

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


NEEDED = [{"name": "redis"}, {"name": "common"}, {"name": "redis", "alias": "cache"}, {"name": 3}, {"version": "1"}]


@pytest.mark.parametrize(
    ("names", "lacks"),
    [
        ({}, ("redis", "common", UNNAMED)),
        ({"redis-18.0.0.tgz": "redis", "common": "common"}, (UNNAMED,)),
        ({"common-1.tgz": "redis", "redis-1.tgz": "redis-ha"}, ("common", UNNAMED)),
        ({"redis": ""}, ()),
        ({f"x{number}": "x" for number in range(300)}, ()),
    ],
)
def test_what_helm_misses_is_told_where_it_is_sure(names: dict[str, str], lacks: tuple[str, ...]) -> None:
    files = [f"charts/{path}" if path.endswith(".tgz") else f"charts/{path}/Chart.yaml" for path in names]
    assert missing({"dependencies": NEEDED}, files, lambda path: names[path.removeprefix("charts/")]) == lacks
    assert missing({"dependencies": NEEDED, "type": "library"}, [], lambda _: "") == ()


@pytest.mark.parametrize("declared", [None, "x", 3, [], [None, 3]])
def test_who_needs_nothing_misses_nothing(declared: Any) -> None:
    assert missing({"dependencies": declared}, [], lambda _: "") == ()


@pytest.mark.parametrize(
    ("chart_yaml", "name"),
    [(b"name: a", "a"), (b"name: 3", "3"), (b"name: [a]", ""), (b"[", ""), (b"- a", ""), (None, "")],
)
def test_the_name_in_a_chart_yaml(chart_yaml: bytes | None, name: str) -> None:
    assert name_in_chart_yaml(chart_yaml) == name
