"""The only builder of addresses of pages, and what they name.

The kind of page comes first, then the repository, then the chart with its version behind an `@`:
`/ui/charts/team/app/web@1.2.3`, and without a version for the newest one, whatever that is. No repository has an `@` in
its name, and no version has one.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

from chartrepo.core.errors import InvalidName, InvalidVersion
from chartrepo.core.names import check_repository
from chartrepo.core.versions import check
from chartrepo.http.errors import NoSuchPath

UI: Final = "/ui"
STATIC: Final = "/static"
PACKAGES: Final = f"{UI}/packages"
"""Below which packages lie for who is signed in, by the paths that they have for Helm."""
FEED: Final = f"{UI}/feed"
SIGN_IN: Final = "sign-in"
SIGN_OUT: Final = "sign-out"
_NO_NEXT: Final = (SIGN_IN, SIGN_OUT)
_NEXT: Final = re.compile(r"[!-\[\]-~]+")
"""ASCII that can be seen, without a backslash."""
_DOTS: Final = re.compile(r"(\.|%2e){1,2}", re.IGNORECASE)
"""A part of a path by which browsers take another one, or go up."""
_LONGEST_NEXT: Final = 2000
_SAFE: Final = "/+~"
"""Besides letters, digits and `._-`, what stands in a path as it is."""


def is_page(path: str) -> bool:
    """Return whether a path is that of a page, so that people see what is answered."""
    return path == UI or path.startswith(f"{UI}/")


def is_for_people(path: str) -> bool:
    """Return whether people see what is answered at a path. A feed is read by programs, who are told as programs."""
    return is_page(path) and path != FEED and not path.startswith(f"{FEED}/")


class ChartPath(NamedTuple):
    """What the rest of a page's address names. Without a version it is the newest one."""

    repository: str
    chart: str
    version: str | None


def chart_path(rest: str) -> list[ChartPath]:
    """Return what the rest of an address can name, the likelier first: a chart may have an `@` in its name.

    Raises:
        NoSuchPath: it names no chart.
    """
    repository, _, last = rest.rpartition("/")
    chart, at, version = last.rpartition("@")
    try:
        check_repository(repository)
    except InvalidName:
        raise NoSuchPath from None
    found = [ChartPath(repository, last, None)] if last else []
    if at and chart:
        try:
            check(version)
        except InvalidVersion:
            pass
        else:
            found.insert(0, ChartPath(repository, chart, version))
    if not found:
        raise NoSuchPath
    return found


class Links:
    """Addresses of pages, from the root of the host.

    Args:
        context_path: under which everything is served; empty, or as `/charts`.
    """

    def __init__(self, context_path: str) -> None:
        self._ui = f"{context_path}{UI}"
        self._context = context_path

    @property
    def context(self) -> str:
        """The path under which everything is served; empty, or as `/charts`."""
        return self._context

    @property
    def home(self) -> str:
        """Of the first page."""
        return f"{self._ui}/"

    def page(self, kind: str, rest: str = "", **query: str | int | None) -> str:
        """Of a page of some kind; what is None in the query is left out."""
        path = f"{self._ui}/{kind}" + (f"/{quote(rest, safe=_SAFE)}" if rest else "")
        return with_query(path, query)

    def search(self, pairs: Sequence[tuple[str, str]]) -> str:
        """Of a search with these parameters, of which some may be there several times."""
        return f"{self._ui}/search" + (f"?{urlencode(pairs)}" if pairs else "")

    def here(self, environ: Mapping[str, Any]) -> str:
        """Of the page that a request asks for, with its query."""
        path = quote(str(environ["PATH_INFO"]).encode("latin-1", "replace"), safe=f"{_SAFE}@")
        query = environ.get("QUERY_STRING")
        return f"{self._context}{path}?{query}" if query else f"{self._context}{path}"

    def is_next(self, address: str) -> bool:
        """Return whether somebody who has signed in can be sent to an address: a page of ours, and no other.

        Browsers take a backslash for `/`, pass over line ends, take what begins with `//` for another host, and go up
        at `..`, which leads out of the context path to whatever else has this host.
        """
        path = address.partition("?")[0].partition("#")[0]
        return (
            len(address) <= _LONGEST_NEXT
            and _NEXT.fullmatch(address) is not None
            and address.startswith(f"{self._ui}/")
            and not any(map(_DOTS.fullmatch, path.split("/")))
            and not any(path == f"{self._ui}/{kind}" or path.startswith(f"{self._ui}/{kind}/") for kind in _NO_NEXT)
        )

    def repository(self, name: str, **query: str | int | None) -> str:
        """Of a repository. An empty name is that of the root: without the slash it is the list of all."""
        return self.page("repositories", name, **query) if name else with_query(f"{self._ui}/repositories/", query)

    def chart(
        self, repository: str, chart: str, version: str | None = None, *, tab: str = "charts", **query: str | int | None
    ) -> str:
        """Of a chart, or of one of its tabs; without a version, of the newest one."""
        name = quote(chart, safe="+~") + (f"@{quote(version, safe='+~')}" if version else "")
        where = f"{quote(repository, safe=_SAFE)}/" if repository else ""
        return with_query(f"{self._ui}/{tab}/{where}{name}", query)

    def feed(self, repository: str | None = None, chart: str | None = None) -> str:
        """Of the feed of a chart, of a repository, or of everything."""
        if repository is None:
            return self.page("feed")
        if chart is None:
            return self.page("feed/repositories", repository)
        return self.chart(repository, chart, tab="feed/charts")

    def below_ui(self, path: str) -> str:
        """Of a page by its path below the context path, as a request has it."""
        return f"{self._context}{quote(path, safe=_SAFE)}"

    def package(self, repository: str, file: str) -> str:
        """Of a package, or of the provenance beside it, to be downloaded from a page."""
        where = f"{quote(repository, safe=_SAFE)}/" if repository else ""
        return f"{self._context}{PACKAGES}/{where}charts/{quote(file, safe='+~')}"

    def index(self, repository: str) -> str:
        """Of the index of a repository."""
        return f"{self._context}/{quote(repository, safe=_SAFE)}{'/' if repository else ''}index.yaml"

    def api(self, path: str, **query: str | int | None) -> str:
        """Of something below `/api/`."""
        return with_query(f"{self._context}/api/{quote(path, safe=_SAFE)}", query)

    def static(self, name: str) -> str:
        """Of a file that pages are made with; see `chartrepo.http.pages.assets`."""
        return f"{self._context}{STATIC}/{name}"


def with_query(path: str, query: Mapping[str, str | int | None]) -> str:
    """Return an address with a query, of which what is None is left out."""
    said = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(said)}" if said else path
