"""The page by which whoever may do everything sees how the server stands."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from flask import Flask, Response, request

from chartrepo.access import Directory
from chartrepo.audit import Records
from chartrepo.catalog import Catalog
from chartrepo.catalog.schema import SCHEMA_VERSION
from chartrepo.core.audit import Record
from chartrepo.core.errors import ChartrepoError, in_full
from chartrepo.core.permissions import Action
from chartrepo.http.auth import visitor_of
from chartrepo.http.pages.links import UI
from chartrepo.http.pages.notices import SYNCED
from chartrepo.http.pages.site import Site
from chartrepo.standing import Standing
from chartrepo.sync import Report
from storage.base import StorageError

REPOSITORIES: Final = 20
RECORDS: Final = 20


@dataclass(frozen=True, slots=True)
class StatusPage:
    """Views of `/ui/status`. Whatever cannot be told says so, and the rest is shown all the same.

    Attributes:
        site: that it is of.
        standing: what is known of the server.
        directory: knows which files of access can be used.
        records: of the audit; None where none are kept.
        sync: brings the catalog in line with the storage, and reports.
    """

    site: Site
    standing: Standing
    directory: Directory
    records: Records | None
    sync: Callable[[], Report]

    def register(self, app: Flask) -> None:
        """Add the routes to an application."""
        app.add_url_rule(f"{UI}/status", "ui_status", self.show, methods=["GET"])
        app.add_url_rule(f"{UI}/status", "ui_sync", self.sync_now, methods=["POST"])

    def show(self) -> Response:
        """GET of the page."""
        visitor_of(request.environ).require_everywhere(Action.ADMIN)
        catalog = self.site.repositories.catalog
        records, audit_problem = self._recent()
        return self.site.pages.render(
            "status.html",
            standing=self.standing,
            settings=self.standing.changed_settings(),
            workers=self.standing.workers(),
            note=self.standing.last_sync,
            interval=self.standing.settings.sync_interval,
            schema=SCHEMA_VERSION,
            files=sorted({**self.directory.files(), **self.site.repositories.policing.files()}.items()),
            records=records,
            audit_problem=audit_problem,
            keeps_audit=self.records is not None,
            **_held(catalog),
        )

    def sync_now(self) -> Response:
        """POST that brings the catalog in line before it answers."""
        visitor_of(request.environ).require_everywhere(Action.ADMIN)
        self.sync()
        return self.site.moved(self.site.links.page("status", done=SYNCED))

    def _recent(self) -> tuple[list[Record], str]:
        """Return the newest audit records, or why they cannot be had."""
        if self.records is None:
            return [], ""
        try:
            return list(self.records.ask({"limit": str(RECORDS)}).records), ""
        except (ChartrepoError, StorageError) as error:
            return [], str(error)


class Searchable(NamedTuple):
    """How many charts can be found by a search, of how many, and whether that is still to change."""

    indexed: int
    charts: int
    behind: bool


def _searchable(catalog: Catalog) -> Searchable:
    with catalog.documents.looking() as looking:
        return Searchable(*looking.counts(), behind=looking.is_behind())


def _held(catalog: Catalog) -> dict[str, Any]:
    """Return what the catalog holds, or why it cannot be asked."""
    held: dict[str, Any] = {
        "catalog_problem": "",
        "complete": False,
        "catalog_id": "",
        "repositories": [],
        "more": False,
        "aside": (0, 0),
        "found": None,
    }
    try:
        held["complete"] = catalog.complete
        held["catalog_id"] = catalog.mark("").catalog
        found = catalog.shelves.repositories(after=None, limit=REPOSITORIES + 1)
        held["repositories"], held["more"] = found[:REPOSITORIES], len(found) > REPOSITORIES
        held["aside"] = catalog.shelves.count_set_aside()
        held["found"] = _searchable(catalog)
    except ChartrepoError as error:
        held["catalog_problem"] = in_full(error)  # for who may do everything, who runs the server
    return held
