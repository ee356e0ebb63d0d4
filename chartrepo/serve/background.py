"""The one process that works in the background: sync, published indexes, snapshot, clean-up.

It does one thing at a time and needs no threads. Whatever fails is logged and tried again; nothing that a request
needs depends on it, but for the first building of the catalog.
"""

import logging
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

from chartrepo import assembly
from chartrepo.core.errors import ChartrepoError
from chartrepo.kinds import Bucket
from chartrepo.metrics import Metrics, Unmeasured
from chartrepo.published import PublishedIndexes
from chartrepo.serve.wishes import Wishes
from chartrepo.settings import Settings
from chartrepo.snapshot import Snapshot
from chartrepo.sync import SETTLED_AFTER, Report, found_in, sync_or_build
from storage.base import StorageError

log = logging.getLogger(__name__)

_TICK: Final = 0.25
"""Seconds between two looks at what there is to do."""

_RETRY: Final = 2.0
_RETRY_AT_MOST: Final = 60.0
_CLEAN_EVERY: Final = 3600.0


class _Stopped(BaseException):
    """SIGTERM came. Not an Exception, so that nothing on the way takes it for a failure."""


def run_background(settings: Settings, ground: assembly.Ground, wishes: Wishes) -> None:
    """Work until SIGTERM."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise _Stopped

    signal.signal(signal.SIGTERM, stop)
    background = _Background(settings, ground, wishes)
    try:
        background.run()
    except _Stopped:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        background.finish()


class _Background:
    def __init__(self, settings: Settings, ground: assembly.Ground, wishes: Wishes) -> None:
        self._settings = settings
        self._wishes = wishes
        self._metrics = Metrics(assembly.metrics_dir(settings)) if settings.metrics else Unmeasured()
        self._repositories = assembly.repositories(settings, ground, metrics=self._metrics)
        self._state = assembly.storages(settings, ground).state
        catalog = self._repositories.catalog
        # A folder's catalog lies beside it and lasts as long; that of a bucket may be on a disk that does not.
        may_be_lost = isinstance(settings.storage, Bucket) and settings.catalog.startswith("sqlite")
        self._snapshot = Snapshot(self._state, catalog, folder=assembly.uploads(settings)) if may_be_lost else None
        self._published = (
            PublishedIndexes(self._repositories, context_path=settings.context_path) if settings.publish_index else None
        )
        self._next_sync = 0.0
        self._next_cleaning = time.monotonic() + _CLEAN_EVERY
        self._failures = 0
        self._told = False

    def run(self) -> None:
        while True:
            now = time.monotonic()
            if now >= self._next_sync or (not self._failures and self._is_wanted()):
                self._sync()
            if self._published is not None:
                self._attempt("writing index.yaml beside the packages", self._published.write_changed)
            if self._snapshot is not None:
                self._attempt("writing the snapshot of the catalog", self._snapshot.write_if_due)
            if now >= self._next_cleaning:
                self._next_cleaning = now + _CLEAN_EVERY
                for storage in (self._repositories.packages, self._state):
                    self._attempt("removing leftovers", storage.remove_leftovers)
            time.sleep(_TICK)

    def finish(self) -> None:
        """Do what must not wait for the next start."""
        if self._snapshot is not None:
            self._attempt("writing the snapshot of the catalog", self._snapshot.write)
        if self._published is not None:
            self._attempt("writing index.yaml beside the packages", self._published.write_all)

    def _is_wanted(self) -> bool:
        return self._wishes.take_sync() or self._catalog_is_lost()

    def _catalog_is_lost(self) -> bool:
        try:
            return self._repositories.catalog.needs_rebuild
        except ChartrepoError:
            return False  # it does not answer: that is for it to mend, and for requests to say

    def _sync(self) -> None:
        """Bring the catalog in line, and set the time of the next sync: soon, and ever later, while it fails."""
        began = time.monotonic()
        try:
            report = self._sync_once()
        except (ChartrepoError, StorageError) as error:
            self._failures += 1
            wait = min(_RETRY * 2 ** (self._failures - 1), _RETRY_AT_MOST)
            log.warning("the sync failed, the next one is in %.0f s: %s", wait, error)
            self._metrics.sync("failed", time.monotonic() - began)
            self._next_sync = time.monotonic() + wait
            return
        self._failures = 0
        self._next_sync = time.monotonic() + (self._settings.sync_interval or float("inf"))
        if report is None:
            return
        if report.unsettled:
            self._next_sync = time.monotonic() + SETTLED_AFTER
        self._metrics.sync("done", report.seconds, found=report.found, changed=report.changed, now=time.time())
        if not self._told:
            self._told = True
            log.info("%s", found_in(self._repositories.catalog))
        elif report.changed:
            log.info("the sync found %d packages and looked at %d again", report.found, report.changed)

    def _sync_once(self) -> Report | None:
        with self._repositories.catalog.sync_lock() as ours:
            if not ours:
                return None  # another replica is at it
            return sync_or_build(
                self._repositories,
                assembly.reader(self._settings, tell_failures=True),
                remembered=self._snapshot.read if self._snapshot is not None else dict,
            )

    def _attempt(self, what: str, work: Callable[[], object]) -> None:
        try:
            work()
        except (ChartrepoError, StorageError) as error:
            log.warning("%s failed: %s", what, error)
