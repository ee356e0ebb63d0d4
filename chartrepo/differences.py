"""Which two versions of a chart are compared, and what differs between them, kept for a while."""

from typing import Final, NamedTuple

from chartrepo.catalog import Browsing, PackageRecord
from chartrepo.contents import ContentsCache
from chartrepo.core.differing.comparison import Comparison, Side, compare
from chartrepo.core.errors import ChartNotFound, InvalidConstraint, VersionNotFound
from chartrepo.core.made_manifests import metadata_of
from chartrepo.core.messages import shown_path
from chartrepo.core.versions import resolve
from chartrepo.recent import Recent

_MOST: Final = 8
"""Comparisons that a process keeps, for who looks at one in several ways."""
_LARGEST: Final = 4 * 1024 * 1024
"""Bytes of one that is kept."""


class Pair(NamedTuple):
    """Two versions of a chart.

    Attributes:
        old: the one.
        new: the other, which need not be newer.
    """

    old: PackageRecord
    new: PackageRecord


class Differences:
    """Compares versions. Safe to share between threads.

    Args:
        browsing: finds versions.
        contents: what is in their packages.
    """

    def __init__(self, browsing: Browsing, contents: ContentsCache) -> None:
        self._browsing = browsing
        self._contents = contents
        self._recent = Recent[Comparison](_MOST, weigh=lambda found: found.size, heaviest=_LARGEST)

    def resolve(self, repository: str, name: str, old: str | None, new: str | None) -> Pair:
        """Return the two versions that are meant.

        Args:
            repository: where the chart is.
            name: of the chart.
            old: a version, `latest`, or a range; None for the version before the other one.
            new: the same; None for the newest.

        Raises:
            ChartNotFound: there is no such chart.
            VersionNotFound: it has no such version, or only one.
        """
        newest = self._browsing.newest(repository, name)
        if newest is None:
            raise ChartNotFound("chart not found")
        after = self._find(newest, new)
        before = self._find(newest, old) if old else self._browsing.before(after)
        if before is None:
            raise VersionNotFound(f"{shown_path(name)} has no version before {after.version} to compare it with")
        return Pair(before, after)

    def _find(self, newest: PackageRecord, wanted: str | None) -> PackageRecord:
        if not wanted or wanted == "latest":
            return newest
        found = self._browsing.version(newest.repository, newest.name, wanted)
        if found is None:
            found = self._in_range(newest, wanted)
        if found is None:
            raise VersionNotFound(f"{shown_path(newest.name)} has no version {shown_path(wanted)}")
        return found

    def _in_range(self, newest: PackageRecord, wanted: str) -> PackageRecord | None:
        names = self._browsing.names_of_versions(newest.repository, newest.name)
        try:
            version = resolve(names, wanted)
        except InvalidConstraint:
            return None
        return self._browsing.version(newest.repository, newest.name, version) if version is not None else None

    def compare(self, old: PackageRecord, new: PackageRecord) -> Comparison:
        """Return what differs between two versions; raises as `ContentsCache.of`."""
        key = (old.digest, new.digest, old.version, new.version)
        return self._recent.get(key, lambda: compare(self._side(old), self._side(new)))

    def _side(self, record: PackageRecord) -> Side:
        metadata = metadata_of(record.entry_json)
        return Side(record.version, record.digest, metadata, self._contents.of(record).files)
