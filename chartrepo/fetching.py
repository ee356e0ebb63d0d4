"""GETs of an import: bounded in size and time, and repeated where what fails may pass.

A credential goes to the scheme, host and port that it is for and to nobody else, whatever an answer names or a redirect
says.
"""

import base64
import re
import threading
import time
import zlib
from collections.abc import Mapping
from typing import BinaryIO, Final, NamedTuple
from urllib.parse import SplitResult, quote, urljoin, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError, SSLError

from chartrepo.core.messages import shown
from chartrepo.sources import SourceError
from chartrepo.version import __version__

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


class Origin(NamedTuple):
    """What a credential is for."""

    scheme: str
    host: str
    port: int


class Credential(NamedTuple):
    """What may be sent to one origin, as the `Authorization` header."""

    origin: Origin
    header: str


class AnswerError(SourceError):
    """The server answers with a status that is no success, and will do so again.

    Attributes:
        status: of the answer.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class MissingError(AnswerError):
    """The server says that there is no such thing."""


class DeniedError(AnswerError):
    """The server wants a credential, or another one.

    Attributes:
        said: what it answers; the message may go on with a remedy.
        origin: of the server, after redirects.
        challenges: the values of its `WWW-Authenticate` headers.
    """

    def __init__(
        self, said: str, *, status: int, origin: Origin, challenges: tuple[str, ...] = (), remedy: str = ""
    ) -> None:
        super().__init__(f"{said}: {remedy}" if remedy else said, status=status)
        self.said = said
        self.origin = origin
        self.challenges = challenges


class PassingError(SourceError):
    """The server did not answer, or not in a useful way; the next attempt may do better."""

    def __init__(self, message: str, *, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


class Fetcher:
    """Fetches, from several threads at a time.

    Args:
        connections: how many to keep open.
    """

    def __init__(self, *, connections: int = 8) -> None:
        self._connections = connections
        self._pools: dict[str, urllib3.PoolManager] = {}
        self._making = threading.Lock()
        self._stopped = threading.Event()

    def get(
        self,
        address: str,
        into: BinaryIO,
        *,
        limit: int,
        packed: bool = False,
        accept: str = "*/*",
        credential: Credential | None = None,
    ) -> Mapping[str, str]:
        """Write what is at an address into a file, from its start, and return the headers of the answer.

        Args:
            address: absolute.
            into: seekable.
            limit: how many bytes there may be.
            packed: whether the server may compress it on the way.
            accept: the media types that are wanted.
            credential: sent to its own origin alone.

        Raises:
            MissingError, DeniedError, SourceError: it cannot be had.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            into.seek(0)
            into.truncate()
            try:
                return self._get_once(address, into, limit=limit, packed=packed, accept=accept, credential=credential)
            except PassingError as error:
                pause = max(_FIRST_PAUSE * 2 ** (attempt - 1), min(error.wait, _LONGEST_PAUSE))
                if attempt == _ATTEMPTS or self._stopped.wait(pause):
                    raise
        raise AssertionError  # the last attempt returns or raises

    def stop(self) -> None:
        """Break off what is under way, and wait for nothing any more."""
        self._stopped.set()

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.clear()

    def _get_once(
        self, address: str, into: BinaryIO, *, limit: int, packed: bool, accept: str, credential: Credential | None
    ) -> Mapping[str, str]:
        until = time.monotonic() + _LONGEST
        for _ in range(_REDIRECTS + 1):
            response = self._ask(address, packed=packed, accept=accept, credential=credential)
            try:
                if response.status in _MOVED:
                    address = _redirected(address, response)
                    continue
                _check_status(response, address)
                self._receive(response, into, limit=limit, until=until, decode=packed)
            except (HTTPError, OSError, zlib.error) as error:
                raise PassingError(f"the transfer broke: {_reason(error)}") from None
            else:
                return response.headers
            finally:
                response.close()
        raise SourceError(f"is redirected more than {_REDIRECTS} times")

    def _ask(
        self, address: str, *, packed: bool, accept: str, credential: Credential | None
    ) -> urllib3.BaseHTTPResponse:
        parts = split(address)
        headers = {
            "User-Agent": f"chartrepo/{__version__}",
            "Accept": accept,
            "Accept-Encoding": "gzip" if packed else "identity",
        }
        if credential is not None and origin(parts) == credential.origin:
            headers["Authorization"] = credential.header
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
            raise PassingError(f"{shown(parts.hostname or '')} does not answer: {_reason(error)}") from None

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


def split(address: str) -> SplitResult:
    """Return the parts of an address.

    Raises:
        SourceError: it is none that starts with http:// or https://.
    """
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError as error:
        raise SourceError(f"{shown(address)} is no address: {error}") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise SourceError(f"{shown(told(address))} is no address that starts with http:// or https://")
    return parts


def origin(parts: SplitResult) -> Origin:
    """Return the origin of an address, with its port spelled out."""
    return Origin(parts.scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme, 0))


def told(address: str) -> str:
    """Return an address as it may be printed: without credentials, and without a query, which may hold one too."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def check_no_credential(parts: SplitResult) -> None:
    """Check that nobody typed a credential into an address.

    Raises:
        SourceError: somebody did.
    """
    if parts.username is not None or parts.password is not None:
        raise SourceError(
            "the address holds a credential, which others on this machine can read: use --username and --password-file"
        )


def basic(username: str, password: str) -> str:
    """Return a user name and a password as the `Authorization` header, by RFC 7617."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")


def remedy(*, credential: bool) -> str:
    """Return what to do where a server says no, by whether there is a credential."""
    return "check the credential" if credential else "give --username and --password-file"


def _check_status(response: urllib3.BaseHTTPResponse, address: str) -> None:
    status = response.status
    if status == _OK:
        return
    said = f"the server answers {status} {response.reason or ''}".rstrip()
    if status in _MISSING:
        response.read(_PIECE, decode_content=False)  # so that the connection can be used again
        raise MissingError(said, status=status)
    if status in _PASSING:
        after = response.headers.get("Retry-After", "")
        raise PassingError(said, wait=float(after) if re.fullmatch("[0-9]{1,6}", after) else 0.0)
    if status not in _FORBIDDEN:
        raise AnswerError(said, status=status)
    challenges = tuple(response.headers.getlist("WWW-Authenticate"))
    raise DeniedError(said, status=status, origin=origin(split(address)), challenges=challenges)


def _redirected(address: str, response: urllib3.BaseHTTPResponse) -> str:
    target = response.headers.get("Location")
    if not target:
        raise SourceError(f"the server answers {response.status} without saying where to")
    return urljoin(address, target)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
