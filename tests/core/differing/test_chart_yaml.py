"""What differs between what two versions say of themselves, and how far versions and ranges are apart."""

from typing import Final

import pytest

from chartrepo.core.differing.chart_yaml import compare_dependencies, compare_fields
from chartrepo.core.differing.steps import Move, Room, Step, between, between_ranges, room


@pytest.mark.parametrize(
    ("old", "new", "step", "back"),
    [
        ("1.2.3", "2.0.0", Step.MAJOR, False),
        ("v1.2.3", "1.3", Step.MINOR, False),
        ("1.2.3", "1.2.2", Step.PATCH, True),
        ("1.0.0-rc.1", "1.0.0", Step.PRERELEASE, False),
        ("1.0.0", "v1.0", Step.SAME, False),
        ("1.0.0+a", "1.0.0+b", Step.SAME, False),
    ],
)
def test_how_far_it_is_between_versions(old: str, new: str, step: Step, back: bool) -> None:
    assert between(old, new) == Move(step, back)


def test_what_is_no_version_is_nowhere() -> None:
    assert between("RELEASE.2024-01-01", "1.0.0") is None
    assert between("1.0.0", "") is None


@pytest.mark.parametrize(
    ("old", "new", "step"),
    [
        ("18.x.x", "19.x.x", Step.MAJOR),
        ("^18.1.0", "~18.3", Step.MINOR),
        (">=1.2.3 <2", ">=1.2.4 <2", Step.PATCH),
        ("18", "^18.0.0", None),
        ("*", "^2", None),
        ("", "1.0.0", None),
    ],
)
def test_how_far_it_is_between_ranges(old: str, new: str, step: Step | None) -> None:
    found = between_ranges(old, new)
    assert (found.step if found is not None else None) is step


@pytest.mark.parametrize(
    ("old", "new", "became"),
    [
        (">=1.20.0-0", ">=1.23.0-0", Room.LESS),
        (">=1.23.0-0", ">=1.20.0-0", Room.MORE),
        ("", ">=1.20", Room.LESS),
        (">=1.20", "", Room.MORE),
        (">=1.20.0", ">= 1.20.0", Room.OTHER),
        (">=1.20 <1.25", ">=1.21 <1.30", Room.LESS),
        (">=1.20.3", ">=1.20.4", Room.LESS),
        ("no range", ">=1", Room.OTHER),
    ],
)
def test_whether_a_range_of_kubernetes_allows_less(old: str, new: str, became: Room) -> None:
    assert room(old, new) is became


def test_fields_that_differ_are_told_and_the_version_is_not_one() -> None:
    old = {"name": "app", "version": "1.0.0", "appVersion": "1.0", "home": "https://a.example", "deprecated": True}
    new = {"name": "app", "version": "2.0.0", "appVersion": "2.0", "kubeVersion": ">=1.25"}
    found = {field.field: (field.old, field.new) for field in compare_fields(old, new)}
    assert found == {
        "appVersion": ("1.0", "2.0"),
        "home": ("https://a.example", ""),
        "deprecated": ("true", ""),
        "kubeVersion": ("", ">=1.25"),
    }


def test_items_of_lists_and_annotations_come_and_go_one_by_one() -> None:
    old = {
        "keywords": ["a", "b"],
        "maintainers": [{"name": "Ada", "email": "a@b.c"}],
        "annotations": {"x": "1", "y": "2"},
    }
    new = {"keywords": ["b", "c"], "maintainers": [{"name": "Ada"}], "annotations": {"x": "1", "z": "3"}}
    assert [(field.field, field.old, field.new) for field in compare_fields(old, new)] == [
        ("keywords", "a", ""),
        ("keywords", "", "c"),
        ("maintainers", "Ada <a@b.c>", ""),
        ("maintainers", "", "Ada"),
        ("annotations.y", "2", ""),
        ("annotations.z", "", "3"),
    ]


def test_the_same_items_in_another_order_differ_once() -> None:
    (field,) = compare_fields({"keywords": ["a", "b"]}, {"keywords": ["b", "a"]})
    assert (field.old, field.new) == ("a, b", "b, a")


class TestDependencies:
    REDIS: Final = {"name": "redis", "version": "18.x.x", "repository": "oci://r"}

    def test_one_comes_one_goes_and_one_has_another_range(self) -> None:
        old = [self.REDIS, {"name": "old", "version": "1"}]
        new = [{**self.REDIS, "version": "19.x.x"}, {"name": "new", "version": "2"}]
        found = compare_dependencies(old, new, {}, {})
        assert [(each.name, each.old, each.new) for each in found] == [
            ("redis", "18.x.x", "19.x.x"),
            ("new", None, "2"),
            ("old", "1", None),
        ]
        assert found[0].move == Move(Step.MAJOR, False)

    def test_the_lock_alone_may_differ(self) -> None:
        (found,) = compare_dependencies([self.REDIS], [self.REDIS], {"redis": "18.1.0"}, {"redis": "18.2.0"})
        assert found.by_lock
        assert found.move == Move(Step.MINOR, False)

    def test_what_else_differs_is_told_by_field(self) -> None:
        (found,) = compare_dependencies([self.REDIS], [{**self.REDIS, "condition": "redis.enabled"}], {}, {})
        assert [(field.field, field.old, field.new) for field in found.fields] == [("condition", "", "redis.enabled")]

    def test_an_alias_makes_it_another(self) -> None:
        found = compare_dependencies([self.REDIS], [{**self.REDIS, "alias": "cache"}], {}, {})
        assert [each.name for each in found] == ["redis (cache)", "redis"]
