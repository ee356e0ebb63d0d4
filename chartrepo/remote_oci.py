"""The charts of an OCI registry, as `helm push` brought them there.

A registry has no list of charts. It has repositories, one for each chart, with a tag for each version, and only a
manifest tells whether there is a chart behind a tag. So all manifests are read before anything is fetched; an import
that is run again needs no more than that for what is there already.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import chain
from typing import BinaryIO, Final, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from chartrepo import layout
from chartrepo.core import provenance
from chartrepo.core.errors import ChartrepoError
from chartrepo.core.foreign_manifest import PushedChart, pushed_chart
from chartrepo.core.messages import shown, shown_path
from chartrepo.fetching import AnswerError, DeniedError, MissingError, PassingError, check_no_credential
from chartrepo.remote_registry import RemoteRegistry
from chartrepo.sources import MAX_PACKAGE, Item, SourceError

SCHEME: Final = "oci"

Progress: TypeAlias = Callable[[str, int], AbstractContextManager[Callable[[], None]]]
"""Takes what is done and in how many steps, and gives what is to be called after each."""

_PART = "[a-z0-9]+(?:(?:[.]|_|__|-+)[a-z0-9]+)*"
_REPOSITORY: Final = re.compile(f"{_PART}(?:/{_PART})*")
_TAG: Final = re.compile("[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_WHOLE_VERSION: Final = re.compile(r"v?\d+\.\d+\.\d+", re.ASCII)
_NO_CHART: Final = re.compile(r"sha256-[0-9a-f]{64}(\..*)?")
"""Tags that cosign and others keep signatures and the like under, by the digest of what those are for."""


@contextmanager
def _unseen(_what: str, _steps: int) -> Iterator[Callable[[], None]]:
    yield lambda: None


class _Address(NamedTuple):
    """Where the charts are.

    Attributes:
        host: with its port, as typed.
        path: the repository that the charts are in or below; empty for all of the registry.
    """

    host: str
    path: str

    def __str__(self) -> str:
        return f"{SCHEME}://{self.host}/{self.path}".rstrip("/")

    def place(self, repository: str, tag: str = "") -> str:
        """Return a repository or a tag as helm is told it."""
        return f"{SCHEME}://{self.host}/{repository}" + (f":{tag}" if tag else "")

    def target(self, repository: str) -> str:
        """Return where the charts of a repository go: its last part is the chart's name, as helm pushes it."""
        below = repository.removeprefix(self.path) if self.path else f"/{repository}"
        return below.rpartition("/")[0].strip("/")


@dataclass(frozen=True, slots=True)
class _Tag:
    """What is behind a tag, as far as it is known.

    Attributes:
        repository: its whole path in the registry.
        name: empty where the repository's tags cannot be listed.
        chart: None where it is none, or not known.
        problem: why it is not known; empty where it is, or was not asked for.
    """

    repository: str
    name: str = ""
    chart: PushedChart | None = None
    problem: str = ""


