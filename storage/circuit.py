"""Whether a service is worth asking: what one call found out, for all threads of a process.

A service that is silent costs each call its whole patience, and soon every thread waits for nothing. So once a call has
waited in vain the others fail at once, but for one now and then that tries whether the service answers again. Where
connections are refused nobody waits, and everybody asks for himself: so all works again as soon as the service does.
"""

import logging
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from storage.base import Unavailable

_LOG: Final = logging.getLogger(__name__)

_LONG: Final = 1.0
"""Seconds without an answer that the others are to be spared."""

_FIRST_PAUSE: Final = 5.0
_LONGEST_PAUSE: Final = 30.0
"""Seconds between two tries of a service that is silent; each pause is twice as long as the one before it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    """A call under way: when it began, and how many answers there had been by then."""

    began: float
    answers: int


class Circuit:
    """What is known of one service. Threads share it; it starts none of its own.

    Args:
        name: of the service, in messages: `the S3 service`.
        long: seconds; a call that ends sooner without an answer tells the others nothing.
        clock: a monotonic clock, in seconds.
    """

    def __init__(self, name: str, *, long: float = _LONG, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._long = long
        self._clock = clock
        self._lock = threading.Lock()
        self._answers = 0
        self._pause = 0.0  # none while the service answers
        self._until = 0.0
        self._trial: _Call | None = None

    @contextmanager
    def call(self, what: str) -> Generator[None]:
        """Make one call, of however many requests, that is to `what`: `read 'app-1.0.0.tgz'`.

        An `Unavailable` that is `silent` tells that nobody answered it.

        Raises:
            Unavailable: the service was silent a moment ago, and was not asked; and whatever the call raises.
        """
        ours = self._begin(what)
        silent = False
        try:
            yield
        except Unavailable as error:
            silent = error.silent
            raise
        finally:
            self._end(ours, silent=silent)

    def answered(self) -> None:
        """Say that the service has just answered, whatever it said."""
        with self._lock:
            self._answers += 1
            was_silent = self._pause > 0
            self._pause = 0.0
            self._trial = None
        if was_silent:
            _LOG.info("%s answers again", self._name)

    def _begin(self, what: str) -> _Call:
        with self._lock:
            ours = _Call(self._clock(), self._answers)
            if not self._pause:
                return ours
            if self._trial is None and ours.began >= self._until:
                self._trial = ours
                return ours
        raise Unavailable(f"cannot {what}: {self._name} did not answer a moment ago; try again later")

    def _end(self, ours: _Call, *, silent: bool) -> None:
        with self._lock:
            tried = self._trial is ours
            if tried:
                self._trial = None
            # A call that nobody answered tells nothing where others were answered since it began. And of many that
            # nobody answered at once, the first tells all.
            now = self._clock()
            in_vain = silent and ours.answers == self._answers and now - ours.began >= self._long
            if not in_vain or (self._pause and not tried):
                return
            self._pause = pause = min(self._pause * 2, _LONGEST_PAUSE) or _FIRST_PAUSE
            self._until = now + pause
        _LOG.warning("%s does not answer: it is not asked again for %.0f s", self._name, pause)
