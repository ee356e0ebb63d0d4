"""The annotations of Artifact Hub in Chart.yaml, read.

What each means is in Artifact Hub's documentation (https://artifacthub.io/docs/topics/annotations/helm/). Most are YAML
inside a text, written by hand and checked by nobody before: what cannot be read is left out, and `problems` says so.
All is bounded, and every address is one that a page may link to.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple, TypeVar

import yaml

from chartrepo.core import weblinks
from chartrepo.core.scalars import InvalidYamlError, Scalar, is_json, text_of
from chartrepo.core.yaml11 import Budget, Value, describe, load

Annotations = Mapping[str, str]
"""As Chart.yaml has them: all texts."""

PREFIX: Final = "artifacthub.io/"

MOST_ITEMS: Final = 200
"""Entries of one annotation that are read; of a longer list the rest is left out."""
LONGEST_TEXT: Final = 2_000
"""Characters of one text in an entry."""
_LONGEST_WORD: Final = 200
_LARGEST: Final = 256 * 1024
"""Characters of an annotation that is read."""
_MOST_NODES: Final = 5_000
_DEEPEST: Final = 40

KINDS: Final = ("added", "changed", "deprecated", "removed", "fixed", "security")
"""What a change can be."""
CATEGORIES: Final = {
    "ai-machine-learning": "AI and machine learning",
    "database": "Database",
    "integration-delivery": "Integration and delivery",
    "monitoring-logging": "Monitoring and logging",
    "networking": "Networking",
    "security": "Security",
    "storage": "Storage",
    "streaming-messaging": "Streaming and messaging",
}
"""What a chart can be for, and how that is written."""
CAPABILITIES: Final = ("Basic Install", "Seamless Upgrades", "Full Lifecycle", "Deep Insights", "Auto Pilot")
"""Levels of what an operator can do, the lowest first."""


class Link(NamedTuple):
    """A link with a name."""

    name: str
    url: str


class Change(NamedTuple):
    """What a version changes.

    Attributes:
        kind: one of `KINDS`; empty where none is said.
        description: in words.
        links: to more about it.
    """

    kind: str
    description: str
    links: tuple[Link, ...] = ()


class Image(NamedTuple):
    """A container image that a chart uses.

    Attributes:
        name: what it is called in the chart; empty where nothing is said.
        image: its reference, as `repo/app:1.0.0`.
        whitelisted: whether it is not to be scanned.
        platforms: as `linux/amd64`.
    """

    name: str
    image: str
    whitelisted: bool = False
    platforms: tuple[str, ...] = ()


class Crd(NamedTuple):
    """A custom resource definition that a chart brings."""

    kind: str
    version: str
    name: str
    display_name: str = ""
    description: str = ""


class CrdExample(NamedTuple):
    """An example of a custom resource.

    Attributes:
        kind: of the resource.
        api_version: of the resource.
        name: of the example.
        value: all of it; `as_yaml` writes it down.
    """

    kind: str
    api_version: str
    name: str
    value: Value


class Maintainer(NamedTuple):
    """Somebody who looks after a chart."""

    name: str
    email: str


class Screenshot(NamedTuple):
    """A picture of the application, which lies elsewhere."""

    title: str
    url: str


class SignKey(NamedTuple):
    """The key that a package was signed with, as its publisher says.

    Attributes:
        fingerprint: in hexadecimal digits.
        url: where the public key is; empty where nothing is said.
    """

    fingerprint: str
    url: str


# ---- lists


def changes(annotations: Annotations) -> tuple[Change, ...]:
    """Return what a version changes, from texts or mappings."""
    return _items(annotations, "changes", _change)


def images(annotations: Annotations) -> tuple[Image, ...]:
    """Return the container images that a chart says it uses."""
    return _items(annotations, "images", _image)


def crds(annotations: Annotations) -> tuple[Crd, ...]:
    """Return the custom resource definitions that a chart says it brings."""
    return _items(annotations, "crds", _crd)


def crd_examples(annotations: Annotations) -> tuple[CrdExample, ...]:
    """Return examples of custom resources."""
    return _items(annotations, "crdsExamples", _crd_example)


def links(annotations: Annotations) -> tuple[Link, ...]:
    """Return named links."""
    return _items(annotations, "links", _link)


def maintainers(annotations: Annotations) -> tuple[Maintainer, ...]:
    """Return who looks after the chart, in addition to Chart.yaml's, or under another name."""
    return _items(annotations, "maintainers", _maintainer)


