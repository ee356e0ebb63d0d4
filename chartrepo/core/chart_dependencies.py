"""What a chart says of the charts that it depends on, and what of them it brings along."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from chartrepo.core.chart import UNNAMED
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


def missing(metadata: Mapping[str, Any], files: Iterable[str], name_in: Callable[[str], str]) -> tuple[str, ...]:
    """Return the names of the dependencies for want of which Helm refuses to install a chart; none for a library.

    It is what `chartrepo.core.archive.Package.missing` is, found out from a package that was published.

    Args:
        metadata: of the chart.
        files: paths of the package.
        name_in: gives the name that a chart in charts/ has in its Chart.yaml, by what `bundled` calls it; empty where
            that cannot be told, so that it may be any.
    """
    declared = metadata.get("dependencies")
    listed = [each for each in declared if isinstance(each, dict)] if isinstance(declared, list) else []
    if not listed or metadata.get("type") == "library":
        return ()
    bundles = bundled(files)
    there = {name_in(path) for path in bundles}
    if "" in there or len(bundles) >= _MOST:
        return ()
    wanted = dict.fromkeys(_said(each.get("name")) or UNNAMED for each in listed)
    return tuple(name for name in wanted if name not in there)


def name_in_chart_yaml(file: bytes | None) -> str:
    """Return the name in a Chart.yaml; empty where it cannot be told."""
    return _text(_mapping(file).get("name"))


def _bundle(bundles: Iterable[str], name: str, pinned: str) -> str:
    for path in bundles:
        last = path.removeprefix("charts/")
        if last in {name, f"{name}-{pinned}.tgz"}:
            return path
        rest = last.removesuffix(".tgz").removeprefix(f"{name}-")
        if last.endswith(".tgz") and last.startswith(f"{name}-") and rest[:1].isdigit() and not pinned:
            return path
    return ""


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
