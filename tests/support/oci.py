"""The OCI distribution API as a client sees it: contents and their digests, and a registry that is asked over HTTP.

No request is sent on a connection that another one used, so that requests which belong together reach several workers.
No redirect is followed, and no answer is an exception.
"""

import re
import socket
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from http.client import HTTPConnection
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode, urljoin, urlsplit

from tests.support.http import Got
from tests.support.oci_contents import IMAGE, INDEX, OCTETS, Bundle, Content

CODES: Final = frozenset(
    {
        "BLOB_UNKNOWN",
        "BLOB_UPLOAD_INVALID",
        "BLOB_UPLOAD_UNKNOWN",
        "DIGEST_INVALID",
        "MANIFEST_BLOB_UNKNOWN",
        "MANIFEST_INVALID",
        "MANIFEST_UNKNOWN",
        "NAME_INVALID",
        "NAME_UNKNOWN",
        "SIZE_INVALID",
        "UNAUTHORIZED",
        "DENIED",
        "UNSUPPORTED",
        "TOOMANYREQUESTS",
    }
)
"""All codes that the specification lets an error have."""

_SECONDS: Final = 60


class NotAsSpecifiedError(Exception):
    """An answer lacks what the specification says it has; the message holds the answer."""


class Refusal(NamedTuple):
    """How a request was refused: the status and the code of its first error."""

    status: int
    code: str


def refusal(answer: Got) -> Refusal:
    """Read a refusal.

    Raises:
        NotAsSpecifiedError: it is none, or its body is not what the specification says of errors.
    """
    strange = NotAsSpecifiedError(f"{answer.status} {answer.headers['Content-Type']}: {answer.body[:500]!r}")
    if answer.status < 400:
        raise strange
    try:
        errors = answer.json["errors"]
        codes = [error["code"] for error in errors]
        messages = [error.get("message", "") for error in errors]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise strange from None
    readable = all(isinstance(message, str) for message in messages)
    if (
        not codes
        or not CODES.issuperset(codes)
        or not readable
        or not str(answer.headers["Content-Type"]).startswith("application/json")
    ):
        raise strange
    return Refusal(answer.status, codes[0])


