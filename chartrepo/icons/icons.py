"""The icon of a chart: what it is made from, once, and what is done where there is none yet."""

import hashlib
import logging
from collections.abc import Callable
from threading import BoundedSemaphore, Lock
from typing import Final, NamedTuple

from chartrepo.core.icons import MOST_BYTES, Embedded, Inside, Remote, Source, source_of
from chartrepo.core.messages import shown
from chartrepo.icons.kept import KeptIcons
from chartrepo.icons.pictures import NoPictureError, small_png
from chartrepo.icons.public_web import FetchError, PublicWeb

log = logging.getLogger(__name__)

_FETCHES: Final = 2
"""Fetches of a worker at a time: each keeps a thread waiting."""


class Icon(NamedTuple):
    """An icon.

    Attributes:
        png: the picture; None where there is none.
        settled: whether it is so for a while, and not only because somebody is getting it, or too many are.
    """

    png: bytes | None
    settled: bool


_NONE: Final = Icon(None, settled=True)
_NOT_NOW: Final = Icon(None, settled=False)


class Icons:
    """The icons of a server.

    Args:
        kept: those that were made.
        web: fetches others; None where nothing is to be fetched.
    """

    def __init__(self, kept: KeptIcons, web: PublicWeb | None) -> None:
        self._kept = kept
        self._web = web
        self._fetches = BoundedSemaphore(_FETCHES)
        self._decoding = Lock()

    @property
    def fetches(self) -> bool:
        """Whether icons that lie elsewhere are fetched."""
        return self._web is not None

    def may_have(self, icon: object) -> bool:
        """Return whether a chart may have an icon to show, by the field `icon` of its Chart.yaml."""
        source = source_of(icon)
        return source is not None and (self.fetches or not isinstance(source, Remote))

    def of(self, icon: object, package: str, file: Callable[[str], bytes | None]) -> Icon:
        """Return the icon of a chart.

        Args:
            icon: the field of its Chart.yaml.
            package: its SHA-256.
            file: gives a file of the package, by its path in the chart; None where there is none that is small.
        """
        source = source_of(icon)
        if source is None or (isinstance(source, Remote) and self._web is None):
            return _NONE
        key = _key(source, package)
        kept = self._kept.get(key)
        if kept is not None:
            return Icon(kept.png, settled=True)
        if isinstance(source, Remote):
            return self._fetched(source, key)
        return self._made(key, source.data if isinstance(source, Embedded) else file(source.path), shown(str(icon)))

    def _fetched(self, source: Remote, key: str) -> Icon:
        if self._web is None or not self._fetches.acquire(blocking=False):
            return _NOT_NOW
        try:
            with self._kept.alone(key) as ours:
                if not ours:
                    return _NOT_NOW
                kept = self._kept.get(key)  # somebody was at it a moment ago
                if kept is not None:
                    return Icon(kept.png, settled=True)
                try:
                    data = self._web.get(source.url, limit=MOST_BYTES)
                except FetchError as error:
                    log.info("the icon %s cannot be had: %s", shown(source.url), error)
                    data = None
                return self._made(key, data, shown(source.url))
        finally:
            self._fetches.release()

    def _made(self, key: str, data: bytes | None, name: str) -> Icon:
        """Return the picture that these bytes are, and keep it; one is made at a time, so that memory stays small."""
        png = None
        if data is not None and len(data) <= MOST_BYTES:
            try:
                with self._decoding:
                    png = small_png(data)
            except NoPictureError as error:
                log.info("the icon %s cannot be shown: %s", name, error)
        self._kept.keep(key, png)
        return Icon(png, settled=True)


def _key(source: Source, package: str) -> str:
    """Return what an icon is kept by: where it is from, and nothing of which chart has it."""
    if isinstance(source, Remote):
        said = b"url " + source.url.encode("utf-8", "surrogatepass")
    elif isinstance(source, Inside):
        said = f"file {package} ".encode() + source.path.encode("utf-8", "surrogatepass")
    else:
        said = b"data " + source.data
    return hashlib.sha256(said).hexdigest()
