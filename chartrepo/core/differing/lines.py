"""Two texts line by line, and inside lines that changed word by word."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Final, NamedTuple

from chartrepo.core.differing.spans import Effort, Span, spans

MOST_LINES: Final = 50_000
"""Of a text that is compared line by line."""
CONTEXT: Final = 3
"""Lines around what differs that are shown."""
_MOST_PAIRS: Final = 900
"""Pairs of lines that are tried where a block became one of another length."""
_LONGEST_LINE: Final = 1_000
"""Characters of a line whose words are compared."""
_WORD: Final = re.compile(r"\w+|\s+|[^\w\s]")
_ALIKE: Final = 0.35
"""How much of two lines has to be the same for their words to be compared: else all of them are marked, which tells
nothing."""


class Line(NamedTuple):
    """A line of one of two texts.

    Attributes:
        number: from 1.
        text: without its end.
        marks: from where to where in the text it is not as in the line beside it; none where nothing is beside it.
    """

    number: int
    text: str
    marks: tuple[tuple[int, int], ...] = ()


class Row(NamedTuple):
    """What stands side by side.

    Attributes:
        old: a line of the one text; None where there is none beside that of the other.
        new: a line of the other text.
        same: whether nothing differs here.
    """

    old: Line | None
    new: Line | None
    same: bool


class Part(NamedTuple):
    """A run of lines.

    Attributes:
        old_from: index of its first line in the one text.
        old_to: index behind its last one there.
        new_from: the same in the other text.
        new_to: the same.
        folded: whether it is far from all that differs.
        spans: what differs in it, in order.
    """

    old_from: int
    old_to: int
    new_from: int
    new_to: int
    folded: bool
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class LineDifference:
    """What differs between two texts.

    Attributes:
        old: lines of the one, with their ends.
        new: lines of the other.
        spans: where they differ.
        complete: whether it was found in the time there was; where not, some of what is told to differ may be the same.
    """

    old: Sequence[str]
    new: Sequence[str]
    spans: Sequence[Span]
    complete: bool

    @property
    def removed(self) -> int:
        """How many lines went."""
        return sum(span.old_to - span.old_from for span in self.spans)

    @property
    def added(self) -> int:
        """How many lines came."""
        return sum(span.new_to - span.new_from for span in self.spans)

    def parts(self, context: int = CONTEXT) -> Iterator[Part]:
        """Give both texts to their ends: what differs with some lines around it, and between that what is folded."""
        old_at = new_at = 0
        waiting: list[Span] = []
        for span in self.spans:
            if waiting and span.old_from - waiting[-1].old_to > 2 * context:
                yield self._shown(waiting, context)
                old_at, new_at = self._end(waiting, context)
                waiting = []
            if not waiting:
                begin = max(old_at, span.old_from - context)
                if begin > old_at:
                    yield Part(old_at, begin, new_at, new_at + begin - old_at, True, ())  # noqa: FBT003 - a field
            waiting.append(span)
        if waiting:
            yield self._shown(waiting, context)
            old_at, new_at = self._end(waiting, context)
        if old_at < len(self.old):
            yield Part(old_at, len(self.old), new_at, len(self.new), True, ())  # noqa: FBT003 - a field

    def _shown(self, found: Sequence[Span], context: int) -> Part:
        before = min(context, found[0].old_from)
        end = self._end(found, context)
        return Part(found[0].old_from - before, end[0], found[0].new_from - before, end[1], False, tuple(found))  # noqa: FBT003 - a field

    def _end(self, found: Sequence[Span], context: int) -> tuple[int, int]:
        after = min(context, len(self.old) - found[-1].old_to)
        return found[-1].old_to + after, found[-1].new_to + after

    def rows(self, part: Part, effort: Effort) -> Iterator[Row]:
        """Give what stands side by side in a part; the effort is for what is told of words."""
        old_at, new_at = part.old_from, part.new_from
        for span in part.spans:
            yield from self._same(old_at, span.old_from, new_at)
            yield from self._differing(span, effort)
            old_at, new_at = span.old_to, span.new_to
        yield from self._same(old_at, part.old_to, new_at)

    def _same(self, begin: int, end: int, new_begin: int) -> Iterator[Row]:
        for place in range(begin, end):
            other = new_begin + place - begin
            yield Row(Line(place + 1, _bare(self.old[place])), Line(other + 1, _bare(self.new[other])), True)  # noqa: FBT003 - a field

    def _differing(self, span: Span, effort: Effort) -> Iterator[Row]:
        for old_at, new_at in _side_by_side(self.old, self.new, span, effort):
            before = Line(old_at + 1, _bare(self.old[old_at])) if old_at is not None else None
            after = Line(new_at + 1, _bare(self.new[new_at])) if new_at is not None else None
            if before is not None and after is not None:
                marks = word_marks(before.text, after.text, effort)
                before, after = before._replace(marks=marks[0]), after._replace(marks=marks[1])
            yield Row(before, after, False)  # noqa: FBT003 - a field


def compare_lines(old: str, new: str, effort: Effort, *, ignore_space: bool = False) -> LineDifference | None:
    """Compare two texts; None where one of them has too many lines.

    Args:
        old: the one.
        new: the other.
        effort: how much may be spent on it.
        ignore_space: whether lines that differ in nothing but white space are the same.
    """
    if max(old.count("\n"), new.count("\n")) >= MOST_LINES:
        return None
    before, after = _lines(old), _lines(new)
    looked_at: Callable[[str], str] = _without_space if ignore_space else str
    found = spans([looked_at(line) for line in before], [looked_at(line) for line in after], effort)
    return LineDifference(before, after, found, complete=effort.left > 0)


def _lines(text: str) -> list[str]:
    """Return lines with their ends; nothing but a line feed ends one, whatever Unicode has besides."""
    return list(StringIO(text, newline="\n"))


def _without_space(line: str) -> str:
    return "".join(line.split())


def _bare(line: str) -> str:
    return line.removesuffix("\n").removesuffix("\r")


def _side_by_side(
    old: Sequence[str], new: Sequence[str], span: Span, effort: Effort
) -> list[tuple[int | None, int | None]]:
    """Return which lines of a span stand beside each other: one after the other, or those that are most alike."""
    olds, news = range(span.old_from, span.old_to), range(span.new_from, span.new_to)
    if len(olds) == len(news) or not olds or not news or len(olds) * len(news) > _MOST_PAIRS:
        longer = max(len(olds), len(news))
        return [
            (olds[place] if place < len(olds) else None, news[place] if place < len(news) else None)
            for place in range(longer)
        ]
    if not effort.spend(10 * len(olds) * len(news)):
        return [*((place, None) for place in olds), *((None, place) for place in news)]
    return _most_alike([_words(old[place]) for place in olds], [_words(new[place]) for place in news], span)


def _words(line: str) -> Counter[str]:
    return Counter(word for word in _WORD.findall(line[:_LONGEST_LINE]) if not word.isspace())


def _most_alike(
    olds: Sequence[Counter[str]], news: Sequence[Counter[str]], span: Span
) -> list[tuple[int | None, int | None]]:
    best = [[0.0] * (len(news) + 1) for _ in range(len(olds) + 1)]
    likes = [[_likeness(one, other) for other in news] for one in olds]
    for row in range(len(olds) - 1, -1, -1):
        for column in range(len(news) - 1, -1, -1):
            best[row][column] = max(
                best[row + 1][column], best[row][column + 1], likes[row][column] + best[row + 1][column + 1]
            )
    found: list[tuple[int | None, int | None]] = []
    row = column = 0
    while row < len(olds) or column < len(news):
        old_at, new_at = span.old_from + row, span.new_from + column
        here = best[row][column]
        if (
            row < len(olds)
            and column < len(news)
            and likes[row][column]
            and (here == likes[row][column] + best[row + 1][column + 1])
        ):
            found.append((old_at, new_at))
            row, column = row + 1, column + 1
        elif row < len(olds) and (column == len(news) or here == best[row + 1][column]):
            found.append((old_at, None))
            row += 1
        else:
            found.append((None, new_at))
            column += 1
    return found


def _likeness(one: Counter[str], other: Counter[str]) -> float:
    """Return how much two lines have in common, from 0 to 1; 0 where it is too little to compare them."""
    together = one.total() + other.total()
    found = 2 * (one & other).total() / together if together else 0.0
    return found if found >= _ALIKE else 0.0


Marks = tuple[tuple[int, int], ...]


def word_marks(old: str, new: str, effort: Effort) -> tuple[Marks, Marks]:
    """Return where two lines differ, from where to where in each; nothing where they have too little in common."""
    if max(len(old), len(new)) > _LONGEST_LINE:
        return _ends_marks(old, new, effort)
    before, after = _WORD.findall(old), _WORD.findall(new)
    if not effort.spend(10 * (len(before) + len(after))):
        return (), ()
    found = spans(before, after, effort)
    same = sum(map(len, before)) - sum(len(word) for each in found for word in before[each.old_from : each.old_to])
    if 2 * same < _ALIKE * (len(old) + len(new)):
        return (), ()
    return (
        _places(before, [(each.old_from, each.old_to) for each in found]),
        _places(after, [(each.new_from, each.new_to) for each in found]),
    )


def _ends_marks(old: str, new: str, effort: Effort) -> tuple[Marks, Marks]:
    """Return the same for long lines: from where they begin to differ to where they cease to, and nothing between."""
    least = min(len(old), len(new))
    if not effort.spend(least // 50):
        return (), ()
    begin = _most(least, lambda size: old[:size] == new[:size])
    end = _most(least - begin, lambda size: old[len(old) - size :] == new[len(new) - size :])
    if begin + end < _ALIKE * least:
        return (), ()
    marks = [((begin, len(text) - end),) if begin < len(text) - end else () for text in (old, new)]
    return marks[0], marks[1]


def _most(limit: int, holds: Callable[[int], bool]) -> int:
    """Return the largest number up to a limit for which something holds; it does for all below that."""
    least = 0
    while least < limit:
        middle = (least + limit + 1) // 2
        if holds(middle):
            least = middle
        else:
            limit = middle - 1
    return least


def _places(words: Sequence[str], found: Sequence[tuple[int, int]]) -> Marks:
    """Return from which character to which some words are; what only blanks part is one."""
    begins = [0]
    for word in words:
        begins.append(begins[-1] + len(word))
    places: list[tuple[int, int]] = []
    last = 0
    for begin, end in found:
        if begin == end:
            continue
        if places and all(word.isspace() for word in words[last:begin]):
            places[-1] = (places[-1][0], begins[end])
        else:
            places.append((begins[begin], begins[end]))
        last = end
    return tuple(places)
