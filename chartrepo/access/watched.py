"""Files that say who gets in and may do what: read again when they change, without a start, and never half."""

import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Generic, NamedTuple, TypeAlias, TypeVar

from chartrepo.core.errors import AccessMisconfigured
from chartrepo.wording import shown_size

MAX_FILE: Final = 1024 * 1024
"""In bytes."""
_LOOKS: Final = 1.0
"""So many seconds pass between two looks at the file."""

log = logging.getLogger(__name__)

T = TypeVar("T")


class _State(NamedTuple):
    """What is another where a file is not the same as before."""

    modified: int
    size: int
    inode: int


_States: TypeAlias = tuple[_State, ...]


class Watched(Generic[T]):
    """What a file says, or several that belong together. What cannot be understood leaves in force what was read last.

    Safe to share between threads; each process has its own.

    Args:
        path: of the file.
        parse: makes something of its bytes, and of those of the files beside it, each an argument; raises
            `AccessMisconfigured`, with messages that name the file.
        remedy: what to do where there is no such file, behind a colon.
        beside: files that mean something only together with it.
        clock: tells seconds.
    """

    def __init__(
        self,
        path: Path,
        parse: Callable[..., T],
        *,
        remedy: str,
        beside: Sequence[Path] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._paths = (path, *beside)
        self._parse = parse
        self._remedy = remedy
        self._clock = clock
        self._lock = threading.Lock()
        self._look_again = float("-inf")
        self._read: tuple[T] | None = None
        self._judged: _States | None = None
        self._wrong: AccessMisconfigured | None = None
        self._warned: tuple[str, _States | None] | None = None

    @property
    def value(self) -> T:
        """What the file says, as of a second ago at most.

        Raises:
            AccessMisconfigured: it never could be read.
        """
        self._keep_up()
        if self._read is not None:
            return self._read[0]
        raise AccessMisconfigured(*(self._wrong.problems if self._wrong is not None else ()))

    @property
    def problem(self) -> str | None:
        """What is wrong with the file as it is now; None for nothing. What was read last stays in force."""
        self._keep_up()
        return str(self._wrong) if self._wrong is not None else None

    def check(self) -> None:
        """Read the file now, as a start does.

        Raises:
            AccessMisconfigured: it is not there, cannot be read, or breaks a rule.
        """
        with self._lock:
            self._judged = None
            self._look()
            self._look_again = self._clock() + _LOOKS

    def _keep_up(self) -> None:
        """Look at the file where it is time. Callers wait for that only where nothing was ever read."""
        if self._clock() < self._look_again or not self._lock.acquire(blocking=self._read is None):
            return
        try:
            if self._clock() >= self._look_again:
                self._look_and_tell()
                self._look_again = self._clock() + _LOOKS  # last, for until then there may be nothing
        finally:
            self._lock.release()

    def _look_and_tell(self) -> None:
        before = self._wrong
        try:
            changed = self._look()
        except AccessMisconfigured as error:
            if self._warned != (str(error), self._judged):
                self._warned = (str(error), self._judged)
                stays = "what was read last stays in force" if self._read is not None else "nothing of it is in force"
                log.warning("%s; %s", error, stays)
            return
        if changed:
            self._warned = None
            log.info("%s %s", self._path, "is right again" if before is not None else "was read")

    def _look(self) -> bool:
        """Take what the file says, and return whether it is another one than before.

        Raises:
            AccessMisconfigured: see `check`.
        """
        try:
            try:
                state, data = self._load()
            except AccessMisconfigured:
                self._judged = None  # nothing of it was seen: what is the matter can pass without a trace in the state
                raise
            if state == self._judged:
                return False
            self._judged = state
            self._read = (self._parsed(data),)
        except AccessMisconfigured as error:
            self._wrong = error
            raise
        self._wrong = None
        return True

    def _parsed(self, data: Sequence[bytes]) -> T:
        try:
            return self._parse(*data)
        except AccessMisconfigured:
            raise
        except Exception as error:
            # Whatever a file can do to a parser, what was read last stays in force.
            raise AccessMisconfigured(f"{self._path} cannot be understood: {type(error).__name__}: {error}") from error

    def _load(self) -> tuple[_States, Sequence[bytes]]:
        """The states of the files and their bytes; without these where the states were judged already."""
        states = tuple(self._look_at(path) for path in self._paths)
        if states == self._judged:
            return states, ()
        found = [self._read_from(path) for path in self._paths]
        return tuple(state for state, _ in found), [data for _, data in found]

    def _look_at(self, path: Path) -> _State:
        with self._told_of(path):
            found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise AccessMisconfigured(f"{path} is not a file: name one")
        return _state(found)

    def _read_from(self, path: Path) -> tuple[_State, bytes]:
        with self._told_of(path), path.open("rb") as file:
            # Taken before the bytes, so that what is written meanwhile is another state.
            state = _state(os.fstat(file.fileno()))
            data = file.read(MAX_FILE + 1)
        if len(data) > MAX_FILE:
            raise AccessMisconfigured(f"{path} is larger than {shown_size(MAX_FILE)}: is it the right one?")
        return state, data

    @contextmanager
    def _told_of(self, path: Path) -> Iterator[None]:
        """Turn what the system says of a file into what a person is told."""
        try:
            yield
        except (FileNotFoundError, NotADirectoryError):
            raise AccessMisconfigured(f"{path} is not there: {self._remedy}") from None
        except OSError as error:
            raise AccessMisconfigured(
                f"{path} cannot be read: {error.strerror or error}: let the user that the server runs as read it"
            ) from None


def _state(found: os.stat_result) -> _State:
    return _State(found.st_mtime_ns, found.st_size, found.st_ino)