class RemoteOci:
    """The charts in and below a repository of an OCI registry; a `Source`.

    Attributes:
        others: how many tags turned out to be no charts: images, signatures and the like.

    Args:
        url: `oci://host/project` or `oci://host/project/chart`.
        username: of the credential; empty for none.
        password: that goes with it.
        plain_http: whether to ask without encryption. A host that is this machine may be asked so anyway.
        connections: how many to keep open.
        progress: shows how far the reading of manifests has come.

    Raises:
        SourceError: that is no such address.
    """

    def __init__(
        self,
        url: str,
        *,
        username: str = "",
        password: str = "",
        plain_http: bool = False,
        connections: int = 8,
        progress: Progress = _unseen,
    ) -> None:
        self._address = _parse(url)
        self._registry = RemoteRegistry(
            self._address.host, username=username, password=password, plain_http=plain_http, connections=connections
        )
        self._connections = connections
        self._progress = progress
        self._tags: dict[str, _Tag] = {}
        self.others = 0

    def items(self) -> list[Item]:
        """See `Source`. What cannot be read of one tag or one repository is told when that is fetched."""
        pool = ThreadPoolExecutor(self._connections, thread_name_prefix="registry")
        try:
            self._registry.connect()
            tags = list(chain.from_iterable(pool.map(self._list, self._repositories())))
            with self._progress("Reading manifests", len(tags)) as step:
                known = []
                for tag in pool.map(self._read, tags):
                    known.append(tag)
                    step()
        except ChartrepoError as error:
            raise SourceError(f"{self._address}: {error}") from None
        except BaseException:
            self.stop()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
        self.others = sum(not tag.chart and not tag.problem for tag in known)
        self._tags = {self._address.place(tag.repository, tag.name): tag for tag in _once_each(known)}
        return [self._item(place, tag) for place, tag in self._tags.items()]

    def digest(self, item: Item) -> str:
        """See `Source`."""
        return item.digest

    def fetch(self, item: Item, into: BinaryIO) -> int | None:
        """See `Source`."""
        tag = self._tags[item.place]
        if tag.chart is None:
            raise SourceError(tag.problem)
        if tag.chart.package.size > MAX_PACKAGE:
            raise SourceError(f"has {tag.chart.package.size} bytes, and Helm loads no package of {MAX_PACKAGE}")
        self._registry.blob(tag.repository, tag.chart.package, into)
        return item.published

    def fetch_provenance(self, item: Item) -> bytes | None:
        """See `Source`."""
        tag = self._tags[item.place]
        if tag.chart is None or tag.chart.provenance is None:
            return None
        if tag.chart.provenance.size > provenance.MAX_BYTES:
            raise SourceError(f"its provenance has more than {provenance.MAX_BYTES} bytes")
        signature = BytesIO()
        try:
            self._registry.blob(tag.repository, tag.chart.provenance, signature)
        except SourceError as error:
            raise SourceError(f"its provenance: {error}") from None
        return signature.getvalue()

    def stop(self) -> None:
        """See `Source`."""
        self._registry.stop()

    def close(self) -> None:
        """Close all connections."""
        self._registry.close()

    # ---- which repositories

    def _repositories(self) -> list[str]:
        path = self._address.path
        try:
            found = set(self._below())
            unlisted = ""
        except _UnlistedError as error:
            found = set()
            unlisted = str(error)
        if path and path not in found:
            try:
                next(self._registry.tags(path), "")
                found.add(path)
            except AnswerError as error:
                if not found:
                    raise self._nothing(error, unlisted) from None
        if not found and unlisted:
            raise SourceError(
                f"the registry does not list its repositories ({unlisted}): name a project or a chart, as "
                f"{self._address}/PROJECT/CHART"
            )
        return sorted(found)

    def _nothing(self, reason: AnswerError, unlisted: str) -> SourceError:
        path = self._address.path
        if not unlisted:
            return SourceError(f"the registry lists no repository below {path}, and {path} is none itself: {reason}")
        if isinstance(reason, DeniedError) and str(reason) == unlisted:
            return SourceError(
                f"neither {path} nor the repositories below it are shown to us: {reason}; an account that may not list "
                f"them can still import each chart by its own address, as {self._address}/CHART"
            )
        return SourceError(
            f"{path} is no chart's repository ({reason}), and the registry does not list those below it ({unlisted}): "
            f"import each chart by its own address, as {self._address}/CHART"
        )

    def _below(self) -> Iterator[str]:
        """Give the repositories that the registry lists in and below the one that was named.

        Raises:
            _UnlistedError: it does not list any.
        """
        path = self._address.path
        try:
            names = _begun(self._registry.repositories())
        except _UnlistedError:
            if not path:
                raise
            with suppress(_UnlistedError):
                return self._within(_begun(self._registry.harbor_repositories(path.partition("/")[0])))
            raise
        return self._within(names)

    def _within(self, names: Iterator[str]) -> Iterator[str]:
        path = self._address.path
        return (name for name in names if not path or name == path or name.startswith(f"{path}/"))

    # ---- which tags

    def _list(self, repository: str) -> list[_Tag]:
        if not _REPOSITORY.fullmatch(repository):
            return [_Tag(repository, problem="the registry lists it, and that is no name of a repository")]
        try:
            return [_Tag(repository, name) for name in self._registry.tags(repository)]
        except MissingError:  # what is left of a repository whose tags were deleted
            return []
        except SourceError as error:
            return [_Tag(repository, problem=f"its tags cannot be listed: {error}")]

    def _read(self, tag: _Tag) -> _Tag:
        if tag.problem or _NO_CHART.fullmatch(tag.name):
            return tag
        if not _TAG.fullmatch(tag.name):
            return replace(tag, problem="the registry lists it, and that is no name of a tag")
        try:
            return replace(tag, chart=pushed_chart(self._registry.manifest(tag.repository, tag.name)))
        except ChartrepoError as error:
            return replace(tag, problem=str(error))

    def _item(self, place: str, tag: _Tag) -> Item:
        repository = self._address.target(tag.repository)
        chart = tag.chart
        if chart is None:
            return Item(place, repository, layout.package_file(tag.repository.rpartition("/")[2], tag.name))
        name = chart.name or tag.repository.rpartition("/")[2]
        return Item(
            place=place,
            repository=repository,
            file=layout.package_file(name, chart.version or _version(tag.name)),
            published=chart.created,
            digest=chart.package.digest,
            size=chart.package.size,
            signed=chart.provenance is not None,
            warning=_warning(chart),
        )


