"""Addresses that charts name: which of them a page may link to."""

import re
from typing import Final
from urllib.parse import urlsplit

LONGEST: Final = 2048
"""In characters. Browsers take more; nobody types it."""
_WEB: Final = frozenset({"http", "https"})
_MAIL: Final = "mailto"
SCHEMES: Final = _WEB | {_MAIL}
"""What an address may begin with."""
_HOST: Final = re.compile(r"[^\s/?#@\\]+(?:@[^\s/?#@\\]+)?")


def checked(address: str) -> str | None:
    r"""Return an address as a page may link to it; None where it may not.

    It is one of http, https or mailto, names a host or somebody, and has no characters that are not seen: browsers drop
    some of those, so that `java\tscript:` would be another scheme to them than to us.
    """
    address = address.strip()
    if not address or len(address) > LONGEST or not address.isprintable() or " " in address or "\\" in address:
        return None
    try:
        parts = urlsplit(address)
        _ = parts.port  # what is no number is found out only here
    except ValueError:
        return None
    if parts.scheme in _WEB:
        return address if _HOST.fullmatch(parts.netloc) and parts.hostname else None
    if parts.scheme == _MAIL:
        return address if "@" in parts.path else None
    return None


def mail_to(address: str) -> str | None:
    """Return the link for a mail address; None where it is none."""
    return checked(f"{_MAIL}:{address}") if _MAIL_ADDRESS.fullmatch(address) else None


_MAIL_ADDRESS: Final = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9.-]{1,253}")
