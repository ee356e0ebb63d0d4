"""Feeds of what was published last: of all charts, of a repository, of a chart.

Feed readers are programs: they bring a credential in the Authorization header, or are told by a 401 that they have to,
and they come again and again. So who reads all that is asked for, and is told of no publisher, is answered by what the
catalog is at, before anything is read. Who reads some of it must not learn from the answer when the rest changed.
"""

import gzip
import hashlib
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

from flask import Flask, Response, request

from chartrepo.catalog import PackageRecord
from chartrepo.core import annotations, atom
from chartrepo.core.errors import InvalidName
from chartrepo.core.made_manifests import metadata_of
from chartrepo.core.names import check_repository
from chartrepo.core.permissions import Action
from chartrepo.http.auth import Visitor, visitor_of
from chartrepo.http.errors import NoSuchPath
from chartrepo.http.pages.finding import find_subject
from chartrepo.http.pages.links import FEED
from chartrepo.http.pages.site import Site
from chartrepo.http.published_by import publishers_of
from chartrepo.http.sending import is_known, last_modified
from chartrepo.publishers import Publishers
from chartrepo.version import __version__

ENTRIES: Final = 50
"""Versions in a feed."""
_LOOK_UPS: Final = 10
"""Of publishers, for one answer. Who comes again is told of more."""
_LONGEST: Final = 4_000
"""Characters of a summary."""
_MOST_AUTHORS: Final = 10
_CHANGES: Final = f"{annotations.PREFIX}changes"
_LONGEST_CHANGES: Final = 8_000
"""Characters of the YAML in an annotation that is read."""
_SUMMARIES: Final = 512
"""That a process keeps: the same ones are asked for again and again."""


class Feeds:
    """The views of feeds.

    Args:
        site: that they are of.
        publishers: know who published what.
        clock: seconds since the epoch.
    """

    def __init__(self, site: Site, publishers: Publishers, *, clock: Callable[[], float] = time.time) -> None:
        self._pages = site.pages
        self._links = site.links
        self._catalog = site.repositories.catalog
        self._publishers = publishers
        self._clock = clock

    def register(self, app: Flask) -> None:
        """Add the routes to an application."""
        for path, view in (
            (FEED, self.feed_of_everything),
            (f"{FEED}/repositories", self.feed_of_root),
            (f"{FEED}/repositories/<path:rest>", self.feed_of_repository),
            (f"{FEED}/charts/<path:rest>", self.feed_of_chart),
        ):
            app.add_url_rule(path, view.__name__, view, methods=["GET"])

    def feed_of_everything(self) -> Response:
        """GET of what was published last, wherever."""
        visitor = visitor_of(request.environ)
        visitor.require_somewhere(Action.READ)
        page = self._links.home
        title = f"Charts of {self._host()}"
        if visitor.reads_everything:
            return self._answer(visitor, None, title, page, lambda: self._catalog.browsing.latest(ENTRIES))

        def readable(repository: str, chart: str) -> bool:
            return visitor.may(Action.READ, repository, chart)

        found = self._catalog.browsing.latest(ENTRIES, readable=readable)
        return self._some(visitor, title, page, found)

    def feed_of_root(self) -> Response:
        """GET of the same for the root repository."""
        return self.feed_of_repository("")

    def feed_of_repository(self, rest: str) -> Response:
        """GET of what was published last in a repository. One that holds nothing has an empty feed, as its index."""
        try:
            repository = check_repository(rest)
        except InvalidName:
            raise NoSuchPath from None
        visitor = visitor_of(request.environ)
        readable = visitor.readable(repository)
        title = f"{repository or 'Root repository'} on {self._host()}"
        page = self._links.repository(repository)
        browsing = self._catalog.browsing
        if readable is None:
            return self._answer(
                visitor, repository, title, page, lambda: browsing.latest(ENTRIES, repository=repository)
            )
        found = browsing.latest(ENTRIES, repository=repository, readable=lambda _, chart: readable(chart))
        return self._some(visitor, title, page, found)

    def feed_of_chart(self, rest: str) -> Response:
        """GET of the versions of a chart that were published last."""
        subject = find_subject(self._catalog, rest)
        if subject.asked is not None:
            raise NoSuchPath
        repository, name = subject.newest.repository, subject.newest.name
        visitor = visitor_of(request.environ)
        title = f"{name} on {self._host()}"
        page = self._links.chart(repository, name, tab="versions")
        return self._some(visitor, title, page, self._catalog.browsing.latest_of_chart(repository, name, ENTRIES))

    def _answer(
        self,
        visitor: Visitor,
        repository: str | None,
        title: str,
        page: str,
        read: Callable[[], list[PackageRecord]],
    ) -> Response:
        """Return the feed of all that there is in a repository, or on the server."""
        if visitor.is_known:
            return self._some(visitor, title, page, read())
        stamp = self._catalog.browsing.stamp(repository)
        etag = _digest(repr((stamp, title, self._address(), __version__)).encode())
        over = self._clock() >= stamp.changed_at + 2
        headers = [("ETag", f'"{etag}"'), ("Last-Modified", last_modified(stamp.changed_at, over=over))]
        if is_known(request.environ, etag, stamp.changed_at):
            return _respond(304, headers)
        return _respond(200, headers, self._render(visitor, title, page, read()))

    def _some(self, visitor: Visitor, title: str, page: str, records: Sequence[PackageRecord]) -> Response:
        """Return the feed of some versions, which is known again by what is in it."""
        data = self._render(visitor, title, page, records)
        etag = _digest(data)
        newest = max((each.created for each in records), default=0)
        over = self._clock() >= newest + 2
        headers = [("ETag", f'"{etag}"'), ("Last-Modified", last_modified(newest, over=over))]
        if is_known(request.environ, etag, None):
            return _respond(304, headers)
        return _respond(200, headers, data)

    def _render(self, visitor: Visitor, title: str, page: str, records: Sequence[PackageRecord]) -> bytes:
        publishers = publishers_of(visitor, self._publishers, records, look_ups=_LOOK_UPS)
        entries = [
            self._entry(record, publisher.caller if publisher is not None else "")
            for record, publisher in zip(records, publishers, strict=True)
        ]
        feed = atom.Feed(
            title=title,
            address=self._address(),
            link=f"{self._pages.origin()}{page}",
            author=self._host(),
            generator=("chartrepo", __version__),
            entries=entries,
        )
        return atom.render(feed)

    def _entry(self, record: PackageRecord, publisher: str) -> atom.Entry:
        metadata = metadata_of(record.entry_json)
        where = f"{record.repository}/" if record.repository else ""
        page = self._links.chart(record.repository, record.name, record.version)
        return atom.Entry(
            id=atom.entry_id(record.repository, record.name, record.version, record.digest),
            title=f"{where}{record.name} {record.version}",
            updated=record.created,
            link=f"{self._pages.origin()}{page}",
            authors=[publisher] if publisher else _maintainers(metadata),
            summary=_summary(str(metadata.get("description") or "")[:_LONGEST], _changes(metadata)),
        )

    def _address(self) -> str:
        """Of the feed that is asked for, as its readers know it."""
        return f"{self._pages.origin()}{self._links.below_ui(request.path)}"

    def _host(self) -> str:
        return self._pages.origin().partition("://")[2]


