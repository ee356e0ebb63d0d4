"""ChartMuseum's API, answer for answer, and what we add to it.

Status codes and error texts are those that scripts written for ChartMuseum look at.
"""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

from flask import Flask, Response, request

from chartrepo.catalog import Catalog, PackageRecord, PullView, Withheld
from chartrepo.core import provenance
from chartrepo.core.archive import read_files
from chartrepo.core.differing.document import as_json
from chartrepo.core.errors import (
    ChartNotFound,
    FileNotFound,
    InvalidConstraint,
    VersionNotFound,
)
from chartrepo.core.index import Form, entry_with_urls
from chartrepo.core.permissions import Action, Readable
from chartrepo.core.pulls import Tally
from chartrepo.core.signers import Signer
from chartrepo.core.values import load_values
from chartrepo.core.versions import resolve
from chartrepo.differences import Differences
from chartrepo.http import paths
from chartrepo.http.answers import JSON, Answer, json_answer
from chartrepo.http.auth import visitor_of
from chartrepo.http.deleting import Deleting
from chartrepo.http.errors import BadRequest, NoSuchPath
from chartrepo.http.front import ROUTE
from chartrepo.http.published_by import publisher_of
from chartrepo.http.publishing import (
    FORM_CONFLICT,
    NO_FIELDS,
    ONLY_PACKAGES,
    RAW_CONFLICT,
    Publishing,
    Saved,
    Tried,
    tried_answer,
)
from chartrepo.indexes import Indexes
from chartrepo.publishers import Publishers
from chartrepo.repository import Repositories
from chartrepo.sync import Report
from storage.base import InvalidKey

_SAVED: Final = {"saved": True}
_DELETED: Final = {"deleted": True}


