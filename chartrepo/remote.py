"""The packages of another repository, over HTTP, as Helm would fetch them.

The credential goes to the repository's own scheme, host and port and to nobody else, whatever its index or a redirect
says. Sizes and times are bounded, and what fails in passing is tried again.
"""

import base64
import re
import threading
import time
import zlib
from io import BytesIO
from typing import BinaryIO, Final, NamedTuple
from urllib.parse import SplitResult, quote, urljoin, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError, SSLError

from chartrepo import layout
from chartrepo.core import provenance
from chartrepo.core.errors import ChartrepoError
from chartrepo.core.foreign_index import Release, releases
from chartrepo.core.messages import shown, shown_path
from chartrepo.sources import MAX_PACKAGE, Item, SourceError
from chartrepo.version import __version__

MAX_INDEX: Final = 512 * 1024 * 1024
"""In bytes, unpacked. 100,000 versions take about 100 MiB."""

_ATTEMPTS: Final = 4
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_REDIRECTS: Final = 10
_TIMEOUT: Final = urllib3.Timeout(connect=10.0, read=30.0)
_LONGEST: Final = 900.0
"""Seconds for one transfer in all, so that one that drips does not go on for ever."""

_PIECE: Final = 256 * 1024
_OK: Final = 200
_MISSING: Final = frozenset({404, 410})
_FORBIDDEN: Final = frozenset({401, 403})
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_PORTS: Final = {"http": 80, "https": 443}
_IN_A_PATH: Final = "/%:@!$&'()*+,;=~-._"


class _MissingError(SourceError):
    """The server says that there is no such thing."""


