"""Patterns over the paths of charts, `<repository>/<chart>`; a chart of the root repository has just its name.

A pattern has parts divided by `/`. In a part `*` stands for any run of characters, also for none; a part that is `**`
stands for any number of parts, also for none, so that `**/web` is a chart of any repository. Everything else stands for
itself. A path ends in a chart, and so does what a pattern matches: `team/**` is all below `team`, and no chart `team`.

Names come from the network, so no pattern may take long over one. Each is read part by part, and what is kept is only
the set of places in the pattern that can be reached, so that there is nothing to go back to.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from chartrepo.core.errors import PermissionsInvalid
from chartrepo.core.messages import shown
from chartrepo.core.names import RESERVED_FIRST_SEGMENTS, is_part

MAX_LENGTH: Final = 256
"""In characters."""
MAX_DEEP: Final = 3
"""How many parts of a pattern may be `**`."""

DEEP: Final = "**"
EVERYTHING: Final = "**/*"
"""The `Pattern.canonical` of what matches every path."""

_ANY: Final = "*"
_LETTER: Final = "\0"
"""A character that no pattern has: where it matches, only a `*` can have matched it, and so would all others."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a pattern has between two `/`.

    Attributes:
        text: as it is written.
        pieces: what stands before, between and behind each `*`.
    """

    text: str
    pieces: tuple[str, ...]

    def matches(self, name: str) -> bool:
        """Return whether this stands for one part of a path. A `**` does so for each, as `*` does."""
        first, *others = self.pieces
        if not others:
            return name == first
        *middle, last = others
        at, end = len(first), len(name) - len(last)
        if at > end or not (name.startswith(first) and name.endswith(last)):
            return False
        for piece in middle:
            # The first place is as good as any: what is left for the others is longest then.
            found = name.find(piece, at, end)
            if found < 0:
                return False
            at = found + len(piece)
        return True


@dataclass(frozen=True, slots=True)
class Pattern:
    """Which charts of which repositories.

    Attributes:
        text: as it was written.
        parts: of it, in a form in which the last stands for the chart: `**` at the end is `**` and `*`, and of several
            in a row one is left.
        deep: which of them are `**`: bit 2 is set where the third is.
    """

    text: str
    parts: tuple[Part, ...] = field(compare=False, repr=False)
    deep: int = field(compare=False, repr=False)

    @classmethod
    def parse(cls, text: str) -> "Pattern":
        """Read a pattern.

        Raises:
            PermissionsInvalid: it is none.
        """
        problems = [f"{shown(text)} {problem}" for problem in _problems(text)]
        if problems:
            raise PermissionsInvalid(*problems)
        parts = tuple(Part(part, tuple(part.split(_ANY))) for part in _collapsed(text.split("/")))
        return cls(text, parts, sum(1 << place for place, part in enumerate(parts) if part.text == DEEP))

    def __str__(self) -> str:
        return self.text

    @property
    def canonical(self) -> str:
        """A pattern that matches the same, and is the same for some that are written differently."""
        return "/".join(part.text for part in self.parts)

    @property
    def folder(self) -> str | None:
        """The first part of all repositories that it reaches: empty for the root, None where they have various ones."""
        first = self.parts[0].text
        if len(self.parts) == 1:
            return ""
        return None if _ANY in first else first

    def matches(self, repository: str, chart: str) -> bool:
        """Return whether this is for a chart. What can name none, as an empty text or one with a `/`, it is not for."""
        return bool(chart) and "/" not in chart and self.parts[-1].matches(chart) and self.reaches(repository)

    def reaches(self, repository: str) -> bool:
        """Return whether this is for a chart of the repository, if one has the right name."""
        places = self._after(repository.split("/") if repository else ())
        return places >> len(self.parts) - 1 & 1 == 1

    def fills(self, repository: str) -> bool:
        """Return whether this is for all charts of the repository, whatever they are called."""
        return self.parts[-1].text == _ANY and self.reaches(repository)

    def covers(self, other: "Pattern") -> bool:
        """Return whether this matches every path that the other one does."""
        if self.folder not in (None, other.folder):
            return False
        seen = set()
        left = [(0, self._start)]
        while left:
            state = left.pop()
            if state in seen:
                continue
            seen.add(state)
            at, places = state
            if at == len(other.parts):
                if not places >> len(self.parts) & 1:
                    return False
                continue
            part = other.parts[at].text
            if part == DEEP:
                left += [(at + 1, places), (at, self._step(places, _LETTER))]
            else:
                left.append((at + 1, self._step(places, part.replace(_ANY, _LETTER))))
        return True

    def obstacle(self) -> str | None:
        """Tell why no repository can have a name that this reaches; None where one can.

        A chart can be called nearly anything: Helm only wants no `/`, and neither `.` nor `..`.
        """
        folders = [part.text for part in self.parts[:-1]]
        for folder in folders:
            # A letter keeps apart what must not stand side by side, so that no other text in place of `*` does better.
            if not is_part(folder.replace(_ANY, "x")):
                return (
                    f"no repository has a part {shown(folder)}: use letters and digits, with single '.', '_' or '-' "
                    "between them"
                )
        if folders and folders[0] in RESERVED_FIRST_SEGMENTS:
            return f"no repository begins with {shown(folders[0])}, where the server answers itself"
        return None

    def _after(self, names: Iterable[str]) -> int:
        """The places at which one can be after these parts of a path: bit 2 is set where two parts here are behind."""
        places = self._start
        for name in names:
            places = self._step(places, name)
        return places

    @property
    def _start(self) -> int:
        return 1 | (self.deep & 1) << 1

    def _step(self, places: int, name: str) -> int:
        reached = places & self.deep
        for place, part in enumerate(self.parts):
            if places >> place & 1 and part.matches(name):
                reached |= 2 << place
        return reached | (reached & self.deep) << 1  # a `**` that comes next may stand for nothing


def nearest(repository: str, chart: str) -> Pattern:
    """Return the pattern for one chart alone, or the narrowest that can be written.

    Args:
        repository: a name that `check_repository` took.
        chart: may be anything; where no pattern can say it, as of an empty one, all charts of the repository are meant.
    """
    folder = f"{repository}/" if repository else ""
    if "/" not in chart and chart != DEEP:
        with suppress(PermissionsInvalid):
            return Pattern.parse(folder + chart)
    return Pattern.parse(folder + _ANY)


def _problems(text: str) -> Iterator[str]:
    if not text:
        yield "is empty: write '**' for everything"
        return
    if len(text) > MAX_LENGTH:
        yield f"is longer than {MAX_LENGTH} characters: shorten it, with '*' if need be"
    if not text.isprintable():
        yield "has a character that cannot be seen: leave it out"
    parts = text.split("/")
    if "" in parts:
        yield "has an empty part: write one '/' between two parts, and none at either end"
    if "." in parts or ".." in parts:
        yield "has a part '.' or '..', which stands for no folder here: leave it out"
    if any(DEEP in part and part != DEEP for part in parts):
        yield "has '**' beside other characters: give '**' a part of its own, or write '*'"
    if parts.count(DEEP) > MAX_DEEP:
        yield f"has more than {MAX_DEEP} parts '**': leave some out"


def _collapsed(parts: list[str]) -> Iterator[str]:
    before = ""
    for part in parts:
        if not part == before == DEEP:
            yield part
        before = part
    if before == DEEP:
        yield _ANY
