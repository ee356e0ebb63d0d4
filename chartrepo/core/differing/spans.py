"""Where two sequences differ, found in bounded time.

Lines that both have once hold the two together (that is Bram Cohen's patience diff); what lies between them is compared
by Myers's algorithm ("An O(ND) Difference Algorithm and Its Variations", 1986). Each has inputs that take it quadratic
time, so steps are counted: when they are used up, what is left counts as different from end to end. That is coarse and
never wrong.
"""

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple


class Span(NamedTuple):
    """What differs: `old[old_from:old_to]` became `new[new_from:new_to]`. One of the two may be empty, never both."""

    old_from: int
    old_to: int
    new_from: int
    new_to: int


class Effort:
    """How many steps may still be taken. One effort can be shared by many comparisons.

    Args:
        steps: how many; each takes about a tenth of a microsecond to a microsecond.

    Attributes:
        left: steps that are left.
        spent: steps that were taken.
    """

    __slots__ = ("left", "spent")

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.spent = 0

    def spend(self, steps: int) -> bool:
        """Take some steps; return whether there were as many. Where there were not, none are left."""
        if steps > self.left:
            self.left = 0
            return False
        self.left -= steps
        self.spent += steps
        return True


class _Block(NamedTuple):
    """A part of both sequences that is still to be compared."""

    old_from: int
    old_to: int
    new_from: int
    new_to: int

    @property
    def size(self) -> int:
        return self.old_to - self.old_from + self.new_to - self.new_from


_FEW: Final = 3
"""Of so few items on a side, nothing is lost by not looking for what holds them together."""


def spans(old: Sequence[Hashable], new: Sequence[Hashable], effort: Effort) -> list[Span]:
    """Return what differs between two sequences, in order; what lies between the spans is the same in both.

    Args:
        old: the one.
        new: the other.
        effort: how much may be spent on it; a look at each item is always taken.
    """
    numbers: dict[Hashable, int] = {}
    left = [numbers.setdefault(item, len(numbers)) for item in old]
    right = [numbers.setdefault(item, len(numbers)) for item in new]
    effort.spend(len(left) + len(right))
    found: list[Span] = []
    blocks = [_Block(0, len(left), 0, len(right))]
    while blocks:
        block = _trimmed(left, right, blocks.pop())
        if block.old_from == block.old_to or block.new_from == block.new_to:
            if block.size:
                _add(found, block)
            continue
        pieces = _by_lines_that_are_there_once(left, right, block, effort)
        if pieces is None:
            for each in _by_shortest_script(left, right, block, effort):
                _add(found, each)
        else:
            blocks.extend(reversed(pieces))
    return found


def _add(found: list[Span], block: Iterable[int]) -> None:
    span = Span(*block)
    if found and found[-1].old_to == span.old_from and found[-1].new_to == span.new_from:
        span = Span(found[-1].old_from, span.old_to, found[-1].new_from, span.new_to)
        found.pop()
    found.append(span)


def _trimmed(left: list[int], right: list[int], block: _Block) -> _Block:
    """Return what is left of a block without what both begin and end with."""
    old_from, old_to, new_from, new_to = block
    while old_from < old_to and new_from < new_to and left[old_from] == right[new_from]:
        old_from += 1
        new_from += 1
    while old_from < old_to and new_from < new_to and left[old_to - 1] == right[new_to - 1]:
        old_to -= 1
        new_to -= 1
    return _Block(old_from, old_to, new_from, new_to)


def _by_lines_that_are_there_once(
    left: list[int], right: list[int], block: _Block, effort: Effort
) -> list[_Block] | None:
    """Return the parts of a block between items that both sides have once; None where there are no such items."""
    if min(block.old_to - block.old_from, block.new_to - block.new_from) <= _FEW or not effort.spend(block.size):
        return None
    once_old = _once(left, block.old_from, block.old_to)
    once_new = _once(right, block.new_from, block.new_to)
    pairs = [(place, once_new[item]) for item, place in once_old.items() if once_new.get(item, -1) >= 0 <= place]
    if not pairs:
        return None
    pieces = []
    old_from, new_from = block.old_from, block.new_from
    for old_at, new_at in _longest_rising(pairs):
        if old_at > old_from or new_at > new_from:
            pieces.append(_Block(old_from, old_at, new_from, new_at))
        old_from, new_from = old_at + 1, new_at + 1
    pieces.append(_Block(old_from, block.old_to, new_from, block.new_to))
    return pieces


