"""What the process in the background does with pulls: it takes them from workers to the storage, and has them shown.

Files are moved into a folder first, whose name is random and stays: an object is called by it, so that what is taken to
the storage a second time, because somebody died in between, is still counted once.
"""

import logging
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from chartrepo.catalog import PullView, Shown
from chartrepo.catalog.folders import make_private
from chartrepo.core.errors import ChartrepoError
from chartrepo.core.pulls import Pull, Tally, add, fold
from chartrepo.pulls import counts_file
from chartrepo.pulls.ledger import Ledger, Listed
from storage.base import Misconfigured, Unavailable

log = logging.getLogger(__name__)

_A_MOMENT: Final = 0.1
"""Seconds within which a worker that has begun to count in a file is done with it."""
_BATCH: Final = "batch-"
_DAY: Final = 86400.0
_LONG: Final = 90 * _DAY
_MANY: Final = 20_000
"""Versions; below that it does not matter how many are gone."""


class Gathering:
    """Takes counts to the storage. One process of a server does so.

    Args:
        folder: where the files of workers lie.
        ledger: where counts go.
        own: ... where nothing may be written there.
        view: from which they are shown.
        is_there: tells whether a version is published; it may raise `ChartrepoError`.
        pause: waits for so many seconds.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        folder: Path,
        ledger: Ledger,
        view: PullView,
        *,
        own: Ledger,
        is_there: Callable[[Pull], bool],
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._ledger = ledger
        self._own = own
        self._view = view
        self._is_there = is_there
        self._pause = pause
        self._clock = clock
        self._fold_at = 0.0

    def gather(self) -> None:
        """Take what was counted to the storage, and have it shown, with what other replicas counted.

        Raises:
            StorageError: not now; what is not in the storage still waits.
        """
        try:
            self._take()
        except OSError as error:
            raise Unavailable(f"pulls that were counted cannot be read ({error})") from None
        listed = self._ledger.look()
        self._show(listed)
        self._ledger.sum_up(listed, self._fold)

    def _take(self) -> None:
        for batch in self._batches():  # of somebody who died, or whom the storage did not answer
            self._store(batch)
        files = counts_file.all_files(self._folder)
        if not files:
            return
        for file in files:
            counts_file.seal(file)
        self._pause(_A_MOMENT)
        batch = self._folder / f"{_BATCH}{secrets.token_hex(8)}"
        make_private(batch)
        for file in files:
            with suppress(FileNotFoundError):  # another server on this folder was quicker
                file.rename(batch / file.name)
        self._store(batch)

    def _batches(self) -> list[Path]:
        return sorted(self._folder.glob(f"{_BATCH}*"))

    def _store(self, batch: Path) -> None:
        tallies: dict[Pull, Tally] = {}
        files = counts_file.all_files(batch)
        for file in files:
            with suppress(FileNotFoundError):
                add(tallies, counts_file.read(file))
        if tallies:
            self._add(batch.name.removeprefix(_BATCH), tallies)
        for file in files:
            file.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            batch.rmdir()

    def _add(self, batch: str, tallies: dict[Pull, Tally]) -> None:
        try:
            self._ledger.add(batch, tallies)
        except Misconfigured as error:
            if self._ledger is self._own:
                raise
            log.warning("pulls are kept in the server's own folder, for the storage takes nothing: %s", error)
            self._ledger = self._own
            self._ledger.add(batch, tallies)

    def _fold(self, tallies: dict[Pull, Tally]) -> bool:
        """Count versions that are gone together, once a day and where there are many."""
        now = self._clock()
        if len(tallies) < _MANY or now < self._fold_at:
            return False
        self._fold_at = now + _DAY
        try:
            return fold(tallies, int(now - _LONG), self._is_there)
        except ChartrepoError:
            return False  # the catalog cannot tell today

    def _show(self, listed: Listed) -> None:
        shown = self._view.shown()
        if shown is None or not self._follow(shown, listed):
            self._show_anew(listed)
            return
        for batch in sorted(listed.batches - shown.batches):
            tallies = self._ledger.batch(batch)
            if tallies is not None:
                self._view.add(batch, tallies)
        self._view.forget(shown.batches - listed.batches)

    def _follow(self, shown: Shown, listed: Listed) -> bool:
        """Go on from the totals that are shown to those that were made of them; return whether that could be done.

        All that is in these is mostly shown already, and to show it anew takes long where there is much.
        """
        if shown.totals == (listed.totals or ""):
            return True
        totals = self._ledger.totals()
        if totals.state is None or totals.before != shown.totals:
            return False
        for batch in sorted(totals.batches - shown.batches):
            tallies = self._ledger.batch(batch)
            if tallies is None:
                return False
            self._view.add(batch, tallies)
        self._view.follow(totals.state)
        return True

    def _show_anew(self, listed: Listed) -> None:
        """Show what there is, from the beginning. What is removed meanwhile is in totals that the next look finds."""
        totals = self._ledger.totals()
        batches = set(listed.batches & totals.batches)
        for batch in sorted(listed.batches - totals.batches):
            found = self._ledger.batch(batch)
            if found is not None:
                add(totals.tallies, found.items())
                batches.add(batch)
        self._view.replace(totals.state or "", batches, totals.tallies)
