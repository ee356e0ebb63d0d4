"""Publishing what a client sends, and trying that out: the same for the API and for the page."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import BinaryIO, Final, NamedTuple, cast

from flask import request
from werkzeug.datastructures import FileStorage

from chartrepo.catalog import PackageRecord, Withheld
from chartrepo.core import oci, provenance
from chartrepo.core.errors import AlreadyPublished, ChartrepoError, PackageRefused, VersionIsFinal
from chartrepo.core.names import check_repository
from chartrepo.core.permissions import Action
from chartrepo.examine import Examined
from chartrepo.http.answers import JSON, Answer, json_answer
from chartrepo.http.auth import trying_of, visitor_of
from chartrepo.http.errors import BadRequest, Forbidden, NoSuchPath, Unauthorized, answer, upload_result
from chartrepo.http.uploads import Spool, whole_form
from chartrepo.metrics import Unmeasured
from chartrepo.repository import Rehearsal, Repositories
from storage.base import StorageError

FORM_CONFLICT: Final = "chart already exists"
"""How ChartMuseum says to who sent a form that the version is there already."""
RAW_CONFLICT: Final = "file already exists"
"""... and to who sent it as the body."""
NO_FIELDS: Final = "no package or provenance file found in form fields chart and prov"
ONLY_PACKAGES: Final = "a dry run is of a package: send one as the body, or in the field chart of a form"
_OF_THE_CALLER: Final = (Unauthorized, Forbidden, NoSuchPath)
"""Refusals that are recorded also where nothing was to be published, for somebody may be trying what it may do."""


class Conflict(AlreadyPublished):
    """A conflict in ChartMuseum's words, with ours beside them."""

    def __init__(self, text: str, cause: AlreadyPublished) -> None:
        super().__init__(text)
        self.detail = str(cause)


class Saved(NamedTuple):
    """What became of an upload.

    Attributes:
        replaced: whether it replaced a package.
        package: as it is now; None while it is to come.
    """

    replaced: bool
    package: PackageRecord | Withheld | None


class Form(NamedTuple):
    """What a form brings; None for what it lacks."""

    package: BinaryIO | None
    prov: bytes | None


class Tried(NamedTuple):
    """What would have become of an upload.

    Attributes:
        refusals: why it would have been refused, as clients are told; the first is what it would have been answered.
            Empty where it would have been published.
        examined: what was read out of the package; None where that cannot be.
        rehearsal: what would come of it; None where it cannot be read.
    """

    refusals: tuple[ChartrepoError, ...]
    examined: Examined | None = None
    rehearsal: Rehearsal | None = None

    @property
    def problems(self) -> list[str]:
        """All that is wrong with it, a sentence each."""
        return [sentence for error in self.refusals for sentence in _sentences(error)]


def _sentences(error: ChartrepoError) -> tuple[str, ...]:
    if isinstance(error, PackageRefused):
        return tuple(error.problems)
    return (error.detail if isinstance(error, Conflict) else str(error),)


