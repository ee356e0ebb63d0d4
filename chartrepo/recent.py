"""What was made last, kept for who asks again."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Recent(Generic[Made]):
    """Keeps some values by name. Safe to share between threads, of which two may make the same value at once.

    Args:
        most: values that are kept.
        weigh: returns how heavy one is; 1 where not given.
        heaviest: value that is kept.
    """

    def __init__(self, most: int, *, weigh: Callable[[Made], int] = lambda _: 1, heaviest: int = 1) -> None:
        self._most = most
        self._weigh = weigh
        self._heaviest = heaviest
        self._kept: OrderedDict[str, Made] = OrderedDict()
        self._lock = Lock()

    def get(self, name: str, make: Callable[[], Made]) -> Made:
        """Return the value of this name; one that is made now where none is kept."""
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
                return self._kept[name]
        made = make()
        if self._weigh(made) <= self._heaviest:
            with self._lock:
                self._kept[name] = made
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        return made
