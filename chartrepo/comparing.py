"""Comparing what the catalog says with what the packages say, all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from chartrepo import layout
from chartrepo.catalog import Catalog, PackageRecord, SetAside
from chartrepo.listing import Listing, listed
from chartrepo.outcomes import ReadMany, Task, as_record
from storage.base import Storage

Record = PackageRecord | SetAside
"""What can be said of a package; one that the storage does not give counts as set aside for that."""


class Pair(NamedTuple):
    """What the catalog says of a package, and what reading it says; None where there is no such package."""

    known: Record | None
    found: Record | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A catalog beside its storage.

    Attributes:
        listing: what the storage lists.
        aside: packages that cannot be served, by key.
        unsigned: packages whose provenance file does not name their digest, by key.
        reserved: packages that are served though an upload of them is refused, by key.
        differing: packages of which catalog and storage do not say the same, by key.
    """

    listing: Listing
    aside: Mapping[str, SetAside]
    unsigned: Mapping[str, PackageRecord]
    reserved: Mapping[str, PackageRecord]
    differing: Mapping[str, Pair]


def known_to(catalog: Catalog) -> dict[str, Record]:
    """Return all that a catalog says, by key.

    Raises:
        CatalogIncomplete, CatalogUnavailable: it says nothing.
    """
    return {layout.key(record.repository, record.file): record for record in catalog.records()}


def compare(packages: Storage, known: Mapping[str, Record], read_many: ReadMany) -> Comparison:
    """Read every package, and compare it with what the catalog says.

    Args:
        packages: where they lie.
        known: see `known_to`.
        read_many: see `chartrepo.outcomes.ReadMany`.

    Raises:
        Unavailable: the storage does not answer.
    """
    listing = listed(packages)
    tasks = [Task(*layout.place(key), signed=key in listing.provenance) for key in listing.packages]
    aside: dict[str, SetAside] = {}
    unsigned: dict[str, PackageRecord] = {}
    reserved: dict[str, PackageRecord] = {}
    differing: dict[str, Pair] = {}
    missing = dict(known)
    for outcome in read_many(tasks):
        if outcome is None:
            continue
        found = as_record(outcome)
        key = layout.key(found.repository, found.file)
        if isinstance(found, SetAside):
            aside[key] = found
        else:
            if found.warnings:
                reserved[key] = found
            if found.provenance_state is not None and not found.signed:
                unsigned[key] = found
        before = missing.pop(key, None)
        if before != found:
            differing[key] = Pair(before, found)
    differing.update((key, Pair(record, None)) for key, record in missing.items())
    return Comparison(listing, aside, unsigned, reserved, differing)


def look_again(packages: Storage, catalog: Catalog, first: Comparison, read_many: ReadMany) -> dict[str, Pair]:
    """Return the differences that are still there: servers may have been at work during the first look.

    Raises:
        As `known_to` and `compare`.
    """
    listing = listed(packages)
    tasks = [
        Task(*layout.place(key), signed=key in listing.provenance) for key in first.differing if key in listing.packages
    ]
    records = [as_record(outcome) for outcome in read_many(tasks) if outcome is not None]
    found = {layout.key(record.repository, record.file): record for record in records}
    known = known_to(catalog)
    pairs = {key: Pair(known.get(key), found.get(key)) for key in first.differing}
    return {key: pair for key, pair in pairs.items() if pair.known != pair.found}
