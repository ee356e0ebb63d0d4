"""Building the catalog, where there is none yet, out of all packages at once, in several processes."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeGuard

from chartrepo import layout
from chartrepo.catalog import Catalog, PackageRecord, Record, SetAside, Withheld
from chartrepo.listing import listed
from chartrepo.outcomes import Outcome, ReadMany, Task, Unread, as_record
from chartrepo.policing import Policing
from chartrepo.pushed import read_all
from chartrepo.repository import Repositories
from chartrepo.sync import Report, sync
from chartrepo.wording import counted
from storage.base import State, Storage, Unavailable

log = logging.getLogger(__name__)

_PROGRESS_EVERY: Final = 5.0
_BATCH: Final = 1000
_PAUSES: Final = (0.5, 2.0)
"""Seconds after which packages are asked for again that the storage did not give."""
_FEW: Final = 10


def build(
    catalog: Catalog,
    packages: Storage,
    read_many: ReadMany,
    *,
    policing: Policing | None = None,
    remembered: Callable[[], Mapping[str, Record]] = dict,
) -> Report:
    """Build the catalog anew out of all packages. Meanwhile packages are served, and all else has to wait.

    Args:
        catalog: to be built; what it held is gone afterwards.
        packages: the storage.
        read_many: see `ReadMany`; it has held to the policies what it gives.
        policing: the policies, for what is remembered; None for none.
        remembered: gives what an earlier catalog knew, by key; used where the storage still lists the same state.

    Raises:
        CatalogUnavailable, Unavailable: the catalog is as it was.
    """
    started = time.monotonic()
    known = remembered()
    policing = policing or Policing()
    judge = policing.judge_of_many()
    with catalog.rebuilding() as fresh:
        listing = listed(packages)
        kept: list[PackageRecord | SetAside] = []
        tasks: list[Task] = []
        for key, (state, _) in listing.packages.items():
            provenance = listing.provenance.get(key)
            record = known.get(key)
            if isinstance(record, PackageRecord) and _still_holds(record, state, provenance):
                kept.append(judge(record))
            elif _stays_aside(record, state, policing):
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
        fresh.load(read_all(packages, listing.pushed, known=known))
    seconds = time.monotonic() - started
    found = counted(len(listing.packages), "package")
    log.info("the catalog is complete: %s, %d set aside, %.1f s", found, aside, seconds)
    return Report(len(listing.packages), len(tasks), aside, seconds)


def _stays_aside(record: Record | None, state: State, policing: Policing) -> TypeGuard[SetAside]:
    if not isinstance(record, SetAside) or isinstance(record, Withheld):  # what that waits for can have come
        return False
    return record.state == state and not policing.is_outdated(record)


def _still_holds(record: PackageRecord, state: State, provenance: State | None) -> bool:
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
            log.warning("%s", outcome.reason)  # which names the key
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
    remembered: Callable[[], Mapping[str, Record]] = dict,
) -> Report:
    """Do whichever of `sync` and `build` the catalog needs."""
    if repositories.catalog.needs_rebuild:
        return build(
            repositories.catalog,
            repositories.packages,
            read_many,
            policing=repositories.policing,
            remembered=remembered,
        )
    return sync(repositories)
