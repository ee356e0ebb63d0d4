"""READMEs of charts as HTML for a page.

Links to files of the package lead to where those are shown, pictures of the package are shown, and nothing is loaded
from elsewhere. What cannot be parsed within bounds is shown as it is written.
"""

import posixpath
from collections.abc import Callable, Container
from dataclasses import dataclass
from html import escape
from typing import Final
from urllib.parse import unquote, urlsplit

from chartrepo.core import weblinks
from chartrepo.markup.bounds import LARGEST, MOST_LINES, TooMuchError
from chartrepo.markup.cleaning import PREFIX, clean
from chartrepo.markup.markdown import to_html
from chartrepo.recent import Recent

PICTURES: Final = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg")
"""How the names of files end that can be shown as pictures."""
_LARGEST_HTML: Final = 2 * 1024 * 1024
_MOST_ENTITIES: Final = 40_000
"""Cleaning takes some microseconds for each."""
_KEPT: Final = 8 * 1024 * 1024
"""Characters that a process keeps of what it made."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where a page shows what is in a package.

    Attributes:
        own: the path of the README itself.
        files: knows the paths of all files.
        file: gives the address of a file by its path.
        picture: gives the address of a picture by its path.
    """

    own: str
    files: Container[str]
    file: Callable[[str], str]
    picture: Callable[[str], str]

    def resolve_link(self, written: str) -> str | None:
        """Return where a link leads; None where it may not, or to what is not there."""
        written = written.strip()
        if written.startswith("#"):
            return f"#{PREFIX}{written[1:]}" if len(written) > 1 else None
        try:
            parts = urlsplit(written)
        except ValueError:
            return None
        if parts.scheme or parts.netloc:
            return weblinks.checked(f"https:{written}" if not parts.scheme else written)
        path = self._path(parts.path)
        if path is None:
            return None
        if path == self.own:
            return f"#{PREFIX}{parts.fragment}" if parts.fragment else None
        return self.file(path)

    def resolve_picture(self, written: str) -> str | None:
        """Return where a picture is loaded from; None where it is not one of the package."""
        try:
            parts = urlsplit(written.strip())
        except ValueError:
            return None
        if parts.scheme or parts.netloc:
            return None
        path = self._path(parts.path)
        return self.picture(path) if path is not None and path.lower().endswith(PICTURES) else None

    def _path(self, written: str) -> str | None:
        """The path of a file in the package, from the folder in which the README lies."""
        path = posixpath.normpath(unquote(written).lstrip("/"))
        return path if path in self.files else None


@dataclass(frozen=True, slots=True)
class Readme:
    """A README that can be shown.

    Attributes:
        html: clean; it goes into the page as it is.
        is_plain: whether it is shown as it is written, because it is too much to be parsed.
        is_cut: whether the rest of it is left out.
    """

    html: str
    is_plain: bool
    is_cut: bool


def render(text: str, places: Places) -> Readme:
    """Return a README as HTML.

    Args:
        text: in Markdown.
        places: where the page shows what is in the package.
    """
    shown = _cut(text.encode("utf-8", "replace").decode())
    try:
        html, is_plain = _made(shown, places), False
    except (TooMuchError, RecursionError):
        html = f'<pre role="group" tabindex="0" aria-label="README">{escape(shown)}</pre>'
        is_plain = True
    return Readme(html, is_plain, len(shown) < len(text))


def _made(text: str, places: Places) -> str:
    made = to_html(text, is_own=lambda source: places.resolve_picture(source) is not None)
    if len(made) > _LARGEST_HTML or made.count("&") > _MOST_ENTITIES:
        raise TooMuchError
    return clean(made, link=places.resolve_link, picture=places.resolve_picture)


def _cut(text: str) -> str:
    """As much of a text as is parsed, in whole lines."""
    shown = text[:LARGEST]
    lines = shown.split("\n", MOST_LINES)
    if len(lines) > MOST_LINES or len(shown) < len(text):
        lines.pop()
        shown = "\n".join(lines) or shown
    return shown


class ReadmeCache:
    """Keeps what was made last. Safe to share between threads.

    Args:
        most: characters that are kept.
    """

    def __init__(self, *, most: int = _KEPT) -> None:
        self._recent = Recent[Readme](weigh=lambda readme: len(readme.html), together=most)

    def get(self, key: tuple[str, ...], text: str, places: Places) -> Readme:
        """Return a README as HTML; what is kept for the key, if anything is.

        Args:
            key: names the package by its digest, and where it is shown.
            text: as for `render`.
            places: as for `render`.
        """
        return self._recent.get(key, lambda: render(text, places))
