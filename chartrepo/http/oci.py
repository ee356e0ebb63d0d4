"""The OCI distribution API, but for the reads in `chartrepo.http.oci_reads`.

It is plain WSGI too: a push is eight requests, of which Flask would make the half of what most of them take.
"""

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import IO, Any, Final
from urllib.parse import parse_qs, quote, urlencode

from chartrepo.catalog import Withheld
from chartrepo.core import manifests, oci
from chartrepo.core.audit import Outcome
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
from chartrepo.http.auditing import REASON
from chartrepo.http.auth import Visitor, trying_of
from chartrepo.http.bodies import announced_length
from chartrepo.http.errors import BadRequest, NoSuchPath, upload_result
from chartrepo.http.oci_paths import Endpoint, Target
from chartrepo.http.oci_reads import DIGEST, VERSION
from chartrepo.http.trying import Trying
from chartrepo.metrics import Unmeasured
from chartrepo.registry import Page, PutManifest, Referrers, Registry, unknown_name
from storage.base import StorageError

log = logging.getLogger(__name__)

_RANGE: Final = re.compile(r"(?:bytes[ =])?([0-9]{1,18})-([0-9]{1,18})(?:/(?:[0-9]+|\*))?", re.ASCII)
"""A chunk's Content-Range. The specification has no unit in it; whoever writes one means the same."""
LOGIN: Final = frozenset({"/v2", Endpoint.BASE.value, Endpoint.CATALOG.value})
"""Paths that ask for a credential, be it the token of anonymous, where there are any: clients find out there whether
theirs is right, or would take what everybody may read for all there is, as they send one only when asked."""

_MAX_TAGS: Final = 100
"""Tags that one PUT can give a manifest."""


@dataclass(frozen=True)
class _Request:
    """What is asked for.

    Attributes:
        environ: as WSGI has it. Its `wsgi.input` ends by itself.
        name: of the OCI repository, as it came.
        rest: the digest, tag or upload that the path ends with, if it does.
        visitor: who asks.
    """

    environ: dict[str, Any]
    name: str
    rest: str
    visitor: Visitor

    @cached_property
    def _query(self) -> Mapping[str, Sequence[str]]:
        return parse_qs(self.environ.get("QUERY_STRING", ""), keep_blank_values=True)

    def argument(self, name: str) -> str | None:
        """Return the first value of an argument of the query; None where it has none."""
        return next(iter(self.arguments(name)), None)

    def arguments(self, name: str) -> Sequence[str]:
        """Return all values of an argument of the query."""
        return self._query.get(name, ())

    @property
    def body(self) -> IO[bytes]:
        """The body."""
        found: IO[bytes] = self.environ["wsgi.input"]
        return found

    def reads(self, name: Name) -> bool:
        """Return whether the caller may read what is in an OCI repository."""
        return self.visitor.may(Action.READ, name.repository, name.chart)


