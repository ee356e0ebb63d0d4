"""Two texts line by line, and their lines word by word."""

import random
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartrepo.core.differing.document import hunk_lines
from chartrepo.core.differing.lines import MOST_LINES, LineDifference, Row, compare_lines, word_marks
from chartrepo.core.differing.spans import Effort

TEXTS: Final = st.lists(
    st.sampled_from(["a\n", "b\n", "  a\n", "c: 1\n", "c: 2\r\n", "\n", "x\x85y\u2028z\n", "end"]), max_size=30
).map("".join)


def difference(old: str, new: str, *, ignore_space: bool = False, steps: int = 1_000_000) -> LineDifference:
    found = compare_lines(old, new, Effort(steps), ignore_space=ignore_space)
    assert found is not None
    return found


def rows(old: str, new: str, *, ignore_space: bool = False) -> list[Row]:
    found = difference(old, new, ignore_space=ignore_space)
    return [row for part in found.parts() for row in found.rows(part, Effort(1_000_000))]


@given(TEXTS, TEXTS)
def test_hunks_applied_to_the_old_text_give_the_new_one(old: str, new: str) -> None:
    found = difference(old, new)
    lines: list[str] = []
    for part in found.parts():
        taken = hunk_lines(found, part)
        lines += [line[1:] for line in taken if not line.startswith("-")]
    assert "".join(lines) == new
    back = [line[1:] for part in found.parts() for line in hunk_lines(found, part) if not line.startswith("+")]
    assert "".join(back) == old


@given(TEXTS, TEXTS)
def test_parts_follow_each_other_from_the_first_line_to_the_last(old: str, new: str) -> None:
    found = difference(old, new)
    parts = list(found.parts())
    for before, after in pairwise(parts):
        assert (before.old_to, before.new_to) == (after.old_from, after.new_from)
    if parts:
        assert (parts[0].old_from, parts[0].new_from) == (0, 0)
        assert (parts[-1].old_to, parts[-1].new_to) == (len(found.old), len(found.new))


@given(TEXTS, TEXTS, st.booleans())
def test_every_line_of_both_is_in_one_row(old: str, new: str, ignore_space: bool) -> None:
    found = rows(old, new, ignore_space=ignore_space)
    texts = difference(old, new)
    assert [row.old.number for row in found if row.old] == list(range(1, len(texts.old) + 1))
    assert [row.new.number for row in found if row.new] == list(range(1, len(texts.new) + 1))


def test_only_a_line_feed_ends_a_line() -> None:
    assert len(difference("a\x0bb\u2028c\x85d\n", "").old) == 1


def test_the_end_of_the_last_line_counts() -> None:
    found = difference("a\nb", "a\nb\n")
    assert (found.removed, found.added) == (1, 1)


def test_what_is_far_from_all_that_differs_is_folded() -> None:
    old = "".join(f"line {number}\n" for number in range(100))
    new = old.replace("line 50\n", "another\n")
    parts = list(difference(old, new).parts())
    assert [(part.old_from, part.old_to, part.folded) for part in parts] == [
        (0, 47, True),
        (47, 54, False),
        (54, 100, True),
    ]


class TestWhiteSpace:
    def test_hidden_it_makes_no_difference(self) -> None:
        old, new = "a:\n  b: 1\nc\n", "a:\n    b:  1 \nc\n"
        assert difference(old, new).removed == 1
        assert difference(old, new, ignore_space=True).spans == []

    def test_hidden_each_side_still_shows_its_own(self) -> None:
        (_, row, _) = rows("a\n  b\nc\n", "a\n    b\nc\n", ignore_space=True)
        assert row.same
        assert row.old is not None
        assert row.new is not None
        assert (row.old.text, row.new.text) == ("  b", "    b")


class TestWords:
    def test_what_changed_in_a_line_is_marked_on_both_sides(self) -> None:
        old, new = "  image: nginx:1.25 # ours", "  image: nginx:1.27 # ours"
        assert word_marks(old, new, Effort(10_000)) == (((17, 19),), ((17, 19),))

    def test_lines_with_little_in_common_have_no_marks(self) -> None:
        assert word_marks("one two three", "4 5 6 7 8", Effort(10_000)) == ((), ())

    def test_of_very_long_lines_the_first_and_the_last_difference_are_marked(self) -> None:
        old, new = "a" * 2_000 + "12" + "b" * 2_000, "a" * 2_000 + "3" + "b" * 2_000
        assert word_marks(old, new, Effort(10**7)) == (((2_000, 2_002),), ((2_000, 2_001),))
        assert word_marks("a " * 600, "b" * 1_200, Effort(10**7)) == ((), ())

    @given(st.text(max_size=60), st.text(max_size=60))
    def test_without_its_marks_a_line_is_as_the_other_but_for_blanks(self, old: str, new: str) -> None:
        before, after = word_marks(old, new, Effort(10_000))
        if not before and not after:
            return

        def bare(text: str, marks: tuple[tuple[int, int], ...]) -> str:
            kept, at = "", 0
            for begin, end in marks:
                kept += text[at:begin]
                at = end
            return "".join((kept + text[at:]).split())

        assert bare(old, before) == bare(new, after)

    def test_the_line_that_is_most_alike_stands_beside(self) -> None:
        found = rows("image: nginx:1.25\n", "# pinned\n# by us\nimage: nginx:1.27\n")
        assert [(row.old and row.old.number, row.new and row.new.number) for row in found] == [
            (None, 1),
            (None, 2),
            (1, 3),
        ]


class TestHowMuchIsSpent:
    @pytest.mark.parametrize(
        ("old", "new"),
        [
            pytest.param(
                "".join(f"{random.Random(1).random()}{n}\n" for n in range(40_000)),
                "".join(f"{random.Random(2).random()}{n}\n" for n in range(40_000)),
                id="random",
            ),
            pytest.param("ab\ncd\n" * 20_000, "cd\nab\nab\n" * 15_000, id="repeated"),
        ],
    )
    def test_files_of_a_mebibyte_cost_no_more_than_the_effort(self, old: str, new: str) -> None:
        effort = Effort(400_000)
        found = compare_lines(old, new, effort)
        assert found is not None
        assert effort.spent <= 400_000

    def test_what_could_not_be_looked_at_to_its_end_is_told(self) -> None:
        assert not difference("ab\ncd\n" * 2_000, "cd\nab\nab\n" * 1_500, steps=50_000).complete

    def test_more_lines_than_anybody_reads_are_not_compared(self) -> None:
        assert compare_lines("\n" * MOST_LINES, "", Effort(1)) is None

    def test_words_cost_too(self) -> None:
        effort = Effort(100)
        assert word_marks("a " * 100, "b " * 100, effort) == ((), ())
        assert effort.left == 0
