"""What differs between default values, by key path."""

import json
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from chartrepo.core.differing.values import ValueChange, What, compare_values
from chartrepo.core.value_paths import path_of
from chartrepo.core.values_tree import Entry, outline

KEYS: Final = st.sampled_from(["a", "b", "c", "image", "x.y"])
PLAIN: Final = st.one_of(
    st.booleans(), st.none(), st.integers(-3, 300), st.sampled_from(["", "nginx", "a long value", "1", "true"])
)
VALUES: Final = st.dictionaries(
    KEYS,
    st.recursive(
        PLAIN,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
        max_leaves=12,
    ),
    max_size=5,
)


def read(text: str) -> list[Entry]:
    return outline(text.encode())


def differences(old: str, new: str) -> list[ValueChange]:
    return compare_values(read(old), read(new))


def told(old: str, new: str) -> list[tuple[str, str]]:
    return [(change.what.value, change.path) for change in differences(old, new)]


Keys = tuple[str | int, ...]


def leaves(value: Any, keys: Keys = ()) -> dict[Keys, Any]:
    """All values by their keys, of lists too; what is empty counts as a value."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = {path: leaf for key, each in below for path, leaf in leaves(each, (*keys, key)).items()}
    return found or {keys: value}


def keys_by_path(value: Any, keys: Keys = ()) -> dict[str, Keys]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = {path_of(keys): keys}
    for key, each in below:
        found |= keys_by_path(each, (*keys, key))
    return found


def applied(old: Any, new: Any, changes: list[ValueChange]) -> dict[Keys, Any]:
    """What becomes of the leaves of the old values when the changes are made to them."""
    made, places = leaves(old), keys_by_path(old) | keys_by_path(new)

    def drop(root: Keys) -> None:
        for keys in [keys for keys in made if keys[: len(root)] == root]:
            del made[keys]

    gone = {places[change.root] for change in changes if change.what is What.REMOVED}
    gone |= {places[change.moved_root] for change in changes if change.what is What.MOVED}
    for root in gone:
        drop(root)
    for root in sorted(gone, key=len, reverse=True):  # what they were in stays, and where it is empty, it is a leaf
        parent, at = root[:-1], old
        for key in parent:
            at = at[key]
        if not any(keys[: len(parent)] == parent for keys in made):
            made[parent] = type(at)()
    for change in changes:
        if change.new is None or change.what is What.COMMENT:
            continue
        keys = places[change.path]
        drop(keys)
        for length in range(len(keys)):
            made.pop(keys[:length], None)  # it is empty no more
        made |= leaves(change.new.value, keys)
    return made


@settings(deadline=None)
@given(VALUES, VALUES)
def test_the_differences_make_the_new_values_of_the_old(old: dict[str, Any], new: dict[str, Any]) -> None:
    changes = differences(json.dumps(old), json.dumps(new))
    made = applied(old, new, changes)
    assert [*map(repr, sorted(made.items(), key=repr))] == [*map(repr, sorted(leaves(new).items(), key=repr))]


@settings(deadline=None)
@given(VALUES)
def test_the_same_values_do_not_differ(values: dict[str, Any]) -> None:
    assert differences(json.dumps(values), json.dumps(values)) == []


@settings(deadline=None)
@given(VALUES, VALUES)
def test_going_back_turns_each_difference_round(old: dict[str, Any], new: dict[str, Any]) -> None:
    turned = {
        What.ADDED: What.REMOVED,
        What.REMOVED: What.ADDED,
    }
    there = differences(json.dumps(old), json.dumps(new))
    back = differences(json.dumps(new), json.dumps(old))
    assert sorted((turned.get(each.what, each.what).value, each.moved_from or each.path) for each in there) == sorted(
        (each.what.value, each.path) for each in back
    )


def test_each_value_that_came_or_went_is_told_with_what_it_came_in() -> None:
    (first, second) = differences("a: 1\n", "a: 1\nb:\n  c: yes\n  d: {e: x}\n")
    assert (first.path, first.root, first.what) == ("b.c", "b", What.ADDED)
    assert (second.path, second.root) == ("b.d.e", "b")


def test_another_default_and_another_type_are_two_things() -> None:
    assert told("a: 1\nb: 1\nc:\nd: {}\n", "a: 2\nb: '1'\nc: 5\nd: []\n") == [
        ("type", "b"),
        ("type", "d"),
        ("default", "a"),
        ("default", "c"),
    ]


def test_a_number_with_a_fraction_is_a_number_still() -> None:
    assert told("a: 1\n", "a: 1.5\n") == [("default", "a")]


def test_a_list_of_plain_values_is_one_value() -> None:
    (change,) = differences("args: [a, b]\n", "args: [x, a, b]\n")
    assert change.what is What.DEFAULT
    assert change.new is not None
    assert change.new.text == '["x", "a", "b"]'


def test_a_list_of_mappings_is_gone_through_where_its_items_stay_in_their_places() -> None:
    assert told("s: [{k: a, p: 1}, {k: b}]\n", "s: [{k: a, p: 2}, {k: b}]\n") == [("default", "s[0].p")]
    assert told("s: [{p: a}]\n", "s: [{p: a}, {p: b}]\n") == [("added", "s[1].p")]
    assert told("s: [{k: a}]\n", "s: [{k: b}, {k: a}]\n") == [("default", "s")]


class TestMoved:
    def test_what_went_here_and_came_there_has_moved(self) -> None:
        old = "master:\n  resources: {limits: {cpu: 1}, requests: {cpu: 2}}\n  port: 6379\n"
        new = "primary:\n  resources: {limits: {cpu: 1}, requests: {cpu: 2}}\n  port: 6380\n"
        changes = differences(old, new)
        assert [(each.what.value, each.moved_from, each.path, each.values) for each in changes] == [
            ("removed", "", "master.port", 1),
            ("moved", "master.resources", "primary.resources", 2),
            ("added", "", "primary.port", 1),
        ]

    def test_a_value_under_its_own_name_elsewhere_has_moved(self) -> None:
        (change,) = differences("replicaCount: 3\n", "controller: {replicaCount: 3}\n")
        assert (change.what, change.moved_from, change.path) == (What.MOVED, "replicaCount", "controller.replicaCount")

    def test_a_long_value_under_another_name_in_its_place_was_renamed(self) -> None:
        assert told("imagge: docker.io/nginx\n", "image: docker.io/nginx\n") == [("moved", "image")]

    def test_what_is_everywhere_has_not_moved(self) -> None:
        assert told("a: {enabled: false}\n", "b: {enabled: false}\n") == [
            ("removed", "a.enabled"),
            ("added", "b.enabled"),
        ]

    def test_what_came_twice_has_not_moved(self) -> None:
        assert told("a: {p: 1, q: 2}\n", "b: {p: 1, q: 2}\nc: {p: 1, q: 2}\n")[0] == ("removed", "a.p")


class TestComments:
    def test_a_comment_that_changed_is_told_beside_a_value_that_did_not(self) -> None:
        (change,) = differences("# -- how many\na: 1\n", "# -- how many there are\na: 1\n")
        assert change.what is What.COMMENT
        assert change.old is not None
        assert change.new is not None
        assert (change.old.comment, change.new.comment) == ("how many", "how many there are")

    def test_where_its_lines_end_means_nothing(self) -> None:
        assert differences("# how many\n# there are\na: 1\n", "# how many there are\na: 1\n") == []

    def test_a_value_that_changed_tells_whether_its_comment_did(self) -> None:
        (change,) = differences("# one\na: 1\n", "# two\na: 2\n")
        assert change.what is What.DEFAULT
        assert change.also_said
