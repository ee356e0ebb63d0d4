"""An OCI registry, asked as the distribution specification has it: lists, manifests, blobs."""

import hashlib
import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any, BinaryIO, Final
from urllib.parse import urljoin, urlsplit, urlunsplit

from chartrepo.core.foreign_manifest import Blob
from chartrepo.core.messages import shown
from chartrepo.fetching import AnswerError, DeniedError, Fetcher, PassingError, origin, remedy
from chartrepo.remote_tokens import Tokens
from chartrepo.sources import SourceError

MAX_MANIFEST: Final = 4 * 1024 * 1024
"""In bytes, as the distribution specification asks registries to take at least."""

MAX_LIST: Final = 64 * 1024 * 1024
"""In bytes, unpacked. Some registries know no pages; a million tags take about 20 MiB."""

MAX_PAGES: Final = 10_000

_PAGE: Final = 1000
_HARBOR_PAGE: Final = 100
_MAX_WELCOME: Final = 1024 * 1024
_PIECE: Final = 1024 * 1024
_BAD_REQUEST: Final = 400
_UNAUTHORIZED: Final = 401
_JSON: Final = "application/json"
_MANIFESTS: Final = ", ".join(
    (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    )
)
"""Those of images too: a registry that may not send what is there calls it missing."""

_NEXT: Final = re.compile(r'<([^<>]*)>\s*;[^,<>]*\brel="?next\b', re.IGNORECASE)
_NOT_TLS: Final = re.compile("WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE")
"""What OpenSSL calls an answer that is plain http."""

_DIGEST: Final = re.compile("sha256:[0-9a-f]{64}")
_DOCKER_HUB: Final = frozenset({"docker.io", "index.docker.io"})
_DOCKER_HUBS_REGISTRY: Final = "registry-1.docker.io"