class Api:
    """Views of everything below `/api/`. Errors are raised; the application turns them into answers."""

    def __init__(
        self,
        repositories: Repositories,
        indexes: Indexes,
        publishing: Publishing,
        *,
        sync: Callable[[], Report],
        deleting: Deleting,
        comparing: Differences,
        publishers: Publishers,
        pulls: PullView | None,
    ) -> None:
        self._repositories = repositories
        self._catalog: Catalog = repositories.catalog
        self._indexes = indexes
        self._spool = publishing.spool
        self._publishing = publishing
        self._sync = sync
        self._comparing = comparing
        self._deleting = deleting
        self._publishers = publishers
        self._pulls = pulls

    def register(self, app: Flask) -> None:
        """Add the routes to an application."""
        for method, path, view in (
            ("GET", "/api/repositories", self.repositories),
            ("POST", "/api/sync", self.sync),
            ("GET", "/api/<path:rest>", self.read),
            ("POST", "/api/<path:rest>", self.publish),
            ("DELETE", "/api/<path:rest>", self.delete),
        ):
            app.add_url_rule(path, view.__name__, view, methods=[method])

    # ---- reading

    def read(self, rest: str) -> Response:
        """GET of charts, of a chart's versions, of one version, and of what is in its package."""
        repository, parts = paths.api(rest)
        readable = _readable(repository, *parts[:1])
        match parts:
            case ():
                _route("/api/{repository}/charts")
                return self._charts(repository, readable)
            case (name,):
                _route("/api/{repository}/charts/{name}")
                return self._versions(repository, name)
            case (name, "compare"):
                _route("/api/{repository}/charts/{name}/compare")
                return self._differences(repository, name)
            case (name, "pulls"):
                _route("/api/{repository}/charts/{name}/pulls")
                return self._pulls_of(repository, name)
            case (name, version):
                _route("/api/{repository}/charts/{name}/{version}")
                return _json_text(self._entry(repository, self._resolve(repository, name, version)))
            case (name, version, "provenance" | "templates" | "values" as part):
                _route(f"/api/{{repository}}/charts/{{name}}/{{version}}/{part}")
                return self._part_of(repository, self._resolve(repository, name, version), part)
        raise NoSuchPath

    def _part_of(self, repository: str, record: PackageRecord, part: str) -> Response:
        if part == "provenance":
            return self._provenance(record)
        return self._templates(repository, record) if part == "templates" else self._values(repository, record)

    def _differences(self, repository: str, name: str) -> Response:
        """Tell what differs between two versions; without `from` and `to`, between the newest and the one before."""
        if not name or not visitor_of(request.environ).may(Action.READ, repository, name):
            raise ChartNotFound("chart not found")
        old, new = self._comparing.resolve(repository, name, request.args.get("from"), request.args.get("to"))
        ignore_space = request.args.get("space") == "hide"
        told = as_json(self._comparing.compare(old, new), ignore_space=ignore_space)
        return respond(json_answer(200, {"repository": repository, "name": name, **told}))

    def _charts(self, repository: str, readable: Readable | None) -> Response:
        offset = _count("offset", "offset is not a valid non-negative integer", least=0) or 0
        limit = _count("limit", "limit is not a valid positive integer", least=1)
        parts = self._indexes.get(repository, Form.JSON).entries(offset, limit, readable)
        return respond(Answer(200, [JSON], parts, sum(map(len, parts))))

    def _versions(self, repository: str, name: str) -> Response:
        records = self._readable_versions(repository, name)
        if not records:
            raise ChartNotFound("chart not found")
        return _json_text("[" + ",".join(self._entry(repository, record) for record in records) + "]")

    def _readable_versions(self, repository: str, name: str) -> list[PackageRecord]:
        """Return the versions of a chart; none where the caller may not read it, as if it were not there."""
        if name and not visitor_of(request.environ).may(Action.READ, repository, name):
            return []
        return self._catalog.versions(repository, name)

    def _entry(self, repository: str, record: PackageRecord) -> str:
        return entry_with_urls(record.entry_json, record.file, url_prefix=self._indexes.url_prefix(repository))

    def _resolve(self, repository: str, name: str, wanted: str) -> PackageRecord:
        """Find a version as Helm does: as it is written, else the newest in a range.

        `latest`, or nothing, is the newest stable one.
        """
        records = {record.version: record for record in self._readable_versions(repository, name)}
        if not records:
            raise ChartNotFound("no chart name found")
        wanted = "" if wanted == "latest" else wanted
        try:
            found = resolve(records, wanted)
        except InvalidConstraint:
            found = None
        if found is None:
            raise VersionNotFound(f"no chart version found for {name}-{wanted}")
        return records[found]

    def _provenance(self, record: PackageRecord) -> Response:
        """Tell who signed a version, and what that is worth today; and who published it, to who is known."""
        signer = Signer.from_json(json.loads(record.signer)) if record.signer is not None else None
        state = self._repositories.policing.key_state(record, signer).value if signer is not None else None
        publisher = publisher_of(visitor_of(request.environ), self._publishers, record)
        told = {
            "prov": record.signed,
            "signer": {**signer.as_json(), "state": state} if signer is not None else None,
            "published_by": publisher._asdict() if publisher is not None else None,
        }
        return respond(json_answer(200, told))

    def _pulls_of(self, repository: str, name: str) -> Response:
        """Tell how often a chart was pulled, and each version that is there and was; about a minute late."""
        records = self._readable_versions(repository, name)
        if not records:
            raise ChartNotFound("chart not found")
        if self._pulls is None:
            raise FileNotFound("this server does not count pulls: set pulls to true to let it")
        versions = self._pulls.versions(repository, name, [record.version for record in records])
        told = {
            **_tally(self._pulls.chart(repository, name)),
            "versions": {version: _tally(tally) for version, tally in versions.items()},
        }
        return respond(json_answer(200, told))

    def _templates(self, repository: str, record: PackageRecord) -> Response:
        files = self._files(repository, record, lambda path: path.startswith("templates/") or path == "values.yaml")
        values = load_values(files.pop("values.yaml", b""))
        templates = [{"name": path, "data": base64.b64encode(data).decode()} for path, data in files.items()]
        return respond(json_answer(200, {"templates": templates, "values": values}))

    def _values(self, repository: str, record: PackageRecord) -> Response:
        files = self._files(repository, record, lambda path: path == "values.yaml")
        if "values.yaml" not in files:
            raise FileNotFound("values.yaml not found")
        return Response(files["values.yaml"], mimetype="application/yaml")

    def _files(self, repository: str, record: PackageRecord, wanted: Callable[[str], bool]) -> dict[str, bytes]:
        with self._repositories.open_package(repository, record.file).reader as package:
            return read_files(package, wanted)

    def repositories(self) -> Response:
        """GET of all repositories, with what had to be set aside in them and why."""
        visitor = visitor_of(request.environ)
        visitor.require_somewhere(Action.READ)
        readable = None if visitor.reads_everything else partial(visitor.may, Action.READ)
        aside: dict[str, list[dict[str, str]]] = {}
        for each in self._catalog.set_aside():
            if isinstance(each, Withheld):
                shown = visitor.may(Action.READ, each.repository, each.name) and visitor.may(
                    Action.PUBLISH, each.repository, each.name
                )
            else:
                shown = visitor.reads_all(each.repository, None)  # a file does not tell whose chart it would be
            if shown:
                aside.setdefault(each.repository, []).append({"file": each.file, "reason": each.reason})
        listed = [
            {
                "name": each.name,
                "charts": each.charts,
                "versions": each.versions,
                "bytes": each.size,
                "changed": each.changed_at if readable is None else None,  # which may have been by what is hidden
                "set_aside": aside.pop(each.name, []),
            }
            for each in self._catalog.repositories(readable)
        ]
        folders = [{"name": name, "set_aside": files} for name, files in sorted(aside.items())]
        return respond(json_answer(200, {"repositories": listed, "set_aside_folders": folders}))

    # ---- writing

    def publish(self, rest: str) -> Response:
        """POST of a package, raw or multipart with its provenance, or of a provenance file alone.

        With `?dry_run` of a package: what would become of it, and nothing is written.
        """
        repository = paths.api_provenance(rest)
        if repository is not None:
            _route("/api/{repository}/prov")
            if is_dry_run():
                raise BadRequest(ONLY_PACKAGES)
            return self._saved(self._publish_provenance, repository)
        repository = paths.api_upload(rest)
        _route("/api/{repository}/charts")
        is_form = request.mimetype == "multipart/form-data"
        if is_dry_run():
            return self._tried(self._try_form if is_form else self._try_raw, repository)
        return self._saved(self._publish_form if is_form else self._publish_raw, repository)

    def _publish_raw(self, repository: str) -> Saved:
        with self._spool.take(request.stream) as package:
            return self._publishing.package(repository, package, None, conflict=RAW_CONFLICT, force=_force())

    def _publish_form(self, repository: str) -> Saved:
        package, prov = self._publishing.form()
        if package is not None:
            return self._publishing.package(repository, package, prov, conflict=FORM_CONFLICT, force=_force())
        if prov is not None:
            return self._publishing.signature(repository, prov, conflict=FORM_CONFLICT, force=_force())
        raise BadRequest(NO_FIELDS)

    def _publish_provenance(self, repository: str) -> Saved:
        with self._spool.take(request.stream) as file:
            file.seek(0)
            data = file.read(provenance.MAX_BYTES + 1)
            return self._publishing.signature(repository, data, conflict=RAW_CONFLICT, force=_force())

    def _try_raw(self, repository: str) -> Tried:
        with self._spool.take(request.stream) as package:
            return self._publishing.try_package(repository, package, None, conflict=RAW_CONFLICT, force=_force())

    def _try_form(self, repository: str) -> Tried:
        package, prov = self._publishing.form()
        if package is None:
            raise BadRequest(ONLY_PACKAGES)
        return self._publishing.try_package(repository, package, prov, conflict=FORM_CONFLICT, force=_force())

    def _saved(self, upload: Callable[[str], Saved], repository: str) -> Response:
        saved = self._publishing.counted(upload, repository)
        if isinstance(saved.package, Withheld):
            return respond(json_answer(202, _SAVED | {"withheld": saved.package.reason}))
        return respond(json_answer(201, _SAVED))

    def _tried(self, attempt: Callable[[str], Tried], repository: str) -> Response:
        return respond(tried_answer(repository, self._publishing.uncounted(attempt, repository)))

    def delete(self, rest: str) -> Response:
        """DELETE of one version, exactly as it is written, or of a whole chart with `?all_versions=true`."""
        repository, parts = paths.api(rest)
        if not parts or not parts[0]:
            visitor_of(request.environ).require_some(Action.DELETE, repository)
            raise NoSuchPath
        self._deleting.check(repository, parts[0])
        match parts:
            case (name, version):
                _route("/api/{repository}/charts/{name}/{version}")
                try:
                    self._deleting.version(repository, name, version)
                except (VersionNotFound, InvalidKey):
                    raise VersionNotFound("object not found") from None
                return respond(json_answer(200, _DELETED))
            case (name,) if name and request.args.get("all_versions") == "true":
                _route("/api/{repository}/charts/{name}")
                try:
                    deleted = self._deleting.chart(repository, name)
                except ChartNotFound:
                    raise ChartNotFound("chart not found") from None
                return respond(json_answer(200, _DELETED | {"versions": deleted}))
        raise NoSuchPath

    def sync(self) -> Response:
        """POST that brings the catalog in line with the storage before it answers."""
        visitor_of(request.environ).require_everywhere(Action.ADMIN)
        report = self._sync()
        return respond(json_answer(200, report.as_json()))


