"""The two reads of OCI that machines make all day, blobs and manifests, as plain WSGI handlers."""

from functools import partial
from http import HTTPStatus
from typing import Any, Final

from chartrepo.core import oci
from chartrepo.core.permissions import Action
from chartrepo.core.pulls import Pull
from chartrepo.http import oci_errors
from chartrepo.http.answers import Answer, Headers
from chartrepo.http.auth import Visitor
from chartrepo.http.errors import Unauthorized
from chartrepo.http.oci_paths import Endpoint, Target
from chartrepo.http.sending import gives_beginning, is_known, send
from chartrepo.registry import Blobs, Manifests, unknown_blob, unknown_name

Environ = dict[str, Any]

DIGEST: Final = "Docker-Content-Digest"
VERSION: Final = ("Docker-Distribution-API-Version", "registry/2.0")
"""Old clients look for it."""

_BLOB_TYPE: Final = "application/octet-stream"


class OciReads:
    """Answers for GET and HEAD of blobs and manifests. Errors are raised, not answered.

    Args:
        blobs: the use cases.
        manifests: the same.
        prefix: what every name begins with.
        private: whether answers are for the caller alone.
    """

    def __init__(self, blobs: Blobs, manifests: Manifests, *, prefix: str, private: bool) -> None:
        self._blobs = blobs
        self._manifests = manifests
        self._prefix = prefix
        audience = "private" if private else "public"
        self._lasting = f"{audience}, max-age=31536000, immutable"
        self._passing = f"{audience}, no-cache"

    def answer(self, environ: Environ, target: Target, visitor: Visitor) -> tuple[oci.Name, Answer]:
        """Answer a GET or HEAD of a blob or a manifest; return the OCI repository too, whose chart the visitor reads.

        Raises:
            Unauthorized: whatever there is, it is not for whoever brings no credential.
            BlobUnknown, NameUnknown: the visitor may not read it, or there is none.
        """
        name = oci.parse_name(target.name, self._prefix)
        hidden = not visitor.may(Action.READ, name.repository, name.chart)
        if hidden and not visitor.is_known:
            raise Unauthorized("unauthorized")
        if target.endpoint is Endpoint.BLOB:
            digest = oci.parse_digest(target.rest)
            publishes = _publishes(visitor, name)
            if hidden or not (publishes or self._blobs.shows(name, digest)):
                raise unknown_blob(name, digest)
            answer = self._blob(environ, name, digest)
            if publishes and answer.still is not None and not self._blobs.shows(name, digest):
                answer.still = None  # others get another answer
            return name, answer
        if hidden:
            raise unknown_name(name)
        return name, self._manifest(environ, name, target.rest, visitor)

    def _blob(self, environ: Environ, name: oci.Name, digest: oci.Digest) -> Answer:
        headers = [
            ("Content-Type", _BLOB_TYPE),
            (DIGEST, str(digest)),
            ("ETag", f'"{digest}"'),
            ("Accept-Ranges", "bytes"),
            ("Cache-Control", self._lasting),
            VERSION,
        ]
        if environ["REQUEST_METHOD"] == "HEAD":
            return Answer(200, headers, (), self._blobs.size(name, digest))
        blob = self._blobs.open(name, digest)
        if blob.reader is None:
            return _known_or(environ, headers, str(digest), blob.data)
        info = blob.reader.info
        part = partial(self._part, info.key, info.state)
        answer = send(environ, blob.reader, headers, etag=str(digest), changed=info.published or 0, part=part)
        if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            message = f"the blob has {info.size} bytes, and none of them are in that range"
            return oci_errors.say(answer.status, "SIZE_INVALID", message, [*answer.headers, (DIGEST, str(digest))])
        if gives_beginning(answer):
            answer.pull = self._pull(name, digest, blob.version)
        if isinstance(answer.body, list):
            answer.still = blob.still
            answer.by_path = True
        return answer

    def _pull(self, name: oci.Name, digest: oci.Digest, version: str | None) -> Pull | None:
        """Return whose package a blob is; None of one that is none, or while nobody can tell.

        A client of Helm's gets a manifest, a config and a package. It is counted once, at what it came for.
        """
        if version is None:
            version = self._blobs.version_of(name, digest)
        return Pull(name.repository, name.chart, version) if version is not None else None

    def _part(self, key: str, state: Any, start: int, length: int) -> Any:
        return self._blobs.storage.open(key, state=state, start=start, length=length)

    def _manifest(self, environ: Environ, name: oci.Name, reference: str, visitor: Visitor) -> Answer:
        found = self._manifests.get(name, reference)
        if found.withheld and not _publishes(visitor, name):
            raise self._manifests.unknown(name, reference)
        headers = [
            ("Content-Type", found.media_type),
            (DIGEST, str(found.digest)),
            ("ETag", f'"{found.digest}"'),
            ("Cache-Control", self._passing),
            VERSION,
        ]
        answer = _known_or(environ, headers, str(found.digest), found.data)
        answer.still = found.still
        answer.by_path = True
        return answer


def _known_or(environ: Environ, headers: Headers, etag: str, data: bytes) -> Answer:
    if is_known(environ, etag, 0) and "HTTP_IF_NONE_MATCH" in environ:
        return Answer(304, headers[1:])
    return Answer(200, headers, [data], len(data))


def _publishes(visitor: Visitor, name: oci.Name) -> bool:
    """Return whether a visitor may see what readers do not: what waits for provenance, and what nothing needs yet."""
    return visitor.may(Action.PUBLISH, name.repository, name.chart)
