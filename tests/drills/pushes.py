"""Pushing as Helm and others do, one request after the other, and pulling whole what a reference names."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from itertools import cycle
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from chartrepo.core import oci
from tests.drills.clients import Upload
from tests.drills.ledger import Book, Key
from tests.support.http import Got
from tests.support.oci import Registry, Repository, refusal
from tests.support.oci_contents import Bundle, Content, digest_of
from tests.support.pushes import manifest_of

BLOBS: Final = "blobs"
MANIFESTS: Final = "manifests"
NONE: Final = ""
"""What a reference names that names nothing."""
MADE: Final = "a made manifest"
"""What a tag names while its version has no manifest that was pushed for it."""
FOR_NOW: Final = frozenset({503, 507})


class Item(NamedTuple):
    """A blob, or what a tag or a digest names.

    Attributes:
        name: of the OCI repository.
        kind: `BLOBS` or `MANIFESTS`.
        reference: a tag or a digest.
    """

    name: str
    kind: str
    reference: str

    @property
    def path(self) -> str:
        """Below `/v2/`."""
        return f"{self.name}/{self.kind}/{self.reference}"


class Pushed(Book[Item, str]):
    """What was promised of blobs and manifests: the digest of what an item gives, or `NONE`, or `MADE`."""

    def __init__(self) -> None:
        super().__init__(NONE)

    def count(self, kind: str) -> None:
        """Count what leaves nothing under any item."""
        with self._lock:
            self.acknowledged[kind] += 1


@dataclass
class Pulled:
    """What a reference gives, with everything that it needs.

    Attributes:
        digest: of the manifest; `NONE` where there is none.
        chart: SHA-256 in hex of the chart's package; empty where it is no chart.
        faults: what is missing or wrong, each a sentence.
    """

    digest: str = NONE
    chart: str = ""
    faults: list[str] = field(default_factory=list)


def name_of(key: Key) -> str:
    """The name of the OCI repository of a chart."""
    return f"{key.repository}/{key.name}" if key.repository else key.name


def repository(base: str, name: str) -> Repository:
    """The OCI repository of a name on the server at `base`."""
    return Registry(urlsplit(base).netloc).repository(name)


def answered(call: Callable[[], Got]) -> Got | None:
    """The answer to a request; None where none came, or not all of it."""
    try:
        return call()
    except (OSError, HTTPException):
        return None


def chart(upload: Upload, created: str) -> Bundle:
    """What Helm pushes for a package: another manifest for each moment."""
    config = Content(json.dumps({"apiVersion": "v2", **_facts(upload)}).encode(), oci.HELM_CONFIG)
    blobs = [Content(upload.package, oci.HELM_CHART)]
    if upload.provenance:
        blobs.append(Content(upload.provenance, oci.HELM_PROVENANCE))
    manifest = manifest_of(upload.package, upload.provenance or None, created=created, config=config.data)
    return Bundle(manifest, (*blobs, config))


def _facts(upload: Upload) -> dict[str, str]:
    return {"name": upload.key.name, "version": upload.key.version}


def has_blob(base: str, name: str, content: Content) -> Got | None:
    """Ask for a blob by HEAD."""
    return answered(lambda: repository(base, name).head_blob(content.digest))


def send_blob(base: str, name: str, content: Content) -> Got | None:
    """Send a blob by POST and PUT; the first answer that says no, or the last."""
    place = repository(base, name)
    begun = answered(place.post_upload)
    if begun is None or begun.status != 202:
        return begun
    return answered(lambda: place.begun(begun).close(content.digest, content.data))


def put_manifest(base: str, name: str, manifest: Content, reference: str) -> Got | None:
    """Put a manifest under a tag or its digest."""
    return answered(lambda: repository(base, name).put_manifest(manifest, reference))


def push(base: str, name: str, bundle: Bundle, *tags: str, ask_first: bool = True) -> Got | None:
    """Push as Helm does: blobs that are not there, manifests by digest, tags; the first no, or the last answer.

    Without `ask_first` all blobs are sent, whether they are there or not.
    """
    for content in bundle.all_blobs():
        got = has_blob(base, name, content) if ask_first else None
        if not ask_first or (got is not None and got.status == 404):
            got = send_blob(base, name, content)
        if got is None or got.status >= 300:
            return got
    steps = [*((each, each.digest) for each in bundle.all_manifests()), *((bundle.manifest, tag) for tag in tags)]
    got = None
    for manifest, reference in steps:
        got = put_manifest(base, name, manifest, reference)
        if got is None or got.status != 201:
            return got
    return got


def lacks_a_blob(got: Got | None) -> bool:
    """Whether a push has to be begun again as a whole, for what it needs is not there any more."""
    return got is not None and got.status == 400 and refusal(got).code == "MANIFEST_BLOB_UNKNOWN"


def pull(bases: Sequence[str], name: str, reference: str) -> Pulled | None:
    """Pull a reference whole, each request from the next server; None where one does not answer for now."""
    return _Pull(bases, name).run(reference)


class _Pull:
    def __init__(self, bases: Sequence[str], name: str) -> None:
        self._bases = cycle(bases)
        self._name = name

    def run(self, reference: str) -> Pulled | None:
        first = self._get(f"{MANIFESTS}/{reference}")
        if first is None:
            return None
        if first.status == 404:
            return Pulled()
        pulled = Pulled(digest_of(first.body))
        if first.status != 200:
            pulled.faults.append(f"the manifest gives {first.status}")
            return pulled
        waiting = [first.body]
        while waiting:
            for kind, described in _needs(waiting.pop()):
                got = self._get(f"{kind}/{described['digest']}")
                if got is None:
                    return None
                self._judge(pulled, kind, described, got)
                if kind == MANIFESTS and got.status == 200:
                    waiting.append(got.body)
        return pulled

    def _judge(self, pulled: Pulled, kind: str, described: dict[str, Any], got: Got) -> None:
        where = f"its {kind[:-1]} {described['digest'][:19]}"
        if got.status != 200:
            pulled.faults.append(f"{where} gives {got.status}")
        elif (digest_of(got.body), len(got.body)) != (described["digest"], described["size"]):
            pulled.faults.append(f"{where} gives {len(got.body)} other bytes")
        elif described["mediaType"] == oci.HELM_CHART:
            pulled.chart = described["digest"].partition(":")[2]

    def _get(self, rest: str) -> Got | None:
        place = repository(next(self._bases), self._name)
        got = answered(lambda: place.send("GET", rest))
        return None if got is None or got.status in FOR_NOW else got


def _needs(data: bytes) -> list[tuple[str, dict[str, Any]]]:
    """What a manifest says that it needs: the kind and the descriptor of each."""
    document = json.loads(data)
    blobs = [*([document["config"]] if "config" in document else []), *document.get("layers", [])]
    return [*((BLOBS, each) for each in blobs), *((MANIFESTS, each) for each in document.get("manifests", []))]


def needs_of(data: bytes) -> list[tuple[str, str]]:
    """What a manifest says that it needs: the kind and the digest of each."""
    return [(kind, described["digest"]) for kind, described in _needs(data)]
