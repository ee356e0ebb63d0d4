"""What differs between the custom resource definitions of two versions: their versions, and the fields of each.

Helm installs those below `crds/`, of the chart and of the charts inside it, and renders none of them, so that they can
be read as they lie. How a definition is built is Kubernetes' `apiextensions.k8s.io/v1`, and `v1beta1`, where one schema
stood for all versions.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from chartrepo.core.archive import Held
from chartrepo.core.scalars import InvalidYamlError, Scalar
from chartrepo.core.yaml11 import Budget, Value, load

MOST_NODES: Final = 400_000
"""YAML values of all definitions that are read."""
_DEEPEST: Final = 100
_MOST_DOCUMENTS: Final = 200
_PATH: Final = re.compile(r"(?:charts/[^/]+/)*crds/.+\.ya?ml", re.IGNORECASE)
_SEPARATOR: Final = re.compile(rb"(?m)^---(?:[ \t].*)?$")
_KIND: Final = "CustomResourceDefinition"
_MOST_OF_PATHS: Final = 8 * 1024 * 1024
"""Characters of all paths of a version: what would be longer is left out."""


class CrdField(NamedTuple):
    """A field of a version.

    Attributes:
        kind: its type; empty where none is said.
        required: whether it has to be there.
    """

    kind: str
    required: bool


@dataclass(frozen=True, slots=True)
class CrdVersion:
    """A version of a resource.

    Attributes:
        served: whether the API server answers for it.
        stored: whether resources are kept in it.
        fields: by path, as `spec.replicas`; items of lists behind `[]`, values by any key behind `{}`.
    """

    served: bool
    stored: bool
    fields: Mapping[str, CrdField]


Crds = Mapping[str, Mapping[str, CrdVersion]]
"""The versions of resources, by the names of their definitions."""


class FieldDiffers(NamedTuple):
    """A field that is otherwise: its path, and how it was and is; None for not at all."""

    path: str
    old: CrdField | None
    new: CrdField | None

    @property
    def breaks(self) -> bool:
        """Whether a resource that was right may be so no more, or loses something."""
        if self.old is None:
            return False  # a field that is demanded of what is new is part of what is new
        return self.new is None or self.old.kind != self.new.kind or (self.new.required and not self.old.required)


@dataclass(frozen=True, slots=True)
class CrdChange:
    """A version of a definition that differs.

    Attributes:
        name: of the definition, as `certificates.cert-manager.io`.
        version: as `v1`; empty where the whole definition came or went.
        old: as it was; None where it was not there.
        new: as it is; None where it is no more.
        fields: that differ.
    """

    name: str
    version: str
    old: CrdVersion | None
    new: CrdVersion | None
    fields: tuple[FieldDiffers, ...] = ()

    @property
    def removed(self) -> list[FieldDiffers]:
        """The fields that are no more."""
        return [field for field in self.fields if field.new is None]

    @property
    def breaks(self) -> bool:
        """Whether resources that were right may be so no more."""
        if self.old is None:
            return False
        if self.new is None or (self.old.served and not self.new.served):
            return True
        return any(field.breaks for field in self.fields)


@dataclass(frozen=True, slots=True)
class CrdComparison:
    """What differs between all definitions.

    Attributes:
        changes: by name and version.
        unread: files that were not read: they are no YAML, or too large together.
    """

    changes: tuple[CrdChange, ...]
    unread: tuple[str, ...]


def is_crd_file(path: str) -> bool:
    """Return whether Helm takes a file for definitions."""
    return _PATH.fullmatch(path) is not None


def compare_crds(old: Mapping[str, Held], new: Mapping[str, Held], alike: Callable[[str], bool]) -> CrdComparison:
    """Compare the definitions of two versions.

    Args:
        old: files of the one by path.
        new: of the other.
        alike: tells by its path whether a file is the same in both, so that it need not be read.
    """
    budget = Budget(nodes=MOST_NODES, depth=_DEEPEST)
    before: dict[str, Mapping[str, CrdVersion]] = {}
    after: dict[str, Mapping[str, CrdVersion]] = {}
    unread: list[str] = []
    for path in sorted(filter(is_crd_file, old.keys() | new.keys())):
        if alike(path):
            continue
        # Both or neither: what only the one could be read of would count as gone.
        read = [_read(files.get(path), budget) for files in (old, new)]
        if read[0] is None or read[1] is None:
            unread.append(path)
            continue
        before |= read[0]
        after |= read[1]
    changes = [change for name in sorted(before.keys() | after.keys()) for change in _definition(name, before, after)]
    return CrdComparison(tuple(changes), tuple(unread))


def _definition(name: str, before: Crds, after: Crds) -> Iterator[CrdChange]:
    old, new = before.get(name), after.get(name)
    if old is None or new is None:
        nothing = CrdVersion(served=False, stored=False, fields={})
        yield CrdChange(name, "", None if old is None else nothing, None if new is None else nothing)
        return
    for version in dict.fromkeys([*old, *new]):
        one, other = old.get(version), new.get(version)
        if one == other:
            continue
        fields = tuple(sorted(_fields(one.fields, other.fields))) if one is not None and other is not None else ()
        yield CrdChange(name, version, one, other, fields)


def _fields(old: Mapping[str, CrdField], new: Mapping[str, CrdField]) -> Iterator[FieldDiffers]:
    """Give the fields that differ; of what came or went with all that is in it, the outermost."""
    for path, field in old.items():
        other = new.get(path)
        if other != field and (other is not None or _parent(path) in new or _parent(path) not in old):
            yield FieldDiffers(path, field, other)
    for path, field in new.items():
        if path not in old and (_parent(path) in old or _parent(path) not in new):
            yield FieldDiffers(path, None, field)


def _parent(path: str) -> str:
    return path.rpartition(".")[0].rstrip("[]{}")


def _read(file: Held | None, budget: Budget) -> Crds | None:
    """Return the definitions in a file; None where it cannot be read."""
    if file is None:
        return {}
    if file.data is None:
        return None
    try:
        documents = [load(data, budget) for data in _SEPARATOR.split(file.data, _MOST_DOCUMENTS) if data.strip()]
    except InvalidYamlError:
        return None
    return dict(filter(None, map(_crd, documents)))


def _crd(document: Value) -> tuple[str, dict[str, CrdVersion]] | None:
    if _text(_get(document, "kind")) != _KIND:
        return None
    name, spec = _text(_get(document, "metadata", "name")), _get(document, "spec")
    if not name:
        return None
    of_all = _get(spec, "validation", "openAPIV3Schema")
    listed = _get(spec, "versions")
    versions = {}
    for each in listed if isinstance(listed, list) else []:
        version = _text(_get(each, "name"))
        if version:
            fields = _all(_get(each, "schema", "openAPIV3Schema") or of_all)
            versions[version] = CrdVersion(_is_true(_get(each, "served")), _is_true(_get(each, "storage")), fields)
    single = _text(_get(spec, "version"))
    if single and not versions:
        versions[single] = CrdVersion(served=True, stored=True, fields=_all(of_all))
    return name, versions


def _get(value: Value | None, *names: str) -> Value | None:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(value: Value | None) -> str:
    return value if isinstance(value, str) else value.text if isinstance(value, Scalar) else ""


def _is_true(value: Value | None) -> bool:
    return isinstance(value, Scalar) and value.value is True


def _all(schema: Value | None) -> dict[str, CrdField]:
    """Return all fields of a schema by their paths."""
    found: dict[str, CrdField] = {}
    left = _MOST_OF_PATHS
    waiting: list[tuple[str, Value | None]] = [("", schema)]
    while waiting:
        path, here = waiting.pop()
        properties = _get(here, "properties")
        if isinstance(properties, dict):
            listed = _get(here, "required")
            required = {_text(each) for each in listed} if isinstance(listed, list) else set()
            for name, below in reversed(properties.items()):
                full = f"{path}.{name}" if path else name
                left -= len(full)
                if left > 0:
                    found[full] = CrdField(_kind(below), name in required)
                    waiting.append((full, below))
        for name, mark in (("items", "[]"), ("additionalProperties", "{}")):
            inside = _get(here, name)
            if isinstance(inside, dict):
                waiting.append((path + mark, inside))
    return found


def _kind(schema: Value) -> str:
    kind = _text(_get(schema, "type"))
    if kind == "array":
        inside = _text(_get(schema, "items", "type"))
        return f"array of {inside}" if inside else kind
    if not kind and _is_true(_get(schema, "x-kubernetes-int-or-string")):
        return "integer or string"
    return kind
