"""Where the dependencies of a chart are here, and which version of them would be taken."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from chartrepo.catalog import Browsing
from chartrepo.core import versions
from chartrepo.core.chart_dependencies import Dependency
from chartrepo.core.errors import InvalidConstraint, InvalidName, InvalidVersion
from chartrepo.core.names import check_repository

_MOST: Final = 40
"""Dependencies that are looked up for one page."""
_LOCAL: Final = "file://"
_ALIASES: Final = ("@", "alias:")


class Place(NamedTuple):
    """A dependency that is here.

    Attributes:
        repository: that has it.
        chart: its name.
        version: that the range takes; None where it takes none that is here.
        pinned: whether the version that Chart.lock names is here.
    """

    repository: str
    chart: str
    version: str | None
    pinned: bool


class Bases(NamedTuple):
    """How this server's repositories are written in a Chart.yaml.

    Attributes:
        web: what addresses of repositories begin with, without a slash at the end.
        oci: what addresses in OCI begin with.
    """

    web: Sequence[str]
    oci: Sequence[str]


def find_places(
    dependencies: Sequence[Dependency],
    *,
    home: str,
    bases: Bases,
    browsing: Browsing,
    readable: Callable[[str, str], bool],
) -> list[Place | None]:
    """Return where dependencies are here, None for each that is not, or that the caller may not read.

    Args:
        dependencies: of one chart.
        home: the repository of that chart, where `file://` and aliases that name nothing lead.
        bases: this server's addresses.
        browsing: the catalog.
        readable: tells of a repository and a chart whether the caller may read it.
    """
    return [
        next(
            (
                place
                for repository in candidates(each.repository, home, bases)
                if readable(repository, each.name) and (place := _place(each, repository, browsing)) is not None
            ),
            None,
        )
        if number < _MOST
        else None
        for number, each in enumerate(dependencies)
    ]


def candidates(address: str, home: str, bases: Bases) -> list[str]:
    """Return the repositories of this server that the `repository` of a dependency can mean, the likelier first."""
    if not address or address.startswith(_LOCAL):
        return [home]
    for prefix in _ALIASES:
        if address.startswith(prefix):
            # Which repository a name stands for is set up at each client; people name them alike.
            name = address.removeprefix(prefix)
            return [*([name] if _is_repository(name) else []), home]
    for base in (*bases.web, *bases.oci):
        rest = address.rstrip("/").removeprefix(base)
        if rest != address.rstrip("/") and (not rest or rest.startswith("/")) and _is_repository(rest.lstrip("/")):
            return [rest.lstrip("/")]
    return []


def _is_repository(name: str) -> bool:
    try:
        check_repository(name)
    except InvalidName:
        return False
    return True


def _place(dependency: Dependency, repository: str, browsing: Browsing) -> Place | None:
    known = browsing.names_of_versions(repository, dependency.name)
    if not known:
        return None
    try:
        version = versions.resolve(known, dependency.version)
    except (InvalidConstraint, InvalidVersion):
        version = None
    return Place(repository, dependency.name, version, dependency.pinned in known)
