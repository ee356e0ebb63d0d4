"""Chart packages: what Helm accepts, read in one pass and without keeping more than the few files it takes.

The rules are those of Helm's chart loader. Where Helm 3 and 4 differ the stricter one decides, for a package must load
in both. What Helm accepts though nobody means it, so that an upload is refused for it, is told as a reservation.
"""

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from chartrepo.core import yaml11
from chartrepo.core.chart import CHART_YAML, REQUIREMENTS_YAML, ChartVersion, Draft, lock_problems
from chartrepo.core.errors import PackageRefused
from chartrepo.core.gunzip import Gunzip, Readable
from chartrepo.core.limits import DEFAULT, Budget, Limits
from chartrepo.core.messages import REPACK, shown, shown_path
from chartrepo.core.scalars import InvalidYamlError
from chartrepo.core.tarball import Entry, Tar


@dataclass(frozen=True, slots=True)
class Package:
    """What a package says of itself.

    Attributes:
        chart: the version it holds.
        reservations: why an upload of it is refused though Helm accepts it; one sentence each, as in `PackageRefused`.
        missing: names of the dependencies that are not in its charts/ folder, for want of which Helm takes the package
            everywhere and refuses to install it (`action.CheckDependencies`). Helm goes by the names that the charts in
            there give themselves, whatever their versions are. Nothing for a library, which it never installs.
    """

    chart: ChartVersion
    reservations: tuple[str, ...]
    missing: tuple[str, ...]


def read_package(source: Readable, limits: Limits = DEFAULT) -> Package:
    """Read a chart package to its end.

    Args:
        source: the bytes of the package, from where it stands.
        limits: how large it may be.

    Raises:
        PackageRefused: Helm does not load it, or it is never served: a path or a name that leads out of its folder.
    """
    budget = Budget(limits)
    stream = Gunzip(source, budget)
    chart = _Chart("", budget)
    outer = _Outer()
    for file in _files(stream, budget):
        outer.see(file)
        chart.add(file.path, file)
    if not outer.folders:
        raise PackageRefused(_EMPTY)
    problems = chart.problems()
    if problems:
        raise PackageRefused(*_few(problems))
    reservations = [*outer.reservations(), *chart.reservations, *chart.draft.reservations()]
    fault = stream.fault_after_here()
    if fault:
        reservations.append(fault)
    return Package(chart.draft.finish(), tuple(_few(reservations)), chart.missing_dependencies())


def read_files(
    source: Readable,
    wanted: Callable[[str], bool],
    limits: Limits = DEFAULT,
) -> dict[str, bytes]:
    """Read files out of a chart package, without judging the chart.

    Args:
        source: the bytes of the package, from where it stands.
        wanted: says of a path inside the chart (`values.yaml`, `templates/x.yaml`) whether to return that file.
        limits: how large the package may be.

    Returns:
        The files by path, without byte order marks; of two with one path the later one, as Helm has it.

    Raises:
        PackageRefused: the archive is damaged or too large.
    """
    budget = Budget(limits)
    return {file.path: file.content() for file in _files(Gunzip(source, budget), budget) if wanted(file.path)}


def read_first(source: Readable, path: str, limits: Limits = DEFAULT) -> bytes | None:
    """Return the first file with a path inside the chart, and read no further; None where there is none.

    Args:
        source: the bytes of the package, from where it stands.
        path: as in `read_files`.
        limits: how large the package may be, as far as it is read.

    Raises:
        PackageRefused: the archive is damaged or too large.
    """
    budget = Budget(limits)
    return next((file.content() for file in _files(Gunzip(source, budget), budget) if file.path == path), None)


@dataclass(frozen=True, slots=True)
class Held:
    """A file of a package.

    Attributes:
        path: inside the chart.
        size: in bytes, as the archive says it.
        data: what it holds, without a byte order mark; None where it is too large to be kept, or no file was wanted.
        digest: SHA-256 in hex of what was not kept; empty where it was.
    """

    path: str
    size: int
    data: bytes | None
    digest: str = ""


def hold_files(source: Readable, *, each: int, together: int, limits: Limits = DEFAULT) -> dict[str, Held]:
    """Read a chart package once, and keep of it what is small enough.

    Args:
        source: the bytes of the package, from where it stands.
        each: bytes of the largest file that is kept.
        together: bytes of all that are kept; later ones are told by name and size alone.
        limits: how large the package may be.

    Returns:
        The files by path, in the order of the archive; of two with one path the later one, as Helm has it.

    Raises:
        PackageRefused: the archive is damaged or too large.
    """
    budget = Budget(limits)
    held: dict[str, Held] = {}
    for file in _files(Gunzip(source, budget), budget):
        fits = file.size <= min(each, together)
        data = file.content() if fits else None
        digest = "" if fits else file.digest()
        together -= len(data or b"")
        held.pop(file.path, None)
        held[file.path] = Held(file.path, file.size, data, digest)
    return held


