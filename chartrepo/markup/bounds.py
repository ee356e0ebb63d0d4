"""How much there may be of everything in a text, and what is known of it while it is made into HTML."""

import re
import time
from collections.abc import Callable
from typing import Any, Final

LARGEST: Final = 512 * 1024
"""Characters of a text that is parsed."""
MOST_LINES: Final = 20_000
"""Lines of a text that is parsed."""
MOST_TOKENS: Final = 80_000
_MOST_TAGS: Final = 8_000
_MOST_OPEN: Final = 300
"""Tags of HTML that are open at a time."""
_MOST_HIGHLIGHTED: Final = 48 * 1024
"""Characters of code that are highlighted."""
_MOST_SECONDS: Final = 0.5
"""Of the processor. Nothing that people write comes near."""
_LOOKS: Final = 1_000
"""Characters that are parsed between two looks at the clock."""
A_BLOCK: Final = 100
"""Characters that a block counts for, whatever is in it."""
_LONGEST_ANCHOR: Final = 100
_DEEPEST_HEADING: Final = 6

_KEY: Final = "page"


class TooMuchError(Exception):
    """A text that is larger, deeper or slower to parse than a page may be."""


class Progress:
    """One text while it is made into HTML.

    Args:
        is_own: tells of the address of a picture whether it is one that the page may show.
        below: the level of the heading on the page that the text's own headings are below.

    Attributes:
        is_own: the same.
        links: how many are open.
        anchor: of the heading that is open.
    """

    def __init__(self, is_own: Callable[[str], bool], below: int) -> None:
        self.is_own = is_own
        self.links = 0
        self.anchor = ""
        self._below = below
        self._headings: list[int] = []
        self._anchors: dict[str, int] = {}
        self._tokens = 0
        self._tags = 0
        self._open: dict[str, int] = {}
        self._highlighted = 0
        self._since = 0
        self._until = time.thread_time() + _MOST_SECONDS

    def in_env(self) -> dict[str, Any]:
        """Return the environment in which the parser carries this along."""
        return {_KEY: self}

    def spend(self, *, tokens: int = 0, characters: int = A_BLOCK) -> None:
        """Count what was parsed, and look at the clock now and then.

        Raises:
            TooMuchError: it is enough.
        """
        self._tokens += tokens
        self._since += characters
        if self._tokens > MOST_TOKENS:
            raise TooMuchError
        if self._since > _LOOKS:
            self._since = 0
            if time.thread_time() > self._until:
                raise TooMuchError

    def spend_tag(self, name: str, *, closes: bool) -> None:
        """Count a tag of HTML: cleaning takes time with the square of those that are open.

        Raises:
            TooMuchError: it is enough.
        """
        self._tags += 1
        if name not in _VOID:
            self._open[name] = max(0, self._open.get(name, 0) + (-1 if closes else 1))
        if self._tags > _MOST_TAGS or self._open.get(name, 0) > _MOST_OPEN:
            raise TooMuchError

    def highlights(self, code: str) -> bool:
        """Return whether another piece of code is highlighted."""
        self._highlighted += len(code)
        return self._highlighted <= _MOST_HIGHLIGHTED

    def level(self, written: int) -> int:
        """Return the level of a heading on the page: never more than one below that of the heading before it."""
        while self._headings and self._headings[-1] >= written:
            self._headings.pop()
        self._headings.append(written)
        return self.same_level()

    def same_level(self) -> int:
        """Return the level of the heading that is open."""
        return min(_DEEPEST_HEADING, self._below + max(1, len(self._headings)))

    def new_anchor(self, title: str) -> str:
        """Return what a heading is linked by, as GitHub makes it of its text; empty where it has none."""
        slug = _NOT_IN_ANCHOR.sub("", title.strip().lower()).replace(" ", "-")[:_LONGEST_ANCHOR]
        if not slug:
            return ""
        number = self._anchors.get(slug, 0)
        self._anchors[slug] = number + 1
        return f"{slug}-{number}" if number else slug


def progress_of(env: Any) -> Progress:
    """Return what the parser carries along in its environment."""
    found: Progress = env[_KEY]
    return found


_NOT_IN_ANCHOR: Final = re.compile(r"[^\w\- ]")
_VOID: Final = frozenset({"br", "col", "hr", "img", "input", "source", "wbr"})
