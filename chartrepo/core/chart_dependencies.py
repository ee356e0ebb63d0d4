"""What a chart says of the charts that it depends on, and what of them it brings along."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from chartrepo.core.scalars import InvalidYamlError, Scalar, text_of
from chartrepo.core.yaml11 import Budget, Value, load

_MOST: Final = 200
_MOST_NODES: Final = 20_000
_DEEPEST: Final = 40
_LONGEST: Final = 512


class Dependency(NamedTuple):
    """A chart that another one depends on.

    Attributes:
        name: of the chart.
        version: the range that is taken.
        repository: where it comes from.
        condition: values that switch it on or off.
        tags: groups that do.
        alias: what it is called instead.
        pinned: the version that Chart.lock names; empty for none.
        bundled: the path in charts/ where it lies in the package; empty where it does not.
    """

    name: str
    version: str
    repository: str
    condition: str
    tags: tuple[str, ...]
    alias: str
    pinned: str
    bundled: str

    @property
    def bundled_version(self) -> str:
        """The version that the name of the package in charts/ has; empty for a folder, or where Chart.lock says it."""
        name = self.bundled.removeprefix("charts/")
        if not name.endswith(".tgz") or self.pinned:
            return ""
        return name.removesuffix(".tgz").removeprefix(f"{self.name}-")


def read_dependencies(declared: object, lock: bytes | None, files: Iterable[str]) -> list[Dependency]:
    """Return what a chart depends on, in its order.

    Args:
        declared: `dependencies` of its metadata.
        lock: Chart.lock, if it has one.
        files: paths of the package.
    """
    pins = _pins(lock)
    bundles = bundled(files)
    found = []
    for each in declared[:_MOST] if isinstance(declared, list) else ():
        if not isinstance(each, dict):
            continue
        name, version, repository, condition, alias = (
            _said(each.get(field)) for field in ("name", "version", "repository", "condition", "alias")
        )
        pinned = next((pin[1] for pin in pins.get(name, ()) if pin[0] == repository), "")
        pinned = pinned or next((pin[1] for pin in pins.get(name, ())), "")
        tags = each.get("tags")
        found.append(
            Dependency(
                name,
                version,
                repository,
                condition,
                tuple(_said(tag) for tag in tags[:_MOST]) if isinstance(tags, list) else (),
                alias,
                pinned,
                _bundle(bundles, name, pinned),
            )
        )
    return found


def bundled(files: Iterable[str]) -> list[str]:
    """Return what lies in charts/: folders with a Chart.yaml, and packages."""
    found: dict[str, None] = {}
    for path in files:
        folder, _, rest = path.partition("/")
        name, slash, inside = rest.partition("/")
        if folder != "charts" or name.startswith(("_", ".")):
            continue
        if (slash and inside == "Chart.yaml") or (not slash and name.endswith(".tgz")):
            found[f"charts/{name}"] = None
        if len(found) >= _MOST:
            break
    return [*found]


def missing(declared: object, files: Iterable[str], read: Callable[[str], bytes | None]) -> list[str]:
    """Return the names of the dependencies for want of which Helm refuses to install a chart.

    Helm goes by the names that the charts below charts/ give themselves, whatever their versions are and whether they
    are switched on (`action.CheckDependencies`). Packages in charts/ are not opened here: one that by its file name is
    none of the dependencies may be any of them, and then nothing is said to be missing.

    Args:
        declared: `dependencies` of its metadata.
        files: paths of the package.
        read: gives a file of the package, None where it cannot be had.
    """
    listed = [each for each in declared if isinstance(each, dict)] if isinstance(declared, list) else []
    wanted = dict.fromkeys(name for name in (_said(each.get("name")) for each in listed) if name)
    bundles = bundled(files)
    if len(bundles) >= _MOST:
        return []
    for path in bundles:
        last = path.removeprefix("charts/")
        if last.endswith(".tgz"):
            found = [name for name in wanted if last.startswith(f"{name}-")]
        else:
            found = [last if last in wanted else _name_in(read(f"{path}/Chart.yaml"))]
        if not any(found):
            return []
        for name in found:
            wanted.pop(name, None)
    return [*wanted]


def _bundle(bundles: Iterable[str], name: str, pinned: str) -> str:
    for path in bundles:
        last = path.removeprefix("charts/")
        if last in {name, f"{name}-{pinned}.tgz"}:
            return path
        rest = last.removesuffix(".tgz").removeprefix(f"{name}-")
        if last.endswith(".tgz") and last.startswith(f"{name}-") and rest[:1].isdigit() and not pinned:
            return path
    return ""


def _name_in(chart_yaml: bytes | None) -> str:
    """The name in a Chart.yaml; empty where it cannot be told."""
    return _text(_mapping(chart_yaml).get("name"))


def _pins(lock: bytes | None) -> Mapping[str, list[tuple[str, str]]]:
    """By name, the repositories and versions of a Chart.lock."""
    pins: dict[str, list[tuple[str, str]]] = {}
    listed = _mapping(lock).get("dependencies")
    for each in listed[:_MOST] if isinstance(listed, list) else ():
        if isinstance(each, dict):
            pins.setdefault(_text(each.get("name")), []).append(
                (_text(each.get("repository")), _text(each.get("version")))
            )
    return pins


def _mapping(file: bytes | None) -> Mapping[str, Value]:
    """What a file in YAML holds; nothing where that is no mapping."""
    try:
        document = load(file, Budget(_MOST_NODES, _DEEPEST)) if file is not None else None
    except InvalidYamlError:
        return {}
    return document if isinstance(document, dict) else {}


def _text(value: Value | None) -> str:
    if isinstance(value, Scalar):
        return text_of(value)[:_LONGEST]
    return value[:_LONGEST] if isinstance(value, str) else ""


def _said(value: Any) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""
