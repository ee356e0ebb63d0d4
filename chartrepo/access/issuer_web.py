"""Asking an issuer for its keys: two GETs, bounded in size and time, and no redirect is followed."""

import json
import time
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError

from chartrepo.access.issuers import KeySource
from chartrepo.access.jwks import KeySet, parse_keys
from chartrepo.core.messages import shown
from chartrepo.version import __version__

DEADLINE: Final = 5.0
"""Seconds for both GETs."""
MAX_ANSWER: Final = 512 * 1024
"""In bytes."""
MAX_TOKEN_FILE: Final = 64 * 1024
"""In bytes."""

_DISCOVERY: Final = "/.well-known/openid-configuration"
_TIMEOUT: Final = urllib3.Timeout(connect=3.0, read=3.0)
_PIECE: Final = 64 * 1024
_OK: Final = 200


class IssuerError(Exception):
    """The keys of an issuer cannot be had; the message says where and why."""


def fetch_keys(source: KeySource) -> KeySet:
    """Return the keys that an issuer has now.

    Its discovery document says where they are (OpenID Connect Discovery 1.0, section 4), and has to name this issuer,
    or any other that is served there could stand in for it. What is shown to the issuer goes to its own origin: where
    there is a token, the keys are asked for there too. A cluster names an address of its own for them, which pods
    cannot always reach.

    Raises:
        IssuerError: they cannot be had, or are none.
    """
    asking = _Asking(source)
    try:
        address = source.url.rstrip("/") + _DISCOVERY
        document = _json(asking.get(address), address)
        if document.get("issuer") != source.issuer:
            raise IssuerError(
                f"{address} is of the issuer {shown(str(document.get('issuer')))}, and not of {shown(source.issuer)}: "
                "set issuer to what it says, if it is the right one"
            )
        keys = _address_of_keys(source, document.get("jwks_uri"), address)
        try:
            return parse_keys(asking.get(keys))
        except ValueError as error:
            raise IssuerError(f"{keys}: the keys {error}") from None
    finally:
        asking.close()


class _Asking:
    """The GETs of one try."""

    def __init__(self, source: KeySource) -> None:
        self._until = time.monotonic() + DEADLINE
        self._headers = {"User-Agent": f"chartrepo/{__version__}", "Accept": "application/json"}
        if source.token_file is not None:
            self._headers["Authorization"] = f"Bearer {_read_token(source)}"
        self._pools = _pools(source)

    def close(self) -> None:
        self._pools.clear()

    def get(self, address: str) -> bytes:
        try:
            response = self._pools.request(
                "GET",
                address,
                headers=self._headers,
                preload_content=False,
                redirect=False,
                retries=False,
                timeout=_TIMEOUT,
            )
        except (HTTPError, OSError) as error:
            raise IssuerError(f"{address} does not answer: {error}") from None
        try:
            if response.status != _OK:
                raise IssuerError(f"{address} answers {response.status}")
            return self._received(response, address)
        except (HTTPError, OSError) as error:
            raise IssuerError(f"{address}: the transfer broke: {error}") from None
        finally:
            response.close()

    def _received(self, response: urllib3.BaseHTTPResponse, address: str) -> bytes:
        data = b""
        while piece := response.read1(_PIECE):
            data += piece
            if len(data) > MAX_ANSWER:
                raise IssuerError(f"{address} answers more than {MAX_ANSWER} bytes")
            if time.monotonic() > self._until:
                raise IssuerError(f"{address} takes longer than {DEADLINE:.0f} s")
        return data


def _pools(source: KeySource) -> urllib3.PoolManager:
    ca_file = str(source.ca_file) if source.ca_file is not None else None
    parts = urlsplit(source.url)
    proxies = {} if proxy_bypass(parts.hostname or "") else getproxies()
    proxy = proxies.get(parts.scheme, proxies.get("all", ""))
    if proxy:
        return urllib3.ProxyManager(proxy, ca_certs=ca_file)
    return urllib3.PoolManager(ca_certs=ca_file)


def _read_token(source: KeySource) -> str:
    """What the file has now: a cluster renews it all the time."""
    if source.token_file is None:
        raise ValueError("there is no file of a token")
    try:
        with source.token_file.open("rb") as file:
            text = file.read(MAX_TOKEN_FILE).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise IssuerError(f"token_file: {source.token_file} cannot be read: {error}") from None
    if not text or not text.isprintable():
        raise IssuerError(f"token_file: {source.token_file} holds no token")
    return text


def _json(data: bytes, address: str) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise IssuerError(f"{address} answers no JSON object")
    return document


def _address_of_keys(source: KeySource, given: object, address: str) -> str:
    own = urlsplit(source.url)
    parts = _parts(given)
    if parts is None or not parts.hostname or "@" in parts.netloc:
        raise IssuerError(f"{address} names no address of keys under jwks_uri")
    if source.token_file is not None:
        parts = parts._replace(scheme=own.scheme, netloc=own.netloc)
    if parts.scheme != "https" and (parts.scheme, parts.hostname) != (own.scheme, own.hostname):
        raise IssuerError(f"{address} names {shown(str(given))} under jwks_uri, which has to begin with https://")
    return urlunsplit(parts)


def _parts(given: object) -> SplitResult | None:
    try:
        return urlsplit(given) if isinstance(given, str) else None
    except ValueError:
        return None
