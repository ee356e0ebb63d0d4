"""The one process that works in the background: sync, what is searched, published indexes, snapshot, pulls, clean-up.

It does one thing at a time and needs no threads. Whatever fails is logged and tried again, ever later; nothing that a
request needs depends on it, but for the first building of the catalog.
"""

import logging
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

from chartrepo import assembly
from chartrepo.building import sync_or_build
from chartrepo.core.errors import ChartrepoError, in_full
from chartrepo.findable import Findable
from chartrepo.judging import judge_again
from chartrepo.kinds import Bucket
from chartrepo.published import PublishedIndexes
from chartrepo.serve.greeting import found_in
from chartrepo.serve.pauses import Pauses
from chartrepo.serve.wishes import Wishes
from chartrepo.settings import Settings
from chartrepo.snapshot import Snapshot
from chartrepo.sync import SETTLED_AFTER, Report
from chartrepo.wording import counted
from storage.base import StorageError

log = logging.getLogger(__name__)

_TICK: Final = 0.25
"""Seconds between two looks at what there is to do."""

_CLEAN_EVERY: Final = 3600.0
_DAY: Final = 86400.0
_AUDIT_EVERY: Final = 60.0
_PULLS_EVERY: Final = 60.0
_NEVER: Final = float("inf")
_JUDGINGS: Final = 2
"""How often packages are held to changed policies: workers may go by the old ones for a second longer."""


class _Stopped(BaseException):
    """SIGTERM came. Not an Exception, so that nothing on the way takes it for a failure."""


