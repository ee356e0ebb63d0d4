"""Publishing in the browser: what would be published is shown before it is, and all that is wrong with it.

The form works without a script: it publishes, or only checks, as the person says. The script checks first, by the same
address with `?dry_run`, and then publishes the files that the browser still has.
"""

from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, Final, NamedTuple

from flask import Flask, Response, request

from chartrepo.catalog import PackageRecord, Withheld
from chartrepo.core.archive import hold_files
from chartrepo.core.errors import ChartrepoError, InvalidName
from chartrepo.core.names import check_repository
from chartrepo.core.permissions import Action, Extent
from chartrepo.http.answers import json_answer
from chartrepo.http.api import respond
from chartrepo.http.auditing import REASON
from chartrepo.http.auth import Visitor, trying_of, visitor_of
from chartrepo.http.errors import BadRequest, Forbidden, NoSuchPath, Unauthorized, answer
from chartrepo.http.pages.errors import names_html
from chartrepo.http.pages.links import UI
from chartrepo.http.pages.notices import PUBLISHED, REPLACED, UNCHANGED, WITHHELD
from chartrepo.http.pages.site import Site
from chartrepo.http.publishing import FORM_CONFLICT, Conflict, Form, Publishing, Saved, Tried, as_json, refused
from storage.base import StorageError

SUGGESTED: Final = 100
"""Repositories that are named as those there are."""
FILES: Final = 500
"""Files of a package that are named."""
_NO_PACKAGE: Final = "choose a package: a .tgz that `helm package` made"
_OTHERS: Final = (Unauthorized, Forbidden, NoSuchPath)
"""What is said by a page of its own."""


class _File(NamedTuple):
    path: str
    size: int