class RemoteRegistry:
    """A registry of others, for several threads at a time.

    Args:
        host: with its port, where that is not the usual one.
        username: of the credential; empty for none.
        password: that goes with it.
        plain_http: whether to ask without encryption. Where not, a host that is this machine is asked so first, and
            with encryption if that does not answer.
        connections: how many to keep open.
    """

    def __init__(self, host: str, *, username: str, password: str, plain_http: bool, connections: int) -> None:
        self._host = _DOCKER_HUBS_REGISTRY if host.lower() in _DOCKER_HUB else host
        self._username = username
        self._password = password
        self._plain_http = plain_http
        self._fetcher = Fetcher(connections=connections)

    def connect(self) -> None:
        """Find out how the registry is reached, and how it wants to be asked. Comes before everything else.

        Raises:
            SourceError: it does not answer, or it is none.
        """
        local = not self._plain_http and _is_local(self._host)
        try:
            self._connect("http" if self._plain_http or local else "https")
        except (PassingError, AnswerError) as error:
            # What listens for TLS answers plain http with 400, or not at all.
            if not local or (isinstance(error, AnswerError) and error.status != _BAD_REQUEST):
                raise
            try:
                self._connect("https")
            except SourceError as other:
                raise SourceError(f"over plain http, {error}; over https, {other}") from None

    def repositories(self) -> Iterator[str]:
        """Give the names of all repositories.

        Raises:
            SourceError: the registry does not list them, or no more of them.
        """
        return self._names("/v2/_catalog", "repositories", scope="registry:catalog:*")

    def harbor_repositories(self, project: str) -> Iterator[str]:
        """Give the names of the repositories of a project by Harbor's own API, which lists what `_catalog` does not.

        Raises:
            SourceError: this is no Harbor, or it does not list them.
        """
        list_ = f"{self._base}/api/v2.0/projects/{project}/repositories?page_size={_HARBOR_PAGE}&page="
        password = self._tokens.password()
        for number in range(1, MAX_PAGES + 1):
            page = BytesIO()
            self._fetcher.get(f"{list_}{number}", page, limit=MAX_LIST, packed=True, accept=_JSON, credential=password)
            document = _parsed(page)
            if not isinstance(document, list):
                raise SourceError("the answer is no list of Harbor's")
            if not document:
                return
            for each in document:
                name = each.get("name") if isinstance(each, dict) else None
                if not isinstance(name, str):
                    raise SourceError("the answer is no list of Harbor's")
                yield name
        raise SourceError(f"its list has more than {MAX_PAGES} pages")

    def tags(self, repository: str) -> Iterator[str]:
        """Give the tags of a repository.

        Raises:
            MissingError: there is no such repository.
            SourceError: the registry does not list them, or no more of them.
        """
        return self._names(f"/v2/{repository}/tags/list", "tags", scope=_to_pull(repository))

    def manifest(self, repository: str, tag: str) -> bytes:
        """Return the manifest that a tag names.

        Raises:
            SourceError: it cannot be had.
        """
        into = BytesIO()
        path = f"/v2/{repository}/manifests/{tag}"
        headers = self._get(path, into, scope=_to_pull(repository), limit=MAX_MANIFEST, accept=_MANIFESTS)
        said = headers.get("Docker-Content-Digest", "")
        if _DIGEST.fullmatch(said) and said != f"sha256:{_sha256(into)}":
            raise SourceError(
                f"its manifest has not the digest {said} that the registry gives it: push the chart again"
            )
        return into.getvalue()

    def blob(self, repository: str, blob: Blob, into: BinaryIO) -> None:
        """Write a blob's bytes to `into`.

        Raises:
            SourceError: it cannot be had, or has not the digest and the size that it should have.
        """
        path = f"/v2/{repository}/blobs/sha256:{blob.digest}"
        self._get(path, into, scope=_to_pull(repository), limit=blob.size)
        size, digest = into.tell(), _sha256(into)
        if size != blob.size:
            raise SourceError(f"has {size} bytes, and its manifest says {blob.size}: push the chart again")
        if digest != blob.digest:
            raise SourceError(
                f"has the digest sha256:{digest}, and its manifest says sha256:{blob.digest}: push the chart again"
            )

    def stop(self) -> None:
        """Break off what takes long."""
        self._fetcher.stop()

    def close(self) -> None:
        """Close all connections."""
        self._fetcher.close()

    def _connect(self, scheme: str) -> None:
        self._base = f"{scheme}://{self._host}"
        self._own = origin(urlsplit(self._base))
        self._tokens = Tokens(self._fetcher, self._own, username=self._username, password=self._password)
        try:
            self._fetcher.get(f"{self._base}/v2/", BytesIO(), limit=_MAX_WELCOME)
        except DeniedError as error:
            if error.status != _UNAUTHORIZED or error.origin != self._own:
                raise self._denied(error) from None
            self._tokens.learn(error.challenges)
        except AnswerError as error:
            raise AnswerError(f"{error} at /v2/: it is no OCI registry", status=error.status) from None
        except SourceError as error:
            if not _NOT_TLS.search(str(error)):
                raise
            raise SourceError(f"it does not speak https: give --plain-http, or another port ({error})") from None

    def _names(self, path: str, field: str, *, scope: str) -> Iterator[str]:
        """Give the names on all pages of a list."""
        address = f"{path}?n={_PAGE}"
        asked = set[str]()
        while address:
            if address in asked or len(asked) == MAX_PAGES:
                raise SourceError(f"its list does not end: after {len(asked)} pages it goes on at {shown(address)}")
            asked.add(address)
            page = BytesIO()
            headers = self._get(address, page, scope=scope, limit=MAX_LIST, packed=True, accept=_JSON)
            document = _parsed(page)
            names = document.get(field) if isinstance(document, dict) else ""
            if names is None:  # Go's empty list
                names = []
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise SourceError(f"the answer has no {field}")
            yield from names
            address = self._next(address, headers)

    def _next(self, address: str, headers: Mapping[str, str]) -> str:
        """Return the path of the next page. Its host is this one, whatever a proxy before it makes of that."""
        found = _NEXT.search(headers.get("Link", ""))
        if found is None:
            return ""
        target = str(found[1])
        try:
            parts = urlsplit(urljoin(self._base + address, target))
        except ValueError:
            raise SourceError(f"its list goes on at {shown(target)}, which is no address") from None
        return urlunsplit(("", "", parts.path or "/", parts.query, ""))

    def _get(
        self, path: str, into: BinaryIO, *, scope: str, limit: int, packed: bool = False, accept: str = "*/*"
    ) -> Mapping[str, str]:
        """Fetch as `Fetcher.get` does, with what the registry wants to see for a scope."""
        address = self._base + path
        try:
            credential = self._tokens.credential(scope)
            try:
                return self._fetcher.get(
                    address, into, limit=limit, packed=packed, accept=accept, credential=credential
                )
            except DeniedError as error:
                if error.status != _UNAUTHORIZED or error.origin != self._own:
                    raise
                credential = self._tokens.another(scope, credential, error.challenges)
                if credential is None:
                    raise
            return self._fetcher.get(address, into, limit=limit, packed=packed, accept=accept, credential=credential)
        except DeniedError as error:
            raise self._denied(error) from None

    def _denied(self, error: DeniedError) -> SourceError:
        if error.origin != self._own:
            return SourceError(f"{error.said}; the credential is only for the registry's own host")
        what_to_do = remedy(credential=self._tokens.password() is not None)
        return DeniedError(error.said, status=error.status, origin=error.origin, remedy=what_to_do)


def _parsed(file: BytesIO) -> Any:
    try:
        return json.loads(file.getvalue())
    except (ValueError, RecursionError):
        raise SourceError("the answer is not JSON") from None


def _to_pull(repository: str) -> str:
    return f"repository:{repository}:pull"


def _is_local(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _sha256(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while piece := file.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()
