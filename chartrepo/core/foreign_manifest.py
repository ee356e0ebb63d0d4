"""Manifests that others pushed to an OCI registry: what an import has to know of a chart in one.

The media types are Helm's (HIP-6), the form is that of the OCI image specification.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from chartrepo.core import oci
from chartrepo.core.errors import ChartrepoError
from chartrepo.core.foreign_index import seconds
from chartrepo.core.messages import shown

_DIGEST: Final = re.compile("sha256:([0-9a-f]{64})")
_NAME: Final = re.compile("[A-Za-z0-9._-]{1,250}")
_VERSION: Final = re.compile("[A-Za-z0-9.+-]{1,250}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_GO_ZERO: Final = "0001-01-01T00:00:00Z"


class InvalidManifestError(ChartrepoError):
    """A document that is no manifest, or one of a chart that cannot be fetched by it."""


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that a manifest names.

    Attributes:
        digest: SHA-256 in hex.
        size: in bytes.
    """

    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class PushedChart:
    """A chart, as its manifest has it.

    Attributes:
        package: the `.tgz`.
        provenance: the `.prov`; None where there is none.
        name: of the chart, as the annotation says it that Helm writes; empty where it does not.
        version: the same for its version.
        created: seconds since the epoch; None where it is missing, or Go's zero time, or none at all.
        not_a_time: what stands where the time should, if it is none; else empty.
    """

    package: Blob
    provenance: Blob | None
    name: str
    version: str
    created: int | None
    not_a_time: str


def pushed_chart(data: bytes) -> PushedChart | None:
    """Read a manifest; None where it is that of something else: an image, a signature, an index of several.

    Raises:
        InvalidManifestError: it is none, or it does not say where the chart's package is.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise InvalidManifestError("its manifest is not JSON") from None
    if not isinstance(document, dict):
        raise InvalidManifestError("its manifest is no object")
    config = document.get("config")
    if not isinstance(config, dict) or config.get("mediaType") != oci.HELM_CONFIG:
        return None
    layers = document.get("layers")
    layers = [each for each in layers if isinstance(each, dict)] if isinstance(layers, list) else []
    package = next((blob for kind in oci.HELM_CHARTS if (blob := _blob(layers, kind)) is not None), None)
    if package is None:
        raise InvalidManifestError(
            f"its manifest has no layer of the media type {oci.HELM_CHART}: push the chart again"
        )
    said = document.get("annotations")
    annotations = said if isinstance(said, dict) else {}
    created, not_a_time = _created(annotations.get("org.opencontainers.image.created"))
    return PushedChart(
        package=package,
        provenance=_blob(layers, oci.HELM_PROVENANCE),
        name=_text(annotations.get("org.opencontainers.image.title"), _NAME),
        version=_text(annotations.get("org.opencontainers.image.version"), _VERSION),
        created=created,
        not_a_time=not_a_time,
    )


def _blob(layers: list[dict[str, Any]], kind: str) -> Blob | None:
    """Return the first layer of a media type."""
    for layer in layers:
        if layer.get("mediaType") == kind:
            digest = layer.get("digest")
            found = _DIGEST.fullmatch(digest) if isinstance(digest, str) else None
            if found is None:
                raise InvalidManifestError(f"its manifest gives a layer the digest {shown(str(digest))}: not SHA-256")
            size = layer.get("size")
            if type(size) is not int or size < 0:
                raise InvalidManifestError(f"its manifest gives a layer the size {shown(str(size))}: no number")
            return Blob(found[1], size)
    return None


def _created(value: object) -> tuple[int | None, str]:
    if value in (None, "", _GO_ZERO):
        return None, ""
    if isinstance(value, str) and _TIME.fullmatch(value) and (found := seconds(value)) is not None:
        return found, ""
    return None, value if isinstance(value, str) else json.dumps(value)


def _text(value: object, pattern: re.Pattern[str]) -> str:
    return value if isinstance(value, str) and pattern.fullmatch(value) else ""
