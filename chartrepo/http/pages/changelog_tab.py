"""What changed, over all versions of a chart, as their annotations say it."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from flask import Response

from chartrepo.catalog import PackageRecord
from chartrepo.core import annotations
from chartrepo.core.annotations import Change
from chartrepo.core.made_manifests import metadata_of
from chartrepo.http.pages.chart_frame import ChartFrame
from chartrepo.http.pages.site import Site
from chartrepo.http.pages.tab_parts import asked_versions

_AT_ONCE: Final = 20
_LOOKS: Final[Mapping[str, str]] = {
    "added": "good",
    "changed": "note",
    "deprecated": "warn",
    "removed": "bad",
    "fixed": "note",
    "security": "bad",
}
_FILES: Final = ("CHANGELOG.md", "CHANGELOG", "CHANGELOG.txt", "CHANGES.md", "HISTORY.md", "RELEASES.md")


class Release(NamedTuple):
    """A version and what it changes.

    Attributes:
        record: the version.
        app_version: of the application; empty for none.
        security: whether it says that it has security updates.
        changes: what it says that it changes.
    """

    record: PackageRecord
    app_version: str
    security: bool
    changes: tuple[Change, ...]


class ChangelogTab:
    """The page.

    Args:
        frame: around it.
        site: that the page is of.
    """

    def __init__(self, frame: ChartFrame, site: Site) -> None:
        self._frame = frame
        self._site = site

    def view(self, rest: str) -> Response:
        """GET of what changed in the versions of a chart."""
        opened = self._frame.open(rest)
        asked = asked_versions(self._site.repositories.catalog, opened.subject, _AT_ONCE)
        return self._frame.render(
            opened,
            "changelog",
            "tab_changelog.html",
            releases=[_release(record) for record in asked.records],
            looks=_LOOKS,
            page=asked.page,
            pages=asked.pages,
            changelog=opened.contents.find(*_FILES),
        )


def _release(record: PackageRecord) -> Release:
    metadata = metadata_of(record.entry_json)
    said: Mapping[str, str] = metadata.get("annotations", {})
    return Release(
        record,
        metadata.get("appVersion", ""),
        annotations.contains_security_updates(said),
        annotations.changes(said),
    )