def run_background(settings: Settings, ground: assembly.Ground, wishes: Wishes) -> None:
    """Work until SIGTERM."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise _Stopped

    signal.signal(signal.SIGTERM, stop)
    background = Background(settings, ground, wishes)
    try:
        background.run()
    except _Stopped:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        background.finish()


class _Chore:
    """Something to be done again and again; ever less often while it fails, so that logs stay readable."""

    def __init__(self, what: str, work: Callable[[], object], *, every: float = 0.0, first: float = 0.0) -> None:
        """Remember `work`, called `what` in the log, to be done `every` so many seconds, and after `first` seconds."""
        self._what = what
        self._work = work
        self._every = every
        self._due = time.monotonic() + first
        self._pauses = Pauses()

    def do_if_due(self) -> None:
        if time.monotonic() >= self._due:
            self.do()

    def do(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - whatever it is, all the other work goes on
            _complain(f"{self._what} failed", error)
            self._due = time.monotonic() + self._pauses.longer()
        else:
            self._pauses.end()
            self._due = time.monotonic() + self._every


def _complain(what: str, error: Exception) -> None:
    """Log a failure: in a sentence where it is one that happens, with the traceback where nobody foresaw it."""
    if isinstance(error, ChartrepoError | StorageError):
        log.warning("%s: %s", what, in_full(error))
    else:
        log.error("%s, in a way that nobody foresaw", what, exc_info=error)


class Background:
    """The work of the background process.

    Args:
        settings: of the server.
        ground: what its start found out.
        wishes: what other processes ask for.
    """

    def __init__(self, settings: Settings, ground: assembly.Ground, wishes: Wishes) -> None:
        self._settings = settings
        self._ground = ground
        self._wishes = wishes
        self._metrics = assembly.metrics(ground)
        found = assembly.storages(settings, ground, observe=self._metrics.storage_call)
        self._repositories = assembly.repositories(settings, ground, found)
        state = found.state
        uploads = assembly.registry(settings, ground, self._repositories, state).uploads
        catalog = self._repositories.catalog
        self._chores: list[_Chore] = []
        self._last_chores: list[_Chore] = []
        self._findable = Findable(self._repositories)
        self._chores.append(_Chore("making charts findable", self._make_findable))
        if settings.publish_index:
            published = PublishedIndexes(self._repositories, context_path=settings.context_path)
            what = "writing index.yaml beside the packages"
            self._chores.append(_Chore(what, published.write_changed))
            self._last_chores.append(_Chore(what, published.write_all))
        # A folder's catalog lies beside it and lasts as long; that of a bucket may be on a disk that does not.
        may_be_lost = isinstance(settings.storage, Bucket) and settings.catalog.startswith("sqlite")
        self._snapshot = Snapshot(state, catalog, folder=assembly.uploads(settings)) if may_be_lost else None
        if self._snapshot is not None:
            what = "writing the snapshot of the catalog"
            self._chores.append(_Chore(what, self._snapshot.write_if_due))
            self._last_chores.append(_Chore(what, self._snapshot.write))
        for storage in (self._repositories.packages, state):
            clean = _Chore("removing leftovers", storage.remove_leftovers, every=_CLEAN_EVERY, first=_CLEAN_EVERY)
            self._chores.append(clean)
        if settings.audit:
            journal, spool = assembly.journal(settings, found), assembly.audit_spool(settings)
            what = "taking audit records to the storage"
            self._chores.append(_Chore(what, lambda: journal.take_in(spool), every=_AUDIT_EVERY))
            self._last_chores.append(_Chore(what, lambda: journal.take_in(spool)))
            keep = settings.audit_keep
            if keep is not None:
                what, first = "removing old audit records", _CLEAN_EVERY
                self._chores.append(_Chore(what, lambda: journal.remove_older(keep), every=_DAY, first=first))
        gathering = assembly.gathering(settings, found, catalog)
        if gathering is not None:
            what = "taking counts of pulls to the storage"
            self._chores.append(_Chore(what, gathering.gather, every=_PULLS_EVERY))
            self._last_chores.append(_Chore(what, gathering.gather))
        what = "removing uploads that expired"
        self._chores.append(_Chore(what, uploads.remove_expired, every=_CLEAN_EVERY, first=_CLEAN_EVERY))
        self._notes = assembly.sync_notes(settings)
        self._next_sync = 0.0
        self._failures = Pauses()
        self._unread = Pauses()
        self._told = False
        self._judged: object = None
        self._judgings = _JUDGINGS

    def run(self) -> None:
        """Work for ever."""
        while True:
            self.sync_if_wanted()
            for chore in self._chores:
                chore.do_if_due()
            time.sleep(_TICK)

    def finish(self) -> None:
        """Do what must not wait for the next start."""
        for chore in self._last_chores:
            chore.do()

    def _make_findable(self) -> None:
        """Go on with what is searched, unless the sync fails: it says why, and is tried again."""
        if not self._failures.failing:
            self._findable.work()

    def sync_if_wanted(self) -> None:
        """Bring the catalog in line where it is time for that, or where it is asked for."""
        if time.monotonic() >= self._next_sync or (not self._failures.failing and self._is_wanted()):
            self._sync()

    def _is_wanted(self) -> bool:
        return self._wishes.wants_sync() or self._policies_changed() or self._catalog_is_lost()

    def _policies_changed(self) -> bool:
        try:
            return self._repositories.policing.policies is not self._judged
        except ChartrepoError:
            return False  # they never could be read: a start refuses that, so the file is gone since

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
            if report is not None:
                self._tell(report)
        except Exception as error:  # noqa: BLE001 - this process has other work, and the next sync may go well
            pause = self._failures.longer()
            _complain(f"the sync failed, the next one is in {pause:.0f} s", error)
            self._metrics.sync("failed", time.monotonic() - began)
            self._notes.failed(in_full(error))
            self._next_sync = time.monotonic() + pause
        else:
            self._failures.end()
            self._next_sync = time.monotonic() + self._pause_after(report)

    def _pause_after(self, report: Report | None) -> float:
        usual = self._settings.sync_interval or _NEVER
        if report is not None and report.unread:
            return min(self._unread.longer(), usual)
        self._unread.end()
        soon = report is not None and (report.unsettled or self._judgings)
        return min(SETTLED_AFTER, usual) if soon else usual

    def _tell(self, report: Report) -> None:
        self._metrics.sync("done", report.seconds, found=report.found, changed=report.changed, now=time.time())
        self._notes.done(report)
        if not self._told:
            log.info("%s", found_in(self._repositories.catalog))
            self._told = True
        elif report.changed:
            log.info("the sync found %s and looked at %d again", counted(report.found, "package"), report.changed)

    def _sync_once(self) -> Report | None:
        """Sync or build; None where another replica is at it, so that what is wished for stays so."""
        with self._repositories.catalog.sync_lock() as ours:
            if not ours:
                return None
            self._wishes.forget_sync()
            if self._repositories.catalog.needs_rebuild:
                assembly.keep_storage_id(self._settings, self._ground)
            report = sync_or_build(
                self._repositories,
                assembly.reader(self._settings, self._repositories.policing, self._ground, tell_failures=True),
                remembered=self._snapshot.read if self._snapshot is not None else dict,
            )
            self._judge_again()
            return report

    def _judge_again(self) -> None:
        policies = self._repositories.policing.policies
        if policies is not self._judged:
            self._judged, self._judgings = policies, _JUDGINGS
        if self._judgings:
            changed = judge_again(self._repositories)
            self._judgings -= 1
            if changed:
                log.info("%s looked at again for the policies", counted(changed, "package"))
