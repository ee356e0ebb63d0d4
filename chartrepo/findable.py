"""Makes charts findable: a document of each chart's newest version, as soon as something of the chart changed.

This is done in the background and in slices of time, never while somebody publishes. Who publishes does not wait for
it, nor does a sync: while others write, a slice is short, and transactions are small at all times.
"""

import logging
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from chartrepo.catalog import PackageRecord
from chartrepo.catalog.documents import Changed, Due
from chartrepo.core.archive import read_files
from chartrepo.core.crds import is_said_to_hold_definitions
from chartrepo.core.errors import CatalogIncomplete, CatalogUnavailable, ChartrepoError
from chartrepo.core.gunzip import Readable
from chartrepo.core.made_manifests import metadata_of
from chartrepo.core.search import README_NAMES, Document, Taken, document
from chartrepo.core.versions import is_stable
from chartrepo.repository import Repositories
from storage.base import StorageError, Unavailable

log = logging.getLogger(__name__)


class _Pace(NamedTuple):
    """How much is done: documents that one transaction writes, and seconds of a slice."""

    at_once: int
    seconds: float


_BUSY: Final = _Pace(10, 0.02)
"""While somebody writes: others wait for a transaction."""
_IDLE: Final = _Pace(50, 0.5)
_TRIES: Final = 3


class Findable:
    """Keeps the documents of a catalog right.

    Args:
        repositories: whose charts are to be found.
        clock: seconds that only grow.
    """

    def __init__(self, repositories: Repositories, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._repositories = repositories
        self._documents = repositories.catalog.documents
        self._clock = clock
        self._revisions = -1
        self._failed = ""
        self._failures = 0

    def work(self) -> None:
        """Make documents for a slice of time, where there are any to be made and nobody else is at it.

        Raises:
            CatalogUnavailable: the catalog does not answer.
            Unavailable: the storage does not.
        """
        began = self._clock()
        try:
            due = self._documents.due(1)
            pace = _IDLE if due.revisions == self._revisions else _BUSY
            self._revisions = due.revisions
            if not (due.charts or due.finished):
                return
            with self._documents.making() as ours:
                if ours:
                    self._make_some(pace.at_once, began + pace.seconds)
        except CatalogIncomplete:
            return  # it is being built, and there is nothing to be found in it yet

    def _make_some(self, at_once: int, deadline: float) -> None:
        while True:
            due = self._documents.due(at_once)
            if not (due.charts or due.finished):
                return
            self._make(due, deadline)
            if self._clock() >= deadline:
                return

    def _make(self, due: Due, deadline: float) -> None:
        made: list[tuple[Changed, Document | None]] = []
        try:
            for changed in due.charts:
                made.append((changed, self._document(changed)))
                if self._clock() >= deadline:
                    break
        finally:
            if made or not due.charts:
                self._documents.write(due, made)

    def _document(self, changed: Changed) -> Document | None:
        """Return the document of a chart; None where it is gone, or what its package says is known."""
        newest = changed.newest
        if newest is None or changed.is_known:
            return None
        return document(
            metadata_of(newest.entry_json),
            repository=newest.repository,
            created=newest.created,
            signed=newest.signed,
            stable=is_stable(newest.version),
            taken=self._take(newest),
        )

    def _take(self, newest: PackageRecord) -> Taken:
        """Return what is in a package; nothing where it cannot be read, so that its chart is found all the same."""
        taking = _Taking()
        try:
            opened = self._repositories.open_package(newest.repository, newest.file)
            with opened.reader as package:
                return taking.read(package)
        except (CatalogUnavailable, CatalogIncomplete):
            raise
        except Unavailable:
            if self._tries_more(newest):
                raise
            log.warning("%s is found by its Chart.yaml alone: the storage does not give it", newest.file)
        except (ChartrepoError, StorageError) as error:
            log.info("%s is found by its Chart.yaml alone: %s", newest.file, error)
        except Exception:  # one package must not keep all others from being found
            log.exception("%s is found by its Chart.yaml alone, and nobody foresaw why", newest.file)
        return Taken()

    def _tries_more(self, newest: PackageRecord) -> bool:
        """Count how often the storage did not give a package: one that it never gives must not keep others waiting."""
        self._failed, before = newest.digest, self._failed
        self._failures = self._failures + 1 if before == newest.digest else 1
        return self._failures < _TRIES


class _Taking:
    """Takes out of a package what is searched, and no more than one file of a kind."""

    def __init__(self) -> None:
        self._readme = ""
        self._crds = False

    def read(self, package: Readable) -> Taken:
        files = read_files(package, self._is_wanted)
        return Taken(files.get(self._readme), files.get("values.yaml"), self._crds)

    def _is_wanted(self, path: str) -> bool:
        self._crds = self._crds or is_said_to_hold_definitions(path)
        if not self._readme and path.lower() in README_NAMES:
            self._readme = path
        return path in (self._readme, "values.yaml")
