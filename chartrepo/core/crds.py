"""Custom resource definitions in charts: which there are, and the fields of one.

Definitions are large (some have 700 KiB), so that a list of them is made from the lines that tell, and only the one
that is looked at is read as a whole. Those among templates are read as if no action were in them.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from chartrepo.core.errors import PackageRefused
from chartrepo.core.scalars import InvalidYamlError, Scalar
from chartrepo.core.yaml11 import Budget, Value, load

MARK: Final = "CustomResourceDefinition"
_SEPARATOR: Final = re.compile(r"^---.*$", re.MULTILINE)
_IS_ONE: Final = re.compile(r"^kind:[ \t]*[\"']?CustomResourceDefinition[\"']?[ \t]*\r?$", re.MULTILINE)
_SPEC: Final = re.compile(r"^spec:[ \t]*\r?$", re.MULTILINE)
_NAMES: Final = re.compile(r"^  names:[ \t]*\r?\n((?:    .*\n)*)", re.MULTILINE)
_KIND: Final = re.compile(r"^    kind:[ \t]*(.+)$", re.MULTILINE)
_GROUP: Final = re.compile(r"^  group:[ \t]*(.+)$", re.MULTILINE)
_SCOPE: Final = re.compile(r"^  scope:[ \t]*(.+)$", re.MULTILINE)
_OLD_VERSION: Final = re.compile(r"^  version:[ \t]*(.+)$", re.MULTILINE)
_VERSIONS: Final = re.compile(r"^  versions:[ \t]*\r?\n( +)- ", re.MULTILINE)
_ACTION_LINE: Final = re.compile(r"^[ \t]*\{\{.*\}\}[ \t]*\r?$", re.MULTILINE)
_ACTION: Final = re.compile(r"\{\{[^{}]{0,500}\}\}")
_MOST_DEFINITIONS: Final = 400
_MOST_VERSIONS: Final = 20
_LONGEST_NAME: Final = 200
_MOST_NODES: Final = 150_000
_DEEPEST: Final = 100
_MOST_FIELDS: Final = 400
_MOST_CHARACTERS: Final = 80_000
_LONGEST_TEXT: Final = 600


class Summary(NamedTuple):
    """A definition in a file.

    Attributes:
        path: of the file.
        place: which of the file's documents it is, from 0.
        kind: of the resources.
        group: they belong to.
        versions: they have.
        scope: `Namespaced` or `Cluster`.
        templated: whether it lies among templates.
    """

    path: str
    place: int
    kind: str
    group: str
    versions: tuple[str, ...]
    scope: str
    templated: bool

    @property
    def installed(self) -> bool:
        """Whether Helm itself installs it."""
        return is_installed(self.path)


@dataclass(slots=True)
class Field:
    """A field of a resource.

    Attributes:
        name: of it.
        path: from the top, as `spec.replicas`.
        type: as `string` or `array of object`.
        required: whether it must be there.
        description: in words, cut where it is long.
        choices: what it can be.
        default: as text; empty for none.
        below: fields of it.
        more: whether it has fields that are left out here.
    """

    name: str
    path: str
    type: str
    required: bool
    description: str
    choices: tuple[str, ...]
    default: str
    below: "list[Field]" = field(default_factory=list)
    more: bool = False


class Version(NamedTuple):
    """A version of a definition."""

    name: str
    served: bool
    storage: bool
    deprecated: bool
    columns: tuple[str, ...]


class Definition(NamedTuple):
    """A definition, read as a whole.

    Attributes:
        name: as `prometheuses.monitoring.coreos.com`.
        plural: as commands name the resources.
        short: what else they are called.
        versions: all of them.
        version: whose fields these are.
        description: of the resource.
        fields: of the resource, or those below the one that was asked for.
        at: the path of that one; empty for the top.
    """

    name: str
    plural: str
    short: tuple[str, ...]
    versions: tuple[Version, ...]
    version: str
    description: str
    fields: tuple[Field, ...]
    at: str


def is_installed(path: str) -> bool:
    """Return whether Helm installs the definitions in a file: it lies in crds/, of the chart or of one in charts/."""
    return _inside(path).startswith("crds/") and may_hold_definitions(path)


def is_said_to_hold_definitions(path: str) -> bool:
    """Return whether a file is where charts keep definitions: in a folder `crds`, also of templates or a chart inside.

    Many do so to upgrade them, which Helm never does with those in crds/: Argo CD has templates/crds/, Kyverno and
    kube-prometheus-stack a chart of that name.
    """
    top, *others = path.split("/")[:-1] or [""]
    return may_hold_definitions(path) and (top == "crds" or (top in ("templates", "charts") and "crds" in others))


def is_templated(path: str) -> bool:
    """Return whether Helm renders a file: it lies in templates/, of the chart or of one in charts/."""
    return _inside(path).startswith("templates/")


def _inside(path: str) -> str:
    """The path in the innermost chart that it names."""
    while path.startswith("charts/") and path.count("/") > 1:
        path = path.split("/", 2)[2]
    return path


def may_hold_definitions(path: str) -> bool:
    """Return whether definitions are looked for in a file."""
    return path.lower().endswith((".yaml", ".yml", ".json"))


def find_definitions(path: str, text: str, *, templated: bool) -> list[Summary]:
    """Return the definitions in a file, read from the lines that tell."""
    if MARK not in text:
        return []
    found: list[Summary] = []
    for place, document in enumerate(_documents(text)):
        if len(found) >= _MOST_DEFINITIONS:
            break
        if _IS_ONE.search(document):
            found.append(_summary(path, place, document, templated=templated))
        elif MARK in document and not templated and document.lstrip().startswith("{"):
            read = _loaded(document)
            if read is not None and read.get("kind") == MARK:
                found.append(_summary_of(path, place, read))
    return found


def read_definition(text: str, place: int, *, version: str = "", at: str = "", templated: bool) -> Definition:
    """Read one definition of a file.

    Args:
        text: of the file.
        place: which of its documents.
        version: whose fields to give; the stored one's where there is none of that name.
        at: the path of a field below which to begin.
        templated: whether actions of templates are in it.

    Raises:
        PackageRefused: it cannot be read, or is too large.
    """
    document = next((each for number, each in enumerate(_documents(text)) if number == place), "")
    if templated:
        document = _ACTION.sub("x", _ACTION_LINE.sub("", document))
    root = _loaded(document)
    spec = _mapping(root, "spec")
    if root is None or not spec:
        raise PackageRefused("the definition cannot be read: look at its file")
    names = _mapping(spec, "names")
    listed = _versions_of(spec)
    chosen = next((each for each in listed if each[0].name == version), None)
    chosen = chosen or next((each for each in listed if each[0].storage), None) or (listed[0] if listed else None)
    schema = chosen[1] if chosen else {}
    description = _text(schema.get("description"))
    where, begin = _descend(schema, at)
    return Definition(
        _text(_mapping(root, "metadata").get("name")),
        _text(names.get("plural")),
        tuple(_text(each) for each in _list(names, "shortNames")[:_MOST_VERSIONS]),
        tuple(each[0] for each in listed),
        chosen[0].name if chosen else "",
        description,
        tuple(_fields(begin, where)),
        where,
    )


# ---- a list of them


def _documents(text: str) -> Iterator[str]:
    begin = 0
    for mark in _SEPARATOR.finditer(text):
        if text[begin : mark.start()].strip():
            yield text[begin : mark.start()]
        begin = mark.end()
    if text[begin:].strip():
        yield text[begin:]


def _summary(path: str, place: int, document: str, *, templated: bool) -> Summary:
    spec = _SPEC.search(document)
    begin = spec.end() if spec else 0
    names = _NAMES.search(document, begin)
    kind = _KIND.search(names[1]) if names else None
    versions = _names_of_versions(document, begin)
    found = Summary(
        path,
        place,
        _word(kind),
        _word(_GROUP.search(document, begin)),
        versions or tuple(filter(None, (_word(_OLD_VERSION.search(document, begin)),))),
        _word(_SCOPE.search(document, begin)),
        templated,
    )
    if not found.kind and not templated:
        read = _loaded(document)
        return _summary_of(path, place, read) if read is not None else found
    return found


def _names_of_versions(document: str, begin: int) -> tuple[str, ...]:
    listed = _VERSIONS.search(document, begin)
    if listed is None:
        return ()
    indent = len(listed[1])
    names = re.compile(rf"^(?: {{{indent}}}- | {{{indent + 2}}})name:[ \t]*(.+)$|^(?=[^ \n#-])", re.MULTILINE)
    found: dict[str, None] = {}
    for match in names.finditer(document, listed.start(1)):
        if match[1] is None:
            break
        found[_word(match)] = None
        if len(found) >= _MOST_VERSIONS:
            break
    return tuple(found)


def _summary_of(path: str, place: int, read: Mapping[str, Value]) -> Summary:
    spec = _mapping(read, "spec")
    return Summary(
        path,
        place,
        _text(_mapping(spec, "names").get("kind")),
        _text(spec.get("group")),
        tuple(each[0].name for each in _versions_of(spec)),
        _text(spec.get("scope")),
        templated=False,
    )


def _word(match: re.Match[str] | None) -> str:
    return match[1].strip().strip("\"'")[:_LONGEST_NAME] if match else ""


# ---- one of them


def _loaded(document: str) -> Mapping[str, Value] | None:
    try:
        read = load(document.encode("utf-8", "replace"), Budget(_MOST_NODES, _DEEPEST))
    except InvalidYamlError:
        return None
    return read if isinstance(read, dict) else None


def _versions_of(spec: Mapping[str, Value]) -> list[tuple[Version, Mapping[str, Value]]]:
    found = []
    shared = _mapping(_mapping(spec, "validation"), "openAPIV3Schema")
    for each in _list(spec, "versions")[:_MOST_VERSIONS]:
        if not isinstance(each, dict):
            continue
        columns = tuple(
            _text(column.get("name"))
            for column in _list(each, "additionalPrinterColumns")[:_MOST_VERSIONS]
            if isinstance(column, dict)
        )
        version = Version(
            _text(each.get("name")), _true(each, "served"), _true(each, "storage"), _true(each, "deprecated"), columns
        )
        found.append((version, _mapping(_mapping(each, "schema"), "openAPIV3Schema") or shared))
    if not found and (old := _text(spec.get("version"))):
        found.append((Version(old, served=True, storage=True, deprecated=False, columns=()), shared))
    return found


def _descend(schema: Mapping[str, Value], at: str) -> tuple[str, Mapping[str, Value]]:
    """The schema of the field with a path, and that path; the top where there is none."""
    here = schema
    for name in at.split(".") if at else ():
        properties, _ = _properties(here)
        below = properties.get(name)
        if not isinstance(below, dict):
            return "", schema
        here = below
    return at, here


def _properties(schema: Mapping[str, Value]) -> tuple[Mapping[str, Value], Mapping[str, Value]]:
    """The fields below one, through lists and maps, and the schema that has them."""
    for _ in range(4):
        properties = _mapping(schema, "properties")
        if properties:
            return properties, schema
        schema = _mapping(schema, "items") or _mapping(schema, "additionalProperties")
        if not schema:
            break
    return {}, schema


def _fields(schema: Mapping[str, Value], at: str) -> Iterable[Field]:
    """The fields below a schema, the upper ones first until there are enough."""
    top: list[Field] = []
    left, characters = _MOST_FIELDS, _MOST_CHARACTERS
    waiting: deque[tuple[Mapping[str, Value], str, list[Field], Field | None]] = deque([(schema, at, top, None)])
    while waiting:
        here, path, into, owner = waiting.popleft()
        properties, holder = _properties(here)
        if not properties:
            continue
        if owner is not None and (left < len(properties) or characters <= 0):
            owner.more = True
            continue
        required = {each for each in _list(holder, "required") if isinstance(each, str)}
        for name, each in properties.items():
            if left <= 0:
                break
            if not isinstance(each, dict):
                continue
            below = _field(name, each, path, required=name in required)
            left -= 1
            characters -= len(below.description) + len(below.path) + sum(map(len, below.choices))
            into.append(below)
            waiting.append((each, below.path, below.below, below))
    return top


def _field(name: str, schema: Mapping[str, Value], above: str, *, required: bool) -> Field:
    name = name[:_LONGEST_NAME]
    default = schema.get("default")
    return Field(
        name,
        f"{above}.{name}" if above else name,
        _type(schema),
        required,
        _text(schema.get("description")),
        tuple(_text(each) for each in _list(schema, "enum")[:_MOST_VERSIONS]),
        _text(default) if default is not None else "",
    )


def _type(schema: Mapping[str, Value]) -> str:
    said = _text(schema.get("type"))
    if _true(schema, "x-kubernetes-int-or-string"):
        return "integer or string"
    if said == "array":
        return f"list of {_text(_mapping(schema, 'items').get('type')) or 'anything'}"
    further = _mapping(schema, "additionalProperties")
    if said == "object" and further and not _mapping(schema, "properties"):
        return f"map of {_text(further.get('type')) or 'anything'}"
    form = _text(schema.get("format"))
    return f"{said} ({form})" if said and form else said


def _mapping(value: Value | Mapping[str, Value] | None, name: str) -> Mapping[str, Value]:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, dict) else {}


def _list(value: Mapping[str, Value], name: str) -> list[Any]:
    found = value.get(name)
    return found if isinstance(found, list) else []


def _true(value: Mapping[str, Value], name: str) -> bool:
    found = value.get(name)
    return isinstance(found, Scalar) and found.value is True


def _text(value: object) -> str:
    if isinstance(value, Scalar):
        value = value.text or "null"
    elif isinstance(value, dict):
        value = "{…}" if value else "{}"
    elif isinstance(value, list):
        value = "[…]" if value else "[]"
    if not isinstance(value, str):
        return ""
    return value if len(value) <= _LONGEST_TEXT else f"{value[:_LONGEST_TEXT].rstrip()}…"
