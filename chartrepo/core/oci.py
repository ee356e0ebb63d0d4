"""The words of the OCI specifications: names, tags, digests, descriptors, media types.

Rules are those of the distribution specification 1.1 and the image specification 1.1, and of what Helm makes of them.
A chart `web` of the repository `team/app` is the OCI repository `team/app/web`; a version is a tag, with `_` for `+`.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from chartrepo.core.errors import DigestInvalid, InvalidName, NameInvalid, NameUnknown
from chartrepo.core.messages import shown
from chartrepo.core.names import check_repository

IMAGE_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
IMAGE_INDEX: Final = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"

HELM_CONFIG: Final = "application/vnd.cncf.helm.config.v1+json"
HELM_CHART: Final = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
HELM_CHARTS: Final = (HELM_CHART, "application/tar+gzip")
"""The second is what Helm wrote while this was an experiment."""
HELM_PROVENANCE: Final = "application/vnd.cncf.helm.chart.provenance.v1.prov"

MAX_NAME: Final = 255
"""In characters. Many clients take no more, with the host in front."""

_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_CHART: Final = re.compile(_COMPONENT)
_TAG: Final = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_DIGESTS: Final = {"sha256": re.compile("[0-9a-f]{64}"), "sha512": re.compile("[0-9a-f]{128}")}
_DIGEST: Final = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")

ALGORITHMS: Final = tuple(_DIGESTS)
"""Digests that are taken, the usual one first."""


class Hash(Protocol):
    """What computes a digest."""

    def update(self, data: bytes, /) -> None:
        """Take in the next bytes."""
        ...

    def hexdigest(self) -> str:
        """Return the digest of all bytes so far, in hex."""
        ...

    def copy(self) -> "Hash":
        """Return another one that goes on from here."""
        ...


class Digest(NamedTuple):
    """Names bytes by what they are: `sha256:` and 64 hexadecimal digits, or `sha512:` and 128."""

    algorithm: str
    hex: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"


class Name(NamedTuple):
    """An OCI repository, which is a chart of a repository, whether or not there is such a chart."""

    repository: str
    chart: str
    prefix: str = ""
    """What comes before both in addresses; clients know the name with it alone."""

    def __str__(self) -> str:
        return f"{self.prefix}/{self.path}" if self.prefix else self.path

    @property
    def path(self) -> str:
        """Both, as storage and catalog know it: `team/app/web`."""
        return f"{self.repository}/{self.chart}" if self.repository else self.chart


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Points at a blob or a manifest.

    Attributes:
        media_type: what it is.
        digest: of its bytes.
        size: of it, in bytes.
    """

    media_type: str
    digest: Digest
    size: int

    def as_json(self) -> dict[str, str | int]:
        """Return it as manifests have it."""
        return {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}


def parse_name(text: str, prefix: str) -> Name:
    """Return what a name in an address stands for.

    Args:
        text: as `charts/team/app/web`.
        prefix: what every name begins with here, as `charts`; empty for nothing.

    Raises:
        NameInvalid: it can never name an OCI repository.
        NameUnknown: it does not begin with the prefix.
    """
    if not is_name(text):
        raise NameInvalid(
            f"{shown(text)} cannot name an OCI repository: use small letters and digits in parts joined by '/', with "
            f"single '.', '_' or '-' between them, {MAX_NAME} characters at most"
        )
    if prefix:
        if not text.startswith(f"{prefix}/"):
            raise NameUnknown(f"there is no {text!r} here: every name begins with {prefix + '/'!r}")
        text = text[len(prefix) + 1 :]
    repository, _, chart = text.rpartition("/")
    try:
        return Name(check_repository(repository), chart, prefix)
    except InvalidName as error:
        raise NameInvalid(str(error)) from None


def is_name(path: str) -> bool:
    """Return whether this can be the `Name.path` of an OCI repository."""
    return len(path) <= MAX_NAME and _NAME.fullmatch(path) is not None


def split_name(path: str) -> Name:
    """Return the name whose `Name.path` this is."""
    repository, _, chart = path.rpartition("/")
    return Name(repository, chart)


def has_name(repository: str, chart: str) -> bool:
    """Return whether a chart has an OCI name: Helm takes capitals and spaces, which no such name has."""
    path = Name(repository, chart).path
    return _CHART.fullmatch(chart) is not None and is_name(path)


def is_tag(text: str) -> bool:
    """Return whether this can be a tag."""
    return _TAG.fullmatch(text) is not None


def tag_of(version: str) -> str | None:
    """Return the tag of a version, as Helm writes it; None where there is none that is short enough.

    No version has a `_`, so that it can be taken back.
    """
    tag = version.replace("+", "_")
    return tag if is_tag(tag) else None


def version_of(tag: str) -> str:
    """Return the version that a tag stands for."""
    return tag.replace("_", "+")


def parse_digest(text: str) -> Digest:
    """Read a digest.

    Raises:
        DigestInvalid: it is none, or of an algorithm that is not taken.
    """
    algorithm, _, encoded = text.partition(":")
    digits = _DIGESTS.get(algorithm)
    if digits is not None and digits.fullmatch(encoded):
        return Digest(algorithm, encoded)
    what = "is of an algorithm that is not known here" if _DIGEST.fullmatch(text) and digits is None else "is no digest"
    raise DigestInvalid(
        f"{shown(text)} {what}: write sha256: and 64 hexadecimal digits in lower case, or sha512: and 128"
    )


def is_digest(text: str) -> bool:
    """Return whether a reference is meant as a digest, and not as a tag."""
    return ":" in text


def sha256(encoded: str) -> Digest:
    """Return the digest that index and catalog know by its hexadecimal digits alone."""
    return Digest(ALGORITHMS[0], encoded)


def new_hash(algorithm: str) -> Hash:
    """Return what computes digests of one of `ALGORITHMS`.

    Raises:
        DigestInvalid: it is another one.
    """
    if algorithm not in _DIGESTS:
        raise DigestInvalid(f"{shown(algorithm)} is not known here: use {' or '.join(ALGORITHMS)}")
    return hashlib.new(algorithm, usedforsecurity=False)


def digest_of(data: bytes, algorithm: str = ALGORITHMS[0]) -> Digest:
    """Return the digest of bytes."""
    found = new_hash(algorithm)
    found.update(data)
    return Digest(algorithm, found.hexdigest())
