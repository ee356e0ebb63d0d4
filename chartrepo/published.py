"""The index as a file beside the packages, for web servers that serve the folder or bucket without us."""

import time
from dataclasses import dataclass
from typing import Final

from chartrepo import layout
from chartrepo.catalog import Mark
from chartrepo.core.index import Form
from chartrepo.indexes import Indexes
from chartrepo.repository import Repositories
from storage.base import ANYWAY

_QUIET: Final = 1.0
"""Seconds without a change after which an index is written: a burst of uploads is one change."""

_AT_LATEST: Final = 10.0
"""Seconds after the first of many changes, however they go on."""


@dataclass(slots=True)
class _Pending:
    """Changes that are not written yet: where they have come to, and when the first and the last were seen."""

    mark: Mark
    first: float
    last: float


class PublishedIndexes:
    """Keeps `index.yaml` in each repository's folder in line with the catalog.

    Args:
        repositories: the storage to write to, and the catalog.
        context_path: as the served index says it.
    """

    def __init__(self, repositories: Repositories, *, context_path: str) -> None:
        self._storage = repositories.packages
        self._catalog = repositories.catalog
        # The file lies in the packages' own folder.
        self._indexes = Indexes(self._catalog, url_prefix=lambda _repository: "", context_path=context_path)
        self._written: dict[str, Mark] = {}
        self._pending: dict[str, _Pending] = {}

    def write_changed(self) -> None:
        """Write the indexes that changed and have come to rest.

        Raises:
            CatalogIncomplete, CatalogUnavailable, Unavailable, NoSpace: the rest is written at the next call.
        """
        self._notice()
        now = time.monotonic()
        for repository, pending in list(self._pending.items()):
            if now - pending.last >= _QUIET or now - pending.first >= _AT_LATEST:
                self._write(repository)

    def write_all(self) -> None:
        """Write the indexes that changed, at rest or not.

        Raises:
            CatalogIncomplete, CatalogUnavailable, Unavailable, NoSpace: some were not written.
        """
        self._notice()
        for repository in list(self._pending):
            self._write(repository)

    def _notice(self) -> None:
        now = time.monotonic()
        # Also of those whose last chart went, maybe before this process began: their index has to become empty.
        for repository, mark in self._catalog.marks().items():
            pending = self._pending.get(repository)
            if pending is not None:
                if pending.mark != mark:
                    pending.mark, pending.last = mark, now
            elif self._written.get(repository) != mark:
                self._pending[repository] = _Pending(mark, now, now)

    def _write(self, repository: str) -> None:
        index = self._indexes.get(repository, Form.YAML)
        self._storage.put(layout.index_key(repository), b"".join(index.document().parts), condition=ANYWAY)
        self._written[repository] = index.mark
        del self._pending[repository]
