"""Use cases of the OCI side, on the same packages as `chartrepo.repository`."""

from dataclasses import dataclass

from chartrepo.registry.blobs import Blobs, OpenBlob
from chartrepo.registry.collecting import Collected, Collector
from chartrepo.registry.discovery import Discovery, Page, Referrers
from chartrepo.registry.manifests import Allowed, FoundManifest, Manifests, PutManifest
from chartrepo.registry.unknown import unknown_blob, unknown_name
from chartrepo.registry.uploads import Uploads

__all__ = [
    "Allowed",
    "Blobs",
    "Collected",
    "Collector",
    "Discovery",
    "FoundManifest",
    "Manifests",
    "OpenBlob",
    "Page",
    "PutManifest",
    "Referrers",
    "Registry",
    "Uploads",
    "unknown_blob",
    "unknown_name",
]


@dataclass(frozen=True, slots=True)
class Registry:
    """All of them together.

    Attributes:
        blobs: see `Blobs`.
        uploads: see `Uploads`.
        manifests: see `Manifests`.
        discovery: see `Discovery`.
    """

    blobs: Blobs
    uploads: Uploads
    manifests: Manifests
    discovery: Discovery
