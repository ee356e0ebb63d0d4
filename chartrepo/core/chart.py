"""Chart.yaml: what Helm reads in it, what it refuses, and the chart version that comes of it.

The rules are those of Helm's `chart.Metadata` and its `Validate`, the same in Helm 3 and 4.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, Final

from chartrepo.core import versions
from chartrepo.core.errors import InvalidVersion
from chartrepo.core.fields import (
    Complaints,
    Table,
    anything,
    boolean,
    decode,
    list_of,
    moment,
    nullable,
    text,
    texts_by_key,
)
from chartrepo.core.messages import shown
from chartrepo.core.scalars import Scalar, text_of
from chartrepo.core.yaml11 import Value

CHART_YAML: Final = "Chart.yaml"
REQUIREMENTS_YAML: Final = "requirements.yaml"

MAX_FILE_NAME: Final = 240
"""In bytes. File systems stop at 255, and a provenance file's name and a temporary one are longer."""

STATE_PREFIX: Final = ".chartrepo"
"""What the server keeps for itself beside the packages begins so."""


@dataclass(frozen=True, slots=True)
class ChartVersion:
    """A version of a chart, as Helm reads it out of a package.

    Attributes:
        name: the chart's name.
        version: as it was written, `v1.2.3` and `1.2.3+build` included.
        metadata: what Helm writes of it into an index: JSON values under Helm's names and in its order, empty ones
            left out.
    """

    name: str
    version: str
    metadata: Mapping[str, Any]

    @property
    def file(self) -> str:
        """The package's file name. Two charts may have one in common: `a` 1-2.0 and `a-1` 2.0."""
        return f"{self.name}-{self.version}.tgz"

    @property
    def app_version(self) -> str:
        """The version of what the chart installs; empty where it says none."""
        return str(self.metadata.get("appVersion", ""))

    @property
    def description(self) -> str:
        """One line about the chart; empty where it has none."""
        return str(self.metadata.get("description", ""))

    @property
    def keywords(self) -> tuple[str, ...]:
        """Words to find the chart by."""
        return tuple(self.metadata.get("keywords", ()))


UNNAMED: Final = "(a dependency without a name)"
"""What such a one is called. Helm takes it for one that is missing, since no chart has its name."""