class _PassingError(SourceError):
    """The server did not answer, or not in a useful way; the next attempt may do better."""

    def __init__(self, message: str, *, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


class _Origin(NamedTuple):
    scheme: str
    host: str
    port: int


class Remote:
    """A chart repository at an address; a `Source`.

    Args:
        url: as `helm repo add` takes it. A query is kept on all that is fetched, as Helm does.
        username: of the credential; empty for none.
        password: that goes with it.
        connections: how many to keep open.

    Raises:
        SourceError: that is no such address.
    """

    def __init__(self, url: str, *, username: str = "", password: str = "", connections: int = 8) -> None:
        parts = _split(url)
        if parts.username is not None or parts.password is not None:
            raise SourceError(
                "the address holds a credential, which others on this machine can read: "
                "use --username and --password-file"
            )
        self._base = parts._replace(path=parts.path.rstrip("/").removesuffix(f"/{layout.INDEX_FILE}"), fragment="")
        self._own = _origin(parts)
        self._credential = _basic(username, password) if username or password else None
        self._connections = connections
        self._pools: dict[str, urllib3.PoolManager] = {}
        self._making = threading.Lock()
        self._stopped = threading.Event()

    def items(self) -> list[Item]:
        """See `Source`."""
        address = urlunsplit(self._base._replace(path=f"{self._base.path}/{layout.INDEX_FILE}"))
        index = BytesIO()
        try:
            self._get(address, index, limit=MAX_INDEX, packed=True)
            found = releases(index.getvalue())
        except ChartrepoError as error:
            raise SourceError(f"{_told(address)}: {error}") from None
        return list(dict.fromkeys(map(self._item, found)))

    def digest(self, item: Item) -> str:
        """See `Source`."""
        return item.digest

    def fetch(self, item: Item, into: BinaryIO) -> int | None:
        """See `Source`."""
        if not item.address:
            raise SourceError("the index gives no address for it")
        self._get(item.address, into, limit=MAX_PACKAGE)
        return item.published

    def fetch_provenance(self, item: Item) -> bytes | None:
        """See `Source`."""
        parts = urlsplit(item.address)
        signature = BytesIO()
        try:
            self._get(urlunsplit(parts._replace(path=f"{parts.path}.prov")), signature, limit=provenance.MAX_BYTES)
        except _MissingError:
            return None
        return signature.getvalue()

    def stop(self) -> None:
        """See `Source`."""
        self._stopped.set()

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.clear()

    def _item(self, release: Release) -> Item:
        file = layout.package_file(release.name, release.version)
        address = self._resolve(release.url) if release.url else ""
        return Item(
            place=_told(address) or file,
            address=address,
            repository="",
            file=file,
            published=release.created,
            digest=release.digest,
            warning=_warning(release),
        )

    def _resolve(self, reference: str) -> str:
        """Return the address of a chart as Helm makes it: below the repository's, with the repository's query."""
        try:
            if urlsplit(reference).scheme:
                return reference
            base = urlunsplit(self._base._replace(path=f"{self._base.path}/", query=""))
            return urlunsplit(urlsplit(urljoin(base, reference))._replace(query=self._base.query))
        except ValueError:
            return reference

    # ---- HTTP

    def _get(self, address: str, into: BinaryIO, *, limit: int, packed: bool = False) -> None:
        """Write what is at an address into a file, from its start.

        Args:
            address: absolute.
            into: seekable.
            limit: how many bytes there may be.
            packed: whether the server may compress it on the way.

        Raises:
            SourceError: it cannot be had.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            into.seek(0)
            into.truncate()
            try:
                return self._get_once(address, into, limit=limit, packed=packed)
            except _PassingError as error:
                pause = max(_FIRST_PAUSE * 2 ** (attempt - 1), min(error.wait, _LONGEST_PAUSE))
                if attempt == _ATTEMPTS or self._stopped.wait(pause):
                    raise
        raise AssertionError  # the last attempt returns or raises

    def _get_once(self, address: str, into: BinaryIO, *, limit: int, packed: bool) -> None:
        until = time.monotonic() + _LONGEST
        for _ in range(_REDIRECTS + 1):
            response = self._ask(address, packed=packed)
            try:
                if response.status in _MOVED:
                    address = _redirected(address, response)
                    continue
                self._check_status(response, address)
                return self._receive(response, into, limit=limit, until=until, decode=packed)
            except (HTTPError, OSError, zlib.error) as error:
                raise _PassingError(f"the transfer broke: {_reason(error)}") from None
            finally:
                response.close()
        raise SourceError(f"is redirected more than {_REDIRECTS} times")

    def _ask(self, address: str, *, packed: bool) -> urllib3.BaseHTTPResponse:
        parts = _split(address)
        headers = {
            "User-Agent": f"chartrepo/{__version__}",
            "Accept-Encoding": "gzip" if packed else "identity",
        }
        if self._credential is not None and _origin(parts) == self._own:
            headers["Authorization"] = self._credential
        sent = urlunsplit(
            parts._replace(
                netloc=parts.netloc.rpartition("@")[2],
                path=quote(parts.path, safe=_IN_A_PATH),
                query=quote(parts.query, safe=_IN_A_PATH + "?"),
                fragment="",
            )
        )
        try:
            return self._pool(parts).request(
                "GET",
                sent,
                headers=headers,
                preload_content=False,
                redirect=False,
                retries=False,
                timeout=_TIMEOUT,
            )
        except SSLError as error:
            raise SourceError(f"its certificate is not accepted: {_reason(error)}") from None
        except (HTTPError, OSError) as error:
            raise _PassingError(f"{shown(parts.hostname or '')} does not answer: {_reason(error)}") from None

    def _check_status(self, response: urllib3.BaseHTTPResponse, address: str) -> None:
        status = response.status
        if status == _OK:
            return
        said = f"the server answers {status} {response.reason or ''}".rstrip()
        if status in _MISSING:
            response.read(_PIECE, decode_content=False)  # so that the connection can be used again
            raise _MissingError(said)
        if status in _PASSING:
            after = response.headers.get("Retry-After", "")
            raise _PassingError(said, wait=float(after) if re.fullmatch("[0-9]{1,6}", after) else 0.0)
        if status not in _FORBIDDEN:
            raise SourceError(said)
        if _origin(_split(address)) != self._own:
            raise SourceError(f"{said}; the credential is only for the repository's own host")
        remedy = "check the credential" if self._credential else "give --username and --password-file"
        raise SourceError(f"{said}: {remedy}")

    def _receive(
        self, response: urllib3.BaseHTTPResponse, into: BinaryIO, *, limit: int, until: float, decode: bool
    ) -> None:
        # A package may be sent as what its bytes are, in an encoding that nobody asked for; Helm leaves that alone.
        left = limit
        while piece := response.read(_PIECE, decode_content=decode):
            left -= len(piece)
            if left < 0:
                raise SourceError(f"has more than {limit} bytes")
            into.write(piece)
            if self._stopped.is_set():
                raise SourceError("the import was stopped")
            if time.monotonic() > until:
                raise SourceError(f"took longer than {_LONGEST:.0f} seconds")

    def _pool(self, parts: SplitResult) -> urllib3.PoolManager:
        """Return the connections to an address, through a proxy where the environment names one."""
        proxies = {} if proxy_bypass(parts.hostname or "") else getproxies()
        proxy = proxies.get(parts.scheme, proxies.get("all", ""))
        with self._making:
            if proxy not in self._pools:
                size = self._connections
                if proxy:
                    self._pools[proxy] = urllib3.ProxyManager(proxy, maxsize=size)
                else:
                    self._pools[proxy] = urllib3.PoolManager(maxsize=size)
            return self._pools[proxy]


def _split(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError as error:
        raise SourceError(f"{shown(address)} is no address: {error}") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise SourceError(f"{shown(_told(address))} is no address that starts with http:// or https://")
    return parts


def _origin(parts: SplitResult) -> _Origin:
    return _Origin(parts.scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme, 0))


def _told(address: str) -> str:
    """Return an address as it may be printed: without credentials, and without a query, which may hold one too."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def _warning(release: Release) -> str:
    if not release.not_a_time:
        return ""
    return (
        f"{shown_path(release.name)} {shown_path(release.version)} counts as published now, for the index says that "
        f"it was created {shown(release.not_a_time)}, which is no time such as 2026-01-02T03:04:05Z"
    )


def _redirected(address: str, response: urllib3.BaseHTTPResponse) -> str:
    target = response.headers.get("Location")
    if not target:
        raise SourceError(f"the server answers {response.status} without saying where to")
    return urljoin(address, target)


def _basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
