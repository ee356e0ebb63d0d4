"""Where the icon of a chart is, as the field `icon` of its Chart.yaml says.

Helm calls it the address of an SVG or PNG image. Some charts have a path into themselves there, or the picture itself
as a `data:` address (RFC 2397). An SVG is a document that can hold scripts, and is never taken.
"""

import base64
import binascii
import posixpath
import re
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

MOST_BYTES: Final = 1024 * 1024
"""Bytes of a picture before it is made small."""

_DATA: Final = re.compile(r"data:image/(?:png|jpeg|jpg|gif|webp|x-icon|vnd\.microsoft\.icon);base64,", re.IGNORECASE)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_LONGEST_ADDRESS: Final = 2048
_LONGEST_PATH: Final = 255
_NEVER: Final = (".svg", ".svgz")


class Embedded(NamedTuple):
    """The picture itself."""

    data: bytes


class Inside(NamedTuple):
    """A file of the package, by its path in the chart."""

    path: str


class Remote(NamedTuple):
    """An address of http or https."""

    url: str


Source = Embedded | Inside | Remote


def source_of(icon: object) -> Source | None:
    """Return where a chart's icon is; None where it has none that could ever be shown."""
    if not isinstance(icon, str) or not icon:
        return None
    data = _DATA.match(icon)
    if data is not None:
        return _embedded(icon[data.end() :])
    text = icon.strip()
    if len(text) > _LONGEST_ADDRESS or text.lower().endswith(_NEVER):
        return None
    return _remote(text) if _SCHEME.match(text) else _inside(text)


def _remote(text: str) -> Remote | None:
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not host or parts.path.lower().endswith(_NEVER):
        return None
    return Remote(text)


def _embedded(text: str) -> Embedded | None:
    if len(text) > MOST_BYTES * 4 // 3 + 4:
        return None
    try:
        return Embedded(base64.b64decode(unquote(text), validate=True))
    except (binascii.Error, ValueError):
        return None


def _inside(text: str) -> Inside | None:
    path = posixpath.normpath(text)
    leaves = path.startswith(("/", "..")) or path == "." or "\\" in path or "\0" in path
    return None if leaves or len(path) > _LONGEST_PATH else Inside(path)
