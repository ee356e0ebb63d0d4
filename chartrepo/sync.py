"""Bringing the catalog in line with the storage.

A listing is never believed by itself: it only names suspects, and each suspect is looked at again under its lock before
anything changes. So a sync beside uploads, deletes and another server's writes is always right, if late.

Where there is no catalog yet, it is built out of all packages at once, in several processes.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from chartrepo import layout
from chartrepo.catalog import Catalog, Known, PackageRecord, SetAside
from chartrepo.core.errors import CatalogUnavailable, ChartrepoError
from chartrepo.metrics import Unmeasured
from chartrepo.repository import Repositories
from chartrepo.wording import counted
from storage.base import Misconfigured, State, Storage, StorageError, Unavailable

log = logging.getLogger(__name__)

SETTLED_AFTER: Final = 2
"""Seconds after which a file is taken to be whole: somebody may still be copying a younger one."""

_PROGRESS_EVERY: Final = 5.0
_BATCH: Final = 1000
_PATIENCE: Final = 60.0
_PAUSES: Final = (0.5, 2.0)
"""Seconds after which packages are asked for again that the storage did not give."""
_FEW: Final = 10

UNREAD: Final = State("")
"""Stands in the catalog for the state of a package that could not be read. No object is ever in this state, so every
sync looks at the package again."""

UNFORESEEN: Final = "reading it failed in a way that nobody foresaw: see the server's log, and run chartrepo reindex"
"""Why a package is set aside with which something of ours fails."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a sync found and did.

    Attributes:
        found: packages that the storage listed.
        changed: catalog entries that were looked at again because the storage had changed.
        set_aside: packages that lie in storage and cannot be served.
        seconds: how long it took.
        unsettled: packages that were left to the next sync, for somebody may still be writing them.
        unread: packages that were left to the next sync, for the storage did not give them.
    """

    found: int
    changed: int
    set_aside: int
    seconds: float
    unsettled: int = 0
    unread: int = 0

    def as_json(self) -> dict[str, int | float]:
        """Return the report as JSON values."""
        return {
            "found": self.found,
            "changed": self.changed,
            "set_aside": self.set_aside,
            "seconds": round(self.seconds, 3),
        }


class Task(NamedTuple):
    """A package to read, and whether a provenance file was listed beside it."""

    repository: str
    file: str
    signed: bool


class Unread(NamedTuple):
    """What became of a task whose package the storage did not give.

    Attributes:
        task: as it was.
        reason: one sentence for people.
        needs_hands: whether it stays so until somebody changes something, such as the rights to the file.
    """

    task: Task
    reason: str
    needs_hands: bool


Outcome = PackageRecord | SetAside | Unread | None
"""What became of a task; None where the package had gone meanwhile."""


def as_record(outcome: PackageRecord | SetAside | Unread) -> PackageRecord | SetAside:
    """Return what the catalog can say of a package: that one which cannot be read is set aside for that."""
    if not isinstance(outcome, Unread):
        return outcome
    return SetAside(outcome.task.repository, outcome.task.file, UNREAD, outcome.reason)


ReadMany = Callable[[Iterable[Task]], Iterator[Outcome]]
"""Reads packages, in whatever order and in as many processes as is good."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What the storage lists.

    Attributes:
        packages: state and time of publication by key; the time is None where a listing does not tell it.
        provenance: state by the package's key.
    """

    packages: Mapping[str, tuple[State, int | None]]
    provenance: Mapping[str, State]


def listed(packages: Storage) -> Listing:
    """List a storage.

    Raises:
        Unavailable: the listing broke.
    """
    found: dict[str, tuple[State, int | None]] = {}
    provenance: dict[str, State] = {}
    for info in packages.list():
        if layout.is_package(info.key):
            found[info.key] = (info.state, info.published)
        elif layout.is_provenance(info.key):
            provenance[layout.package_of(info.key)] = info.state
    return Listing(found, provenance)


def sync(repositories: Repositories, *, settle: bool = False) -> Report:
    """Bring a complete catalog in line with the storage.

    Args:
        repositories: storage and catalog.
        settle: wait for files that are too young, instead of leaving them to the next sync.

    Raises:
        CatalogIncomplete: there is nothing to compare with: it has to be built.
        CatalogUnavailable, Unavailable: what was put right by then stays so.
    """
    started = time.monotonic()
    catalog = repositories.catalog
    known = {layout.key(each.repository, each.file): each for each in catalog.states()}
    listing = listed(repositories.packages)
    suspects = set(_suspects(known, listing))
    looked_at = unsettled = unread = 0
    for key in sorted(suspects):
        repository, file = layout.place(key)
        package = listing.packages.get(key)
        if package is not None and _is_young(package[1]):
            served = catalog.package(repository, file)
            if served is not None and served.state == package[0]:
                continue  # uploaded while the listing was made
            if not settle:
                unsettled += 1
                continue
            time.sleep(SETTLED_AFTER)
        try:
            repositories.refresh(repository, file)
        except Misconfigured as error:
            log.warning("the sync could not look at %s: %s", key, error)
        except StorageError as error:
            log.warning("the sync could not look at %s: %s", key, error)
            unread += 1
        except ChartrepoError:
            raise  # the catalog's: it would be the same for all others
        except Exception:
            log.exception("looking at %s failed in a way that nobody foresaw", key)
            _put_aside(catalog, key, package[0] if package is not None else UNREAD)
        else:
            looked_at += 1
    aside = len(catalog.set_aside())
    return Report(len(listing.packages), looked_at, aside, time.monotonic() - started, unsettled, unread)


def _put_aside(catalog: Catalog, key: str, state: State) -> None:
    """Set a package aside for a fault of ours, which must not keep all others from being served."""
    repository, file = layout.place(key)
    with catalog.exclusive(repository, file) as entry:
        entry.put_aside(SetAside(repository, file, state, UNFORESEEN))


def _suspects(known: Mapping[str, Known], listing: Listing) -> Iterator[str]:
    for key, (state, _) in listing.packages.items():
        then = known.get(key)
        if (
            then is None
            or then.state != state
            or (then.served and then.provenance_state != listing.provenance.get(key))
        ):
            yield key
    yield from known.keys() - listing.packages.keys()


def _is_young(published: int | None) -> bool:
    return published is not None and 0 <= time.time() - published < SETTLED_AFTER


def build(
    catalog: Catalog,
    packages: Storage,
    read_many: ReadMany,
    *,
    remembered: Callable[[], Mapping[str, PackageRecord | SetAside]] = dict,
) -> Report:
    """Build the catalog anew out of all packages. Meanwhile packages are served, and all else has to wait.

    Args:
        catalog: to be built; what it held is gone afterwards.
        packages: the storage.
        read_many: see `ReadMany`.
        remembered: gives what an earlier catalog knew, by key; used where the storage still lists the same state.

    Raises:
        CatalogUnavailable, Unavailable: the catalog is as it was.
    """
    started = time.monotonic()
    known = remembered()
    with catalog.rebuilding() as fresh:
        listing = listed(packages)
        kept: list[PackageRecord | SetAside] = []
        tasks: list[Task] = []
        for key, (state, _) in listing.packages.items():
            provenance = listing.provenance.get(key)
            record = known.get(key)
            if record is not None and _still_holds(record, state, provenance):
                kept.append(record)
            else:
                tasks.append(Task(*layout.place(key), signed=provenance is not None))
        if tasks:
            log.info("building the catalog: %s to read", counted(len(tasks), "package"))
        fresh.load(kept)
        aside = sum(isinstance(record, SetAside) for record in kept)
        for batch in _batches(_read_all(read_many, tasks)):
            aside += sum(isinstance(record, SetAside) for record in batch)
            fresh.load(batch)
    seconds = time.monotonic() - started
    found = counted(len(listing.packages), "package")
    log.info("the catalog is complete: %s, %d set aside, %.1f s", found, aside, seconds)
    return Report(len(listing.packages), len(tasks), aside, seconds)


def _still_holds(record: PackageRecord | SetAside, state: State, provenance: State | None) -> bool:
    if isinstance(record, SetAside):
        return record.state == state
    return record.state == state and record.provenance_state == provenance


def _read_all(read_many: ReadMany, tasks: list[Task]) -> Iterator[PackageRecord | SetAside]:
    """Yield what all tasks come to.

    What the storage does not give for now is asked for again. What it will not give until somebody sees to it is set
    aside, as long as it is so little that it is not rather the storage that somebody has to see to.

    Raises:
        Unavailable: packages are missing that may well have been acknowledged, so this would be no complete catalog.
    """
    few = max(_FEW, len(tasks) // 2)
    closed = 0
    for pause in (*_PAUSES, None):
        missing: list[Unread] = []
        for outcome in _progress(read_many(tasks), len(tasks)):
            if not isinstance(outcome, Unread):
                yield outcome
                continue
            if outcome.needs_hands:
                closed += 1
                yield as_record(outcome)
            else:
                missing.append(outcome)
            if len(missing) + closed > few:
                raise Unavailable(f"the storage does not give its packages: {outcome.reason}")
        if not missing:
            return
        if pause is not None:
            time.sleep(pause)
        tasks = [each.task for each in missing]
    raise Unavailable(f"the storage does not give all of its packages: {missing[0].reason}")


def _progress(outcomes: Iterable[Outcome], total: int) -> Iterator[PackageRecord | SetAside | Unread]:
    told = time.monotonic()
    for done, outcome in enumerate(outcomes, 1):
        if time.monotonic() - told >= _PROGRESS_EVERY:
            told = time.monotonic()
            log.info("building the catalog: %d of %d packages read", done, total)
        if isinstance(outcome, SetAside):
            log.warning("%s cannot be served: %s", layout.key(outcome.repository, outcome.file), outcome.reason)
        elif isinstance(outcome, Unread):
            log.warning("%s cannot be read: %s", layout.key(outcome.task.repository, outcome.task.file), outcome.reason)
        if outcome is not None:
            yield outcome


def _batches(records: Iterable[PackageRecord | SetAside]) -> Iterator[list[PackageRecord | SetAside]]:
    batch: list[PackageRecord | SetAside] = []
    for record in records:
        batch.append(record)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def sync_or_build(
    repositories: Repositories,
    read_many: ReadMany,
    *,
    remembered: Callable[[], Mapping[str, PackageRecord | SetAside]] = dict,
) -> Report:
    """Do whichever of `sync` and `build` the catalog needs."""
    if repositories.catalog.needs_rebuild:
        return build(repositories.catalog, repositories.packages, read_many, remembered=remembered)
    return sync(repositories)


def sync_now(repositories: Repositories, metrics: Unmeasured) -> Report:
    """Bring the catalog in line for somebody who waits for it.

    Raises:
        CatalogUnavailable: another sync holds the lock for too long; and as `sync`.
    """
    until = time.monotonic() + _PATIENCE
    while True:
        with repositories.catalog.sync_lock() as ours:
            if ours:
                report = sync(repositories, settle=True)
                metrics.sync("done", report.seconds, found=report.found, changed=report.changed, now=time.time())
                return report
        if time.monotonic() > until:
            raise CatalogUnavailable("another sync is under way and takes long: try again later")
        time.sleep(_PATIENCE / 200)
