"""A guard against work and waits that never end."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_PLENTY: Final = 60.0


@contextmanager
def must_end(seconds: float = _PLENTY, *, waits: bool = False) -> Iterator[None]:
    """Break off a block that goes on and on, for tests of what hostile input costs; for the main thread.

    This measures no speed. What is sound takes a small part of the time on any machine. What grows with a power of its
    input takes hours, and would hold up all other tests.

    Args:
        seconds: of the processor.
        waits: they are those of a clock, for a block that does not work but waits.

    Raises:
        AssertionError: the time was up.
    """
    timer, number = (signal.ITIMER_REAL, signal.SIGALRM) if waits else (signal.ITIMER_PROF, signal.SIGPROF)

    def give_up(*_: object) -> None:
        raise AssertionError(f"it had not ended after {seconds:g} seconds")

    before = signal.signal(number, give_up)
    signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        signal.setitimer(timer, 0)
        signal.signal(number, before)
