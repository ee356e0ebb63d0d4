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
from chartrepo.core.errors import CatalogUnavailable
from chartrepo.metrics import Unmeasured
from chartrepo.repository import Repositories
from storage.base import State, Storage, StorageError, Unavailable

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
"""The state of a package that the storage did not give. It is no state of an object, so the next sync tries again."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a sync found and did.

    Attributes:
        found: packages that the storage listed.
        changed: catalog entries that were looked at again because the storage had changed.
        set_aside: packages that lie in storage and cannot be served.
        seconds: how long it took.
        unsettled: packages that were left to the next sync: somebody may still be writing them, or the storage did not
            give them.
    """

    found: int
    changed: int
    set_aside: int
    seconds: float
    unsettled: int = 0

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


Outcome = PackageRecord | SetAside | None
"""What became of a task; None where the package had gone meanwhile."""

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
    looked_at = unsettled = 0
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
            looked_at += 1
        except StorageError as error:
            log.warning("the sync could not look at %s: %s", key, error)
    aside = len(catalog.set_aside())
    return Report(len(listing.packages), looked_at, aside, time.monotonic() - started, unsettled)


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
        if listing.packages:
            log.info("building the catalog out of %d packages", len(listing.packages))
        kept: list[PackageRecord | SetAside] = []
        tasks: list[Task] = []
        for key, (state, _) in listing.packages.items():
            provenance = listing.provenance.get(key)
            record = known.get(key)
            if record is not None and _still_holds(record, state, provenance):
                kept.append(record)
            else:
                tasks.append(Task(*layout.place(key), signed=provenance is not None))
        fresh.load(kept)
        aside = sum(isinstance(record, SetAside) for record in kept)
        unread = 0
        for batch in _batches(_read_all(read_many, tasks)):
            aside += sum(isinstance(record, SetAside) for record in batch)
            unread += sum(record.state == UNREAD for record in batch)
            fresh.load(batch)
    seconds = time.monotonic() - started
    log.info("the catalog is complete: %d packages, %d set aside, %.1f s", len(listing.packages), aside, seconds)
    return Report(len(listing.packages), len(tasks), aside, seconds, unread)


def _still_holds(record: PackageRecord | SetAside, state: State, provenance: State | None) -> bool:
    if isinstance(record, SetAside):
        return record.state == state
    return record.state == state and record.provenance_state == provenance


def _read_all(read_many: ReadMany, tasks: list[Task]) -> Iterator[PackageRecord | SetAside]:
    """Yield what all tasks come to. What the storage does not give is asked for again, and at last set aside.

    Raises:
        Unavailable: it does not give so many that it is rather the storage that fails.
    """
    total = len(tasks)
    for pause in (*_PAUSES, None):
        missing: list[SetAside] = []
        for outcome in _progress(read_many(tasks), len(tasks)):
            if isinstance(outcome, SetAside) and outcome.state == UNREAD:
                missing.append(outcome)
                if len(missing) > max(_FEW, total // 2):
                    raise Unavailable(f"the storage does not give its packages: {outcome.reason}")
            else:
                yield outcome
        if not missing:
            return
        if pause is None:
            yield from missing
            return
        time.sleep(pause)
        signed = {(task.repository, task.file): task.signed for task in tasks}
        tasks = [Task(each.repository, each.file, signed[each.repository, each.file]) for each in missing]


def _progress(outcomes: Iterable[Outcome], total: int) -> Iterator[PackageRecord | SetAside]:
    told = time.monotonic()
    for done, outcome in enumerate(outcomes, 1):
        if time.monotonic() - told >= _PROGRESS_EVERY:
            told = time.monotonic()
            log.info("building the catalog: %d of %d packages read", done, total)
        if isinstance(outcome, SetAside):
            log.warning("%s cannot be served: %s", layout.key(outcome.repository, outcome.file), outcome.reason)
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


def found_in(catalog: Catalog) -> str:
    """Return a sentence that says what the catalog holds."""
    repositories = catalog.repositories()
    charts = sum(each.charts for each in repositories)
    versions = sum(each.versions for each in repositories)
    aside = len(catalog.set_aside())
    found = (
        f"found {_count(versions, 'version')} of {_count(charts, 'chart')} in {_count(len(repositories), 'repository')}"
    )
    return f"{found}, and {_count(aside, 'package')} set aside (see chartrepo check)" if aside else found


def _count(number: int, noun: str) -> str:
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun.removesuffix('y')}ies" if noun.endswith("y") else f"{number:,} {noun}s"
