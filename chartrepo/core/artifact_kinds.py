"""What the artifacts are that refer to a chart, in words, and how one verifies or gets them.

Media types and annotations are those that cosign, in-toto, Notation, SPDX, CycloneDX and scanners write.
"""

import shlex
from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

COSIGN_TAGS: Final = (".sig", ".att", ".sbom")
"""What stands behind `sha256-<hex>` in the tags under which older versions of cosign keep what is about a manifest."""
_PREDICATE: Final = ("dev.sigstore.bundle.predicateType", "predicateType", "in-toto.io/predicate-type")
_CONTENT: Final = "dev.sigstore.bundle.content"
_BUNDLE: Final = "application/vnd.dev.sigstore.bundle."
_LONGEST: Final = 200


class Purpose(Enum):
    """What an artifact is good for."""

    SIGNATURE = "signature"
    ATTESTATION = "attestation"
    SBOM = "SBOM"
    REPORT = "report"
    OTHER = "other"


class ArtifactKind(NamedTuple):
    """What an artifact is.

    Attributes:
        purpose: of it.
        words: for people.
        predicate: what an attestation says, as cosign's `--type` takes it; empty where that is not known.
    """

    purpose: Purpose
    words: str
    predicate: str = ""


_PREDICATES: Final[Mapping[str, tuple[str, str]]] = {
    "https://slsa.dev/provenance/v1": ("slsaprovenance1", "build provenance (SLSA 1)"),
    "https://slsa.dev/provenance/v0.2": ("slsaprovenance", "build provenance (SLSA 0.2)"),
    "https://slsa.dev/verification_summary/v1": ("", "verification summary (SLSA)"),
    "https://spdx.dev/Document": ("spdxjson", "SBOM (SPDX)"),
    "https://cyclonedx.org/bom": ("cyclonedx", "SBOM (CycloneDX)"),
    "https://cosign.sigstore.dev/attestation/vuln/v1": ("vuln", "vulnerability report"),
    "https://cosign.sigstore.dev/attestation/v1": ("custom", "of a kind of its own"),
    "https://openvex.dev/ns": ("openvex", "exploitability of vulnerabilities (OpenVEX)"),
    "https://in-toto.io/attestation/release/v0.1": ("", "release"),
    "https://sigstore.dev/cosign/sign/v1": ("", "signature"),
}
_TYPES: Final = (
    ("application/vnd.dev.cosign.artifact.sig.", Purpose.SIGNATURE, "Signature (cosign)"),
    ("application/vnd.dev.cosign.artifact.sbom.", Purpose.SBOM, "SBOM (cosign)"),
    ("application/vnd.dev.cosign.simplesigning.", Purpose.SIGNATURE, "Signature (cosign)"),
    ("application/vnd.cncf.notary.signature", Purpose.SIGNATURE, "Signature (Notation)"),
    ("application/spdx+json", Purpose.SBOM, "SBOM (SPDX, JSON)"),
    ("text/spdx", Purpose.SBOM, "SBOM (SPDX, text)"),
    ("application/vnd.cyclonedx", Purpose.SBOM, "SBOM (CycloneDX)"),
    ("application/vnd.syft+json", Purpose.SBOM, "SBOM (Syft)"),
    ("application/sarif+json", Purpose.REPORT, "Report of a scanner (SARIF)"),
    ("application/vnd.aquasec.trivy.report", Purpose.REPORT, "Report of a scanner (Trivy)"),
    ("application/vnd.security.vulnerability.report", Purpose.REPORT, "Report of a scanner"),
    ("application/vnd.openvex", Purpose.REPORT, "Exploitability of vulnerabilities (OpenVEX)"),
    ("application/vex+json", Purpose.REPORT, "Exploitability of vulnerabilities (VEX)"),
    ("application/vnd.cncf.helm.", Purpose.OTHER, "Another Helm chart"),
)


def kind_of_artifact(artifact_type: str | None, annotations: Mapping[str, object]) -> ArtifactKind:
    """Return what an artifact is that refers to a chart.

    Args:
        artifact_type: as lists of referrers have it.
        annotations: of its manifest.
    """
    said = artifact_type or ""
    predicate = next((text for name in _PREDICATE if isinstance(text := annotations.get(name), str) and text), "")
    if said.startswith(_BUNDLE):
        content = annotations.get(_CONTENT)
        if content == "message-signature" or predicate == "https://sigstore.dev/cosign/sign/v1":
            return ArtifactKind(Purpose.SIGNATURE, "Signature (Sigstore bundle)")
        if not predicate:
            return ArtifactKind(Purpose.ATTESTATION, "Signature or attestation (Sigstore bundle)")
        return _attestation(predicate, "Sigstore bundle")
    if said.startswith(("application/vnd.in-toto", "application/vnd.dsse.envelope")) or predicate:
        return _attestation(predicate, "in-toto")
    for prefix, purpose, words in _TYPES:
        if said.startswith(prefix):
            return ArtifactKind(purpose, words)
    return ArtifactKind(Purpose.OTHER, "Artifact" if not said else f"Artifact of type {said[:_LONGEST]}")


def kind_of_tag(tag: str) -> ArtifactKind:
    """Return what an older version of cosign keeps under a tag that ends in one of `COSIGN_TAGS`."""
    if tag.endswith(".sig"):
        return ArtifactKind(Purpose.SIGNATURE, "Signatures (cosign)")
    if tag.endswith(".sbom"):
        return ArtifactKind(Purpose.SBOM, "SBOM (cosign)")
    return ArtifactKind(Purpose.ATTESTATION, "Attestations (cosign)")


def command_for(kind: ArtifactKind, *, chart: str, artifact: str, plain: bool) -> str:
    """Return the command that verifies an artifact, or gets it.

    Args:
        kind: what it is.
        chart: what it is about, as `host/name@digest`.
        artifact: itself, as `host/name@digest`.
        plain: whether the registry speaks HTTP without TLS.
    """
    about, itself = shlex.quote(chart), shlex.quote(artifact)
    cosign = " --allow-http-registry" if plain else ""
    if kind.words.endswith("(Notation)"):
        return f"notation verify{' --insecure-registry' if plain else ''} {about}"
    if kind.purpose is Purpose.SIGNATURE:
        return f"cosign verify --key cosign.pub{cosign} {about}"
    if kind.purpose is Purpose.ATTESTATION:
        named = f" --type {kind.predicate}" if kind.predicate else ""
        return f"cosign verify-attestation --key cosign.pub{named}{cosign} {about}"
    return f"oras pull{' --plain-http' if plain else ''} {itself}"


def _attestation(predicate: str, form: str) -> ArtifactKind:
    name, words = _PREDICATES.get(predicate, ("", ""))
    if not words:
        words = next((each[1] for key, each in _PREDICATES.items() if predicate.startswith(f"{key}/")), "")
        name = next((each[0] for key, each in _PREDICATES.items() if predicate.startswith(f"{key}/")), "")
    told = words or (f"of type {predicate[:_LONGEST]}" if predicate else "of a type that is not said")
    return ArtifactKind(Purpose.ATTESTATION, f"Attestation: {told} ({form})", name)
