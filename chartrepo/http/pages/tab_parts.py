"""What several tabs of a chart's page share: what an address asks for, and the folders and parts of long lists."""

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeVar

from flask import request

from chartrepo.catalog import Catalog, PackageRecord
from chartrepo.contents import Contents
from chartrepo.core.errors import FileNotFound
from chartrepo.core.visible import visible_name
from chartrepo.http.pages.finding import Subject

_MOST_DIGITS: Final = 6

Item = TypeVar("Item")


class PageOfVersions(NamedTuple):
    """The versions of a chart that a page shows, the newest first; which page it is, and of how many."""

    records: list[PackageRecord]
    page: int
    pages: int


def asked_versions(catalog: Catalog, subject: Subject, at_once: int) -> PageOfVersions:
    """Return the page of versions that the query asks for: the last one where it asks for more than there are."""
    pages = max(1, -(-subject.versions // at_once))
    page = min(asked_number(), pages)
    chart = subject.record
    records = catalog.browsing.versions(chart.repository, chart.name, limit=at_once, offset=(page - 1) * at_once)
    return PageOfVersions(records, page, pages)


def asked_number(name: str = "page") -> int:
    """Return a number of the query, at least 1; 1 where there is none."""
    text = request.args.get(name, "")
    return max(1, int(text)) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else 1


def asked_text(name: str, longest: int = 200) -> str:
    """Return a text of the query, cut where it is long; empty for none."""
    return request.args.get(name, "")[:longest]


def asked_path(contents: Contents) -> str | None:
    """Return the file of a package that the query names; None where it names none.

    Raises:
        FileNotFound: the package has no such file.
    """
    path = request.args.get("path")
    if path is not None and path not in contents.files:
        raise FileNotFound(f"the package has no file {visible_name(path[:200])}")
    return path


def text_of(data: bytes) -> str | None:
    """Return what a file holds as text; None where it is none."""
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def by_weight(items: Sequence[Item], weights: Sequence[int], *, most: int, heaviest: int) -> list[Sequence[Item]]:
    """Part a list into pages; at least one.

    Args:
        items: the list.
        weights: of each of them.
        most: items of a page.
        heaviest: weight of a page, but for an item that is heavier by itself.
    """
    pages: list[Sequence[Item]] = []
    begin = weight = 0
    for place, each in enumerate(weights):
        if place > begin and (place - begin >= most or weight + each > heaviest):
            pages.append(items[begin:place])
            begin, weight = place, 0
        weight += each
    pages.append(items[begin:])
    return pages
