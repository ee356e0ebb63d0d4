"""Bringing the catalog in line with the storage.

A listing is never believed by itself: it only names suspects, and each suspect is looked at again under its lock before
anything changes. So a sync beside uploads, deletes and another server's writes is always right, if late.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from chartrepo import layout
from chartrepo.catalog import Catalog, Known, SetAside, Withheld
from chartrepo.core.errors import CatalogUnavailable, ChartrepoError
from chartrepo.listing import Listing, listed
from chartrepo.metrics import Unmeasured
from chartrepo.outcomes import UNFORESEEN, UNREAD
from chartrepo.pushed_sync import sync_pushed
from chartrepo.repository import Repositories
from storage.base import Misconfigured, State, StorageError

log = logging.getLogger(__name__)

SETTLED_AFTER: Final = 2
"""Seconds after which a file is taken to be whole: somebody may still be copying a younger one."""

_PATIENCE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Report:
    """What a sync, or a building, found and did.

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
            found = repositories.refresh(repository, file)
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
            still_withheld = key in known and known[key].withheld and isinstance(found, Withheld)
            looked_at += not still_withheld
    looked_at += sync_pushed(repositories.packages, catalog, listing.pushed)
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
            or then.withheld  # what it waits for can lie anywhere
        ):
            yield key
    yield from known.keys() - listing.packages.keys()


def _is_young(published: int | None) -> bool:
    return published is not None and 0 <= time.time() - published < SETTLED_AFTER


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