class Draft:
    """A chart's metadata while its files are read: Chart.yaml, and what else Helm decodes over it."""

    def __init__(self, folder: str = "") -> None:
        """Begin with nothing. `folder` is where the chart lies inside the package, for messages: `charts/db/`."""
        self._folder = folder
        self._fields: dict[str, Any] = {}
        self._complaints = Complaints(folder + CHART_YAML)
        self._reread: dict[str, Scalar] = {}

    def read_chart_yaml(self, document: Value) -> None:
        """Take in the document of a Chart.yaml; a second one decodes over the first, as in Helm."""
        self._read(document, CHART_YAML)
        if not self._fields.get("apiVersion"):
            self._fields["apiVersion"] = "v1"

    def read_requirements(self, document: Value) -> list[str]:
        """Take in the document of a requirements.yaml, which Helm decodes over all of the metadata.

        Returns:
            The fields other than the dependencies that it changed.
        """
        before = dict(self._fields)
        self._read(document, REQUIREMENTS_YAML)
        names = self._fields.keys() | before.keys()
        return sorted(n for n in names - {"dependencies"} if self._fields.get(n) != before.get(n))

    def _read(self, document: Value, file: str) -> None:
        if isinstance(document, dict):
            for name in ("name", "version"):
                value = document.get(name)
                if isinstance(value, Scalar) and value.value is not None and text_of(value) != value.text:
                    self._reread[name] = value
        self._complaints.file = self._folder + file
        self._fields = decode(_METADATA, document, self._fields, "", self._complaints)

    @property
    def name(self) -> str:
        """What the chart calls itself, once there are no problems."""
        return str(self._fields["name"])

    @property
    def dependencies(self) -> list[str]:
        """The names of the charts that it depends on, each once, once there are no problems; `UNNAMED` for none."""
        return [*dict.fromkeys(each.get("name") or UNNAMED for each in self._fields.get("dependencies", ()))]

    @property
    def is_library(self) -> bool:
        """Whether nobody installs it."""
        return self._fields.get("type") == "library"

    def problems(self) -> list[str]:
        """Sanitise the texts and return what Helm refuses, in its order: wrong types, then what `Validate` finds."""
        self._sanitise()
        rules = (_check_api_version, _check_name, _check_version, _check_type, _check_maintainers, _check_dependencies)
        file = self._folder + CHART_YAML
        return [
            *self._complaints.messages,
            *(f"{file}: {found}" for rule in rules for found in rule(self._fields, self._complaints.fields)),
        ]

    def problems_of_installing(self) -> list[str]:
        """What Helm 4 asks of the chart that is installed, though not of its subcharts."""
        stated = self._fields.get("apiVersion", "")
        if stated in ("", "v1", "v2"):
            return []
        return [f"{self._folder}{CHART_YAML}: apiVersion {shown(stated)} is not known to Helm 4: write v2"]

    def reservations(self) -> Iterator[str]:
        """What Helm takes but nobody means, once there are no problems."""
        name, version = self._fields["name"], self._fields["version"]
        for field, scalar in self._reread.items():
            yield (
                f"{CHART_YAML}: {field} {shown(scalar.text)} is written without quotes, so that Helm reads it as "
                f"{shown(text_of(scalar))}: put it in quotes"
            )
        if name.startswith(STATE_PREFIX):
            yield f"{CHART_YAML}: name {shown(name)} begins as the server's own files do: choose another"
        if "\\" in name:
            yield f"{CHART_YAML}: name {shown(name)} has a backslash, which parts folders on Windows: leave it out"
        length = len(f"{name}-{version}.tgz".encode())
        if length > MAX_FILE_NAME:
            yield (
                f"{CHART_YAML}: name {shown(name)} and version {shown(version)} make a file name of {length} "
                f"bytes, and {MAX_FILE_NAME} is the most: shorten them"
            )

    def finish(self) -> ChartVersion:
        """The chart version, once there are no problems."""
        metadata = _in_order(self._fields, _METADATA)
        if "maintainers" in metadata:
            metadata["maintainers"] = [_in_order(one, _MAINTAINER) for one in metadata["maintainers"]]
        if "dependencies" in metadata:
            metadata["dependencies"] = [
                _in_order({"name": "", "repository": "", **one}, _DEPENDENCY, always=("name", "repository"))
                for one in metadata["dependencies"]
            ]
        if "annotations" in metadata:
            metadata["annotations"] = dict(sorted(metadata["annotations"].items()))
        return ChartVersion(metadata["name"], metadata["version"], metadata)

    def _sanitise(self) -> None:
        _sanitise(self._fields, _SANITISED)
        for maintainer in filter(None, self._fields.get("maintainers", ())):
            _sanitise(maintainer, _MAINTAINER)
        for dependency in filter(None, self._fields.get("dependencies", ())):
            _sanitise(dependency, _SANITISED_IN_DEPENDENCY)


def lock_problems(document: Value, file: str) -> list[str]:
    """What Helm refuses in a Chart.lock or requirements.lock, which it reads but compares with nothing on loading."""
    complaints = Complaints(file)
    decode(_LOCK, document, {}, "", complaints)
    return complaints.messages


_texts = list_of(text, "")
_MAINTAINER: Final = Table({"name": text, "email": text, "url": text})
_DEPENDENCY: Final = Table(
    {
        "name": text,
        "version": text,
        "repository": text,
        "condition": text,
        "tags": _texts,
        "enabled": boolean,
        "import-values": list_of(anything, None),
        "alias": text,
    }
)
_dependencies = list_of(nullable(_DEPENDENCY), None)
_METADATA: Final = Table(
    {
        "name": text,
        "home": text,
        "sources": _texts,
        "version": text,
        "description": text,
        "keywords": _texts,
        "maintainers": list_of(nullable(_MAINTAINER), None),
        "icon": text,
        "apiVersion": text,
        "condition": text,
        "tags": text,
        "appVersion": text,
        "deprecated": boolean,
        "annotations": texts_by_key,
        "kubeVersion": text,
        "dependencies": _dependencies,
        "type": text,
    }
)
_LOCK: Final = Table({"generated": moment, "digest": text, "dependencies": _dependencies})

