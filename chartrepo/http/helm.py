"""The classic repository: index, packages and provenance, as plain WSGI handlers.

These reads are made by machines all day, and a framework would cost more than they do.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Final
from urllib.parse import parse_qsl

from werkzeug.http import parse_accept_header

from chartrepo import layout
from chartrepo.core.errors import FileNotFound
from chartrepo.core.index import Form
from chartrepo.core.permissions import Readable
from chartrepo.core.pulls import Pull
from chartrepo.http.answers import Answer
from chartrepo.http.errors import BadRequest
from chartrepo.http.sending import Part, gives_beginning, is_known, last_modified, send
from chartrepo.indexes import EVERYTHING, Document, Indexes, Wanted
from chartrepo.repository import Opened, Repositories
from storage.base import ObjectInfo, Reader

Environ = dict[str, Any]
"""Tells of a chart's name whether the caller may read it."""

_LARGEST_PIECE: Final = 1024 * 1024
"""Bytes of an index given to the server at a time."""

_MAX_PATTERNS: Final = 100
_MAX_PATTERN: Final = 250
_HELM: Final = re.compile(r"Helm/(\d+)\.(\d+)")
_READS_JSON: Final = (3, 13)
"""Helm's first version that reads an index which is JSON as JSON."""


@dataclass(frozen=True, slots=True)
class Options:
    """How the classic repository answers.

    Attributes:
        index_format: `auto`, `yaml` or `json`.
        private: whether answers are for the caller alone.
        immutable: whether a package, once there, can never change nor go.
        redirect_expires: seconds that a redirect to the storage holds; None to stream packages.
    """

    index_format: str = "auto"
    private: bool = False
    immutable: bool = False
    redirect_expires: int | None = None


