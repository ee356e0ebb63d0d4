"""The OCI distribution API, but for the reads in `chartrepo.http.oci_reads`."""

import json
import logging
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import IO, Final
from urllib.parse import quote, urlencode

from flask import Flask, Response, request

from chartrepo.catalog import Withheld
from chartrepo.core import manifests, oci
from chartrepo.core.errors import (
    ChartrepoError,
    ChunkOutOfOrder,
    ManifestTooLarge,
    NameInvalid,
    NameUnknown,
    NotDeletable,
    UploadInvalid,
)
from chartrepo.core.oci import Digest, Name
from chartrepo.core.permissions import Action
from chartrepo.http import oci_errors
from chartrepo.http.answers import Answer, Headers, json_answer
from chartrepo.http.api import respond, upload_result
from chartrepo.http.auth import visitor_of
from chartrepo.http.bodies import announced_length
from chartrepo.http.errors import BadRequest, NoSuchPath
from chartrepo.http.front import ROUTE
from chartrepo.http.oci_paths import Endpoint, Target, target
from chartrepo.http.oci_reads import DIGEST, VERSION
from chartrepo.metrics import Unmeasured
from chartrepo.registry import Page, Referrers, Registry, unknown_name
from storage.base import StorageError

log = logging.getLogger(__name__)

_RANGE: Final = re.compile(r"(?:bytes[ =])?([0-9]{1,18})-([0-9]{1,18})(?:/(?:[0-9]+|\*))?", re.ASCII)
"""A chunk's Content-Range. The specification has no unit in it; whoever writes one means the same."""
LOGIN: Final = frozenset({"/v2", Endpoint.BASE.value, Endpoint.CATALOG.value})
"""Paths that ask for a credential, be it the token of anonymous, where there are any: clients find out there whether
theirs is right, or would take what everybody may read for all there is, as they send one only when asked."""

_METHODS: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_MAX_TAGS: Final = 100
"""Tags that one PUT can give a manifest."""