_SANITISED: Final = frozenset(
    ("name", "description", "home", "icon", "condition", "tags", "appVersion", "kubeVersion", "sources", "keywords")
)
_SANITISED_IN_DEPENDENCY: Final = frozenset(("name", "version", "repository", "condition", "tags"))


def _sanitise(fields: dict[str, Any], names: Iterable[str]) -> None:
    for name in names:
        value = fields.get(name)
        if isinstance(value, list):
            fields[name] = [_sanitised(item) for item in value]
        elif value:
            fields[name] = _sanitised(value)


def _sanitised(text: str) -> str:
    """`text` as Helm cleans it: a blank for any white space, nothing for what cannot be printed."""
    if text.isprintable():
        return text
    blanks = (" " if character.isspace() and character not in _NO_SPACE_IN_GO else character for character in text)
    return "".join(filter(str.isprintable, blanks))


_NO_SPACE_IN_GO: Final = "\x1c\x1d\x1e\x1f"


def _in_order(fields: Mapping[str, Any], table: Table, always: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields that hold something, and those of `always`, in the order of the table."""
    return {name: fields[name] for name in table if fields.get(name) or name in always}


# The rules of `Validate`, in its order. A field whose value did not fit is not called missing as well.


def _check_api_version(fields: Mapping[str, Any], _: Set[str]) -> Iterator[str]:
    if not fields.get("apiVersion"):
        yield "apiVersion is missing: write apiVersion: v2"


def _check_name(fields: Mapping[str, Any], unfit: Set[str]) -> Iterator[str]:
    name = fields.get("name", "")
    if not name:
        if "name" not in unfit:
            yield "name is missing: write name: and the chart's name"
    elif name in (".", "..") or "/" in name:
        yield f"name {shown(name)} names a folder: use letters, digits and '-', without '/'"


def _check_version(fields: Mapping[str, Any], unfit: Set[str]) -> Iterator[str]:
    version = fields.get("version", "")
    if not version:
        if "version" not in unfit:
            yield "version is missing: write three numbers, as version: 1.2.3"
        return
    try:
        versions.check(version)
    except InvalidVersion as error:
        yield f"version {error}"


def _check_type(fields: Mapping[str, Any], _: Set[str]) -> Iterator[str]:
    kind = fields.get("type", "")
    if kind not in ("", "application", "library"):
        yield f"type {shown(kind)} is not known: write application or library, in small letters"


def _check_maintainers(fields: Mapping[str, Any], _: Set[str]) -> Iterator[str]:
    for number, maintainer in enumerate(fields.get("maintainers", ())):
        if maintainer is None:
            yield f"maintainers[{number}] is empty: write a name, or leave the item out"


def _check_dependencies(fields: Mapping[str, Any], _: Set[str]) -> Iterator[str]:
    seen = set()
    for number, dependency in enumerate(fields.get("dependencies", ())):
        where = f"dependencies[{number}]"
        if dependency is None:
            yield f"{where} is empty: write a name, a version and a repository, or leave the item out"
            continue
        name, alias = dependency.get("name", ""), dependency.get("alias", "")
        if alias and not _ALIAS.fullmatch(alias):
            yield f"{where}.alias {shown(alias)} of {shown(name)} cannot be used: take letters, digits, '_' and '-'"
        key = alias or name
        if key in seen:
            yield f"{where} is the second with the name or alias {shown(key)}: give it an alias of its own"
        seen.add(key)


_ALIAS: Final = re.compile("[a-zA-Z0-9_-]+")
