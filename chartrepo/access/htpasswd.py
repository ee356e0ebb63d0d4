"""The users of an htpasswd file, as it is now."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from chartrepo.access.checks import Checks
from chartrepo.access.users import Users, parse, remedy
from chartrepo.core.errors import AccessMisconfigured
from chartrepo.watched import Watched

MAX_PASSWORD: Final = 1024
"""In bytes. A longer one is wrong, whatever is in the file."""


class Htpasswd:
    """Users of a file, read again when it changes. Safe to share between threads; each process has its own.

    Args:
        path: of the file.
        clock: tells seconds.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.file = Watched(
            path, lambda data: parse(data, path), remedy=f"make it with {remedy(path, create=True)}", clock=clock
        )
        self._checks = Checks(clock)

    @property
    def names(self) -> frozenset[str]:
        """Who can log in."""
        users = self._users()
        return frozenset(users.hashes) if users is not None else frozenset()

    def hash_of(self, name: str) -> str | None:
        """Return the text of a user's hash; None where there is no such user."""
        users = self._users()
        stored = users.hashes.get(name) if users is not None else None
        return stored.text if stored is not None else None

    def verify(self, name: str, password: str) -> bool:
        """Return whether there is such a user, with this password.

        Takes as long for a user who is not there as for a wrong password, unless no file could ever be read. A password
        that was right is remembered for a minute, and forgotten when its line in the file changes, which is noticed
        within a second.

        Raises:
            PasswordUnchecked: there is no memory to find out.
        """
        users = self._users()
        if users is None:
            return False
        encoded = password.encode("utf-8", "surrogatepass")
        # A hash of what holds a NUL is that of its beginning for some programs that write such files.
        possible = name in users.hashes and len(encoded) <= MAX_PASSWORD and b"\0" not in encoded
        return self._checks.matches(name, users.hashes.get(name, users.nobody), encoded, possible=possible)

    def _users(self) -> Users | None:
        try:
            return self.file.value
        except AccessMisconfigured:
            return None
