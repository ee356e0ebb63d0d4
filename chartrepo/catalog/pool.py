"""Connections that wait for their next use."""

import os
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

Connection = TypeVar("Connection")

_inherited: Final[list[Any]] = []
"""Connections that a forked process got from its parent, and must neither use nor close; kept so that nobody does."""


class Pool(Generic[Connection]):
    """Idle connections of this process. Safe to share between threads.

    Args:
        close: closes a connection.
    """

    def __init__(self, close: Callable[[Connection], None]) -> None:
        self._close = close
        self._idle: list[Connection] = []
        self._process = os.getpid()
        self._closed = False

    def take(self) -> Connection | None:
        """Return the connection that was given back last, or None where none is idle."""
        if self._process != os.getpid():
            _inherited.extend(self._idle)
            self._idle = []
            self._process = os.getpid()
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def give(self, connection: Connection) -> None:
        """Keep a connection for its next use."""
        self._idle.append(connection)
        if self._closed:
            self.close()

    def close(self) -> None:
        """Close all that are idle, and from now on all that are given back."""
        self._closed = True
        while (connection := self.take()) is not None:
            self._close(connection)
