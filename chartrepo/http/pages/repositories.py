"""The pages of repositories: which there are, and of each how it is used, what holds there, and what is in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NamedTuple

from flask import Flask, Response, request

from chartrepo.access import Directory
from chartrepo.catalog import PackageRecord, SetAside, Withheld
from chartrepo.catalog.browsing import ChartStatus
from chartrepo.catalog.shelves import ArtifactStatus
from chartrepo.core.errors import InvalidName
from chartrepo.core.installing import ASKS
from chartrepo.core.made_manifests import metadata_of
from chartrepo.core.names import check_repository
from chartrepo.core.permissions import ANYBODY, KNOWN, USERS, Action, Extent
from chartrepo.core.policy_words import asked_in
from chartrepo.http.auth import Visitor, visitor_of
from chartrepo.http.errors import NoSuchPath, Unauthorized
from chartrepo.http.pages.commands import commands
from chartrepo.http.pages.links import UI
from chartrepo.http.pages.site import Site

CHARTS: Final = 50
"""Of a page."""
REPOSITORIES: Final = 50
"""Of a page."""
COUNTED: Final = 100
"""Charts of a repository that are counted for who may read some of them alone."""
ASIDE: Final = 100
"""Packages that are set aside, of a page."""
ARTIFACTS: Final = 50
"""Of a page."""

_EVERYBODY: Final = {
    ANYBODY: "everybody",
    KNOWN: "everybody who is signed in",
    USERS: "every user with a password",
}
_ACTIONS: Final = {
    Action.READ: "read",
    Action.PUBLISH: "publish",
    Action.OVERWRITE: "replace",
    Action.DELETE: "delete",
    Action.ADMIN: "do everything",
}


class Row(NamedTuple):
    """A repository in the list of all.

    Attributes:
        name: of it.
        charts: that may be read.
        versions: of these; None where they were not all counted.
        size: of these, in bytes; None as for `versions`.
        changed: when, in seconds since the epoch; None where that may have been by what is hidden.
    """

    name: str
    charts: int
    versions: int | None
    size: int | None
    changed: int | None


class ChartRow(NamedTuple):
    """A chart in the list of a repository: how many there are of it, and the newest."""

    status: ChartStatus
    newest: PackageRecord
    description: str
    app_version: str
    deprecated: bool


class RuleRow(NamedTuple):
    """A rule, for who may see the rules.

    Attributes:
        who: the callers, in words where there are any.
        may: what they may do.
        on: with which charts, as the file has it.
        source: where it stands.
    """

    who: tuple[str, ...]
    may: tuple[str, ...]
    on: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class RepositoryPages:
    """Views of `/ui/repositories`.

    Attributes:
        site: that they are of.
        directory: knows the rules.
        overwrite: the setting.
        allow_delete: the setting.
    """

    site: Site
    directory: Directory
    overwrite: str
    allow_delete: bool

    def register(self, app: Flask) -> None:
        """Add the routes to an application."""
        # The empty name is the root repository's: its page ends in a slash, and the list of all does not.
        for path, name, view in (
            ("repositories", "ui_repositories", self.everything),
            ("repositories/", "ui_root_repository", self.root),
            ("repositories/<path:repository>", "ui_repository", self.one),
        ):
            app.add_url_rule(f"{UI}/{path}", name, view, methods=["GET"])

    # ---- all

    def everything(self) -> Response:
        """GET of the repositories that the caller may read something of."""
        visitor = visitor_of(request.environ)
        visitor.require_somewhere(Action.READ)
        after = request.args.get("after")
        found = list(islice(self._rows(visitor, after), REPOSITORIES + 1))
        return self.site.pages.render(
            "repositories.html",
            rows=found[:REPOSITORIES],
            after=after,
            more=found[REPOSITORIES - 1].name if len(found) > REPOSITORIES else None,
            commands=commands(self.site.pages, self.directory, ""),
            may_publish=visitor.publishes_somewhere,
        )

    def _rows(self, visitor: Visitor, after: str | None) -> Iterator[Row]:
        catalog = self.site.repositories.catalog
        while True:
            some = catalog.shelves.repositories(after=after, limit=REPOSITORIES)
            for each in some:
                extent = visitor.extent(Action.READ, each.name)
                if extent is Extent.ALL:
                    yield Row(each.name, each.charts, each.versions, each.size, each.changed_at)
                elif extent is Extent.SOME:
                    charts = catalog.browsing.charts(each.name, visitor.readable(each.name))
                    some_charts = list(islice(charts, COUNTED + 1))
                    if some_charts:
                        yield _row_of_some(each.name, some_charts)
            if len(some) < REPOSITORIES:
                return
            after = some[-1].name

    # ---- one

    def root(self) -> Response:
        """GET of the root repository."""
        return self.one("")

    def one(self, repository: str) -> Response:
        """GET of a repository, which may hold nothing yet."""
        try:
            check_repository(repository)
        except InvalidName:
            raise NoSuchPath from None
        visitor = visitor_of(request.environ)
        extent = visitor.extent(Action.READ, repository)
        if extent is Extent.NONE:
            raise NoSuchPath if visitor.is_known else Unauthorized("unauthorized")
        shelves = self.site.repositories.catalog.shelves
        charts, more = self._charts(visitor, repository, request.args.get("after", ""))
        artifacts, more_artifacts = self._artifacts(visitor, repository, request.args.get("artifacts_after", ""))
        aside = shelves.set_aside(repository, limit=ASIDE + 1)
        shown = [each for each in aside[:ASIDE] if _is_shown(visitor, each)]
        return self.site.pages.render(
            "repository.html",
            repository=repository,
            held=shelves.repository(repository) if extent is Extent.ALL else None,
            charts=charts,
            after=request.args.get("after"),
            more=more,
            artifacts=artifacts,
            more_artifacts=more_artifacts,
            withheld=[each for each in shown if isinstance(each, Withheld)],
            set_aside=[each for each in shown if not isinstance(each, Withheld)],
            more_aside=len(aside) > ASIDE and _administers(visitor, repository),
            commands=commands(self.site.pages, self.directory, repository),
            asks=ASKS,
            may=self._may(visitor, repository),
            publishes=visitor.extent(Action.PUBLISH, repository) is not Extent.NONE,
            rules=self._rules(repository) if visitor.administers else None,
            policies=self._policies(visitor, repository),
            overwrite=self.overwrite,
            allow_delete=self.allow_delete,
        )

    def _charts(self, visitor: Visitor, repository: str, after: str) -> tuple[list[ChartRow], str | None]:
        catalog = self.site.repositories.catalog
        found = list(islice(catalog.browsing.charts(repository, visitor.readable(repository), after=after), CHARTS + 1))
        some = found[:CHARTS]
        newest = catalog.shelves.newest(repository, [each.name for each in some])
        rows = []
        for each in some:
            package = newest.get(each.name)
            if package is not None:  # it was there a moment ago
                metadata = metadata_of(package.entry_json)
                rows.append(ChartRow(each, package, *_said(metadata)))
        return rows, some[-1].name if len(found) > CHARTS else None

    def _artifacts(self, visitor: Visitor, repository: str, after: str) -> tuple[list[ArtifactStatus], str | None]:
        found: list[ArtifactStatus] = []
        shelves = self.site.repositories.catalog.shelves
        while len(found) <= ARTIFACTS:
            some = shelves.artifacts(repository, after=after, limit=ARTIFACTS + 1)
            found += (each for each in some if visitor.may(Action.READ, repository, each.name))
            if len(some) <= ARTIFACTS:
                break
            after = some[-1].name
        return found[:ARTIFACTS], found[ARTIFACTS - 1].name if len(found) > ARTIFACTS else None

    @staticmethod
    def _may(visitor: Visitor, repository: str) -> list[tuple[str, Extent]]:
        """Return what the caller may do in a repository, and with how many of its charts."""
        return [
            (_ACTIONS[action], visitor.extent(action, repository))
            for action in (Action.READ, Action.PUBLISH, Action.OVERWRITE, Action.DELETE)
        ]

    def _rules(self, repository: str) -> list[RuleRow]:
        """Return the rules that are for charts of a repository."""
        ours = len(self.directory.own.rules)
        rows = []
        for number, rule in enumerate(self.directory.permissions.rules, 1 - ours):
            on = tuple(str(pattern) for pattern in rule.on if pattern.reaches(repository))
            if on:
                who = tuple(_EVERYBODY.get(each, each) for each in rule.who)
                may = tuple(_ACTIONS[action] for action in rule.may)
                rows.append(RuleRow(who, may, on, "settings" if number < 1 else f"rule {number}"))
        return rows

    def _policies(self, visitor: Visitor, repository: str) -> list[dict[str, Any]]:
        names = visitor.extent(Action.READ, repository) is Extent.ALL
        asked = asked_in(self.site.repositories.policing.policies, repository, names=names)
        return [each._asdict() for each in asked]


def _row_of_some(name: str, charts: list[ChartStatus]) -> Row:
    """Return the row of a repository of which the caller may read these charts, or more than these."""
    if len(charts) > COUNTED:
        return Row(name, COUNTED, None, None, None)
    return Row(name, len(charts), sum(each.versions for each in charts), sum(each.size for each in charts), None)


def _is_shown(visitor: Visitor, aside: SetAside) -> bool:
    """Return whether the caller sees that a package is set aside, and why.

    One that waits for its provenance is for who may publish it. Of others the file does not tell whose chart it would
    be; they are for who may do everything in the repository, and can mend them.
    """
    if isinstance(aside, Withheld):
        return all(visitor.may(action, aside.repository, aside.name) for action in (Action.READ, Action.PUBLISH))
    return _administers(visitor, aside.repository)


def _administers(visitor: Visitor, repository: str) -> bool:
    return visitor.extent(Action.ADMIN, repository) is Extent.ALL


def _said(metadata: Any) -> tuple[str, str, bool]:
    return metadata.get("description", ""), metadata.get("appVersion", ""), bool(metadata.get("deprecated"))
