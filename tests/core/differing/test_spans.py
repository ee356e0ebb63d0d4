"""Where two sequences differ, and how long one looks for it."""

import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartrepo.core.differing.spans import Effort, Span, spans

PLENTY: Final = 10_000_000
FEW_KINDS: Final = st.lists(st.sampled_from("abcd"), max_size=40)
MANY_KINDS: Final = st.lists(st.integers(0, 60), max_size=40)


def applied(old: Sequence[object], new: Sequence[object], found: list[Span]) -> list[object]:
    """What becomes of `old` where only the spans are taken from `new`."""
    made: list[object] = []
    at = 0
    for span in found:
        made += [*old[at : span.old_from], *new[span.new_from : span.new_to]]
        at = span.old_to
    return [*made, *old[at:]]


def difference(old: Sequence[object], new: Sequence[object], steps: int = PLENTY) -> list[Span]:
    return spans(list(old), list(new), Effort(steps))  # type: ignore[arg-type] # all of them can be hashed


@given(FEW_KINDS, FEW_KINDS)
def test_what_differs_makes_the_new_of_the_old(old: list[str], new: list[str]) -> None:
    assert applied(old, new, difference(old, new)) == new


@given(MANY_KINDS, MANY_KINDS, st.integers(0, 300))
def test_it_does_so_however_little_may_be_spent(old: list[int], new: list[int], steps: int) -> None:
    assert applied(old, new, difference(old, new, steps)) == new


@given(FEW_KINDS, FEW_KINDS)
def test_spans_are_in_order_and_do_not_touch(old: list[str], new: list[str]) -> None:
    found = difference(old, new)
    for before, after in pairwise(found):
        assert before.old_to < after.old_from
        assert before.new_to < after.new_from
    assert all(span.old_to > span.old_from or span.new_to > span.new_from for span in found)


@given(FEW_KINDS)
def test_the_same_differs_nowhere(items: list[str]) -> None:
    assert difference(items, items) == []


@given(FEW_KINDS, FEW_KINDS)
def test_what_is_between_the_spans_is_the_same(old: list[str], new: list[str]) -> None:
    found = difference(old, new)
    assert applied(new, old, [Span(*span[2:], *span[:2]) for span in found]) == old


def longest(old: Sequence[object], new: Sequence[object]) -> int:
    """The length of a longest common subsequence, by the book."""
    row = [0] * (len(new) + 1)
    for item in old:
        last = 0
        for place, other in enumerate(new, 1):
            last, row[place] = row[place], last + 1 if item == other else max(row[place], row[place - 1])
    return row[-1]


@given(st.lists(st.sampled_from("ab"), max_size=25), st.lists(st.sampled_from("ab"), max_size=25))
def test_where_every_item_is_there_often_nothing_shorter_is_to_be_found(old: list[str], new: list[str]) -> None:
    doubled_old, doubled_new = [*"abab", *old], ["b", "b", "a", "a", *new]
    kept = len(doubled_old) - sum(span.old_to - span.old_from for span in difference(doubled_old, doubled_new))
    assert kept == longest(doubled_old, doubled_new)


def test_one_line_put_in_is_one_span() -> None:
    assert difference("abcdef", "abcXdef") == [Span(3, 3, 3, 4)]


def test_a_block_that_moved_keeps_what_is_around_it() -> None:
    old = [*"abcdefgh", *"12345", *"ijklmnop"]
    new = [*"abcd", *"12345", *"efghijklmnop"]
    kept = len(old) - sum(span.old_to - span.old_from for span in difference(old, new))
    assert kept >= len(old) - 5


class TestHowMuchIsSpent:
    """Steps are counted, for a clock would tell more of the machine than of the code."""

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            pytest.param(
                [random.Random(1).random() for _ in range(40_000)], list(range(40_000)), id="nothing in common"
            ),
            pytest.param(["a", "b"] * 20_000, ["b", "a", "a"] * 13_000, id="repeated"),
            pytest.param(
                [random.Random(2).choice("ab") for _ in range(40_000)],
                [random.Random(3).choice("ab") for _ in range(40_000)],
                id="random, of two kinds",
            ),
            pytest.param(list(range(40_000)), list(range(40_000))[::-1], id="turned round"),
            pytest.param([n // 2 for n in range(40_000)], [n // 2 for n in range(40_000)][::-1], id="pairs, turned"),
        ],
    )
    def test_the_worst_that_can_be_written_ends_when_the_effort_does(
        self, old: list[object], new: list[object]
    ) -> None:
        effort = Effort(400_000)
        found = spans(old, new, effort)  # type: ignore[arg-type] # all of them can be hashed
        assert effort.spent <= 400_000
        assert applied(old, new, found) == new

    def test_what_is_easy_is_found_though_it_is_long(self) -> None:
        old = [f"line {number}" for number in range(50_000)]
        new = [*old[:10_000], "another", *old[10_001:40_000], *old[40_005:]]
        effort = Effort(400_000)
        assert spans(old, new, effort) == [Span(10_000, 10_001, 10_000, 10_001), Span(40_000, 40_005, 40_000, 40_000)]

    def test_an_effort_is_shared(self) -> None:
        effort = Effort(1_000)
        spans("ab" * 100, "ba" * 150, effort)
        assert effort.left < 600
        assert not effort.spend(1_000)
        assert effort.left == 0