class Oci:
    """Views of everything below `/v2/`. Errors are raised; the application turns them into answers.

    Args:
        registry: the use cases.
        metrics: told of each chart that is pushed.
        prefix: what every name begins with.
        allow_delete: whether anything may be deleted.
    """

    def __init__(
        self,
        registry: Registry,
        metrics: Unmeasured,
        *,
        prefix: str,
        allow_delete: bool,
    ) -> None:
        self._blobs = registry.blobs
        self._uploads = registry.uploads
        self._manifests = registry.manifests
        self._discovery = registry.discovery
        self._metrics = metrics
        self._prefix = prefix
        self._allow_delete = allow_delete
        self._views: dict[tuple[Endpoint, str], Callable[[Target], Answer]] = {
            (Endpoint.BASE, "GET"): self._base,
            (Endpoint.BASE, "HEAD"): self._base,
            (Endpoint.CATALOG, "GET"): self._catalog,
            (Endpoint.BLOB, "DELETE"): self._delete_blob,
            (Endpoint.MANIFEST, "PUT"): self._put_manifest,
            (Endpoint.MANIFEST, "DELETE"): self._delete_manifest,
            (Endpoint.NEW_UPLOAD, "POST"): self._begin,
            (Endpoint.UPLOAD, "GET"): self._received,
            (Endpoint.UPLOAD, "PATCH"): self._append,
            (Endpoint.UPLOAD, "PUT"): self._finish,
            (Endpoint.UPLOAD, "DELETE"): self._cancel,
            (Endpoint.TAGS, "GET"): self._tags,
            (Endpoint.REFERRERS, "GET"): self._referrers,
        }

    def register(self, app: Flask) -> None:
        """Add the routes to an application."""
        app.add_url_rule("/v2", "oci_base", self.view, methods=_METHODS, defaults={"_rest": ""})
        app.add_url_rule("/v2/", "oci_root", self.view, methods=_METHODS, defaults={"_rest": ""})
        app.add_url_rule("/v2/<path:_rest>", "oci", self.view, methods=_METHODS)

    def view(self, _rest: str) -> Response:
        """Answer a request below `/v2/`."""
        found = target(request.path)
        if found is None:
            return respond(oci_errors.say(404, "UNSUPPORTED", "the OCI distribution API has no such path"))
        request.environ[ROUTE] = found.endpoint.value
        view = self._views.get((found.endpoint, request.method))
        if view is None:
            message = f"{request.method} is not for {found.endpoint.value}"
            return respond(oci_errors.say(405, "UNSUPPORTED", message, [("Allow", self._allowed(found.endpoint))]))
        try:
            answer = view(found)
        except ChunkOutOfOrder as error:
            answer = oci_errors.answer(error)
            answer.headers += self._where(found.name, found.rest, error.received)
        except NotDeletable as error:
            answer = oci_errors.answer(error)
            answer.headers.append(("Allow", "GET, HEAD, PUT" if found.endpoint is Endpoint.MANIFEST else "GET, HEAD"))
        answer.headers.append(VERSION)
        response = respond(answer)
        if not answer.length:
            del response.headers["Content-Type"]
        for work in answer.afterwards:
            response.call_on_close(work)
        return response

    def _allowed(self, endpoint: Endpoint) -> str:
        methods = {method for known, method in self._views if known is endpoint}
        if endpoint in (Endpoint.BLOB, Endpoint.MANIFEST):
            methods |= {"GET", "HEAD"}
        return ", ".join(sorted(methods))

    def _name(self, found: Target, action: Action) -> Name:
        """Return the OCI repository that a path names, where the caller may do this to it.

        Raises:
            NameInvalid: it cannot be one.
            Unauthorized, Forbidden: as `Visitor.require` says.
            NameUnknown: the caller may not even read it.
        """
        name = oci.parse_name(found.name, self._prefix)
        try:
            visitor_of(request.environ).require(action, name.repository, name.chart)
        except NoSuchPath:
            raise unknown_name(name) from None
        return name

    # ---- discovery

    def _base(self, _found: Target) -> Answer:
        visitor_of(request.environ).needs_nothing()
        return json_answer(200, {})

    def _catalog(self, _found: Target) -> Answer:
        visitor_of(request.environ).require_somewhere(Action.READ)
        limit, last = _paging()
        prefix = f"{self._prefix}/" if self._prefix else ""
        if last and not last.startswith(prefix):
            page = Page([], more=False) if last > prefix else self._discovery.names(_reads, after="", limit=limit)
        else:
            page = self._discovery.names(_reads, after=last[len(prefix) :], limit=limit)
        names = [prefix + path for path in page.items]
        headers = _link("/v2/_catalog", page, limit, names[-1] if names else "")
        return json_answer(200, {"repositories": names}, headers)

    def _tags(self, found: Target) -> Answer:
        limit, last = _paging()
        page = self._discovery.tags(self._name(found, Action.READ), after=last, limit=limit)
        headers = _link(f"/v2/{found.name}/tags/list", page, limit, page.items[-1] if page.items else "")
        return json_answer(200, {"name": found.name, "tags": page.items}, headers)

    def _referrers(self, found: Target) -> Answer:
        digest = oci.parse_digest(found.rest)
        wanted = request.args.get("artifactType") or None
        try:
            name = self._name(found, Action.READ)
            part = self._discovery.referrers(name, digest, artifact_type=wanted, after=request.args.get("last", ""))
        except NameUnknown:
            part = Referrers([], None)  # which is what there is about anything unknown
        document = {"schemaVersion": 2, "mediaType": oci.IMAGE_INDEX, "manifests": part.descriptors}
        answer = json_answer(200, document)
        answer.headers[0] = ("Content-Type", oci.IMAGE_INDEX)
        if wanted is not None:
            answer.headers.append(("OCI-Filters-Applied", "artifactType"))
        if part.last is not None:
            query = urlencode({**({"artifactType": wanted} if wanted else {}), "last": part.last})
            answer.headers.append(("Link", f'</v2/{found.name}/referrers/{digest}?{query}>; rel="next"'))
        return answer

    # ---- uploads of blobs

    def _begin(self, found: Target) -> Answer:
        name = self._name(found, Action.PUBLISH)
        if "mount" in request.args:
            digest = oci.parse_digest(request.args["mount"])
            if self._mount(name, digest):
                return self._made(found.name, digest)
        elif "digest" in request.args:
            digest = oci.parse_digest(request.args["digest"])
            self._uploads.put(name, request.stream, digest)
            return self._made(found.name, digest)
        if "digest-algorithm" in request.args:
            oci.new_hash(request.args["digest-algorithm"])
        upload = self._uploads.begin(name)
        return Answer(202, [*self._where(found.name, upload, 0), ("Docker-Upload-UUID", upload)])

    def _mount(self, name: Name, digest: Digest) -> bool:
        source = request.args.get("from")
        if source is not None:
            try:
                origin = oci.parse_name(source, self._prefix)
                return self._may_mount(origin, digest) and self._blobs.mount(name, digest, origin)
            except (NameInvalid, NameUnknown):
                return False
        return self._blobs.mount_from_anywhere(name, digest, lambda origin: self._may_mount(origin, digest))

    def _may_mount(self, origin: Name, digest: Digest) -> bool:
        """Return whether the caller may have a blob of an OCI repository."""
        return _reads(origin) and (
            visitor_of(request.environ).may(Action.PUBLISH, origin.repository, origin.chart)
            or not self._blobs.withholds(origin, digest)
        )

    def _received(self, found: Target) -> Answer:
        received = self._uploads.received(self._name(found, Action.PUBLISH), found.rest)
        return Answer(204, self._where(found.name, found.rest, received))

    def _append(self, found: Target) -> Answer:
        name = self._name(found, Action.PUBLISH)
        received = self._uploads.append(name, found.rest, request.stream, _start())
        return Answer(202, [*self._where(found.name, found.rest, received), ("Docker-Upload-UUID", found.rest)])

    def _finish(self, found: Target) -> Answer:
        name = self._name(found, Action.PUBLISH)
        if "digest" not in request.args:
            raise UploadInvalid("the closing PUT has to name the blob: add ?digest=sha256:... to the address")
        digest = oci.parse_digest(request.args["digest"])
        self._uploads.finish(name, found.rest, request.stream, _start(), digest)
        return self._made(found.name, digest)

    def _cancel(self, found: Target) -> Answer:
        self._uploads.cancel(self._name(found, Action.PUBLISH), found.rest)
        return Answer(204)

    def _made(self, name: str, digest: Digest) -> Answer:
        return Answer(201, [("Location", f"/v2/{name}/blobs/{digest}"), (DIGEST, str(digest))])

    def _where(self, name: str, upload: str, received: int) -> Headers:
        return [("Location", f"/v2/{name}/blobs/uploads/{upload}"), ("Range", f"0-{max(received - 1, 0)}")]

    # ---- manifests

    def _put_manifest(self, found: Target) -> Answer:
        try:
            name = self._name(found, Action.PUBLISH)
            data = _whole(request.stream)
            tags = request.args.getlist("tag")[:_MAX_TAGS]
            put = self._manifests.put(
                name,
                found.rest,
                data,
                request.headers.get("Content-Type", ""),
                tags,
                may_replace=visitor_of(request.environ).may(Action.OVERWRITE, name.repository, name.chart),
            )
        except (ChartrepoError, StorageError) as error:
            self._metrics.upload(upload_result(oci_errors.answer(error).status))
            raise
        headers = [("Location", f"/v2/{found.name}/manifests/{put.digest}"), (DIGEST, str(put.digest))]
        if put.published is not None:
            self._metrics.upload("replaced" if put.published.replaced else "created")
            if isinstance(put.published.record, Withheld):
                # Clients take anything but 201 for a failure (distribution specification, "Warnings").
                headers.append(("Warning", f"299 - {json.dumps(put.published.record.reason)}"))
        if put.subject is not None:
            headers.append(("OCI-Subject", str(put.subject)))
        if tags:
            headers.append(("OCI-Tag", ", ".join(put.tags)))
        answer = Answer(201, headers)
        if put.twice is not None:
            answer.afterwards.append(partial(self._tidy, name, put.twice))
        return answer

    def _tidy(self, name: Name, package: str) -> None:
        try:
            self._manifests.tidy(name, package)
        except (ChartrepoError, StorageError) as error:
            log.warning("the blob of a package that was published is left to gc: %s", error)

    def _delete_manifest(self, found: Target) -> Answer:
        name = self._name(found, Action.DELETE)
        self._check_delete()
        self._manifests.delete(name, found.rest)
        return Answer(202)

    def _delete_blob(self, found: Target) -> Answer:
        name = self._name(found, Action.DELETE)
        self._check_delete()
        self._blobs.delete(name, oci.parse_digest(found.rest))
        return Answer(202)

    def _check_delete(self) -> None:
        if not self._allow_delete:
            raise NotDeletable("this server deletes nothing: set allow_delete to true to let it")