class Registry:
    """A registry.

    Args:
        address: as `127.0.0.1:5000`.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    def send(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Got:
        """Send a request as it is and read the whole answer, also one that comes before all of the body was taken.

        Args:
            method: of HTTP.
            path: with the query, encoded already; nothing in it is tidied up.
            body: sent with its length where it is bytes, else piece by piece without one.
            headers: all that are sent, but for Host and those that tell the length.

        Raises:
            OSError: no answer came, or not all of it.
        """
        with closing(HTTPConnection(self.address, timeout=_SECONDS)) as connection:
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return Got(answer.status, answer.headers, answer.read())

    def send_half(self, method: str, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Send a request that says how long its body is, half of that, and hang up."""
        with closing(HTTPConnection(self.address, timeout=_SECONDS)) as connection:
            connection.putrequest(method, path)
            for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
                connection.putheader(name, value)
            connection.endheaders(body[: len(body) // 2])
            connection.sock.shutdown(socket.SHUT_RDWR)

    def led_to(self, path: str, answer: Got) -> str:
        """Where the Location of an answer leads, as a path with its query.

        Args:
            path: what was asked.
            answer: what came.

        Raises:
            NotAsSpecifiedError: it has none, or leads to another host.
        """
        location = answer.headers["Location"]
        whole = urlsplit(urljoin(f"http://{self.address}{path}", location or ""))
        if not location or whole.netloc != self.address:
            raise NotAsSpecifiedError(f"{answer.status} with Location {location!r}: {answer.body[:500]!r}")
        return f"{whole.path}?{whole.query}" if whole.query else whole.path

    def followed(self, path: str) -> list[Got]:
        """The answers to a GET and to those that `Link` calls the next, to the end.

        Raises:
            NotAsSpecifiedError: a Link is not one to a next page, or they go round in a circle.
        """
        answers: list[Got] = []
        seen: set[str] = set()
        while path not in seen:
            seen.add(path)
            answers.append(self.send("GET", path))
            link = answers[-1].headers["Link"]
            if link is None:
                return answers
            target = re.fullmatch(r'<([^>]+)>; *rel="?next"?', link)
            if target is None:
                raise NotAsSpecifiedError(f"Link: {link}")
            whole = urlsplit(urljoin(f"http://{self.address}{path}", target[1]))
            path = f"{whole.path}?{whole.query}"
        raise NotAsSpecifiedError(f"the page after {path} leads back to it")

    def repository(self, name: str) -> "Repository":
        """One of its repositories, there or not."""
        return Repository(self, name)


class Upload:
    """An upload of a blob under way.

    Attributes:
        path: where it goes on, as the latest answer told.
    """

    def __init__(self, registry: Registry, path: str) -> None:
        self._registry = registry
        self.path = path

    def _goes_on(self, answer: Got) -> Got:
        if answer.status in {202, 204} and answer.headers["Location"]:
            self.path = self._registry.led_to(self.path, answer)
        return answer

    def patch(self, data: bytes | Iterable[bytes], *, at: int | None = None, span: str | None = None) -> Got:
        """Send more of the blob.

        Args:
            data: bytes, or pieces that are sent without telling their length.
            at: the place of the first byte in the blob, from 0; makes it a chunk with a Content-Range.
            span: the Content-Range where it shall be another.
        """
        if at is not None and isinstance(data, bytes):
            span = f"{at}-{at + len(data) - 1}"
        headers = {"Content-Type": OCTETS, **({"Content-Range": span} if span else {})}
        return self._goes_on(self._registry.send("PATCH", self.path, data, headers))

    def patch_half(self, data: bytes, *, at: int) -> None:
        """Begin to send a chunk and hang up in its middle."""
        headers = {"Content-Type": OCTETS, "Content-Range": f"{at}-{at + len(data) - 1}"}
        self._registry.send_half("PATCH", self.path, data, headers)

    def closing_path(self, digest: str) -> str:
        """Where the closing PUT goes."""
        return f"{self.path}{'&' if '?' in self.path else '?'}digest={quote(digest, safe='')}"

    def close(self, digest: str, data: bytes = b"", *, at: int | None = None) -> Got:
        """End it, with the last chunk where there is one; `at` as in `patch`."""
        headers = {"Content-Type": OCTETS}
        if at is not None:
            headers["Content-Range"] = f"{at}-{at + len(data) - 1}"
        return self._registry.send("PUT", self.closing_path(digest), data, headers)

    def ask(self) -> Got:
        """Ask how far it is."""
        return self._goes_on(self._registry.send("GET", self.path))

    def offset(self) -> int:
        """How many bytes it has, by what GET answers. 0 and 1 look the same; 0 is meant.

        Raises:
            NotAsSpecifiedError: the answer does not tell.
        """
        answer = self.ask()
        span = re.fullmatch(r"0-([0-9]+)", answer.headers["Range"] or "")
        if answer.status != 204 or span is None:
            raise NotAsSpecifiedError(f"{answer.status} with Range {answer.headers['Range']!r}: {answer.body[:500]!r}")
        return int(span[1]) + 1 if int(span[1]) else 0

    def cancel(self) -> Got:
        """Give it up."""
        return self._registry.send("DELETE", self.path)


class Repository:
    """A repository of a registry, there or not."""

    def __init__(self, registry: Registry, name: str) -> None:
        self.registry = registry
        self.name = name

    def path(self, rest: str) -> str:
        """The path of something in it."""
        return f"/v2/{self.name}/{rest}"

    def send(
        self,
        method: str,
        rest: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Got:
        """Send a request for something in it; the rest is that of `Registry.send`."""
        return self.registry.send(method, self.path(rest), body, headers)

    def get_blob(self, digest: str, span: str | None = None) -> Got:
        """GET a blob, or the part of it that `span` names, as `bytes=0-9`."""
        return self.send("GET", f"blobs/{digest}", headers={"Range": span} if span else {})

    def head_blob(self, digest: str) -> Got:
        return self.send("HEAD", f"blobs/{digest}")

    def delete_blob(self, digest: str) -> Got:
        return self.send("DELETE", f"blobs/{digest}")

    def get_manifest(self, reference: str) -> Got:
        """GET a manifest by its tag or digest, as clients do that know images and indexes."""
        return self.send("GET", f"manifests/{reference}", headers={"Accept": f"{INDEX}, {IMAGE}"})

    def head_manifest(self, reference: str) -> Got:
        return self.send("HEAD", f"manifests/{reference}", headers={"Accept": f"{INDEX}, {IMAGE}"})

    def delete_manifest(self, reference: str) -> Got:
        return self.send("DELETE", f"manifests/{reference}")

    def put_manifest(self, content: Content, reference: str | None = None, *, tags: Iterable[str] = ()) -> Got:
        """PUT a manifest.

        Args:
            content: the manifest; its media type becomes the Content-Type.
            reference: a tag or a digest; its own digest where not given.
            tags: more tags for it, in the query.
        """
        query = "&".join(f"tag={tag}" for tag in tags)
        where = f"manifests/{reference or content.digest}{f'?{query}' if query else ''}"
        return self.send("PUT", where, content.data, {"Content-Type": content.media_type})

    def post_upload(self, query: Mapping[str, str] | None = None, body: bytes | None = None) -> Got:
        """POST for an upload, with the whole blob where `body` is given."""
        headers = {"Content-Type": OCTETS} if body is not None else {}
        return self.send("POST", f"blobs/uploads/{f'?{urlencode(query)}' if query else ''}", body, headers)

    def upload(self, query: Mapping[str, str] | None = None) -> Upload:
        """Begin an upload.

        Raises:
            NotAsSpecifiedError: none was begun.
        """
        return self.begun(self.post_upload(query))

    def begun(self, answer: Got) -> Upload:
        """The upload that an answer to a POST began.

        Raises:
            NotAsSpecifiedError: it began none.
        """
        if answer.status != 202:
            raise NotAsSpecifiedError(f"{answer.status}: {answer.body[:500]!r}")
        return Upload(self.registry, self.registry.led_to(self.path("blobs/uploads/"), answer))

    def push_blob(self, content: Content) -> None:
        """Have a blob in it.

        Raises:
            NotAsSpecifiedError: it was not taken.
        """
        answer = self.upload().close(content.digest, content.data)
        if answer.status != 201:
            raise NotAsSpecifiedError(f"{answer.status}: {answer.body[:500]!r}")

    def push(self, bundle: Bundle, *tags: str) -> None:
        """Have a manifest in it with all that it needs, under its digest and under tags.

        Raises:
            NotAsSpecifiedError: something was not taken.
        """
        for content in bundle.all_blobs():
            self.push_blob(content)
        references = [(part, part.digest) for part in bundle.all_manifests()]
        for content, reference in [*references, *((bundle.manifest, tag) for tag in tags)]:
            answer = self.put_manifest(content, reference)
            if answer.status != 201:
                raise NotAsSpecifiedError(f"{reference}: {answer.status}: {answer.body[:500]!r}")

    def list_tags(self, **query: object) -> Got:
        """GET the tags."""
        return self.send("GET", self._tags(query))

    def all_tags(self, **query: object) -> list[list[str]]:
        """The tags, page by page."""
        return [page.json["tags"] for page in self.registry.followed(self.path(self._tags(query)))]

    def _tags(self, query: Mapping[str, object]) -> str:
        return f"tags/list{f'?{urlencode(query)}' if query else ''}"

    def get_referrers(self, digest: str, artifact_type: str | None = None) -> Got:
        """GET the referrers of a digest, of one type where one is given."""
        query = f"?{urlencode({'artifactType': artifact_type})}" if artifact_type is not None else ""
        return self.send("GET", f"referrers/{digest}{query}")

    def referrers(self, digest: str) -> dict[str, dict[str, Any]]:
        """The descriptors of all referrers of a digest by their own digests, from all pages.

        Raises:
            NotAsSpecifiedError: one is there twice, or the answer is not a list of them.
        """
        pages = self.registry.followed(self.path(f"referrers/{digest}"))
        if any(page.status != 200 for page in pages):
            raise NotAsSpecifiedError(f"{pages[-1].status}: {pages[-1].body[:500]!r}")
        found = [descriptor for page in pages for descriptor in page.json["manifests"]]
        if len({descriptor["digest"] for descriptor in found}) != len(found):
            raise NotAsSpecifiedError(f"twice in {found}")
        return {descriptor["digest"]: descriptor for descriptor in found}