def recommendations(annotations: Annotations) -> tuple[str, ...]:
    """Return addresses of charts that go well with this one."""
    return _items(annotations, "recommendations", _recommendation)


def screenshots(annotations: Annotations) -> tuple[Screenshot, ...]:
    """Return pictures of the application, which lie elsewhere."""
    return _items(annotations, "screenshots", _screenshot)


# ---- single ones


def sign_key(annotations: Annotations) -> SignKey | None:
    """Return the key that the package was signed with, as its publisher says; None where nothing is said."""
    value = _read(annotations, "signKey")
    if not isinstance(value, dict):
        return None
    fingerprint = _word(value.get("fingerprint"))
    return SignKey(fingerprint, _address(value.get("url"))) if fingerprint else None


def licence(annotations: Annotations) -> str:
    """Return the identifier of the chart's licence (SPDX); empty where nothing is said."""
    return _single(annotations, "license")


def category(annotations: Annotations) -> str:
    """Return what the chart is for, as people write it; empty where nothing is said that is known."""
    return CATEGORIES.get(_single(annotations, "category"), "")


def alternative_name(annotations: Annotations) -> str:
    """Return what else the chart is called; empty where nothing is said."""
    return _single(annotations, "alternativeName")


def operator_capabilities(annotations: Annotations) -> str:
    """Return what the operator can do, one of `CAPABILITIES`; empty where none of these is said."""
    said = _single(annotations, "operatorCapabilities").lower()
    return next((level for level in CAPABILITIES if level.lower() == said), "")


def is_operator(annotations: Annotations, name: str = "") -> bool:
    """Return whether a chart is an operator: it says so, or says nothing and has the word in its name."""
    said = _boolean(annotations, "operator")
    return said if said is not None else "operator" in name.lower()


def is_prerelease(annotations: Annotations) -> bool:
    """Return whether a version says of itself that it is a prerelease."""
    return _boolean(annotations, "prerelease") is True


def contains_security_updates(annotations: Annotations) -> bool:
    """Return whether a version says of itself that it has security updates."""
    return _boolean(annotations, "containsSecurityUpdates") is True


# ---- what is wrong, and writing down


def problems(annotations: Annotations) -> tuple[str, ...]:
    """Return a sentence for each annotation that cannot be read, or only in part."""
    return tuple(
        f"{PREFIX}{name} {problem}"
        for name, shape in _SHAPES.items()
        if f"{PREFIX}{name}" in annotations and (problem := _problem(annotations, name, shape))
    )