_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_MOST_MESSAGES: Final = 20
_PIECE: Final = 64 * 1024


def _few(messages: list[str]) -> list[str]:
    if len(messages) <= _MOST_MESSAGES:
        return messages
    return [*messages[:_MOST_MESSAGES], f"and {len(messages) - _MOST_MESSAGES} more"]


_EMPTY: Final = f"the package holds no files: {REPACK}"


class _File:
    """A file of a chart while it can be read.

    Attributes:
        written: its path in the archive.
        folder: the first component of that, which should be the same for all.
        path: the rest of it, inside the chart, in its shortest form.
        is_bare: a link or device, which Helm loads as an empty file.
    """

    __slots__ = ("_tar", "folder", "is_bare", "path", "size", "written")

    def __init__(self, entry: Entry, tar: Tar, limit: int) -> None:
        self.written = entry.path
        self.folder, self.path = _split(entry.path)
        self.is_bare = entry.is_bare
        self._tar = tar
        self.size = entry.size
        if entry.size > limit:
            raise PackageRefused(
                f"{shown(self.path)} holds {entry.size} bytes, and Helm loads at most {limit} of one file: leave it out"
            )
        if entry.is_bare and entry.size > 0:
            raise PackageRefused(f"{shown(self.path)} is a link that claims to hold {entry.size} bytes: {REPACK}")

    def content(self) -> bytes:
        """All that it holds; once."""
        return b"" if self.is_bare else self._tar.read(self.size).removeprefix(_BYTE_ORDER_MARK)

    def digest(self) -> str:
        """The SHA-256 of its bytes, in hex; instead of its content."""
        found = sha256()
        while piece := self._tar.read(_PIECE):
            found.update(piece)
        return found.hexdigest()

    def read(self, size: int, /) -> bytes:
        """Its next bytes, so that an archive can be read out of it."""
        return self._tar.read(size)


def _files(stream: Gunzip, budget: Budget) -> Iterator[_File]:
    tar = Tar(stream, budget)
    for entry in tar:
        if not entry.is_directory:
            yield _File(entry, tar, budget.limits.file)


def _split(written: str) -> tuple[str, str]:
    """The folder a path begins with and the path inside it, checked in Helm's order."""
    separator = "\\" if "\\" in written else "/"
    folder, _, inside = written.partition(separator)
    path = inside.replace(separator, "/")
    if path.startswith("/"):
        raise PackageRefused(f"{shown(written)} leads to an absolute path: {REPACK}")
    if not path or not _SHORTEST.fullmatch(path):
        path = posixpath.normpath(path)
    if path == ".":
        raise PackageRefused(
            f"{shown(written)} lies outside the chart's folder: put it into the folder, or leave it out"
        )
    if path.startswith(".."):
        raise PackageRefused(f"{shown(written)} leads out of the chart's folder, or seems to: rename it")
    if _DRIVE.match(path):
        raise PackageRefused(f"{shown(written)} is a path with a drive letter: rename it")
    if folder == CHART_YAML:
        raise PackageRefused(f"{shown(written)} has Chart.yaml for a folder: {REPACK}")
    if folder == "..":
        raise PackageRefused(f"{shown(written)} leads out of the package: {REPACK}")
    return folder, path


_SHORTEST: Final = re.compile(r"(?:[^./][^/]*/)*[^./][^/]*")
"""What needs no shortening; not all of it, but nearly all that there is."""
_DRIVE: Final = re.compile("[a-zA-Z]:/")


class _Outer:
    """What can be odd about the archive itself."""

    def __init__(self) -> None:
        self.folders: dict[str, str] = {}
        self._links: list[str] = []
        self._chart_yamls = 0

    def see(self, file: _File) -> None:
        if file.folder not in self.folders and len(self.folders) < _MOST_MESSAGES:
            self.folders[file.folder] = file.written
        if file.is_bare and len(self._links) < _MOST_MESSAGES:
            self._links.append(file.path)
        if file.path == CHART_YAML:
            self._chart_yamls += 1

    def reservations(self) -> Iterator[str]:
        for folder in ("", "."):
            if folder in self.folders:
                written = shown(self.folders[folder])
                yield f"{written} does not lie in a folder with the chart's name: {REPACK}"
        if len(self.folders) > 1:
            names = ", ".join(shown(folder) for folder in self.folders)
            yield f"the package has several folders at its top ({names}), which Helm mixes into one chart: {REPACK}"
        if self._chart_yamls > 1:
            yield f"the package holds {self._chart_yamls} files {CHART_YAML}, which Helm mixes: {REPACK}"
        for path in self._links:
            yield f"{shown(path)} is a link or device, which Helm loads as an empty file: put the file itself there"


