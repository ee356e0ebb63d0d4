"""Where a request comes from, behind proxies that are trusted to say so, and behind no others."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any, Final

from chartrepo.kinds import Network

_MOST_PROXIES: Final = 20


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


def _without_port(text: str) -> str:
    """Return an address without the port that some proxies add."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