def _reads(name: Name) -> bool:
    """Return whether the caller may read what is in an OCI repository."""
    return visitor_of(request.environ).may(Action.READ, name.repository, name.chart)


def _paging() -> tuple[int | None, str]:
    """Return how many items are wanted, None for all, and behind which one."""
    text = request.args.get("n")
    if text is None or text == "":
        return None, request.args.get("last", "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004
        raise BadRequest(f"n={text[:50]!r}: give a number of items, as n=100")
    return int(text), request.args.get("last", "")


def _link(path: str, page: Page, limit: int | None, last: str) -> Iterable[tuple[str, str]]:
    if not limit or not page.more:
        return ()
    return [("Link", f'<{path}?{urlencode({"n": limit, "last": last}, quote_via=quote)}>; rel="next"')]


def _start() -> int | None:
    """Return the first byte of a chunk, None where the request says nothing of it.

    Raises:
        UploadInvalid: what it says is no range, or not that of its body.
    """
    text = request.headers.get("Content-Range")
    if text is None:
        return None
    found = _RANGE.fullmatch(text.strip())
    if found is None:
        raise UploadInvalid(f"Content-Range {text[:50]!r}: write the first and the last byte, as 0-1023")
    first, last = int(found[1]), int(found[2])
    length = announced_length(request.environ)
    if last < first or (length is not None and length != last - first + 1):
        raise UploadInvalid(f"Content-Range {text[:50]!r} does not fit the body, which has {length} bytes")
    return first


def _whole(stream: IO[bytes]) -> bytes:
    data = stream.read(manifests.MAX_BYTES + 1)
    while len(data) <= manifests.MAX_BYTES and (more := stream.read(manifests.MAX_BYTES + 1 - len(data))):
        data += more
    if len(data) > manifests.MAX_BYTES:
        raise ManifestTooLarge(f"the manifest is larger than {manifests.MAX_BYTES} bytes, the most that clients take")
    return data