def respond(answer: Answer) -> Response:
    """Return an answer as Flask has it."""
    response = Response(answer.body, status=answer.status, headers=answer.headers)
    response.content_length = answer.length
    return response


def _tally(tally: Tally) -> dict[str, int | str | None]:
    last = datetime.fromtimestamp(tally.last, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if tally.pulls else None
    return {"pulls": tally.pulls, "last_pull": last}


def _json_text(text: str) -> Response:
    data = text.encode()
    return respond(Answer(200, [JSON], [data], len(data)))


def _readable(repository: str, chart: str | None = None) -> Readable | None:
    """Return what tells which charts of a repository, or whether this one, the caller may read.

    Raises:
        Unauthorized: not without a credential, be there something or not.
    """
    visitor = visitor_of(request.environ)
    if chart and not visitor.is_known:
        visitor.require(Action.READ, repository, chart)
    return visitor.readable(repository)


def _route(template: str) -> None:
    request.environ[ROUTE] = template


def is_dry_run() -> bool:
    """Return whether the request only asks what would become of an upload."""
    return "dry_run" in request.args


def _force() -> bool:
    return "force" in request.args


def _count(name: str, complaint: str, *, least: int) -> int | None:
    text = request.args.get(name)
    if text is None:
        return None
    digits = text.removeprefix("+")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 19 and int(digits) >= least):  # noqa: PLR2004
        raise BadRequest(complaint)
    return int(digits)
