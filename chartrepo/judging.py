"""Bringing the catalog in line with the policies, as far as they are others than when it was written.

The policies are not in the catalog, and what they say of a package follows from its row. So every row is judged again
where they may have changed; only what is to be served again has to be read again.
"""

import logging
from collections.abc import Iterator

from chartrepo import layout
from chartrepo.catalog import Catalog, PackageRecord, SetAside
from chartrepo.policing import Policing
from chartrepo.repository import Repositories
from storage.base import StorageError

log = logging.getLogger(__name__)


def judge_again(repositories: Repositories) -> int:
    """Look again at every package of which policies and catalog do not say the same; return how many.

    Raises:
        AccessMisconfigured: nobody can tell what the policies ask.
        CatalogIncomplete, CatalogUnavailable: what was put right by then stays so.
    """
    looked_at = 0
    for repository, file, hidden in sorted(_suspects(repositories.catalog, repositories.policing)):
        try:
            repositories.refresh(repository, file, reread=hidden)
        except StorageError as error:
            log.warning("%s could not be held to the policies: %s", layout.key(repository, file), error)
        else:
            looked_at += 1
    return looked_at


def _suspects(catalog: Catalog, policing: Policing) -> Iterator[tuple[str, str, bool]]:
    """Give repository and file of each, and whether it was hidden so far."""
    records = catalog.records() if policing.policies.policies else catalog.set_aside()
    for record in records:
        if _differs(record, policing):
            yield record.repository, record.file, isinstance(record, SetAside)


def _differs(record: PackageRecord | SetAside, policing: Policing) -> bool:
    if isinstance(record, SetAside):
        return policing.is_outdated(record)
    try:
        return policing.judged(record) != record
    except StorageError:
        return True  # whoever looks at it meets that again
