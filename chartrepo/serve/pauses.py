"""How long to wait before something is tried again that failed."""

from typing import Final

_FIRST: Final = 2.0
_LONGEST: Final = 60.0


class Pauses:
    """Pauses in seconds between tries in a row that fail: 2, then twice as long each time, a minute at most."""

    def __init__(self) -> None:
        self._next = _FIRST

    @property
    def failing(self) -> bool:
        """Whether the last try failed."""
        return self._next > _FIRST

    def longer(self) -> float:
        """Return how long to wait after one more failure."""
        pause = self._next
        self._next = min(2 * pause, _LONGEST)
        return pause

    def end(self) -> None:
        """Forget the failures, after a try that went well."""
        self._next = _FIRST