class _Chart:
    """A chart while its files come by: the package's own, or one in its charts/ folder."""

    def __init__(self, folder: str, budget: Budget, level: int = 0) -> None:
        budget.spend_chart(level)
        self.draft = Draft(shown_path(folder))
        self.reservations: list[str] = []
        self._folder = shown_path(folder)  # for messages
        self._budget = budget
        self._level = level
        self._has_chart_yaml = False
        self._has_chart_yml = False
        self._is_readable = True
        self._is_file = level > 0
        self._faults: list[str] = []
        self._requirements: list[yaml11.Value] = []
        self._subcharts: dict[str, _Chart] = {}

    def add(self, path: str, file: _File) -> None:
        """Take in a file of the chart, as far as Helm parses it on loading."""
        self._is_file = False
        if path.startswith("charts/"):
            if not path.endswith(".prov"):
                self._add_to_subchart(path.removeprefix("charts/"), file)
            return
        self._has_chart_yml |= path == "Chart.yml"
        take = _PARSED.get(path)
        if take:
            try:
                take(self, path, file)
            except InvalidYamlError as error:
                after = ":" if str(error).startswith("line ") else ""
                self._faults.append(f"{self._folder}{path}{after} {error}")

    def take_chart_yaml(self, path: str, file: _File) -> None:
        """Take in Chart.yaml."""
        if file.is_bare:
            self._faults.append(f"{self._folder}{path} is a link, which Helm loads as an empty file: {REPACK}")
        self._has_chart_yaml = True
        self._is_readable = False
        self.draft.read_chart_yaml(self._document(file))
        self._is_readable = not file.is_bare

    def take_requirements(self, _: str, file: _File) -> None:
        """Keep requirements.yaml until Chart.yaml has come by."""
        self._requirements.append(self._document(file))

    def take_lock(self, path: str, file: _File) -> None:
        """Take in Chart.lock or requirements.lock."""
        self._faults += lock_problems(self._document(file), self._folder + path)

    def take_values(self, _: str, file: _File) -> None:
        """Check values.yaml."""
        self._budget.spend_values(file.size)
        yaml11.check_values(file.content(), self._budget.yaml)

    def _document(self, file: _File) -> yaml11.Value:
        self._budget.spend_metadata(file.size)
        return yaml11.load(file.content(), self._budget.yaml)

    def _add_to_subchart(self, path: str, file: _File) -> None:
        name, slash, inside = path.partition("/")
        if name.startswith(("_", ".")):
            return
        folder = f"{self._folder}charts/{name}/"
        if not name.endswith(".tgz"):
            if name not in self._subcharts:
                self._subcharts[name] = _Chart(folder, self._budget, self._level + 1)
            if slash:
                self._subcharts[name].add(inside, file)
        elif name not in self._subcharts:  # of several with one name Helm takes the first
            subchart = self._subcharts[name] = _Chart(folder, self._budget, self._level + 1)
            if slash:
                raise PackageRefused(
                    f"{shown_path(folder)}{shown_path(inside)} lies in a folder called .tgz: rename it"
                )
            subchart.read_archive(file)

    def read_archive(self, file: _File) -> None:
        """Take in the files of a package inside the package."""
        self._is_file = False
        is_empty = True
        try:
            for inner in _files(Gunzip(file, self._budget), self._budget):
                is_empty = False
                self.add(inner.path, inner)
        except PackageRefused as refused:
            raise PackageRefused(f"{shown(file.path)}: {refused}") from None
        if is_empty:
            raise PackageRefused(f"{shown(file.path)}: {_EMPTY}")

    def problems(self) -> list[str]:
        """All that Helm refuses, once all files came by."""
        for document in self._requirements:
            changed = self.draft.read_requirements(document)
            if changed and not self._level:
                self.reservations.append(
                    f"{REQUIREMENTS_YAML} sets {', '.join(changed)}, with which Helm overrides {CHART_YAML}: "
                    "leave only dependencies in it"
                )
        found = list(self._faults)
        if not self._has_chart_yaml:
            found.append(self._missing())
        elif self._is_readable:
            found += self.draft.problems()
            if not self._level:
                found += self.draft.problems_of_installing()
        for subchart in self._subcharts.values():
            found += subchart.problems()
        return found

    def missing_dependencies(self) -> tuple[str, ...]:
        """The dependencies that no chart in charts/ has the name of, once there are no problems."""
        if self.draft.is_library:
            return ()
        there = {subchart.draft.name for subchart in self._subcharts.values()}
        return tuple(name for name in self.draft.dependencies if name not in there)

    def _missing(self) -> str:
        if self._is_file:
            return f"{self._folder.rstrip('/')} is no chart: take it out of charts/, or begin its name with '_'"
        hint = "rename Chart.yml" if self._has_chart_yml else "put it into the chart's folder"
        return f"{self._folder}{CHART_YAML} is missing: {hint}"


_PARSED: Final[Mapping[str, Callable[[_Chart, str, _File], None]]] = {
    CHART_YAML: _Chart.take_chart_yaml,
    REQUIREMENTS_YAML: _Chart.take_requirements,
    "Chart.lock": _Chart.take_lock,
    "requirements.lock": _Chart.take_lock,
    "values.yaml": _Chart.take_values,
}
"""What Helm parses on loading."""
