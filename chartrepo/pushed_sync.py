"""Bringing what the catalog knows of OCI in line with the storage; by the rules of `chartrepo.sync`."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from chartrepo import layout, pushed
from chartrepo.catalog import Catalog, Held
from chartrepo.core import oci
from chartrepo.core.errors import ManifestInvalid
from chartrepo.core.oci import Digest
from chartrepo.pushed import PushedListing, is_there
from storage.base import NotFound, Storage, StorageError

log = logging.getLogger(__name__)


def sync_pushed(packages: Storage, catalog: Catalog, listing: PushedListing, *, all_again: bool = False) -> int:
    """Look again at every manifest and tag of which catalog and listing do not say the same; return how many.

    Args:
        packages: where they lie.
        catalog: to be brought in line.
        listing: of `packages`.
        all_again: look at what seems right too.

    Raises:
        CatalogUnavailable: what was put right by then stays so.
    """
    looked_at = 0
    manifests, tags = set(_suspect_manifests(catalog, listing)), set(_suspect_tags(catalog, listing))
    if all_again:
        manifests |= listing.manifests
        tags |= listing.tags.keys()
    for path, text in sorted(manifests):
        with catalog.artifacts.holding(path) as held, _told():
            _refresh_manifest(packages, held, path, oci.parse_digest(text))
            looked_at += 1
    for path, tag in sorted(tags):
        with catalog.artifacts.holding(path) as held, _told():
            _refresh_tag(packages, held, path, tag)
            looked_at += 1
    return looked_at


def _suspect_manifests(catalog: Catalog, listing: PushedListing) -> Iterator[tuple[str, str]]:
    listed = set(listing.manifests)
    for record in catalog.artifacts.all_manifests():
        key = (record.name, record.digest)
        if key not in listed or pushed.with_looseness(record, listing) != record:
            yield key
        listed.discard(key)
    yield from listed


def _suspect_tags(catalog: Catalog, listing: PushedListing) -> Iterator[tuple[str, str]]:
    listed = dict(listing.tags)
    for record in catalog.artifacts.all_tags():
        key = (record.name, record.tag)
        if listed.pop(key, None) != record.state:
            yield key
    yield from listed


@contextmanager
def _told() -> Iterator[None]:
    """Log what the storage does not give, and what makes no sense: the rest can be put right all the same."""
    try:
        yield
    except (StorageError, ManifestInvalid) as error:
        log.warning("the sync could not look at something that was pushed: %s", error)


def _refresh_manifest(packages: Storage, held: Held, path: str, digest: Digest) -> None:
    try:
        record = pushed.read_manifest_record(packages, path, digest, loose=False)
    except NotFound:
        held.drop_manifest(str(digest))
        return
    loose = record.chart is not None and is_there(packages, layout.blob_key(path, oci.sha256(record.chart)))
    held.put_manifest(replace(record, loose=loose))


def _refresh_tag(packages: Storage, held: Held, path: str, tag: str) -> None:
    try:
        held.put_tag(pushed.read_tag(packages, path, tag))
    except NotFound:
        held.drop_tag(tag)
