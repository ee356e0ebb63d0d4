"""Atom feeds (RFC 4287): values in, XML out.

What charts say is text here and nothing else: it is escaped, and what XML 1.0 has no place for is replaced.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

NAMESPACE: Final = "http://www.w3.org/2005/Atom"
MEDIA_TYPE: Final = "application/atom+xml"
_NOT_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters outside of XML 1.0's `Char`."""
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_LAST: Final = 253_402_300_799
"""The last second of the year 9999: what comes later has no date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of a feed.

    Attributes:
        id: for ever the same, see `entry_id`.
        title: as text.
        updated: seconds since the epoch.
        link: address of the page about it.
        authors: their names.
        summary: as text, of several lines.
    """

    id: str
    title: str
    updated: int
    link: str
    authors: Sequence[str]
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A feed.

    Attributes:
        title: as text.
        address: of the feed itself, which is its id too.
        link: address of the page about the same.
        author: who is named where an entry names nobody.
        generator: the software, and its release.
        entries: the newest first.
    """

    title: str
    address: str
    link: str
    author: str
    generator: tuple[str, str]
    entries: Sequence[Entry]


def entry_id(*parts: str) -> str:
    """Return an id (RFC 9562, version 8) that is the same for the same parts, and another one for others."""
    digest = bytearray(hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"urn:uuid:{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def render(feed: Feed) -> bytes:
    """Return a feed as XML in UTF-8."""
    root = Element("feed", {"xmlns": NAMESPACE, "xml:lang": "en"})
    _text(root, "id", feed.address)
    _text(root, "title", feed.title)
    _text(root, "updated", _date(max((each.updated for each in feed.entries), default=0)))
    _author(root, feed.author)
    _link(root, "self", feed.address, MEDIA_TYPE)
    _link(root, "alternate", feed.link, "text/html")
    name, release = feed.generator
    SubElement(root, "generator", {"version": release}).text = name
    for each in feed.entries:
        entry = SubElement(root, "entry")
        _text(entry, "id", each.id)
        _text(entry, "title", each.title)
        _text(entry, "updated", _date(each.updated))
        _text(entry, "published", _date(each.updated))
        for author in each.authors:
            _author(entry, author)
        _link(entry, "alternate", each.link, "text/html")
        _text(entry, "summary", each.summary)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def _text(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = _clean(text)


def _author(parent: Element, name: str) -> None:
    _text(SubElement(parent, "author"), "name", name)


def _link(parent: Element, relation: str, address: str, media_type: str) -> None:
    SubElement(parent, "link", {"rel": relation, "type": media_type, "href": _clean(address)})


def _clean(text: str) -> str:
    return _NOT_IN_XML.sub(_REPLACEMENT, text)


def _date(seconds: int) -> str:
    """Return a time as RFC 3339 has it."""
    return datetime.fromtimestamp(min(max(seconds, 0), _LAST), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
