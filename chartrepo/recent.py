"""What was made last, kept for who asks again."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Recent(Generic[Made]):
    """Keeps some values by name. Safe to share between threads, of which two may make the same value at once.

    Args:
        most: values that are kept; None for as many as are not too heavy together.
        weigh: returns how heavy one is; 1 where not given.
        heaviest: value that is kept; None for any.
        together: how heavy all that is kept may be; None for any.
    """

    def __init__(
        self,
        most: int | None = None,
        *,
        weigh: Callable[[Made], int] = lambda _: 1,
        heaviest: int | None = None,
        together: int | None = None,
    ) -> None:
        self._most = most
        self._weigh = weigh
        self._heaviest = together if heaviest is None else heaviest
        self._together = together
        self._kept: OrderedDict[Hashable, tuple[Made, int]] = OrderedDict()
        self._weight = 0
        self._lock = Lock()

    def get(self, name: Hashable, make: Callable[[], Made]) -> Made:
        """Return the value of this name; one that is made now where none is kept."""
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
                return self._kept[name][0]
        made = make()
        weight = self._weigh(made)
        if self._heaviest is None or weight <= self._heaviest:
            self._keep(name, made, weight)
        return made

    def _keep(self, name: Hashable, made: Made, weight: int) -> None:
        with self._lock:
            if name in self._kept:
                return
            self._kept[name] = (made, weight)
            self._weight += weight
            while self._is_too_much():
                self._weight -= self._kept.popitem(last=False)[1][1]

    def _is_too_much(self) -> bool:
        too_many = self._most is not None and len(self._kept) > self._most
        return too_many or (self._together is not None and self._weight > self._together)
