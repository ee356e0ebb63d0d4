"""The manifest of a package that nobody pushed: made from its bytes and those of its `.prov`, and from nothing else.

So its digest is the same on every replica, after every rebuild, and in every release: it can be pinned and signed. What
is made here must never change; `tests/core/test_made_manifests.py` keeps digests of packages for good.

Media types, the order of layers and the annotations are Helm's, without the time that `helm push` adds.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from chartrepo.core import oci
from chartrepo.core.manifests import MAX_BYTES
from chartrepo.core.oci import Descriptor

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_TITLE: Final = "org.opencontainers.image.title"
_VERSION: Final = "org.opencontainers.image.version"
_NOT_OF_THE_CHART: Final = frozenset({"created", "digest"})
"""What an index entry has besides the chart's metadata."""


class Part(NamedTuple):
    """A blob of the chart that lies beside the manifest: the package, or its `.prov`."""

    digest: str
    size: int


def metadata_of(entry_json: str) -> dict[str, Any]:
    """Return a chart's metadata out of its index entry, as `core.index.entry` makes it: JSON without its last brace."""
    found = json.loads(entry_json + "}")
    return {name: value for name, value in found.items() if name not in _NOT_OF_THE_CHART}


def config(metadata: Mapping[str, Any]) -> bytes:
    """Return the config of a chart's manifest: its metadata, as `helm push` sends it."""
    return _ENCODER.encode(metadata).encode()


def manifest(
    metadata: Mapping[str, Any], package: Part, provenance: Part | None = None, *, config_data: bytes | None = None
) -> bytes:
    """Return the manifest of a package.

    Args:
        metadata: as `ChartVersion.metadata` has it.
        package: the chart's `.tgz`, its digest SHA-256 in hex.
        provenance: its `.prov`, where it has one that counts.
        config_data: what `config` makes of the metadata, where that is at hand.
    """
    data = config(metadata) if config_data is None else config_data
    layers = [_descriptor(oci.HELM_CHART, package)]
    if provenance is not None:
        layers.append(_descriptor(oci.HELM_PROVENANCE, provenance))
    layers.sort(key=lambda layer: layer.digest)
    document = {
        "schemaVersion": 2,
        "mediaType": oci.IMAGE_MANIFEST,
        "config": Descriptor(oci.HELM_CONFIG, oci.digest_of(data), len(data)).as_json(),
        "layers": [layer.as_json() for layer in layers],
    }
    own = _own_annotations(metadata)
    name = {_TITLE: own[_TITLE], _VERSION: own[_VERSION]}
    made = b""
    for annotations in ({**own, **_annotations_of_chart(metadata)}, own, name):
        document["annotations"] = dict(sorted(annotations.items()))
        made = _ENCODER.encode(document).encode()
        if len(made) <= MAX_BYTES:
            break  # clients take none that is larger
    return made


def _descriptor(media_type: str, part: Part) -> Descriptor:
    return Descriptor(media_type, oci.sha256(part.digest), part.size)


def _own_annotations(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return what Helm says of a chart in its manifest."""
    sources = metadata.get("sources") or [""]
    authors = ", ".join(map(_author, metadata.get("maintainers", ())))
    said = {
        "org.opencontainers.image.authors": authors,
        "org.opencontainers.image.description": metadata.get("description", ""),
        "org.opencontainers.image.source": sources[0],
        _TITLE: metadata["name"],
        "org.opencontainers.image.url": metadata.get("home", ""),
        _VERSION: metadata["version"],
    }
    return {name: value for name, value in said.items() if value}


def _author(maintainer: Mapping[str, str]) -> str:
    name, email = maintainer.get("name", ""), maintainer.get("email", "")
    return f"{name} ({email})" if email else name


def _annotations_of_chart(metadata: Mapping[str, Any]) -> dict[str, str]:
    annotations: Mapping[str, str] = metadata.get("annotations", {})
    return {name: value for name, value in annotations.items() if name not in (_TITLE, _VERSION)}