@dataclass(frozen=True, slots=True)
class Publishing:
    """Takes packages of whoever asks, as far as that caller may.

    Attributes:
        repositories: the use cases.
        spool: where uploads wait.
        metrics: told of each upload.
    """

    repositories: Repositories
    spool: Spool
    metrics: Unmeasured

    def counted(self, upload: Callable[[str], Saved], repository: str) -> Saved:
        """Do an upload to a repository, if the caller may do any there, and count how it ended."""
        try:
            visitor_of(request.environ).require_some(Action.PUBLISH, repository)  # before the body is read
            saved = upload(check_repository(repository))
        except (ChartrepoError, StorageError) as error:
            self.metrics.upload(upload_result(answer(error).status))
            raise
        self.metrics.upload("replaced" if saved.replaced else "created")
        return saved

    def uncounted(self, attempt: Callable[[str], Tried], repository: str) -> Tried:
        """Try an upload to a repository out, if the caller may do any there; neither counted nor recorded."""
        visitor_of(request.environ).require_some(Action.PUBLISH, repository)
        trying_of(request.environ).is_part = True
        return attempt(check_repository(repository))

    def fields(self) -> Mapping[str, str]:
        """Return the fields of the form that was sent, but for its files; raises as `whole_form`."""
        return whole_form().form

    def form(self) -> Form:
        """Return the package and the provenance of the form that was sent.

        Raises:
            BadRequest: it is none, or has several of one; and as `whole_form`.
        """
        files = whole_form().files
        for field in ("chart", "prov"):
            if len(files.getlist(field)) > 1:
                raise BadRequest(f"the form has several files {field}: send each package in a form of its own")
        package, signature = (_chosen(files.get(field)) for field in ("chart", "prov"))
        return Form(
            cast("BinaryIO", package.stream) if package is not None else None,
            signature.stream.read(provenance.MAX_BYTES + 1) if signature is not None else None,
        )

    def package(self, repository: str, package: BinaryIO, prov: bytes | None, *, conflict: str, force: bool) -> Saved:
        """Publish a package as far as the caller may; return what became of it.

        Args:
            repository: where to.
            package: its bytes.
            prov: those of its provenance.
            conflict: how ChartMuseum says that it is there already.
            force: whether it is to be replaced then.
        """
        trying = trying_of(request.environ)
        trying.kind = "package"
        examined = self.repositories.admit(package)
        chart = examined.package.chart.name
        trying.package(examined.package.chart.version, examined.digest)
        visitor = visitor_of(request.environ)
        visitor.require(Action.PUBLISH, repository, chart)
        overwrite = visitor.may(Action.OVERWRITE, repository, chart)
        try:
            published = self.repositories.publish(
                repository, package, prov, force=force, may_replace=overwrite, examined=examined
            )
        except AlreadyPublished as error:
            raise _as_told(error, repository, chart, conflict, force=force) from None
        trying.published(published)
        return Saved(published.replaced, published.record)

    def signature(self, repository: str, prov: bytes, *, conflict: str, force: bool) -> Saved:
        """Publish a provenance file as far as the caller may; see `package`."""
        trying = trying_of(request.environ)
        trying.kind = "provenance"
        statement = provenance.parse(prov)
        chart, trying.version, trying.digest = statement.name, statement.version, str(oci.digest_of(prov))
        visitor = visitor_of(request.environ)
        visitor.require(Action.PUBLISH, repository, chart)
        overwrite = visitor.may(Action.OVERWRITE, repository, chart)
        try:
            package = self.repositories.publish_provenance(repository, prov, force=force, may_replace=overwrite)
        except AlreadyPublished as error:
            if force and not overwrite:
                visitor.require(Action.OVERWRITE, repository, chart)
            raise Conflict(conflict, error) from None
        trying.signed(package)
        return Saved(replaced=False, package=package)

    def problems(
        self, repository: str, package: BinaryIO, prov: bytes | None, *, conflict: str, force: bool
    ) -> list[str]:
        """Return all that is wrong with a package that was refused just now; nothing is recorded of the look."""
        visitor = visitor_of(request.environ)
        trying = copy(visitor.trying)
        try:
            return self._tried(repository, package, prov, conflict=conflict, force=force).problems
        except (ChartrepoError, StorageError):
            return []
        finally:
            visitor.trying = trying

    def try_package(
        self, repository: str, package: BinaryIO, prov: bytes | None, *, conflict: str, force: bool
    ) -> Tried:
        """Tell what `package` would do with the same arguments, and do nothing.

        No audit record is left, and no upload counted, but for the record of what the caller may not do at all.

        Raises:
            Unauthorized, Forbidden, NoSuchPath: the caller may not publish it.
            StorageError, and errors of `Repositories.rehearse`: nobody can tell.
        """
        trying = trying_of(request.environ)
        trying.kind = "package"
        try:
            tried = self._tried(repository, package, prov, conflict=conflict, force=force)
        except _OF_THE_CALLER:
            trying.is_part = False
            raise
        trying.is_part = not (tried.refusals and isinstance(tried.refusals[0], _OF_THE_CALLER))
        return tried

    def _tried(self, repository: str, package: BinaryIO, prov: bytes | None, *, conflict: str, force: bool) -> Tried:
        try:
            examined = self.repositories.admit(package)
        except PackageRefused as error:
            return Tried((error,))
        chart = examined.package.chart.name
        trying_of(request.environ).package(examined.package.chart.version, examined.digest)
        visitor = visitor_of(request.environ)
        visitor.require(Action.PUBLISH, repository, chart)
        overwrite = visitor.may(Action.OVERWRITE, repository, chart)
        rehearsal = self.repositories.rehearse(repository, examined, prov, force=force, may_replace=overwrite)
        refusals = tuple(
            _as_told(error, repository, chart, conflict, force=force) if isinstance(error, AlreadyPublished) else error
            for error in rehearsal.refusals
        )
        return Tried(refusals, examined, rehearsal)


def _chosen(file: FileStorage | None) -> FileStorage | None:
    """Return a file; None for what a browser sends where none was chosen: one without a name and without bytes."""
    if file is None or file.filename or file.stream.read(1):
        if file is not None:
            file.stream.seek(0)
        return file
    return None


def _as_told(error: AlreadyPublished, repository: str, chart: str, conflict: str, *, force: bool) -> ChartrepoError:
    """Return how a client is told that a version stays: that it may not replace it, where it wanted to, else why."""
    if isinstance(error, VersionIsFinal):
        return error
    visitor = visitor_of(request.environ)
    if force and not visitor.may(Action.OVERWRITE, repository, chart):
        try:
            visitor.require(Action.OVERWRITE, repository, chart)
        except _OF_THE_CALLER as refusal:
            return refusal
    return Conflict(conflict, error)


def refused(errors: Sequence[ChartrepoError | StorageError], problems: Sequence[str]) -> Answer:
    """Return how an upload is refused, with all that is wrong with it.

    Args:
        errors: of which the first is what the answer says.
        problems: a sentence each.
    """
    told = answer(errors[0])
    said = {"error": str(errors[0])}
    if isinstance(errors[0], Conflict):
        said["detail"] = errors[0].detail
    headers = [each for each in told.headers if each != JSON]
    return json_answer(told.status, {**said, "problems": list(problems)}, headers)


def as_json(repository: str, tried: Tried) -> dict[str, object]:
    """Return what would be published, as JSON values; empty where nothing was read.

    Args:
        repository: where to.
        tried: what was found out.
    """
    if tried.examined is None or tried.rehearsal is None:
        return {}
    chart, package = tried.examined.package.chart, tried.rehearsal.package
    told: dict[str, object] = {
        "dry_run": True,
        "outcome": tried.rehearsal.outcome.value,
        "repository": repository,
        "name": chart.name,
        "version": chart.version,
        "app_version": chart.metadata.get("appVersion", ""),
        "description": chart.metadata.get("description", ""),
        "digest": f"sha256:{tried.examined.digest}",
        "size": tried.examined.size,
        "missing_dependencies": list(tried.examined.package.missing),
    }
    return {**told, "withheld": package.reason} if isinstance(package, Withheld) else told


def tried_answer(repository: str, tried: Tried) -> Answer:
    """Return how a dry run is answered.

    Args:
        repository: where to.
        tried: what was found out.
    """
    if tried.refusals:
        return refused(tried.refusals, tried.problems)
    return json_answer(200, as_json(repository, tried))
