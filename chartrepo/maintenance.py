"""Work on a storage and its catalog beside the servers: building, and putting right."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from chartrepo import assembly, layout
from chartrepo.building import build
from chartrepo.catalog import Catalog
from chartrepo.comparing import compare, known_to
from chartrepo.core.errors import CatalogUnavailable
from chartrepo.outcomes import ReadMany
from chartrepo.policing import Policing
from chartrepo.pushed_sync import sync_pushed
from chartrepo.registry import Blobs, Collected, Collector
from chartrepo.repository import Repositories
from chartrepo.settings import Settings
from chartrepo.sync import sync
from storage.base import Storage

_PATIENCE = 600.0
_LOOK_EVERY = 0.2


@contextmanager
def at_work(settings: Settings) -> Iterator[Repositories]:
    """Give the storage and the catalog of the settings, to be written to; servers may run meanwhile.

    Raises:
        Misconfigured, CatalogMisconfigured: they never can be; the message says why and what to do.
        AccessMisconfigured: the file of policies cannot be used.
        CatalogUnavailable, Unavailable: not now.
    """
    ground = assembly.prepare(settings, writable=True)
    repositories = assembly.repositories(settings, ground)
    with closing(repositories.catalog):
        repositories.policing.check()
        yield repositories


@contextmanager
def looking(settings: Settings) -> Iterator[tuple[Storage, Catalog, Policing]]:
    """Give the storage, the catalog and the policies of the settings, to be looked at.

    Raises:
        Misconfigured, CatalogMisconfigured: they never can be; the message says why and what to do.
        AccessMisconfigured: the file of policies cannot be used.
        Unavailable: not now.
    """
    catalog = assembly.catalog(settings, assembly.look(settings))
    with closing(catalog):
        found = assembly.storages(settings)
        policing = assembly.policing(settings, found)
        policing.check()
        yield found.packages, catalog, policing


def build_if_needed(repositories: Repositories, read_many: ReadMany) -> bool:
    """Make sure that there is a catalog; return whether it had to be built here.

    Where a server is building it, this waits for that.

    Raises:
        CatalogUnavailable: it does not answer, or a server takes too long.
        Unavailable: the storage does not answer.
    """
    catalog = repositories.catalog
    until = time.monotonic() + _PATIENCE
    while catalog.needs_rebuild:
        with catalog.sync_lock() as ours:
            if ours and catalog.needs_rebuild:
                build(catalog, repositories.packages, read_many, policing=repositories.policing)
                return True
        if time.monotonic() > until:
            raise CatalogUnavailable("a server builds the catalog and takes long: try again later")
        time.sleep(_LOOK_EVERY)
    return False


@dataclass(frozen=True, slots=True)
class Reindexed:
    """What came of reading everything again.

    Attributes:
        packages: that are in storage.
        changed: entries of the catalog that were put right; None where it was built anew.
        set_aside: packages that cannot be served.
    """

    packages: int
    changed: int | None
    set_aside: int


def reindex(repositories: Repositories, read_many: ReadMany) -> Reindexed:
    """Read every package again, and put right what the catalog says otherwise. Nobody has to wait meanwhile.

    Where there is no catalog, or a damaged one, it is built.

    Raises:
        CatalogUnavailable, Unavailable: what was put right by then stays so.
    """
    catalog = repositories.catalog
    if build_if_needed(repositories, read_many):
        return Reindexed(sum(1 for _ in catalog.states()), None, len(catalog.set_aside()))
    comparison = compare(repositories.packages, known_to(catalog), read_many)
    for key in sorted(comparison.differing):
        repositories.refresh(*layout.place(key), reread=True)
    sync_pushed(repositories.packages, catalog, comparison.listing.pushed, all_again=True)
    return Reindexed(len(comparison.listing.packages), len(comparison.differing), len(catalog.set_aside()))


def collect_garbage(
    repositories: Repositories, read_many: ReadMany, *, grace: float, untagged: bool, dry_run: bool
) -> Collected:
    """Remove what came through OCI and nothing needs; see `chartrepo.registry.Collector`.

    The catalog is brought in line first: what another server published must not be taken for gone.

    Raises:
        CatalogUnavailable, Unavailable: what was done by then stays so.
    """
    if not build_if_needed(repositories, read_many):
        sync(repositories)
    return Collector(Blobs(repositories), grace=grace, untagged=untagged, dry_run=dry_run).collect()
