"""`chartrepo diff`: from what was typed to what is printed."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import click

from chartrepo import assembly
from chartrepo.cli.console import remark
from chartrepo.compared import Compared, InStorage, OnServer, Place, read_file
from chartrepo.core.differing.chart_yaml import DependencyChange
from chartrepo.core.differing.comparison import Comparison, LineComparer, compare
from chartrepo.core.differing.crds import CrdField
from chartrepo.core.differing.document import as_json as as_document
from chartrepo.core.differing.document import hunk_lines
from chartrepo.core.differing.files import Became, FileChange, Group, digest
from chartrepo.core.differing.lines import Part
from chartrepo.core.differing.summary import summarise
from chartrepo.core.differing.values import ValueChange, Valued, What
from chartrepo.core.visible import visible_name, visible_text
from chartrepo.settings import Settings
from chartrepo.wording import counted, shown_size

_SIGNS: Final = {
    What.REMOVED: ("-", "red"),
    What.MOVED: (">", "yellow"),
    What.TYPE: ("!", "yellow"),
    What.DEFAULT: ("~", "yellow"),
    What.ADDED: ("+", "green"),
    What.COMMENT: ("#", "blue"),
}
_OF_LINES: Final = {"+": "green", "-": "red", "@": "cyan"}
_ABBREVIATED: Final = 12


@dataclass(frozen=True, slots=True)
class Asked:
    """What is compared, as it was typed: two files, or two versions of a chart.

    Attributes:
        versions: repository, chart, and two versions or ranges; None for files.
        files: the two packages; None for versions.
        server: address of the server that has the versions; empty for the storage of the settings.
        username: for the server.
        password: that goes with it.
    """

    versions: tuple[str, str, str, str] | None = None
    _: KW_ONLY
    files: tuple[Path, Path] | None = None
    server: str = ""
    username: str = ""
    password: str = field(default="", repr=False)


def run_diff(settings: Settings, asked: Asked, *, only: Sequence[str], ignore_space: bool, as_json: bool) -> int:
    """Compare two packages, and print what differs.

    Args:
        settings: where the storage is.
        asked: what is compared.
        only: parts that are printed; none for all.
        ignore_space: whether lines that differ in nothing but white space are the same.
        as_json: print it for programs.

    Returns:
        The exit status: 0 when nothing differs, 1 when something does.

    Raises:
        ChartrepoError, StorageError, OSError: one of them cannot be had, or is no package.
    """
    old, new = _both(settings, asked)
    if old.name != new.name:
        remark(f"these are two charts: {old.name} and {new.name}")
    found = compare(old.side, new.side)
    if as_json:
        click.echo(json.dumps({"name": new.name, **as_document(found, ignore_space=ignore_space)}))
    else:
        _tell(new.name, found, only, LineComparer(ignore_space=ignore_space))
    return 0 if found.is_same else 1


def _both(settings: Settings, asked: Asked) -> tuple[Compared, Compared]:
    if asked.files is not None:
        return read_file(asked.files[0]), read_file(asked.files[1])
    if asked.versions is None:
        raise RuntimeError("nothing is named that could be compared")
    place: Place
    if asked.server:
        place = OnServer(asked.server, username=asked.username, password=asked.password)
    else:
        packages = assembly.storages(settings).packages
        packages.check(writable=False)
        place = InStorage(packages)
    repository, chart, old, new = asked.versions
    return place.take(repository, chart, old), place.take(repository, chart, new)


def _tell(name: str, found: Comparison, only: Sequence[str], lines: LineComparer) -> None:
    def wanted(part: str) -> bool:
        return not only or part in only

    if not only:
        how = f" ({found.move})" if found.move is not None and found.old.version != found.new.version else ""
        _say(f"{name} {found.old.version} to {found.new.version}{how}", bold=True)
    if wanted("summary"):
        _say(summarise(found).text)
    parts: tuple[tuple[str, str, Callable[[], Iterator[tuple[str, str | None]]]], ...] = (
        ("values", "Values", partial(_values, found)),
        ("values", "", partial(_files, found.of(Group.VALUES), lines)),
        ("dependencies", "Dependencies", partial(_dependencies, found.dependencies)),
        ("chart", "Chart.yaml", partial(_fields, found)),
        ("chart", "", partial(_files, found.of(Group.CHART), lines)),
        ("crds", "CRDs", partial(_crds, found)),
        ("crds", "", partial(_files, found.of(Group.CRDS), lines)),
        ("templates", "Templates", partial(_files, found.of(Group.TEMPLATES), lines)),
        ("readme", "README", partial(_files, found.of(Group.README), lines)),
        ("files", "Files of dependencies", partial(_files, found.of(Group.DEPENDENCIES), lines)),
        ("files", "Other files", partial(_files, found.of(Group.OTHER), lines)),
    )
    for part, title, told in parts:
        if not wanted(part):
            continue
        heading = title
        for line, colour in told():
            if heading:
                _say()
                _say(heading, bold=True)
                heading = ""
            _say(line, colour)


def _say(line: str = "", colour: str | None = None, *, bold: bool = False) -> None:
    click.secho(visible_text(line), fg=colour, bold=bold or None)


Told = Iterator[tuple[str, str | None]]
"""Lines, each with its colour."""


def _values(found: Comparison) -> Told:
    if found.values_unread:
        yield f"  not compared key by key: {found.values_unread}", None
    for change in found.values:
        sign, colour = _SIGNS[change.what]
        yield f"{sign} {visible_name(change.path)}{_what_of(change)}", colour


def _what_of(change: ValueChange) -> str:
    match change.what:
        case What.REMOVED:
            return f": {_one_line(change.old)}"
        case What.ADDED:
            return f": {_one_line(change.new)}"
        case What.MOVED:
            return f", which was {visible_name(change.moved_from)} ({counted(change.values, 'value')})"
        case What.COMMENT:
            old, new = (side.comment if side is not None else "" for side in (change.old, change.new))
            return f": {' '.join(old.split()) or 'no comment'} -> {' '.join(new.split()) or 'no comment'}"
    kinds = (
        f" ({change.old.kind} -> {change.new.kind})" if change.what is What.TYPE and change.old and change.new else ""
    )
    return f": {_one_line(change.old)} -> {_one_line(change.new)}{kinds}"


def _one_line(value: Valued | None) -> str:
    return visible_name(value.text) if value is not None else ""


def _dependencies(dependencies: Sequence[DependencyChange]) -> Told:
    for each in dependencies:
        name = visible_name(each.name)
        if each.old is None:
            yield f"+ {name} {each.new}", "green"
        elif each.new is None:
            yield f"- {name} {each.old}", "red"
        else:
            how = f" ({each.move})" if each.move is not None else ""
            locked = f", locked {each.old_locked} -> {each.new_locked}" if each.old_locked != each.new_locked else ""
            ranges = f"{each.old} -> {each.new}" if each.old != each.new else f"{each.old}"
            yield f"~ {name} {ranges}{locked}{how}", "yellow"
            for field_ in each.fields:
                yield f"    {field_.field}: {visible_name(field_.old)} -> {visible_name(field_.new)}", "yellow"


def _fields(found: Comparison) -> Told:
    for each in found.fields:
        sign, colour = ("+", "green") if not each.old else ("-", "red") if not each.new else ("~", "yellow")
        said = " -> ".join(visible_name(text) for text in (each.old, each.new) if text)
        yield f"{sign} {visible_name(each.field)}: {said}", colour


def _crds(found: Comparison) -> Told:
    for change in found.crds.changes:
        name = visible_name(f"{change.name} {change.version}".strip())
        if change.old is None or change.new is None:
            yield (f"+ {name}", "green") if change.old is None else (f"- {name}", "red")
            continue
        yield f"~ {name}{', may break' if change.breaks else ''}", "yellow"
        for each in change.fields:
            sign, colour = ("+", "green") if each.old is None else ("-", "red") if each.new is None else ("~", "yellow")
            said = " -> ".join(_crd_field(side) for side in (each.old, each.new) if side is not None)
            yield f"    {sign} {visible_name(each.path)}: {said}", colour
    for path in found.crds.unread:
        yield f"  not read field by field: {visible_name(path)}", None


def _crd_field(each: CrdField) -> str:
    return f"{each.kind or 'anything'}{', required' if each.required else ''}"


def _files(files: Sequence[FileChange], lines: LineComparer) -> Told:
    for file in files:
        name = visible_name(file.path)
        was = visible_name(file.old.path) if file.old is not None else name
        found = lines.compare(file)
        if found is None or file.is_same:
            yield f"  {name}: {_sides(file)}", None
            continue
        yield f"--- {was if file.became is not Became.ADDED else '/dev/null'}", "red"
        yield f"+++ {name if file.became is not Became.REMOVED else '/dev/null'}", "green"
        for part in found.parts():
            if part.folded:
                continue
            yield _heading(part), "cyan"
            for line in hunk_lines(found, part):
                yield line.removesuffix("\n"), _OF_LINES.get(line[0])
                if not line.endswith("\n"):
                    yield "\\ No newline at end of file", None


def _heading(part: Part) -> str:
    """Return the line above a hunk, in the form of `diff -u`."""
    old, new = part.old_to - part.old_from, part.new_to - part.new_from
    return f"@@ -{part.old_from + (old > 0)},{old} +{part.new_from + (new > 0)},{new} @@"


def _sides(file: FileChange) -> str:
    if file.is_same:
        return f"was {visible_name(file.old.path)}" if file.old is not None else ""
    told = [f"{shown_size(side.size)} sha256:{digest(side)[:_ABBREVIATED]}" for side in (file.old, file.new) if side]
    return f"{file.became.value}, {' -> '.join(told)}"