class Oci:
    """Answers for everything below `/v2/` but the token and the two reads. Errors are raised, not answered.

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
        self._views: dict[tuple[Endpoint, str], Callable[[_Request], Answer]] = {
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

    def answer(self, environ: dict[str, Any], found: Target, visitor: Visitor) -> Answer:
        """Answer a request.

        Args:
            environ: of it, as WSGI has it. Its `wsgi.input` ends by itself.
            found: what its path names.
            visitor: who asks.
        """
        method = environ["REQUEST_METHOD"]
        view = self._views.get((found.endpoint, method))
        if view is None:
            message = f"{method} is not for {found.endpoint.value}"
            return oci_errors.say(405, "UNSUPPORTED", message, [("Allow", self._allowed(found.endpoint))])
        try:
            answer = view(_Request(environ, found.name, found.rest, visitor))
        except ChunkOutOfOrder as error:
            answer = oci_errors.answer(error)
            answer.headers += self._where(found.name, found.rest, error.received)
        except NotDeletable as error:
            environ[REASON] = str(error)
            answer = oci_errors.answer(error)
            answer.headers.append(("Allow", "GET, HEAD, PUT" if found.endpoint is Endpoint.MANIFEST else "GET, HEAD"))
        answer.headers.append(VERSION)
        return answer

    def _allowed(self, endpoint: Endpoint) -> str:
        methods = {method for known, method in self._views if known is endpoint}
        if endpoint in (Endpoint.BLOB, Endpoint.MANIFEST):
            methods |= {"GET", "HEAD"}
        return ", ".join(sorted(methods))

    def _name(self, request: _Request, action: Action) -> Name:
        """Return the OCI repository that a path names, where the caller may do this to it.

        Raises:
            NameInvalid: it cannot be one.
            Unauthorized, Forbidden: as `Visitor.require` says.
            NameUnknown: the caller may not even read it.
        """
        name = oci.parse_name(request.name, self._prefix)
        try:
            request.visitor.require(action, name.repository, name.chart)
        except NoSuchPath:
            raise unknown_name(name) from None
        return name

    def _name_of_part(self, request: _Request) -> Name:
        """Do as `_name` for a blob on its way in: what counts is the manifest that comes after it."""
        name = self._name(request, Action.PUBLISH)
        trying_of(request.environ).is_part = True
        return name

    # ---- discovery

    def _base(self, request: _Request) -> Answer:
        request.visitor.needs_nothing()
        return json_answer(200, {})

    def _catalog(self, request: _Request) -> Answer:
        request.visitor.require_somewhere(Action.READ)
        limit, last = _paging(request)
        prefix = f"{self._prefix}/" if self._prefix else ""
        if last and not last.startswith(prefix):
            page = (
                Page([], more=False) if last > prefix else self._discovery.names(request.reads, after="", limit=limit)
            )
        else:
            page = self._discovery.names(request.reads, after=last[len(prefix) :], limit=limit)
        names = [prefix + path for path in page.items]
        headers = _link("/v2/_catalog", page, limit, names[-1] if names else "")
        return json_answer(200, {"repositories": names}, headers)

    def _tags(self, request: _Request) -> Answer:
        limit, last = _paging(request)
        page = self._discovery.tags(self._name(request, Action.READ), after=last, limit=limit)
        headers = _link(f"/v2/{request.name}/tags/list", page, limit, page.items[-1] if page.items else "")
        return json_answer(200, {"name": request.name, "tags": page.items}, headers)

    def _referrers(self, request: _Request) -> Answer:
        digest = oci.parse_digest(request.rest)
        wanted = request.argument("artifactType") or None
        try:
            name = self._name(request, Action.READ)
            part = self._discovery.referrers(name, digest, artifact_type=wanted, after=request.argument("last") or "")
        except NameUnknown:
            part = Referrers([], None)  # which is what there is about anything unknown
        document = {"schemaVersion": 2, "mediaType": oci.IMAGE_INDEX, "manifests": part.descriptors}
        answer = json_answer(200, document)
        answer.headers[0] = ("Content-Type", oci.IMAGE_INDEX)
        if wanted is not None:
            answer.headers.append(("OCI-Filters-Applied", "artifactType"))
        if part.last is not None:
            query = urlencode({**({"artifactType": wanted} if wanted else {}), "last": part.last})
            answer.headers.append(("Link", f'</v2/{request.name}/referrers/{digest}?{query}>; rel="next"'))
        return answer

    # ---- uploads of blobs

    def _begin(self, request: _Request) -> Answer:
        name = self._name_of_part(request)
        mount, whole, algorithm = map(request.argument, ("mount", "digest", "digest-algorithm"))
        if mount is not None:
            digest = oci.parse_digest(mount)
            if self._mount(request, name, digest):
                return self._made(request.name, digest)
        elif whole is not None:
            digest = oci.parse_digest(whole)
            self._uploads.put(name, request.body, digest)
            return self._made(request.name, digest)
        if algorithm is not None:
            oci.new_hash(algorithm)
        upload = self._uploads.begin(name)
        return Answer(202, [*self._where(request.name, upload, 0), ("Docker-Upload-UUID", upload)])

    def _mount(self, request: _Request, name: Name, digest: Digest) -> bool:
        source = request.argument("from")
        if source is not None:
            try:
                origin = oci.parse_name(source, self._prefix)
                return self._may_mount(request, origin, digest) and self._blobs.mount(name, digest, origin)
            except (NameInvalid, NameUnknown):
                return False
        return self._blobs.mount_from_anywhere(name, digest, lambda origin: self._may_mount(request, origin, digest))

    def _may_mount(self, request: _Request, origin: Name, digest: Digest) -> bool:
        """Return whether the caller may have a blob of an OCI repository."""
        return request.reads(origin) and (
            request.visitor.may(Action.PUBLISH, origin.repository, origin.chart) or self._blobs.shows(origin, digest)
        )

    def _received(self, request: _Request) -> Answer:
        received = self._uploads.received(self._name_of_part(request), request.rest)
        return Answer(204, self._where(request.name, request.rest, received))

    def _append(self, request: _Request) -> Answer:
        name = self._name_of_part(request)
        received = self._uploads.append(name, request.rest, request.body, _start(request))
        return Answer(202, [*self._where(request.name, request.rest, received), ("Docker-Upload-UUID", request.rest)])

    def _finish(self, request: _Request) -> Answer:
        name = self._name_of_part(request)
        named = request.argument("digest")
        if named is None:
            raise UploadInvalid("the closing PUT has to name the blob: add ?digest=sha256:... to the address")
        digest = oci.parse_digest(named)
        self._uploads.finish(name, request.rest, request.body, _start(request), digest)
        return self._made(request.name, digest)

    def _cancel(self, request: _Request) -> Answer:
        self._uploads.cancel(self._name_of_part(request), request.rest)
        return Answer(204)

    def _made(self, name: str, digest: Digest) -> Answer:
        return Answer(201, [("Location", f"/v2/{name}/blobs/{digest}"), (DIGEST, str(digest))])

    def _where(self, name: str, upload: str, received: int) -> Headers:
        return [("Location", f"/v2/{name}/blobs/uploads/{upload}"), ("Range", f"0-{max(received - 1, 0)}")]

    # ---- manifests

    def _put_manifest(self, request: _Request) -> Answer:
        try:
            name = self._name(request, Action.PUBLISH)
            trying = trying_of(request.environ)
            _tell_reference(trying, request.rest)
            data = _whole(request.body)
            tags = request.arguments("tag")[:_MAX_TAGS]
            put = self._manifests.put(
                name,
                request.rest,
                data,
                request.environ.get("CONTENT_TYPE", ""),
                tags,
                may_replace=request.visitor.may(Action.OVERWRITE, name.repository, name.chart),
            )
        except (ChartrepoError, StorageError) as error:
            self._metrics.upload(upload_result(oci_errors.answer(error).status))
            raise
        _tell_put(trying, put)
        headers = [("Location", f"/v2/{request.name}/manifests/{put.digest}"), (DIGEST, str(put.digest))]
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

    def _delete_manifest(self, request: _Request) -> Answer:
        name = self._name(request, Action.DELETE)
        trying = trying_of(request.environ)
        _tell_reference(trying, request.rest)
        self._check_delete()
        for package in self._manifests.delete(name, request.rest):
            trying.deleted(package)
        return Answer(202)

    def _delete_blob(self, request: _Request) -> Answer:
        name = self._name(request, Action.DELETE)
        trying = trying_of(request.environ)
        trying.kind, trying.digest = "blob", request.rest
        self._check_delete()
        self._blobs.delete(name, oci.parse_digest(request.rest))
        return Answer(202)

    def _check_delete(self) -> None:
        if not self._allow_delete:
            raise NotDeletable("this server deletes nothing: set allow_delete to true to let it")


def _tell_reference(trying: Trying, reference: str) -> None:
    """Say which manifest, or which tag, it is about."""
    trying.kind = "manifest"
    if oci.is_digest(reference):
        trying.digest = reference
    else:
        trying.version = reference


def _tell_put(trying: Trying, put: PutManifest) -> None:
    """Say what became of a manifest."""
    trying.digest, trying.is_part = str(put.digest), put.waits
    if put.published is not None:
        trying.published(put.published)
    elif put.present is not None:
        trying.package(*put.present)
        trying.outcome = Outcome.UNCHANGED


def _paging(request: _Request) -> tuple[int | None, str]:
    """Return how many items are wanted, None for all, and behind which one."""
    text, last = request.argument("n"), request.argument("last") or ""
    if not text:
        return None, last
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004
        raise BadRequest(f"n={text[:50]!r}: give a number of items, as n=100")
    return int(text), last


def _link(path: str, page: Page, limit: int | None, last: str) -> Iterable[tuple[str, str]]:
    if not limit or not page.more:
        return ()
    return [("Link", f'<{path}?{urlencode({"n": limit, "last": last}, quote_via=quote)}>; rel="next"')]


def _start(request: _Request) -> int | None:
    """Return the first byte of a chunk, None where the request says nothing of it.

    Raises:
        UploadInvalid: what it says is no range, or not that of its body.
    """
    text = request.environ.get("HTTP_CONTENT_RANGE")
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
