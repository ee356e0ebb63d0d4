"""What there is: names, tags, and manifests that are about another one."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from chartrepo.catalog import Catalog, ManifestRecord
from chartrepo.core.oci import Digest, Name, split_name
from chartrepo.registry.unknown import unknown_name

_ALL: Final = 2**62
_REFERRERS: Final = 1_000
_REFERRERS_BYTES: Final = 3 * 1024 * 1024
"""Of one answer: an index of more than 4 MiB is one that clients need not take."""


class Page(NamedTuple):
    """A part of a list, and whether there is more behind it."""

    items: list[str]
    more: bool


class Referrers(NamedTuple):
    """Descriptors of manifests that are about another one; `last` is where the next part begins, None at the end."""

    descriptors: list[dict[str, Any]]
    last: str | None


@dataclass(frozen=True, slots=True)
class Discovery:
    """Lists of one catalog.

    Attributes:
        catalog: that knows them.
    """

    catalog: Catalog

    def tags(self, name: Name, *, after: str, limit: int | None) -> Page:
        """Return the tags of an OCI repository in the order of their bytes, behind the tag `after`.

        Raises:
            NameUnknown: there is no such OCI repository.
            CatalogIncomplete, CatalogUnavailable: not now.
        """
        wanted = _ALL if limit is None else limit
        found = self.catalog.artifacts.tags(name, after=after, limit=wanted + 1)
        if not found and not self.catalog.artifacts.knows(name):
            raise unknown_name(name)
        return _page(found, wanted)

    def names(self, readable: Callable[[Name], bool], *, after: str, limit: int | None) -> Page:
        """Return the names of readable OCI repositories (`Name.path`) in the order of their bytes, behind `after`.

        Raises:
            CatalogIncomplete, CatalogUnavailable: not now.
        """
        found = [path for path in self.catalog.artifacts.names() if path > after and readable(split_name(path))]
        return _page(found, _ALL if limit is None else limit)

    def referrers(self, name: Name, subject: Digest, *, artifact_type: str | None, after: str) -> Referrers:
        """Return what is about a manifest, which need not be there, by digest, behind the digest `after`.

        Raises:
            CatalogIncomplete, CatalogUnavailable: not now.
        """
        records = self.catalog.artifacts.referrers(name, str(subject), after=after, limit=_REFERRERS)
        descriptors: list[dict[str, Any]] = []
        size = 0
        for record in records:
            if artifact_type is not None and record.artifact_type != artifact_type:
                continue
            descriptor = _descriptor(record)
            size += len(json.dumps(descriptor))
            if descriptors and size > _REFERRERS_BYTES:
                return Referrers(descriptors, descriptors[-1]["digest"])
            descriptors.append(descriptor)
        return Referrers(descriptors, records[-1].digest if len(records) == _REFERRERS else None)


def _page(found: list[str], limit: int) -> Page:
    return Page(found[:limit], len(found) > limit)


def _descriptor(record: ManifestRecord) -> dict[str, Any]:
    descriptor: dict[str, Any] = {"mediaType": record.media_type, "digest": record.digest, "size": record.size}
    if record.artifact_type is not None:
        descriptor["artifactType"] = record.artifact_type
    annotations = json.loads(record.annotations)
    if annotations:
        descriptor["annotations"] = annotations
    return descriptor