def _maintainers(metadata: dict[str, Any]) -> list[str]:
    listed = metadata.get("maintainers", [])
    names = [each.get("name") for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return [name for name in names if isinstance(name, str) and name.strip()][:_MOST_AUTHORS]


@lru_cache(maxsize=_SUMMARIES)
def _summary(description: str, changes: str) -> str:
    """What a version is, and what it changes, as text."""
    read = annotations.changes({_CHANGES: changes}) if changes else ()
    lines = [f"- {each.kind}: {each.description}" if each.kind else f"- {each.description}" for each in read]
    return "\n".join([description, *lines]).strip()[:_LONGEST]


def _changes(metadata: dict[str, Any]) -> str:
    """The annotation that says what a version changes; empty where it is long, as reading it would take long."""
    listed = metadata.get("annotations")
    text = listed.get(_CHANGES) if isinstance(listed, dict) else None
    return text if isinstance(text, str) and len(text) <= _LONGEST_CHANGES else ""


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _respond(status: int, headers: list[tuple[str, str]], data: bytes = b"") -> Response:
    # It is for whoever asks: what is in it goes by rights.
    headers += [("Cache-Control", "private, no-cache"), ("Vary", "Accept-Encoding, Cookie, Authorization")]
    if status == 304:  # noqa: PLR2004 - Not Modified
        response = Response(status=status, headers=headers)
        response.headers.pop("Content-Type", None)
        return response
    headers.append(("Content-Type", f"{atom.MEDIA_TYPE}; charset=utf-8"))
    if request.accept_encodings.quality("gzip") > 0:
        data = gzip.compress(data, 4, mtime=0)
        headers.append(("Content-Encoding", "gzip"))
    return Response(data, status, headers)
