"""What refers to a version of a chart: signatures, SBOMs, attestations, and whatever else was pushed for it.

Read out of the catalog and the one manifest that the version's tag names; no artifact is opened.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from chartrepo.catalog import Artifacts, ManifestRecord, PackageRecord
from chartrepo.core import oci
from chartrepo.core.artifact_kinds import COSIGN_TAGS, ArtifactKind, kind_of_artifact, kind_of_tag
from chartrepo.core.errors import ManifestUnknown, NameUnknown
from chartrepo.core.oci import Digest, Name
from chartrepo.registry import Registry

_MOST: Final = 100
_MOST_MANIFESTS: Final = 8
_CREATED: Final = "org.opencontainers.image.created"
_TITLE: Final = "org.opencontainers.image.title"
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class Attachment:
    """An artifact that refers to a version of a chart.

    Attributes:
        kind: what it is.
        about: the manifest that it refers to.
        digest: of its own manifest.
        size: of all that it needs, as far as that is said; of its manifest where nothing is.
        media_type: what lists of referrers say that it is; empty for nothing.
        tag: under which it lies; empty for none.
        title: what it calls itself; empty for nothing.
        created: when it was made, as it says itself; empty for nothing.
    """

    kind: ArtifactKind
    about: str
    digest: str
    size: int
    media_type: str
    tag: str = ""
    title: str = ""
    created: str = ""


@dataclass(frozen=True, slots=True)
class Attachments:
    """What was found of one version.

    Attributes:
        digests: of the version's manifests, the one that its tag names first; empty where it has no OCI name.
        found: what refers to them.
        more: whether there is more than what is listed.
    """

    digests: tuple[str, ...]
    found: tuple[Attachment, ...]
    more: bool


def attachments_of(registry: Registry, artifacts: Artifacts, record: PackageRecord) -> Attachments:
    """Return what refers to a version of a chart.

    Args:
        registry: tells which manifest the version's tag names.
        artifacts: the catalog's OCI side.
        record: the version.

    Raises:
        CatalogIncomplete, CatalogUnavailable, Unavailable: not now.
    """
    tag = oci.tag_of(record.version)
    if tag is None or not oci.has_name(record.repository, record.name):
        return Attachments((), (), more=False)
    name = Name(record.repository, record.name)
    digests: dict[str, None] = {}
    with suppress(ManifestUnknown, NameUnknown):
        digests[str(registry.manifests.get(name, tag).digest)] = None
    digests |= dict.fromkeys(each.digest for each in artifacts.of_package(name, record.digest)[:_MOST_MANIFESTS])
    found: dict[str, Attachment] = {}
    for about in digests:
        for each in _about(registry, artifacts, name, about):
            found.setdefault(each.digest, each)
            if len(found) > _MOST:
                break
    return Attachments(tuple(digests), tuple(found.values())[:_MOST], more=len(found) > _MOST)


def _about(registry: Registry, artifacts: Artifacts, name: Name, about: str) -> Iterator[Attachment]:
    digest = oci.parse_digest(about)
    yield from _tagged(registry, artifacts, name, digest)
    for record in artifacts.referrers(name, about, after="", limit=_MOST + 1):
        yield _referrer(record, about)


def _tagged(registry: Registry, artifacts: Artifacts, name: Name, about: Digest) -> Iterator[Attachment]:
    stem = f"{about.algorithm}-{about.hex}"
    wanted = {f"{stem}{suffix}" for suffix in COSIGN_TAGS}
    # Their names follow each other in the order of bytes.
    for tag in wanted.intersection(artifacts.tags(name, after=stem, limit=2 * len(COSIGN_TAGS))):
        try:
            manifest = registry.manifests.get(name, tag)
        except (ManifestUnknown, NameUnknown):
            continue
        document = json.loads(manifest.data)
        annotations = document.get("annotations")
        yield Attachment(
            kind_of_tag(tag),
            str(about),
            str(manifest.digest),
            _size(document, len(manifest.data)),
            manifest.media_type,
            tag,
            created=_said(annotations, _CREATED),
        )


def _referrer(record: ManifestRecord, about: str) -> Attachment:
    annotations = json.loads(record.annotations)
    return Attachment(
        kind_of_artifact(record.artifact_type, annotations),
        about,
        record.digest,
        record.size,
        record.artifact_type or "",
        title=_said(annotations, _TITLE),
        created=_said(annotations, _CREATED),
    )


def _size(document: dict[str, Any], size: int) -> int:
    layers = document.get("layers")
    sizes = [each.get("size") for each in layers if isinstance(each, dict)] if isinstance(layers, list) else []
    return sum(each for each in sizes if isinstance(each, int)) or size


def _said(annotations: object, name: str) -> str:
    found = annotations.get(name) if isinstance(annotations, dict) else None
    return found[:_LONGEST] if isinstance(found, str) else ""
