"""The two packages that `chartrepo diff` compares: files, versions in a storage, or versions that a server has."""

import io
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote, urljoin, urlunsplit

from chartrepo import layout
from chartrepo.core.archive import hold_files, read_package
from chartrepo.core.differing.comparison import Side
from chartrepo.core.errors import (
    ChartNotFound,
    InvalidConstraint,
    InvalidVersion,
    PackageRefused,
    VersionNotFound,
)
from chartrepo.core.messages import shown, shown_path
from chartrepo.core.versions import check, resolve
from chartrepo.fetching import (
    Credential,
    DeniedError,
    Fetcher,
    MissingError,
    basic,
    check_no_credential,
    origin,
    remedy,
    split,
    told,
)
from chartrepo.sources import MAX_PACKAGE, SourceError
from storage.base import NotFound, Storage

_LARGEST_FILE: Final = 5 * 1024 * 1024
_MOST_OF_A_PACKAGE: Final = 64 * 1024 * 1024
"""Bytes of files that are compared by what is in them; the rest by size and digest."""
_MAX_ENTRY: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Compared:
    """A package that is compared.

    Attributes:
        name: of its chart.
        side: what is compared.
    """

    name: str
    side: Side


def read(data: bytes, place: str) -> Compared:
    """Return what is in a package.

    Args:
        data: its bytes.
        place: where it is, for people.

    Raises:
        PackageRefused: Helm does not load it.
    """
    try:
        chart = read_package(io.BytesIO(data)).chart
    except PackageRefused as error:
        raise PackageRefused(*(f"{place}: {problem}" for problem in error.problems)) from None
    files = hold_files(io.BytesIO(data), each=_LARGEST_FILE, together=_MOST_OF_A_PACKAGE)
    return Compared(chart.name, Side(chart.version, sha256(data).hexdigest(), chart.metadata, files))


def read_file(file: Path) -> Compared:
    """Return what is in a package on the disk.

    Raises:
        OSError: it cannot be read.
        PackageRefused: it is no package.
    """
    with file.open("rb") as opened:
        data = opened.read(MAX_PACKAGE + 1)
    if len(data) > MAX_PACKAGE:
        raise PackageRefused(f"{file} has more than {MAX_PACKAGE} bytes, and Helm loads no such package")
    return read(data, str(file))


class Place(Protocol):
    """Where versions of charts are."""

    def take(self, repository: str, chart: str, wanted: str) -> Compared:
        """Return a version of a chart.

        Args:
            repository: its name; empty for the root.
            chart: its name.
            wanted: a version, `latest`, or a range.

        Raises:
            ChartrepoError, StorageError: it cannot be had.
        """
        ...


class InStorage:
    """Versions that lie in a storage; a `Place`. It needs no catalog.

    Args:
        packages: where they lie.
    """

    def __init__(self, packages: Storage) -> None:
        self._packages = packages

    def take(self, repository: str, chart: str, wanted: str) -> Compared:
        """See `Place`."""
        found = self._open(repository, layout.package_file(chart, wanted)) if _is_version(wanted) else None
        if found is not None and found.name == chart:
            return found
        there = list(self._versions(repository, chart))
        if not there:
            raise ChartNotFound(
                f"there is no chart {shown(chart)} in {shown(repository) if repository else 'the root'}"
            )
        try:
            version = resolve(there, "" if wanted == "latest" else wanted)
        except InvalidConstraint:
            version = None
        found = self._open(repository, layout.package_file(chart, version)) if version is not None else None
        if found is None or found.name != chart:
            raise VersionNotFound(f"{shown_path(chart)} has no version {shown_path(wanted)}: {_few(there)}")
        return found

    def _versions(self, repository: str, chart: str) -> Iterator[str]:
        """Give the versions that files may be by their names: two charts can share one."""
        prefix = layout.key(repository, f"{chart}-")
        for info in self._packages.list(prefix):
            version = info.key[len(prefix) :].removesuffix(".tgz")
            if info.key.endswith(".tgz") and _is_version(version):
                yield version

    def _open(self, repository: str, file: str) -> Compared | None:
        key = layout.key(repository, file)
        try:
            with self._packages.open(key) as opened:
                return read(opened.read(), key)
        except NotFound:
            return None


class OnServer:
    """Versions that a server has; a `Place`. It is asked by ChartMuseum's API, which ChartMuseum itself speaks too.

    Args:
        url: of the server, with its context path.
        username: of the credential; empty for none.
        password: that goes with it; a token takes any user name.

    Raises:
        SourceError: that is no such address.
    """

    def __init__(self, url: str, *, username: str = "", password: str = "") -> None:
        parts = split(url)
        check_no_credential(parts)
        self._base = urlunsplit(parts._replace(path=parts.path.rstrip("/"), query="", fragment=""))
        self._own = origin(parts)
        self._credential = Credential(self._own, basic(username, password)) if username or password else None

    def take(self, repository: str, chart: str, wanted: str) -> Compared:
        """See `Place`."""
        where = f"{quote(repository, safe='/')}/" if repository else ""
        address = f"{self._base}/api/{where}charts/{quote(chart, safe='')}/{quote(wanted, safe='')}"
        with closing(Fetcher(connections=1)) as fetcher:
            try:
                entry = _entry(self._get(fetcher, address, limit=_MAX_ENTRY, packed=True))
            except MissingError:
                raise VersionNotFound(
                    f"{told(self._base)} has no version {shown_path(wanted)} of {shown_path(chart)}, "
                    "or you may not read it"
                ) from None
            package = urljoin(f"{self._base}/{where}", entry.url)
            try:
                data = self._get(fetcher, package, limit=MAX_PACKAGE)
            except MissingError as error:
                raise SourceError(f"{told(package)}: {error}") from None
        if entry.digest and sha256(data).hexdigest() != entry.digest:
            raise SourceError(f"{told(package)} has not the digest that the server says: try again")
        return read(data, told(package))

    def _get(self, fetcher: Fetcher, address: str, *, limit: int, packed: bool = False) -> bytes:
        into = io.BytesIO()
        try:
            fetcher.get(address, into, limit=limit, packed=packed, credential=self._credential)
        except MissingError:
            raise
        except DeniedError as error:
            of_own = error.origin == self._own
            what = remedy(credential=self._credential is not None) if of_own else "the credential is not for that host"
            raise SourceError(f"{told(address)}: {error.said}: {what}") from None
        except SourceError as error:
            raise SourceError(f"{told(address)}: {error}") from None
        return into.getvalue()


@dataclass(frozen=True, slots=True)
class _Entry:
    url: str
    digest: str


def _entry(data: bytes) -> _Entry:
    """Return what a server says of a version.

    Raises:
        SourceError: it says something else.
    """
    try:
        found: Any = json.loads(data)
        urls = found["urls"]
        return _Entry(str(urls[0]), str(found.get("digest") or ""))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise SourceError(
            "the server's answer is none of ChartMuseum's API: is the address that of the server?"
        ) from None


def _is_version(text: str) -> bool:
    try:
        check(text)
    except InvalidVersion:
        return False
    return True


def _few(versions: list[str]) -> str:
    most = 5
    named = ", ".join(map(shown_path, versions[:most]))
    return f"there are {named}{f' and {len(versions) - most} more' if len(versions) > most else ''}"