def _once(items: list[int], begin: int, end: int) -> dict[int, int]:
    """Return where each item is, in the order of their first places; -1 for one that is there twice."""
    places: dict[int, int] = {}
    for place in range(begin, end):
        item = items[place]
        places[item] = -1 if item in places else place
    return places


def _longest_rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest run of pairs whose second numbers rise as their first ones do, which are in order."""
    tails: list[int] = []  # the least second number that a run of this length ends with
    ends: list[int] = []  # ... and which pair that is
    before: list[int] = []  # for each pair, the one before it in its run
    for number, (_, new_at) in enumerate(pairs):
        length = bisect_left(tails, new_at)
        before.append(ends[length - 1] if length else -1)
        if length == len(tails):
            tails.append(new_at)
            ends.append(number)
        else:
            tails[length] = new_at
            ends[length] = number
    run = []
    at = ends[-1]
    while at >= 0:
        run.append(pairs[at])
        at = before[at]
    return run[::-1]


def _by_shortest_script(left: list[int], right: list[int], block: _Block, effort: Effort) -> Iterator[Span]:
    """Give what differs in a block by Myers's algorithm; the whole block where that takes too long."""
    there = set(left[block.old_from : block.old_to]) & set(right[block.new_from : block.new_to])
    # What only one side has is different anyhow; without it the rest is found in fewer steps.
    old_places = [place for place in range(block.old_from, block.old_to) if left[place] in there]
    new_places = [place for place in range(block.new_from, block.new_to) if right[place] in there]
    same = _common([left[place] for place in old_places], [right[place] for place in new_places], effort)
    old_from, new_from = block.old_from, block.new_from
    for old_index, new_index in same:
        old_at, new_at = old_places[old_index], new_places[new_index]
        if old_at > old_from or new_at > new_from:
            yield Span(old_from, old_at, new_from, new_at)
        old_from, new_from = old_at + 1, new_at + 1
    if old_from < block.old_to or new_from < block.new_to:
        yield Span(old_from, block.old_to, new_from, block.new_to)


def _common(old: list[int], new: list[int], effort: Effort) -> list[tuple[int, int]]:
    """Return the places of a longest common subsequence, in order; none where the effort does not suffice."""
    trace: list[list[int]] = []
    for changes in range(len(old) + len(new) + 1):
        before = trace[-1] if trace else []
        # How far each diagonal is followed with this many changes, diagonal k at k + changes + 1; -1 for what is not.
        row = [-1] * (2 * changes + 4)
        steps = 2 * changes + 4
        for diagonal in range(-changes, changes + 1, 2):
            begin = x = _next(before, diagonal + changes) if changes else 0
            while x < len(old) and x - diagonal < len(new) and old[x] == new[x - diagonal]:
                x += 1
            steps += x - begin
            row[diagonal + changes + 1] = x
            if x >= len(old) and x - diagonal >= len(new):
                return _path(old, new, [*trace, row])
        if not effort.spend(steps):
            break
        trace.append(row)
    return []


def _next(before: list[int], middle: int) -> int:
    """Return how far one gets with one change more: down from the diagonal above, or to the right from that below."""
    below, above = before[middle - 1], before[middle + 1]
    return above if below < above else below + 1


def _path(old: list[int], new: list[int], trace: list[list[int]]) -> list[tuple[int, int]]:
    """Return the pairs on the way that Myers's algorithm took, going back from its end."""
    pairs = []
    x, diagonal = len(old), len(old) - len(new)
    for changes in range(len(trace) - 1, 0, -1):
        before, middle = trace[changes - 1], diagonal + changes
        begin = _next(before, middle)
        pairs += [(place, place - diagonal) for place in range(x - 1, begin - 1, -1)]
        down = before[middle - 1] < before[middle + 1]
        x = begin if down else begin - 1
        diagonal += 1 if down else -1
    pairs += [(place, place) for place in range(x - 1, -1, -1)]
    return pairs[::-1]