class Classic:
    """Answers for the files of the classic repository. Errors are raised, not answered.

    Args:
        repositories: the use cases.
        indexes: what this process has rendered.
        options: how to answer.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        repositories: Repositories,
        indexes: Indexes,
        options: Options,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._repositories = repositories
        self._indexes = indexes
        self._options = options
        self._clock = clock
        audience = "private" if options.private else "public"
        self._index_caching = f"{audience}, no-cache"
        lasting = "max-age=31536000, immutable" if options.immutable else "no-cache"
        self._package_caching = f"{audience}, {lasting}"
        self._provenance_caching = f"{audience}, no-cache"

    # ---- index

    def index(self, environ: Environ, repository: str, _file: str = "", readable: Readable | None = None) -> Answer:
        """Answer the index of a repository, whole or the part that the query asks for, of what is readable."""
        wanted = parse_wanted(environ["QUERY_STRING"]) if environ.get("QUERY_STRING") else EVERYTHING
        form, gzip = self.variant(environ)
        index = self._indexes.get(repository, form)
        document = index.document(wanted, compressed=gzip, readable=readable)
        # An index of some charts has no date: that of the repository would tell of the others.
        dated = readable is None
        over = self._is_over(document.changed) or not dated
        headers = [
            ("Content-Type", form.value),
            ("ETag", f'"{document.etag}"'),
            *([("Last-Modified", last_modified(document.changed, over=over))] if dated else ()),
            ("Cache-Control", self._index_caching),
            ("Vary", "Accept-Encoding, User-Agent" if self._options.index_format == "auto" else "Accept-Encoding"),
        ]
        if is_known(environ, document.etag, document.changed if dated else None):
            return Answer(304, headers[1:])
        if gzip:
            headers.append(("Content-Encoding", "gzip"))
        unchanged = self._indexes.watch(repository, index)
        still = unchanged if over else self._until_over(document.changed, unchanged)
        return Answer(200, headers, pieces(document), document.length, still)

    def variant(self, environ: Environ) -> tuple[Form, bool]:
        """Return all that an index depends on besides its address: in which form it is wanted, and whether gzipped."""
        return (
            self._form(environ.get("HTTP_USER_AGENT", "")),
            _accepts_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")),
        )

    def _form(self, user_agent: str) -> Form:
        if self._options.index_format == "auto":
            helm = _HELM.match(user_agent)
            return Form.JSON if helm and (int(helm[1]), int(helm[2])) >= _READS_JSON else Form.YAML
        return Form[self._options.index_format.upper()]

    # ---- packages

    def package(self, environ: Environ, repository: str, file: str, readable: Readable | None = None) -> Answer:
        """Answer a package, or a redirect to where the storage itself gives it."""
        self._check_readable(repository, file, readable)
        # A presigned address is good for GET alone.
        if self._options.redirect_expires is not None and environ["REQUEST_METHOD"] == "GET":
            answer = self._redirect(repository, file, self._options.redirect_expires)
            if answer is not None:
                return answer
        unchanged = self._repositories.watch(repository, file)
        opened = self._repositories.open_package(repository, file)
        served = opened.served
        etag = served.digest if served is not None else _etag_of(opened.reader)
        lasting = served is not None and self._is_over(served.created)
        answer = self._send(environ, opened, etag, "application/x-tar", self._package_caching)
        if served is not None and gives_beginning(answer):
            answer.pull = Pull(repository, served.name, served.version)
        if unchanged is not None and served is not None and lasting and isinstance(answer.body, list):
            answer.still = partial(unchanged, served.state)
            answer.by_path = True
            answer.chart = served.name
        return answer

    def provenance(self, environ: Environ, repository: str, file: str, readable: Readable | None = None) -> Answer:
        """Answer the provenance of the package `file`."""
        self._check_readable(repository, file, readable)
        opened = self._repositories.open_provenance(repository, file)
        return self._send(
            environ, opened, _etag_of(opened.reader), "application/pgp-signature", self._provenance_caching
        )

    def withheld(self, environ: Environ, repository: str, file: str, sees: Callable[[str], bool]) -> Answer:
        """Answer a package that readers do not see for want of provenance, to who may publish it.

        Args:
            environ: the request.
            repository: where it is.
            file: its name.
            sees: tells of a chart whether the caller may.

        Raises:
            FileNotFound: there is none, or the caller may not.
        """
        found = self._repositories.withheld(repository, file)
        if found is None or not sees(found.name):
            raise FileNotFound(f"there is no {file!r} in this repository")
        opened = Opened(self._repositories.open_withheld(found), None)
        return self._send(environ, opened, found.digest, "application/x-tar", "private, no-store")

    def _check_readable(self, repository: str, file: str, readable: Readable | None) -> None:
        """Return if a package is of a chart that is readable. Its file name does not tell: that of a-1-2.0 is of two.

        Raises:
            FileNotFound: it is not, or there is none.
        """
        if readable is not None and not readable(self._repositories.find_package(repository, file).name):
            raise FileNotFound(f"there is no {file!r} in this repository")

    def _redirect(self, repository: str, file: str, expires: int) -> Answer | None:
        found = self._repositories.find_package(repository, file)
        url = self._repositories.packages.url(layout.key(repository, file), expires=expires, filename=file)
        if url is None:
            return None
        # Half the time that the address works, so that a cached redirect never leads to a dead one.
        headers = [("Location", url), ("Cache-Control", f"private, max-age={expires // 2}")]
        return Answer(302, headers, pull=Pull(repository, found.name, found.version))

    def _send(self, environ: Environ, opened: Opened, etag: str, media_type: str, caching: str) -> Answer:
        reader = opened.reader
        info = reader.info
        changed = info.published or 0
        headers = [
            ("Content-Type", media_type),
            ("ETag", f'"{etag}"'),
            ("Last-Modified", last_modified(changed, over=self._is_over(changed))),
            ("Accept-Ranges", "bytes"),
            ("Cache-Control", caching),
        ]
        return send(environ, reader, headers, etag=etag, changed=changed, part=self._part(info))

    def _part(self, info: ObjectInfo) -> Part:
        return lambda start, length: self._repositories.packages.open(
            info.key, state=info.state, start=start, length=length
        )

    def _is_over(self, second: int) -> bool:
        return self._clock() >= second + 2

    def _until_over(self, second: int, unchanged: Callable[[], bool]) -> Callable[[], bool]:
        """Return what tells whether content is unchanged, and `_last_modified` still gives it the same date."""
        return lambda: not self._is_over(second) and unchanged()


def parse_wanted(query: str) -> Wanted:
    """Read `versions=N` and `charts=glob,glob` out of a query; whatever else stands there is not ours.

    Raises:
        BadRequest: a value that makes no sense.
    """
    versions: int | None = None
    charts: list[str] = []
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name == "versions":
            if not (value.isascii() and value.isdigit() and 0 < len(value) < 10 and int(value) > 0):  # noqa: PLR2004
                raise BadRequest(f"versions={value[:50]!r}: give a number of versions for each chart, as versions=1")
            versions = int(value)
        elif name == "charts":
            charts += [pattern for pattern in value.split(",") if pattern]
            if not charts or len(charts) > _MAX_PATTERNS or max(map(len, charts)) > _MAX_PATTERN:
                raise BadRequest(
                    f"charts=: give 1 to {_MAX_PATTERNS} patterns of up to {_MAX_PATTERN} characters, as "
                    "charts=web-*,redis"
                )
    return Wanted(versions, tuple(charts))


def pieces(document: Document) -> Iterable[bytes]:
    """Return a document's bytes in as few pieces as may be, none much larger than 1 MiB."""
    if document.length <= _LARGEST_PIECE:
        return [b"".join(document.parts)]
    return _large_pieces(document.parts)


def _large_pieces(parts: tuple[bytes, ...]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    size = 0
    for part in parts:
        if size + len(part) > _LARGEST_PIECE and waiting:
            yield b"".join(waiting)
            waiting, size = [], 0
        waiting.append(part)
        size += len(part)
    yield b"".join(waiting)


@lru_cache(maxsize=256)
def _accepts_gzip(accepted: str) -> bool:
    return "gzip" in accepted and parse_accept_header(accepted)["gzip"] > 0


def _etag_of(reader: Reader) -> str:
    return hashlib.sha256(reader.info.state.encode()).hexdigest()[:32]
