"""Asking an issuer: for its keys, where people sign in, and for the token of who did.

Two requests at most, bounded in size and time, and no redirect is followed.
"""

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, quote_plus, urlencode, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError

from chartrepo.access.issuers import Client, KeySource
from chartrepo.access.jwks import KeySet, parse_keys
from chartrepo.core.messages import shown, shown_path
from chartrepo.version import __version__

DEADLINE: Final = 5.0
"""Seconds for both requests."""
MAX_ANSWER: Final = 512 * 1024
"""In bytes."""
MAX_TOKEN_FILE: Final = 64 * 1024
"""In bytes."""

_DISCOVERY: Final = "/.well-known/openid-configuration"
_TIMEOUT: Final = urllib3.Timeout(connect=3.0, read=3.0)
_PIECE: Final = 64 * 1024
_OK: Final = 200
_BAD_CODE: Final = "invalid_grant"


class IssuerError(Exception):
    """What an issuer was asked for cannot be had; the message says where and why."""


class CodeRefused(IssuerError):
    """An issuer gives nothing for a code: it is old, was used, or is of another client."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where people sign in with an issuer.

    Attributes:
        authorization: where their browsers are sent.
        token: where this server gets the token.
        by_form: whether the client's secret goes into the form there, and not into a header.
    """

    authorization: str
    token: str
    by_form: bool


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
        document, address = _discovered(source, asking)
        keys = _address_of_keys(source, document.get("jwks_uri"), address)
        try:
            return parse_keys(asking.get(keys))
        except ValueError as error:
            raise IssuerError(f"{keys}: the keys {error}") from None
    finally:
        asking.close()


def fetch_endpoints(source: KeySource) -> Endpoints:
    """Return where people sign in with an issuer, as its discovery document says.

    Raises:
        IssuerError: it cannot be had, or does not say so.
    """
    asking = _Asking(source)
    try:
        document, address = _discovered(source, asking)
    finally:
        asking.close()
    found = {}
    for field in ("authorization_endpoint", "token_endpoint"):
        parts = _parts(document.get(field))
        if parts is None or not parts.hostname or "@" in parts.netloc or parts.fragment:
            raise IssuerError(f"{address} names no address under {field}")
        _check_scheme(source, parts, address, field)
        found[field] = urlunsplit(parts)
    methods = document.get("token_endpoint_auth_methods_supported")
    by_form = isinstance(methods, list) and "client_secret_post" in methods and "client_secret_basic" not in methods
    return Endpoints(found["authorization_endpoint"], found["token_endpoint"], by_form)


def redeem(source: KeySource, client: Client, endpoints: Endpoints, form: Mapping[str, str]) -> str:
    """Return the identity token that an issuer gives for a code (OpenID Connect Core 1.0, section 3.1.3).

    Args:
        source: of the issuer.
        client: that this server is.
        endpoints: of the issuer.
        form: what is sent, without the client.

    Raises:
        CodeRefused: the code is no good.
        IssuerError: it gives none, and why.
    """
    secret = _read_secret(client.secret_file, "client_secret_file") if client.secret_file is not None else None
    said, headers = {**form, "client_id": client.id}, {}
    if secret is not None and endpoints.by_form:
        said["client_secret"] = secret
    elif secret is not None:  # RFC 6749, section 2.3.1, has both encoded as in a form
        pair = f"{quote_plus(client.id)}:{quote_plus(secret)}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    asking = _Asking(source, headers)
    try:
        document = _json(asking.post(endpoints.token, urlencode(said)), endpoints.token)
    finally:
        asking.close()
    token = document.get("id_token")
    if not isinstance(token, str):
        raise IssuerError(f"{endpoints.token} gives no id_token: is openid among the scopes?")
    return token


def _discovered(source: KeySource, asking: "_Asking") -> tuple[dict[str, Any], str]:
    """Return the discovery document of an issuer, and where it lies."""
    address = source.url.rstrip("/") + _DISCOVERY
    document = _json(asking.get(address), address)
    if document.get("issuer") != source.issuer:
        raise IssuerError(
            f"{address} is of the issuer {shown(str(document.get('issuer')))}, and not of {shown(source.issuer)}: "
            "set issuer to what it says, if it is the right one"
        )
    return document, address


class _Asking:
    """The requests of one try.

    Args:
        source: that is asked.
        headers: to send; without them what is shown to a source of keys.
    """

    def __init__(self, source: KeySource, headers: Mapping[str, str] | None = None) -> None:
        self._until = time.monotonic() + DEADLINE
        self._headers = {"User-Agent": f"chartrepo/{__version__}", "Accept": "application/json", **(headers or {})}
        if headers is None and source.token_file is not None:
            self._headers["Authorization"] = f"Bearer {_read_secret(source.token_file, 'token_file')}"
        self._pools = _pools(source)

    def close(self) -> None:
        self._pools.clear()

    def get(self, address: str) -> bytes:
        return self._asked("GET", address)

    def post(self, address: str, form: str) -> bytes:
        return self._asked("POST", address, form)

    def _asked(self, method: str, address: str, form: str | None = None) -> bytes:
        of_body = {} if form is None else {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            response = self._pools.request(
                method,
                address,
                body=form,
                headers=self._headers | of_body,
                preload_content=False,
                redirect=False,
                retries=False,
                timeout=_TIMEOUT,
            )
        except (HTTPError, OSError) as error:
            raise IssuerError(f"{address} does not answer: {error}") from None
        try:
            if response.status != _OK:
                reason = self._reason(response, address) if form is not None else ""
                refused = CodeRefused if reason == _BAD_CODE else IssuerError
                raise refused(f"{address} answers {response.status}{reason and ': '}{reason}")
            return self._received(response, address)
        except (HTTPError, OSError) as error:
            raise IssuerError(f"{address}: the transfer broke: {error}") from None
        finally:
            response.close()

    def _reason(self, response: urllib3.BaseHTTPResponse, address: str) -> str:
        """What a refusal of a form says (RFC 6749, section 5.2); nothing of what was sent is in it."""
        try:
            said = _json(self._received(response, address), address).get("error")
        except IssuerError:
            return ""
        return shown_path(said) if isinstance(said, str) else ""

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


def _read_secret(path: Path, setting: str) -> str:
    """What a file has now: a cluster renews its token all the time."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_TOKEN_FILE).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise IssuerError(f"{setting}: {path} cannot be read: {error}") from None
    if not text or not text.isprintable():
        raise IssuerError(f"{setting}: {path} holds nothing that could be sent")
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
    _check_scheme(source, parts, address, "jwks_uri")
    return urlunsplit(parts)


def _check_scheme(source: KeySource, parts: SplitResult, address: str, field: str) -> None:
    own = urlsplit(source.url)
    if parts.scheme != "https" and (parts.scheme, parts.hostname) != (own.scheme, own.hostname):
        raise IssuerError(f"{address} names {shown(urlunsplit(parts))} under {field}, which has to begin with https://")


def _parts(given: object) -> SplitResult | None:
    try:
        return urlsplit(given) if isinstance(given, str) else None
    except ValueError:
        return None
