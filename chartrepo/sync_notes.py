"""How the last sync went, in a file in the server's own folder: the process that syncs is not the one that is asked."""

import json
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from chartrepo.sync import Report

log = logging.getLogger(__name__)

_FILE: Final = "last-sync.json"
_MOST: Final = 64 * 1024
_LONGEST: Final = 1000


@dataclass(frozen=True, slots=True)
class SyncNote:
    """What is known of the syncs of a server. Times are in seconds since the epoch.

    Attributes:
        ended: when the last one that went well came to its end; None for none.
        seconds: how long it took.
        found: packages that the storage listed.
        changed: entries of the catalog that were looked at again.
        set_aside: packages that lay in the storage and could not be served.
        failed: when one failed since; None for never.
        failures: how many failed since, one after the other.
        why: the last one did.
    """

    ended: float | None = None
    seconds: float = 0
    found: int = 0
    changed: int = 0
    set_aside: int = 0
    failed: float | None = None
    failures: int = 0
    why: str = ""


class SyncNotes:
    """The note in a folder. Nothing depends on it: what cannot be written is logged.

    Args:
        folder: of the server's own state.
        clock: seconds since the epoch.
    """

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._file = folder / _FILE
        self._clock = clock

    def done(self, report: Report) -> None:
        """Note that a sync went well."""
        self._write(SyncNote(self._clock(), round(report.seconds, 3), report.found, report.changed, report.set_aside))

    def failed(self, why: str) -> None:
        """Note that a sync failed."""
        before = self.read()
        values = {**asdict(before), "failed": self._clock(), "failures": before.failures + 1, "why": why[:_LONGEST]}
        self._write(SyncNote(**values))

    def read(self) -> SyncNote:
        """Return what is noted; where that is nothing, or makes no sense, a note of nothing."""
        try:
            with self._file.open("rb") as file:
                said: Any = json.loads(file.read(_MOST))
            return SyncNote(**said)
        except (OSError, ValueError, TypeError, RecursionError):
            return SyncNote()

    def _write(self, note: SyncNote) -> None:
        fresh = self._file.with_name(f"{_FILE}.{os.getpid()}")
        try:
            fresh.write_text(json.dumps(asdict(note)), encoding="utf-8")
            fresh.replace(self._file)
        except OSError as error:
            log.warning("how the sync went could not be noted in %s: %s", self._file, error.strerror)
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
