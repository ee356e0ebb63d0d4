"""Which chart a page is about, for whoever may read it."""

from dataclasses import dataclass

from flask import request

from chartrepo.catalog import Catalog, PackageRecord
from chartrepo.core.errors import ChartNotFound, VersionNotFound
from chartrepo.core.permissions import Action
from chartrepo.http.auth import visitor_of
from chartrepo.http.pages.links import chart_path


@dataclass(frozen=True, slots=True)
class Subject:
    """The version of a chart that a page is about.

    Attributes:
        record: that version.
        newest: the one that Helm installs if none is named.
        asked: the version that the address names; None where it names none.
        versions: how many the chart has.
    """

    record: PackageRecord
    newest: PackageRecord
    asked: str | None
    versions: int

    @property
    def is_newest(self) -> bool:
        """Whether this is the version that Helm installs if none is named."""
        return self.record.version == self.newest.version


def find_subject(catalog: Catalog, rest: str) -> Subject:
    """Return what the rest of a page's address names, if the caller may read it.

    Raises:
        NoSuchPath: it names no chart, or one that the caller may not read.
        Unauthorized: a caller who is not known may not read it.
        ChartNotFound, VersionNotFound: there is none.
    """
    visitor = visitor_of(request.environ)
    paths = chart_path(rest)
    for path in paths:
        if not visitor.may(Action.READ, path.repository, path.chart):
            continue
        newest = catalog.browsing.newest(path.repository, path.chart)
        if newest is None:
            continue
        record = newest
        if path.version is not None:
            found = catalog.browsing.version(path.repository, path.chart, path.version)
            if found is None:
                raise VersionNotFound(f"{path.chart} has no version {path.version} (any more)")
            record = found
        return Subject(record, newest, path.version, catalog.browsing.count(path.repository, path.chart))
    first = paths[0]
    visitor.require(Action.READ, first.repository, first.chart)
    raise ChartNotFound(f"there is no chart {first.chart!r} here (any more)")
