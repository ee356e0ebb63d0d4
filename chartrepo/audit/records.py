"""The records that somebody may see: those in the storage, and those of this server that are on their way there."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from chartrepo.audit.journal import Journal, Page
from chartrepo.audit.spool import Spool
from chartrepo.core import audit
from chartrepo.core.audit import Position, Wanted
from chartrepo.core.errors import AuditQueryInvalid
from chartrepo.core.messages import shown
from storage.base import Unavailable

LIMIT: Final = 100
"""So many records at a time, unless more are asked for."""
MOST: Final = 1000
"""So many at most."""


@dataclass(frozen=True, slots=True)
class Records:
    """The records of a storage, and of a spool.

    Attributes:
        journal: those in the storage.
        spool: those that wait.
        now: seconds since the epoch.
    """

    journal: Journal
    spool: Spool
    now: Callable[[], float] = time.time

    def ask(self, arguments: Mapping[str, str]) -> Page:
        """Return what is asked for, the newest first.

        Args:
            arguments: as `chartrepo.core.audit.wanted` takes them, and `limit` and `cursor`.

        Raises:
            AuditQueryInvalid: one of them makes no sense.
            StorageError: the records cannot be had now.
        """
        rest = dict(arguments)
        limit = _limit(rest.pop("limit", str(LIMIT)))
        cursor = rest.pop("cursor", "")
        before = audit.parse_cursor(cursor) if cursor else None
        return self.find(audit.wanted(rest, self.now()), limit, before=before)

    def find(self, wanted: Wanted, limit: int, *, before: Position | None = None) -> Page:
        """Return the newest records of some, at most `limit`, behind a position where one is given.

        Raises:
            StorageError: the records cannot be had now.
        """
        try:
            waiting = list(self.spool.lines())
        except OSError as error:
            raise Unavailable(f"the audit records that wait cannot be read ({error.strerror})") from None
        return self.journal.page(wanted, limit, before=before, waiting=waiting)


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 0 < int(text) <= MOST):  # noqa: PLR2004
        raise AuditQueryInvalid(f"limit: {shown(text)} is no number from 1 to {MOST:,}")
    return int(text)
