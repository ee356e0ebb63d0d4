"""Manifests that clients push: what they point at, and whether they are a chart's."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from chartrepo.core import oci
from chartrepo.core.errors import DigestInvalid, ManifestInvalid
from chartrepo.core.messages import shown
from chartrepo.core.oci import Descriptor, Digest

MAX_BYTES: Final = 4 * 1024 * 1024
"""The largest manifest: clients need take none that is larger (distribution specification, "Pushing Manifests")."""

_MAX_DEPTH: Final = 100
_BRACKETS_AND_TEXTS: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
"""A text that never ends is one to the end: to look again behind each of its quotes takes days."""

_IMAGES: Final = frozenset({oci.IMAGE_MANIFEST, oci.DOCKER_MANIFEST})
_LISTS: Final = frozenset({oci.IMAGE_INDEX, oci.DOCKER_LIST})
_ELSEWHERE: Final = re.compile(
    r"application/vnd\.(oci\.image\.layer\.nondistributable\.v1\.|docker\.image\.rootfs\.foreign\.).*"
)
"""Layers that their owners forbid to hand on: they are pointed at and never pushed."""


@dataclass(frozen=True, slots=True)
class ChartParts:
    """What makes a manifest that of a chart.

    Attributes:
        package: the `.tgz`.
        provenance: its `.prov`, where it has one.
    """

    package: Descriptor
    provenance: Descriptor | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest, as far as a registry has to understand it.

    Attributes:
        media_type: of the manifest itself.
        blobs: what has to be there before it can be: config and layers.
        manifests: the same of an index: its manifests.
        subject: digest of the manifest that this one is about.
        artifact_type: of its own, else that of its config; None for an index that has none.
        annotations: of the manifest.
        chart: set where it is a Helm chart.
    """

    media_type: str
    blobs: tuple[Descriptor, ...]
    manifests: tuple[Descriptor, ...]
    subject: Digest | None
    artifact_type: str | None
    annotations: Mapping[str, str]
    chart: ChartParts | None


def parse(data: bytes, content_type: str = "") -> Manifest:
    """Read a manifest.

    What kind it is, its bytes tell alone: from what lies in storage everything can be rebuilt.

    Args:
        data: of at most `MAX_BYTES`.
        content_type: what the client says it is; empty where it says nothing.

    Raises:
        ManifestInvalid: it is none, or not what the client says.
    """
    document = _document(data)
    media_type = _media_type(document, content_type.partition(";")[0].strip().lower())
    is_list = media_type in _LISTS
    config = None if is_list else _descriptor(document.get("config"), "config")
    layers = () if is_list else _descriptors(document, "layers")
    subject = _descriptor(document["subject"], "subject") if document.get("subject") is not None else None
    annotations = _annotations(document)
    artifact_type = document.get("artifactType")
    if artifact_type is not None and not _is_text(artifact_type):
        raise _invalid("artifactType is no text")
    if not artifact_type:
        artifact_type = None
    if artifact_type is None and config is not None:
        artifact_type = config.media_type
    is_chart = config is not None and config.media_type == oci.HELM_CONFIG
    return Manifest(
        media_type=media_type,
        blobs=tuple(each for each in (config, *layers) if each is not None and not _ELSEWHERE.match(each.media_type)),
        manifests=_descriptors(document, "manifests") if is_list else (),
        subject=subject.digest if subject is not None else None,
        artifact_type=artifact_type,
        annotations=annotations,
        chart=_chart(layers) if is_chart else None,
    )


def _document(data: bytes) -> dict[str, Any]:
    _check_depth(data)
    try:
        document = json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError are of this kind
        raise _invalid(f"is no JSON in UTF-8 ({str(error)[:100]})") from None
    if not isinstance(document, dict):
        raise _invalid("is no JSON object")
    if document.get("schemaVersion") != 2:  # noqa: PLR2004 - the one there is
        raise _invalid(f"has schemaVersion {shown(str(document.get('schemaVersion')))}, and only 2 is known")
    return document


