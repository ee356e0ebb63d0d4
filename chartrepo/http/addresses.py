"""Where a request comes from and where it went, behind proxies that are trusted to say so, and behind no others."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from chartrepo.kinds import Network

_MOST_PROXIES: Final = 20
_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,255}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Addresses:
    """How to tell addresses.

    Attributes:
        trusted: proxies that say where a request comes from and where it went.
        external_url: of this server, without a path; empty where it is not known beforehand.
    """

    trusted: Sequence[Network] = ()
    external_url: str = ""

    def caller(self, environ: Mapping[str, Any]) -> str:
        """Return the address of whoever began a request, see `caller_address`."""
        return caller_address(environ, self.trusted)

    def origin(self, environ: Mapping[str, Any]) -> str:
        """Return scheme and host by which the caller reached this server; empty where what it said can be none."""
        if self.external_url:
            return self.external_url
        scheme, host = str(environ.get("wsgi.url_scheme", "http")), str(environ.get("HTTP_HOST", ""))
        if self.trusted and _is_among(str(environ.get("REMOTE_ADDR", "")), self.trusted):
            scheme = _last(environ, "HTTP_X_FORWARDED_PROTO") or scheme
            host = _last(environ, "HTTP_X_FORWARDED_HOST") or host
        # It comes back in headers and pages, so that nothing may be in it that has a meaning there.
        return f"{scheme}://{host}" if scheme in ("http", "https") and _HOST.fullmatch(host) else ""


def origin(url: str) -> str:
    """Return scheme and host of a URL; empty for an empty one."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if url else ""


def caller_address(environ: Mapping[str, Any], trusted: Sequence[Network]) -> str:
    """Return the address of whoever began a request: the last one that no trusted proxy has.

    Each proxy adds to X-Forwarded-For, at its end, where it was asked from. What stands further in front callers may
    have made up. An address that is none ends the search at the proxy that passed it on.
    """
    address = str(environ.get("REMOTE_ADDR", ""))
    if not trusted or not _is_among(address, trusted):
        return address
    for said in reversed(str(environ.get("HTTP_X_FORWARDED_FOR", "")).split(",")[-_MOST_PROXIES:]):
        try:
            parsed = ipaddress.ip_address(_without_port(said.strip()))
        except ValueError:
            break
        address = str(parsed)
        if not _is_among(address, trusted):
            break
    return address


def _is_among(address: str, networks: Sequence[Network]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None) or found
    return any(mapped in network for network in networks)


def _last(environ: Mapping[str, Any], header: str) -> str:
    """Return what the nearest proxy said."""
    return str(environ.get(header, "")).rpartition(",")[2].strip()


def _without_port(text: str) -> str:
    """Return an address without the port that some proxies add."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
