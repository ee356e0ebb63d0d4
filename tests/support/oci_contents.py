"""What clients keep in a registry: blobs and manifests with their digests, one of each kind."""

import base64
import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

IMAGE: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
FOREIGN_LAYER: Final = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
EMPTY: Final = "application/vnd.oci.empty.v1+json"
OCTETS: Final = "application/octet-stream"
REPORT: Final = "application/vnd.example.report.v1"

ALGORITHMS: Final = ("sha256", "sha512")


def digest_of(data: bytes, algorithm: str = "sha256") -> str:
    """The digest of bytes, as `sha256:...`."""
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


@dataclass(frozen=True)
class Content:
    """Bytes that a registry keeps under their digest: a blob or a manifest."""

    data: bytes
    media_type: str = OCTETS
    algorithm: str = "sha256"

    @property
    def digest(self) -> str:
        return digest_of(self.data, self.algorithm)

    def described(self, **more: Any) -> dict[str, Any]:
        """Its descriptor, with more fields."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.data), **more}


@dataclass(frozen=True)
class Bundle:
    """A manifest and all that has to be there before it.

    Attributes:
        manifest: of an image, an artifact or an index.
        blobs: what it names.
        parts: the manifests that an index names, with what they need.
    """

    manifest: Content
    blobs: tuple[Content, ...] = ()
    parts: tuple["Bundle", ...] = ()

    @property
    def digest(self) -> str:
        return self.manifest.digest

    def all_blobs(self) -> list[Content]:
        """Its blobs and those of its parts, each once."""
        found = [*self.blobs, *(blob for part in self.parts for blob in part.all_blobs())]
        return list({blob.digest: blob for blob in found}.values())

    def all_manifests(self) -> list[Content]:
        """Its manifest and those of its parts, in an order in which they can be pushed."""
        return [*(manifest for part in self.parts for manifest in part.all_manifests()), self.manifest]


NEVER_PUSHED: Final = digest_of(b"nobody pushes this")
"""A digest of nothing that a registry has."""


def blob(size: int = 512, media_type: str = OCTETS, algorithm: str = "sha256") -> Content:
    """Bytes that nobody had before."""
    return Content(secrets.token_bytes(size), media_type, algorithm)


def manifest(media_type: str, algorithm: str = "sha256", **fields: Any) -> Content:
    """A manifest with these fields beside `schemaVersion` and `mediaType`."""
    document = {"schemaVersion": 2, "mediaType": media_type, **fields}
    return Content(json.dumps(document).encode(), media_type, algorithm)


def image(*, layers: int = 2, algorithm: str = "sha256", with_data: bool = False, **fields: Any) -> Bundle:
    """An image: a config and layers.

    Args:
        layers: how many.
        algorithm: of all digests.
        with_data: whether descriptors repeat the bytes that they describe.
        fields: more of the manifest.
    """
    made = [blob(256, LAYER, algorithm) for _ in range(layers)]
    facts = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": [b.digest for b in made]}}
    config = Content(json.dumps({**facts, "author": secrets.token_hex(8)}).encode(), CONFIG, algorithm)

    def described(content: Content) -> dict[str, Any]:
        data = {"data": base64.b64encode(content.data).decode()} if with_data else {}
        return content.described(**data)

    named = {"config": described(config), "layers": [described(layer) for layer in made]}
    return Bundle(manifest(IMAGE, algorithm, **{**named, **fields}), (config, *made))


def artifact(
    artifact_type: str = REPORT, *, layer: Content | None = None, algorithm: str = "sha256", **fields: Any
) -> Bundle:
    """An artifact: an empty config, a type, and one layer, a new one where none is given."""
    config = Content(b"{}", EMPTY, algorithm)
    layer = layer or blob(256, artifact_type, algorithm)
    named = {"artifactType": artifact_type, "config": config.described(), "layers": [layer.described()]}
    return Bundle(manifest(IMAGE, algorithm, **{**named, **fields}), (config, layer))


def index(*parts: Bundle, algorithm: str = "sha256", **fields: Any) -> Bundle:
    """An index of what is given."""
    named = [part.manifest.described() for part in parts]
    return Bundle(manifest(INDEX, algorithm, **{"manifests": named, **fields}), parts=parts)


def _two_platforms(**fields: Any) -> Bundle:
    return index(image(), image(), **fields)


def _with_foreign_layers() -> Bundle:
    elsewhere = [blob(media_type=FOREIGN_LAYER).described(urls=["https://store.example.com/layer"]) for _ in range(2)]
    ours = blob()
    config = Content(b'{"os":"linux","architecture":"amd64"}', CONFIG)
    layers = [*elsewhere, ours.described()]
    return Bundle(manifest(IMAGE, config=config.described(), layers=layers), (config, ours))


def _of_almost_four_megabytes() -> Bundle:
    return image(annotations={f"large-{number}": "A" * 10_000 for number in range(390)})


KINDS: Final[dict[str, Callable[[], Bundle]]] = {
    "an image": image,
    "an image without layers": lambda: image(layers=0),
    "an image of sha512": lambda: image(algorithm="sha512"),
    "an image whose descriptors hold the data": lambda: image(with_data=True),
    "an image with layers that are elsewhere": _with_foreign_layers,
    "an image with fields of its own": lambda: image(custom="value"),
    "a large manifest": _of_almost_four_megabytes,
    "an index": _two_platforms,
    "an index of sha512": lambda: index(image(algorithm="sha512"), image(algorithm="sha512"), algorithm="sha512"),
    "an index of indexes": lambda: index(_two_platforms(), _two_platforms()),
    "an index of nothing": index,
    "an index with fields of its own": lambda: _two_platforms(custom="value"),
    "an artifact": artifact,
    "an artifact without layers": lambda: artifact(layer=Content(b"{}", EMPTY)),
    "an index of artifacts": lambda: index(artifact(), artifact(), artifactType="application/vnd.example.v1"),
}
"""Each kind of thing that clients push; each is made anew."""
