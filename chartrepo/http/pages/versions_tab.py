"""All versions of a chart."""

from typing import Any, Final, NamedTuple

from flask import Response

from chartrepo.catalog import PackageRecord
from chartrepo.core import annotations, versions
from chartrepo.core.made_manifests import metadata_of
from chartrepo.http.pages.chart_frame import ChartFrame
from chartrepo.http.pages.site import Site
from chartrepo.http.pages.tab_parts import asked_versions

_AT_ONCE: Final = 50


class Listed(NamedTuple):
    """A version as the list shows it.

    Attributes:
        record: the version.
        app_version: of the application; empty for none.
        deprecated: whether it is.
        prerelease: whether it is one.
        security: whether it says that it has security updates.
    """

    record: PackageRecord
    app_version: str
    deprecated: bool
    prerelease: bool
    security: bool


class VersionsTab:
    """The page.

    Args:
        frame: around it.
        site: that the page is of.
    """

    def __init__(self, frame: ChartFrame, site: Site) -> None:
        self._frame = frame
        self._site = site

    def view(self, rest: str) -> Response:
        """GET of the versions of a chart."""
        opened = self._frame.open(rest)
        asked = asked_versions(self._site.repositories.catalog, opened.subject, _AT_ONCE)
        return self._frame.render(
            opened,
            "versions",
            "tab_versions.html",
            listed=[_listed(record) for record in asked.records],
            page=asked.page,
            pages=asked.pages,
        )


def _listed(record: PackageRecord) -> Listed:
    metadata: dict[str, Any] = metadata_of(record.entry_json)
    said = metadata.get("annotations", {})
    return Listed(
        record,
        metadata.get("appVersion", ""),
        bool(metadata.get("deprecated")),
        not versions.is_stable(record.version) or annotations.is_prerelease(said),
        annotations.contains_security_updates(said),
    )