def _check_depth(data: bytes) -> None:
    """Keep the JSON reader from going deeper than it can."""
    if data.count(b"[") + data.count(b"{") <= _MAX_DEPTH:
        return
    depth = 0
    for match in _BRACKETS_AND_TEXTS.finditer(data):
        first = match[0][:1]
        depth += (first in b"[{") - (first in b"]}")
        if depth > _MAX_DEPTH:
            raise _invalid(f"is nested more than {_MAX_DEPTH} levels deep")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has one key twice, and readers differ in which of them counts")
    return found


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no number in JSON")


def _media_type(document: Mapping[str, Any], said: str) -> str:
    """Return what a manifest is: what it says itself, else what its fields make of it."""
    own = document.get("mediaType")
    if own is None:
        own = oci.IMAGE_INDEX if isinstance(document.get("manifests"), list) else oci.IMAGE_MANIFEST
        remedy = "say in mediaType what it is"
    else:
        remedy = "send the Content-Type that mediaType says"
    if not isinstance(own, str) or own not in _IMAGES | _LISTS:
        known = ", ".join(sorted(_IMAGES | _LISTS))
        raise _invalid(f"has mediaType {shown(str(own))}, and those known are {known}")
    if said not in ("", own, "application/json", "application/octet-stream"):
        raise _invalid(f"is {own!r} and was sent as {shown(said)}: {remedy}")
    return own


def _descriptors(document: Mapping[str, Any], field: str) -> tuple[Descriptor, ...]:
    values = document.get(field)
    if values is None and field == "layers":
        return ()
    if not isinstance(values, list):
        raise _invalid(f"{field} is no list")
    return tuple(_descriptor(value, f"{field}[{number}]") for number, value in enumerate(values))


def _descriptor(value: object, field: str) -> Descriptor:
    if not isinstance(value, dict):
        raise _invalid(f"{field} is no descriptor: it has to have mediaType, digest and size")
    media_type, digest, size = value.get("mediaType"), value.get("digest"), value.get("size")
    if not _is_text(media_type) or not media_type:
        raise _invalid(f"{field}.mediaType is missing, or no text")
    if type(size) is not int or size < 0:
        raise _invalid(f"{field}.size is missing, or no number of bytes")
    try:
        return Descriptor(media_type, oci.parse_digest(digest if isinstance(digest, str) else ""), size)
    except DigestInvalid as error:
        raise _invalid(f"{field}.digest: {error}") from None


def _annotations(document: Mapping[str, Any]) -> dict[str, str]:
    annotations = document.get("annotations")
    if annotations is None:
        return {}
    if not isinstance(annotations, dict) or not all(_is_text(text) for item in annotations.items() for text in item):
        raise _invalid("annotations is no mapping of texts to texts")
    return annotations


def _is_text(value: object) -> TypeGuard[str]:
    """Return whether a value is a text that can be kept and sent: JSON can write what is no Unicode, and NUL."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _chart(layers: tuple[Descriptor, ...]) -> ChartParts:
    """Return the parts of a chart, as `helm pull` looks for them."""
    packages = [each for each in layers if each.media_type in oci.HELM_CHARTS]
    provenance = [each for each in layers if each.media_type == oci.HELM_PROVENANCE]
    if len(packages) != 1:
        raise _invalid(
            f"is a chart's by its config, and has {len(packages)} layers of the type {oci.HELM_CHART}: "
            "it has to have one, the chart's package"
        )
    if len(provenance) > 1:
        raise _invalid(f"has {len(provenance)} layers of the type {oci.HELM_PROVENANCE}, and one is the most")
    if packages[0].digest.algorithm != oci.ALGORITHMS[0]:
        raise _invalid("names its package by sha512, which no index can: name it by sha256")
    return ChartParts(packages[0], provenance[0] if provenance else None)


def _invalid(what: str) -> ManifestInvalid:
    return ManifestInvalid(
        f"the manifest {what}" if what.startswith(("is ", "has ", "names ")) else f"manifest: {what}"
    )
