"""Files that say who gets in and may do what: read again when they change, without a start, and never half."""

import logging
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, NamedTuple, TypeVar

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


class Named:
    """Files that a watched file names: where one of them changes, the watched file counts as changed.

    Whoever parses the watched file reads them by this, and gives it to `Watched`.
    """

    def __init__(self) -> None:
        self._states: dict[Path, _State | None] = {}

    def read(self, path: Path, *, remedy: str) -> bytes:
        """Return the bytes of a file.

        Args:
            path: of the file.
            remedy: what to do where there is no such file, behind a colon.

        Raises:
            AccessMisconfigured: it cannot be read; the message names it.
        """
        self._states[path] = None  # where it cannot be read, it is looked for again
        self._states[path], data = _load(path, remedy=remedy)
        return data

    def changed(self) -> bool:
        """Return whether one of the files may be another than when it was read."""
        return any(state is None or _state_now(path) != state for path, state in self._states.items())

    def forget(self) -> None:
        """Watch none of them any more, until they are read again."""
        self._states = {}


class Watched(Generic[T]):
    """What a file says. One that cannot be understood any more leaves in force what was read last.

    Safe to share between threads; each process has its own.

    Args:
        path: of the file.
        parse: makes something of its bytes; raises `AccessMisconfigured`, with messages that name the file.
        remedy: what to do where there is no such file, behind a colon.
        named: the files that it names, where `parse` reads any.
        clock: tells seconds.
    """

    def __init__(
        self,
        path: Path,
        parse: Callable[[bytes], T],
        *,
        remedy: str,
        named: Named | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._parse = parse
        self._remedy = remedy
        self._named = named or Named()
        self._clock = clock
        self._lock = threading.Lock()
        self._look_again = float("-inf")
        self._read: tuple[T] | None = None
        self._judged: _State | None = None
        self._wrong: AccessMisconfigured | None = None
        self._warned: tuple[str, _State | None] | None = None

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
    def has_value(self) -> bool:
        """Whether there is anything that `value` would give, old or new."""
        self._keep_up()
        return self._read is not None

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
        if self._judged is not None and _state_now(self._path) == self._judged and not self._named.changed():
            return False
        try:
            self._judged = None  # where nothing of it can be seen, what is the matter can pass without a trace
            state, data = _load(self._path, remedy=self._remedy)
            self._judged = state
            self._named.forget()
            self._read = (self._parsed(data),)
        except AccessMisconfigured as error:
            self._wrong = error
            raise
        self._wrong = None
        return True

    def _parsed(self, data: bytes) -> T:
        try:
            return self._parse(data)
        except AccessMisconfigured:
            raise
        except Exception as error:
            # Whatever a file can do to a parser, what was read last stays in force.
            raise AccessMisconfigured(f"{self._path} cannot be understood: {type(error).__name__}: {error}") from error


def _load(path: Path, *, remedy: str) -> tuple[_State, bytes]:
    """Return the state of a file and its bytes.

    Raises:
        AccessMisconfigured: it cannot be read; the message names it.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise AccessMisconfigured(f"{path} is not a file: name one")
        with path.open("rb") as file:
            # Taken before the bytes, so that what is written meanwhile is another state.
            state = _state(os.fstat(file.fileno()))
            data = file.read(MAX_FILE + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise AccessMisconfigured(f"{path} is not there: {remedy}") from None
    except OSError as error:
        raise AccessMisconfigured(
            f"{path} cannot be read: {error.strerror or error}: let the user that the server runs as read it"
        ) from None
    if len(data) > MAX_FILE:
        raise AccessMisconfigured(f"{path} is larger than {shown_size(MAX_FILE)}: is it the right one?")
    return state, data


def _state_now(path: Path) -> _State | None:
    try:
        return _state(path.stat())
    except OSError:
        return None


def _state(found: os.stat_result) -> _State:
    return _State(found.st_mtime_ns, found.st_size, found.st_ino)
