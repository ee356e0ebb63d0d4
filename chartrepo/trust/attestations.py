"""What cosign left in the storage about a version of a chart that was pushed.

Under the tag `sha256-<hex>.sig`, as its older versions do, and as manifests whose subject is the chart's manifest.
"""

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final

from chartrepo import layout, pushed
from chartrepo.catalog import Artifacts
from chartrepo.core import manifests, oci
from chartrepo.core.errors import CatalogIncomplete, CatalogUnavailable, DigestInvalid, SignatureRefused
from chartrepo.core.oci import Digest, Name
from chartrepo.core.signers import CosignKeys, Signer
from chartrepo.trust.cosign import MAX_BYTES
from storage.base import NotFound, Storage

log = logging.getLogger(__name__)

CLAIM: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLES: Final = "application/vnd.dev.sigstore.bundle."
"""What the media types of bundles begin with; a version comes behind it."""
_SIGNATURE: Final = "dev.cosignproject.cosign/signature"
_SUFFIX: Final = ".sig"
_MOST_REFERRERS: Final = 1_000
_MOST: Final = 32
"""Layers of one manifest that are looked at."""

Attestation = Callable[[CosignKeys], Signer]
"""Returns who signed the manifest, if it was one of these keys; raises `SignatureRefused`."""

Referrers = Callable[[Name, Digest], Iterable[Digest]]
"""Gives the manifests that are about another one."""


def known_referrers(artifacts: Callable[[], Artifacts], storage: Storage) -> Referrers:
    """Return what finds referrers in a catalog, and while that is being built in the storage.

    Args:
        artifacts: gives the catalog's OCI side.
        storage: where what was pushed lies.
    """
    building: list[Referrers] = []

    def found(name: Name, subject: Digest) -> Iterable[Digest]:
        try:
            records = artifacts().referrers(name, str(subject), after="", limit=_MOST_REFERRERS)
        except (CatalogIncomplete, CatalogUnavailable):
            if not building:
                building.append(listed_referrers(storage))
            return building[0](name, subject)
        building.clear()
        return [oci.parse_digest(record.digest) for record in records]

    return found


def listed_referrers(storage: Storage) -> Referrers:
    """Return what finds referrers in the storage alone, where there is no catalog yet.

    For that it reads every manifest, and remembers them: it is for who builds a catalog, and not for longer.
    """
    known: dict[str, dict[Digest, list[Digest]]] = {}

    def found(name: Name, subject: Digest) -> list[Digest]:
        if name.path not in known:
            known[name.path] = _by_subject(storage, name.path)
        return known[name.path].get(subject, [])

    return found


def _by_subject(storage: Storage, path: str) -> dict[Digest, list[Digest]]:
    found: dict[Digest, list[Digest]] = {}
    for info in storage.list(layout.manifests_prefix(path)):
        place = layout.oci_place(info.key)
        if not isinstance(place, layout.ManifestPlace):
            continue
        read = pushed.told(partial(pushed.read_manifest, storage, path, place.digest))
        manifest = pushed.told(partial(manifests.parse, read[0])) if read is not None else None
        if manifest is not None and manifest.subject is not None:
            found.setdefault(manifest.subject, []).append(place.digest)
    return found


def attestations(
    storage: Storage, name: Name, version: str, package: str, referrers: Referrers
) -> Iterator[Attestation]:
    """Give all that could be a signature of the manifest that the tag of a version names.

    Args:
        storage: where packages lie, and what was pushed.
        name: of the OCI repository.
        version: of the chart.
        package: its SHA-256 in hex; a tag that was pushed with another one says nothing.
        referrers: finds manifests that are about another one.

    Raises:
        Unavailable: the storage does not answer.
    """
    tag = oci.tag_of(version)
    if tag is None or not oci.has_name(name.repository, name.chart):
        return
    record = pushed.told(partial(pushed.read_tag, storage, name.path, tag))
    if record is None or record.package != package:
        return
    chart = oci.parse_digest(record.digest)
    beside = pushed.told(partial(pushed.read_tag, storage, name.path, signature_tag(chart)))
    if beside is not None:
        yield from _of_manifest(storage, name, oci.parse_digest(beside.digest), chart)
    for digest in referrers(name, chart):
        yield from _of_manifest(storage, name, digest, chart)


def signature_tag(manifest: Digest) -> str:
    """Return the tag under which cosign keeps the signatures of a manifest."""
    return f"{manifest.algorithm}-{manifest.hex}{_SUFFIX}"


def signed_manifest(tag: str) -> Digest | None:
    """Return the manifest that a tag is kept for by `signature_tag`; None for any other tag."""
    algorithm, _, encoded = tag.removesuffix(_SUFFIX).partition("-")
    return _digest(f"{algorithm}:{encoded}") if tag.endswith(_SUFFIX) else None


def _of_manifest(storage: Storage, name: Name, digest: Digest, chart: Digest) -> Iterator[Attestation]:
    read = pushed.told(partial(pushed.read_manifest, storage, name.path, digest))
    manifest = pushed.told(partial(manifests.parse, read[0])) if read is not None else None
    if read is None or manifest is None or not manifest.blobs:  # an index has none, and its layers are not looked at
        return
    for layer in json.loads(read[0]).get("layers", [])[:_MOST]:
        kind = layer["mediaType"]
        document = _blob(storage, name, layer["digest"]) if kind == CLAIM or kind.startswith(BUNDLES) else None
        if document is None:
            continue
        if kind == CLAIM:
            annotations = layer.get("annotations")
            signature = annotations.get(_SIGNATURE) if isinstance(annotations, dict) else None
            yield partial(_claim, document, signature, chart)
        else:
            yield partial(_bundle, document, chart)


def _claim(document: bytes, signature: object, chart: Digest, keys: CosignKeys) -> Signer:
    if not isinstance(signature, str):
        raise SignatureRefused(f"the document of cosign has no annotation {_SIGNATURE}: sign with `cosign sign`")
    return keys.verify_claim(document, signature, chart)


def _bundle(document: bytes, chart: Digest, keys: CosignKeys) -> Signer:
    return keys.verify_bundle(document, chart)


def _digest(text: str) -> Digest | None:
    try:
        return oci.parse_digest(text)
    except DigestInvalid:
        return None


def _blob(storage: Storage, name: Name, digest: str) -> bytes | None:
    wanted = oci.parse_digest(digest)
    try:
        with storage.open(layout.blob_key(name.path, wanted)) as blob:
            data = blob.read(MAX_BYTES + 1)
    except NotFound:
        return None
    return data if oci.digest_of(data, wanted.algorithm) == wanted else None