class _UnlistedError(SourceError):
    """The registry does not list its repositories."""


def _begun(names: Iterator[str]) -> Iterator[str]:
    """Return a list of which the beginning has come. What fails later fails the import, so that nothing is left out.

    Raises:
        _UnlistedError: there is no such list.
    """
    try:
        first = next(names)
    except StopIteration:
        return iter(())
    except PassingError:
        raise
    except SourceError as error:
        raise _UnlistedError(str(error)) from None
    return chain([first], names)


def _once_each(tags: Iterable[_Tag]) -> list[_Tag]:
    """Return what is to be imported: of several tags of one package the one that tells most of it."""
    best: dict[tuple[str, str], _Tag] = {}
    for tag in tags:
        if tag.problem:
            best[tag.repository, tag.name] = tag
        elif tag.chart is not None:
            key = (tag.repository, f"sha256:{tag.chart.package.digest}")  # no tag has a colon
            best[key] = max(best.get(key, tag), tag, key=_worth)
    return list(best.values())


def _worth(tag: _Tag) -> tuple[bool, bool]:
    return (tag.chart is not None and tag.chart.provenance is not None, _WHOLE_VERSION.match(tag.name) is not None)


def _version(tag: str) -> str:
    """Return the version that helm means by a tag: tags have no `+`."""
    return tag.replace("_", "+")


def _warning(chart: PushedChart) -> str:
    if not chart.not_a_time:
        return ""
    return (
        f"counts as published now, for its manifest says that it was created {shown(chart.not_a_time)}, which is no "
        "time such as 2026-01-02T03:04:05Z"
    )


def _parse(url: str) -> _Address:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise SourceError(f"{shown(url)} is no address: {error}") from None
    check_no_credential(parts)
    path = parts.path.strip("/")
    if not parts.hostname or parts.query or parts.fragment:
        raise SourceError(f"{shown(url)} is no address such as oci://host/project or oci://host/project/chart")
    if ":" in path or "@" in path:
        whole = re.split("[:@]", path, maxsplit=1)[0]
        raise SourceError(
            f"{shown(url)} names one version, and an import takes all of a chart: leave {shown(path[len(whole) :])} out"
        )
    if path and not _REPOSITORY.fullmatch(path):
        raise SourceError(
            f"{shown_path(path)} cannot be the path of a repository in a registry: those are small letters and digits "
            "in parts joined by '/', with '.', '_' or '-' between them"
        )
    return _Address(parts.netloc, path)
