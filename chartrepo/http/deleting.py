"""Deleting versions and charts: the same for the API and for the page."""

from dataclasses import dataclass

from flask import request

from chartrepo.catalog import PackageRecord, SetAside
from chartrepo.core.permissions import Action
from chartrepo.http.auditing import Auditor
from chartrepo.http.auth import trying_of, visitor_of
from chartrepo.http.errors import Forbidden
from chartrepo.repository import Repositories


@dataclass(frozen=True, slots=True)
class Deleting:
    """Deletes for whoever asks, as far as that caller may.

    Attributes:
        repositories: the use cases.
        auditor: records each version that goes with its chart.
        allowed: whether anything may be deleted at all.
    """

    repositories: Repositories
    auditor: Auditor
    allowed: bool

    def may(self, repository: str, chart: str) -> bool:
        """Return whether the caller may delete versions of a chart, for links to where that is done."""
        return self.allowed and visitor_of(request.environ).may(Action.DELETE, repository, chart)

    def check(self, repository: str, chart: str) -> None:
        """Return if the caller may delete versions of a chart.

        Raises:
            Unauthorized, NoSuchPath, Forbidden: it may not, or nobody may.
        """
        visitor_of(request.environ).require(Action.DELETE, repository, chart)
        if not self.allowed:
            raise Forbidden("this server deletes nothing: set allow_delete to true to let it")

    def version(self, repository: str, chart: str, version: str) -> None:
        """Delete a version, once `check` was asked; raises as `Repositories.delete`."""
        trying = trying_of(request.environ)
        trying.version = version
        trying.deleted(self.repositories.delete(repository, chart, version))

    def chart(self, repository: str, chart: str) -> int:
        """Delete all versions of a chart, once `check` was asked; return how many.

        Raises:
            ChartNotFound, and others: as `Repositories.delete_chart`.
        """
        deleted = self.repositories.delete_chart(repository, chart, self._tell)
        trying_of(request.environ).is_part = True  # each version has left a record of its own
        return deleted

    def _tell(self, package: PackageRecord | SetAside) -> None:
        """Record that one of several versions was deleted: what fails after it is not about that one."""
        trying = trying_of(request.environ)
        trying.deleted(package)
        self.auditor.done(request.environ)
        trying.version = trying.digest = ""