@dataclass(frozen=True, slots=True)
class PublishPages:
    """Views of `/ui/publish[/REPO]`.

    Attributes:
        site: that they are of.
        publishing: does it.
        overwrite: the setting.
    """

    site: Site
    publishing: Publishing
    overwrite: str

    def register(self, app: Flask) -> None:
        """Add the routes to an application."""
        # Without a slash the form says where to; with one, the address does, be it the root.
        for path, name in (("", "ui_publish"), ("/", "ui_publish_to_root"), ("/<path:repository>", "ui_publish_to")):
            app.add_url_rule(f"{UI}/publish{path}", name, self.show, methods=["GET"])
            app.add_url_rule(f"{UI}/publish{path}", f"{name}_sent", self.publish, methods=["POST"])

    def show(self, repository: str = "") -> Response:
        """GET of the form."""
        visitor = visitor_of(request.environ)
        if repository:
            _check_name(repository)
            visitor.require_some(Action.PUBLISH, repository)
        else:
            visitor.require_somewhere(Action.PUBLISH)
        return self._page(repository)

    def publish(self, repository: str | None = None) -> Response:
        """POST of a package, and of its provenance: publishes them, or with `?dry_run` tells what would come of it."""
        visitor = visitor_of(request.environ)
        if repository is None and request.path == f"{UI}/publish":
            visitor.require_somewhere(Action.PUBLISH)
            repository = self.publishing.fields().get("repository", "").strip().strip("/")
        repository = repository or ""
        try:
            if self._is_dry_run():
                return self._dry_run(repository)
            return self._published(repository)
        except _OTHERS:
            raise
        except (ChartrepoError, StorageError) as error:
            return self._refused(repository, [error], [str(error)])

    def _is_dry_run(self) -> bool:
        # A script says it in the address, so that nothing is read of who may not publish.
        return "dry_run" in request.args or (not _takes_json() and self.publishing.fields().get("do") == "check")

    def _dry_run(self, repository: str) -> Response:
        files: list[_File] = []

        def attempt(where: str) -> Tried:
            form = self._form()
            tried = self.publishing.try_package(
                where, _package(form), form.prov, conflict=FORM_CONFLICT, force=self._force()
            )
            if tried.examined is not None:
                files.extend(_files_of(_package(form)))
            return tried

        tried = self.publishing.uncounted(attempt, repository)
        if tried.refusals:
            return self._refused(repository, list(tried.refusals), tried.problems)
        told = as_json(repository, tried)
        some = [each._asdict() for each in files[:FILES]]
        if _takes_json():
            return respond(json_answer(200, {**told, "files": some, "file_count": len(files)}))
        return self._page(repository, told=told, files=some, file_count=len(files), force=self._force())

    def _published(self, repository: str) -> Response:
        def upload(where: str) -> Saved:
            form = self._form()
            try:
                return self.publishing.package(
                    where, _package(form), form.prov, conflict=FORM_CONFLICT, force=self._force()
                )
            except _OTHERS:
                raise
            except ChartrepoError as error:
                problems.extend(
                    self.publishing.problems(
                        where, _package(form), form.prov, conflict=FORM_CONFLICT, force=self._force()
                    )
                    or [error.detail if isinstance(error, Conflict) else str(error)]
                )
                raise

        problems: list[str] = []
        try:
            saved = self.publishing.counted(upload, repository)
        except _OTHERS:
            raise
        except (ChartrepoError, StorageError) as error:
            return self._refused(repository, [error], problems or [str(error)])
        to = self._where(repository, saved)
        if not _takes_json():
            return self.site.moved(to)
        withheld = {"withheld": saved.package.reason} if isinstance(saved.package, Withheld) else {}
        return respond(json_answer(202 if withheld else 201, {"saved": True, "location": to, **withheld}))

    def _where(self, repository: str, saved: Saved) -> str:
        """Return where somebody is sent who has published: to the chart, where that can be seen."""
        unchanged = trying_of(request.environ).outcome == "unchanged"
        done = UNCHANGED if unchanged else REPLACED if saved.replaced else PUBLISHED
        package = saved.package
        if isinstance(package, PackageRecord) and visitor_of(request.environ).may(
            Action.READ, repository, package.name
        ):
            return self.site.links.chart(repository, package.name, package.version, done=done)
        if visitor_of(request.environ).extent(Action.READ, repository) is not Extent.NONE:
            return self.site.links.repository(repository, done=WITHHELD if isinstance(package, Withheld) else done)
        return self.site.links.page("publish", repository, done=done)

    def _form(self) -> Form:
        return self.publishing.form()

    def _force(self) -> bool:
        """Return whether what is there is to be replaced: by the address, or by the box of the form."""
        return "force" in request.args or "force" in self.publishing.fields()

    def _refused(
        self, repository: str, errors: list[ChartrepoError] | list[ChartrepoError | StorageError], problems: list[str]
    ) -> Response:
        first = errors[0]
        if isinstance(first, _OTHERS) and not _takes_json():
            raise first
        request.environ[REASON] = first.detail if isinstance(first, Conflict) else str(first)
        if _takes_json():
            return respond(refused(errors, problems))
        return self._page(repository, status=answer(first).status, problems=problems, force=self._force())

    def _page(self, repository: str, *, status: int = 200, **values: Any) -> Response:
        visitor = visitor_of(request.environ)
        may_replace = self.overwrite == "force" and self._may_replace(visitor, repository)
        return self.site.pages.render(
            "publish.html",
            status=status,
            repository=repository,
            suggested=self._suggested(visitor),
            overwrite=self.overwrite,
            may_replace=may_replace,
            **{"problems": [], "told": None, "files": [], "file_count": 0, "force": False, **values},
        )

    @staticmethod
    def _may_replace(visitor: Visitor, repository: str) -> bool:
        """Return whether the caller may replace anything there; somewhere, while that is not said."""
        if repository:
            return visitor.extent(Action.OVERWRITE, repository) is not Extent.NONE
        return visitor.does_somewhere(Action.OVERWRITE)

    def _suggested(self, visitor: Visitor) -> list[str]:
        """Return the repositories that there are, as far as the caller may read and publish in them."""
        shelves = self.site.repositories.catalog.shelves
        return [
            each.name
            for each in islice(shelves.repositories(after=None, limit=SUGGESTED), SUGGESTED)
            if each.name
            and visitor.extent(Action.READ, each.name) is not Extent.NONE
            and visitor.extent(Action.PUBLISH, each.name) is not Extent.NONE
        ]


def _check_name(repository: str) -> None:
    try:
        check_repository(repository)
    except InvalidName:
        raise NoSuchPath from None


def _takes_json() -> bool:
    return not names_html()


def _package(form: Form) -> BinaryIO:
    if form.package is None:
        raise BadRequest(_NO_PACKAGE)
    return form.package


def _files_of(package: BinaryIO) -> list[_File]:
    package.seek(0)
    return [_File(file.path, file.size) for file in hold_files(package, each=0, together=0).values()]