def as_yaml(value: Value) -> str:
    """Write a value down as YAML, as `CrdExample.value`."""
    return yaml.dump(_plain(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False)


# ---- entries


def _change(item: Value) -> Change | None:
    if not isinstance(item, dict):
        return Change("", text) if (text := _text(item)) else None
    description = _text(item.get("description"))
    if not description:
        return None
    kind = _word(item.get("kind")).lower()
    more = item.get("links")
    found = [_link(each) for each in more[:MOST_ITEMS]] if isinstance(more, list) else []
    return Change(kind if kind in KINDS else "", description, tuple(each for each in found if each))


def _image(item: Value) -> Image | None:
    if not isinstance(item, dict):
        return Image("", text) if isinstance(item, str) and (text := _word(item)) else None
    image = _word(item.get("image"))
    if not image:
        return None
    platforms = item.get("platforms")
    named = [_word(each) for each in platforms[:MOST_ITEMS]] if isinstance(platforms, list) else []
    return Image(
        _word(item.get("name")),
        image,
        whitelisted=_word(item.get("whitelisted")).lower() == "true",
        platforms=tuple(filter(None, named)),
    )


def _crd(item: Value) -> Crd | None:
    if not isinstance(item, dict):
        return None
    kind = _word(item.get("kind"))
    if not kind:
        return None
    return Crd(
        kind,
        _word(item.get("version")),
        _word(item.get("name")),
        _word(item.get("displayName")),
        _text(item.get("description")),
    )


def _crd_example(item: Value) -> CrdExample | None:
    if not isinstance(item, dict):
        return None
    metadata = item.get("metadata")
    name = _word(metadata.get("name")) if isinstance(metadata, dict) else ""
    kind = _word(item.get("kind"))
    return CrdExample(kind, _word(item.get("apiVersion")), name, item) if kind else None


def _link(item: Value) -> Link | None:
    if not isinstance(item, dict):
        return None
    url = _address(item.get("url"))
    return Link(_word(item.get("name")) or url, url) if url else None


def _maintainer(item: Value) -> Maintainer | None:
    if not isinstance(item, dict):
        return None
    name, email = _word(item.get("name")), _word(item.get("email"))
    return Maintainer(name or email, email) if name or email else None


def _recommendation(item: Value) -> str | None:
    return (_address(item.get("url")) if isinstance(item, dict) else _address(item)) or None


def _screenshot(item: Value) -> Screenshot | None:
    if not isinstance(item, dict):
        return None
    url = _address(item.get("url"))
    return Screenshot(_word(item.get("title")) or url, url) if url else None


# ---- reading

_Item = TypeVar("_Item")


def _items(annotations: Annotations, name: str, read: Callable[[Value], _Item | None]) -> tuple[_Item, ...]:
    value = _read(annotations, name)
    found: Iterator[_Item | None] = map(read, value[:MOST_ITEMS]) if isinstance(value, list) else iter(())
    return tuple(item for item in found if item is not None)


def _read(annotations: Annotations, name: str) -> Value | None:
    """What an annotation holds; None where it is not there, or cannot be read."""
    try:
        return _parsed(annotations.get(f"{PREFIX}{name}", ""))
    except InvalidYamlError:
        return None


def _parsed(text: str) -> Value | None:
    if not text.strip():
        return None
    if len(text) > _LARGEST:
        raise InvalidYamlError(f"is longer than the {_LARGEST} characters that are read")
    return load(text.encode("utf-8", "replace"), Budget(_MOST_NODES, _DEEPEST))


def _problem(annotations: Annotations, name: str, shape: Callable[[Value], object] | None) -> str:
    try:
        value = _parsed(annotations[f"{PREFIX}{name}"])
    except InvalidYamlError as error:
        return f"cannot be read: {error}"
    if value is None:
        return ""
    if shape is None:
        return "" if isinstance(value, dict) else f"holds {describe(value)} where a mapping belongs"
    if not isinstance(value, list):
        return f"holds {describe(value)} where a list belongs"
    if len(value) > MOST_ITEMS:
        return f"has {len(value)} entries, of which {MOST_ITEMS} are read"
    wrong = next((number for number, item in enumerate(value, 1) if shape(item) is None), 0)
    return f"has an entry that cannot be read: number {wrong}" if wrong else ""


_SHAPES: Final[Mapping[str, Callable[[Value], object] | None]] = {
    "changes": _change,
    "crds": _crd,
    "crdsExamples": _crd_example,
    "images": _image,
    "links": _link,
    "maintainers": _maintainer,
    "recommendations": _recommendation,
    "screenshots": _screenshot,
    "signKey": None,
}
"""How an entry of each list is read; None for a mapping."""


def _text(value: Value | None, longest: int = LONGEST_TEXT) -> str:
    """A text, whatever scalar it was written as; empty for anything else."""
    if isinstance(value, Scalar):
        value = text_of(value) if is_json(value) else ""
    if not isinstance(value, str):
        return ""
    value = value.strip()
    return value if len(value) <= longest else f"{value[:longest].rstrip()}…"


def _word(value: Value | None) -> str:
    """A text on one line."""
    return " ".join(_text(value, _LONGEST_WORD).split())


def _address(value: Value | None) -> str:
    return weblinks.checked(value) or "" if isinstance(value, str) else ""


def _single(annotations: Annotations, name: str) -> str:
    return _word(annotations.get(f"{PREFIX}{name}"))


_BOOLEANS: Final = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
"""As Go's `strconv.ParseBool` has them, which Artifact Hub reads them with."""


def _boolean(annotations: Annotations, name: str) -> bool | None:
    return _BOOLEANS.get(_single(annotations, name))


# ---- writing


class _Dumper(yaml.SafeDumper):
    """Writes lists below keys with an indent and texts of several lines as blocks, and no aliases."""

    def ignore_aliases(self, data: object) -> bool:
        """Tell to write everything out."""
        _ = data
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002 - PyYAML's
        """Indent lists too."""
        _ = indentless
        super().increase_indent(flow, indentless=False)


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _block)


def _plain(value: Value) -> object:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.value if isinstance(value, Scalar) else value
