"""GETs of addresses that strangers chose: nothing but the public internet can be reached by them.

A name is looked up once, every address that it has must be public, and the connection goes to one of just these
addresses: a name that means something else a moment later leads nowhere else. The same holds for each redirect. No
proxy is asked, for it would look up the name anew, and nothing is sent that says who we are to anybody.
"""

import http.client
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from chartrepo.version import __version__

SECONDS: Final = 5.0
"""For all of it, redirects among that."""
_REDIRECTS: Final = 3
_PORTS: Final = {"http": 80, "https": 443}
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_OK: Final = 200
_PIECE: Final = 64 * 1024
_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,252})?", re.ASCII)
_IN_A_PATH: Final = "/%:@!$&'()*+,;=~-._?"
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_SPECIAL: Final = (
    ipaddress.ip_network("192.0.0.0/24"),
    ipaddress.ip_network("64:ff9b:1::/48"),
    ipaddress.ip_network("2001::/23"),
    ipaddress.ip_network("2002::/16"),
    ipaddress.ip_network("3fff::/20"),
    ipaddress.ip_network("5f00::/16"),
)
"""Networks of IANA's registries of special addresses, which not every release of Python calls so. Some lead on to
addresses of version 4 that are written into them, as those of 6to4 and Teredo do."""
_ACCEPT: Final = "image/png, image/webp, image/jpeg, image/gif, image/x-icon;q=0.5"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Endpoint(NamedTuple):
    """Where a connection goes: an address in numbers, and a port."""

    address: str
    port: int


class FetchError(Exception):
    """It cannot be had; the message says why."""


def is_public(address: str) -> bool:
    """Return whether an address in numbers is one of the public internet, whatever other address is hidden in it."""
    try:
        found: Address = ipaddress.ip_address(address)
    except ValueError:
        return False
    meant = _meant_by(found)
    odd = meant.is_multicast or meant.is_reserved or any(meant in network for network in _SPECIAL)
    return meant.is_global and not odd


def _meant_by(address: Address) -> Address:
    """Return the address that is reached by one: that of version 4 which is written as one of version 6."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def look_up(host: str, port: int) -> list[Endpoint]:
    """Return where a name leads.

    Raises:
        OSError: nowhere.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [Endpoint(str(address[0]), port) for *_, address in found]


class PublicWeb:
    """Fetches from the public internet. Safe to share between threads.

    Args:
        look_up: tells where a name leads.
        is_public: tells whether an address may be connected to.
        seconds: for one fetch.
        tls: how connections are encrypted; as the system trusts where not given.
    """

    def __init__(
        self,
        *,
        look_up: Callable[[str, int], list[Endpoint]] = look_up,
        is_public: Callable[[str], bool] = is_public,
        seconds: float = SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._look_up = look_up
        self._is_public = is_public
        self._seconds = seconds
        self._tls = tls

    def get(self, url: str, *, limit: int) -> bytes:
        """Return what is at an address.

        Args:
            url: of http or https, with the port that belongs to it.
            limit: how many bytes there may be.

        Raises:
            FetchError: it cannot be had.
        """
        until = time.monotonic() + self._seconds
        for _ in range(_REDIRECTS + 1):
            try:
                found = self._get_once(url, limit, until)
                if isinstance(found, bytes):
                    return found
                url = urljoin(url, found)
            except (http.client.HTTPException, OSError, ValueError) as error:
                raise FetchError(f"it does not answer: {error or type(error).__name__}") from None
        raise FetchError(f"it is redirected more than {_REDIRECTS} times")

    def _get_once(self, url: str, limit: int, until: float) -> bytes | str:
        """Return what is there, or where one is sent."""
        scheme, host, path = _parts(url)
        with closing(self._connect(scheme, host, until)) as connected:
            connection = http.client.HTTPConnection(host)
            connection.auto_open = 0
            connection.sock = connected
            connection.request(
                "GET",
                path,
                headers={
                    "Host": host,
                    "User-Agent": f"chartrepo/{__version__}",
                    "Accept": _ACCEPT,
                    "Accept-Encoding": "identity",
                    "Connection": "close",
                },
            )
            with connection.getresponse() as response:
                if response.status in _MOVED:
                    return response.headers.get("Location") or ""
                if response.status != _OK:
                    raise FetchError(f"the server answers {response.status}")
                return _received(response, limit)

    def _connect(self, scheme: str, host: str, until: float) -> socket.socket:
        endpoints = self._look_up(host, _PORTS[scheme])
        if not endpoints or not all(self._is_public(each.address) for each in endpoints):
            raise FetchError("its address is not one of the public internet")
        failure: Exception = FetchError("it has no address")
        for each in endpoints:
            try:
                return self._connect_to(each, scheme, host, until)
            except OSError as error:
                failure = error
        raise failure

    def _connect_to(self, endpoint: Endpoint, scheme: str, host: str, until: float) -> socket.socket:
        family = socket.AF_INET6 if ":" in endpoint.address else socket.AF_INET
        plain = _Plain(family, socket.SOCK_STREAM)
        try:
            plain.until = until
            plain.settimeout(_left(until))
            plain.connect(endpoint)
            if scheme == "http":
                return plain
            context = self._tls or ssl.create_default_context()
            context.sslsocket_class = _Encrypted
            encrypted = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        except BaseException:
            plain.close()
            raise
        try:
            encrypted.until = until  # type: ignore[attr-defined]
            encrypted.settimeout(_left(until))
            encrypted.do_handshake()
        except BaseException:
            encrypted.close()
            raise
        return encrypted


class _Plain(socket.socket):
    """A connection of which no read lasts beyond the time that there is for all, however little comes at a time."""

    until: float

    def recv_into(self, *arguments: Any, **options: Any) -> int:
        self.settimeout(_left(self.until))
        return super().recv_into(*arguments, **options)


class _Encrypted(ssl.SSLSocket):
    """The same, encrypted."""

    until: float

    def recv_into(self, *arguments: Any, **options: Any) -> int:
        self.settimeout(_left(self.until))
        return super().recv_into(*arguments, **options)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("it takes too long")
    return left


def _parts(url: str) -> tuple[str, str, str]:
    """Return the scheme, the name of the host, and the path with its query.

    Raises:
        FetchError: it is no address that is asked.
        ValueError: it is none.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").encode("idna").decode("ascii").lower()
    if parts.scheme not in _PORTS or "@" in parts.netloc or not _NAME.fullmatch(host):
        raise FetchError("only names of hosts are asked, by http or https, and without credentials")
    if parts.port not in {None, _PORTS[parts.scheme]}:
        raise FetchError("only the ports of http and https are asked")
    path = quote(parts.path or "/", safe=_IN_A_PATH)
    query = quote(parts.query, safe=_IN_A_PATH)
    return parts.scheme, host, f"{path}?{query}" if query else path


def _received(response: http.client.HTTPResponse, limit: int) -> bytes:
    data = bytearray()
    while piece := response.read1(_PIECE):
        data += piece
        if len(data) > limit:
            raise FetchError(f"it has more than {limit} bytes")
    return bytes(data)
