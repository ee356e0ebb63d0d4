"""Deletions that are for good: what lies in the state of them, for as long as the storage lasts.

Packages are the truth, and a package that was deleted leaves none behind. So a deletion that is to be remembered is an
object of its own, beside the packages and out of the catalog, which can be lost and built anew.
"""

from contextlib import suppress
from dataclasses import dataclass

from chartrepo import layout
from storage.base import ABSENT, AlreadyExists, Storage


@dataclass(frozen=True, slots=True)
class Deletions:
    """All that were remembered.

    Attributes:
        state: the storage they lie in, shared by all servers of the packages.
    """

    state: Storage

    def remember(self, repository: str, file: str, moment: int) -> None:
        """Remember that a package is deleted at `moment`, in seconds since the epoch; durable on return.

        Raises:
            NoSpace, Unavailable: it may not be remembered.
        """
        with suppress(AlreadyExists):
            self.state.put(layout.deletion_key(repository, file, moment), b"", condition=ABSENT, published=moment)

    def last(self, repository: str, file: str) -> int | None:
        """Return when a package was deleted last, in seconds since the epoch; None where that was never remembered.

        Raises:
            Unavailable: the storage does not answer.
        """
        return self._last(layout.deletions_prefix(repository, file)).get(layout.key(repository, file))

    def all(self) -> dict[str, int]:
        """Return when packages were deleted last, by their keys.

        Raises:
            Unavailable: the storage does not answer.
        """
        return self._last(layout.DELETED_PREFIX)

    def _last(self, prefix: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for info in self.state.list(prefix):
            told = layout.deletion(info.key)
            if told is not None:
                package, moment = told
                found[package] = max(moment, found.get(package, 0))
        return found
