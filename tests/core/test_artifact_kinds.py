"""What artifacts are that refer to a chart, and how one verifies or gets them."""

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartrepo.core.artifact_kinds import ArtifactKind, Purpose, command_for, kind_of_artifact, kind_of_tag

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


@pytest.mark.parametrize(
    ("artifact_type", "annotations", "purpose", "words", "predicate"),
    [
        (BUNDLE, {"dev.sigstore.bundle.content": "message-signature"}, Purpose.SIGNATURE,
         "Signature (Sigstore bundle)", ""),
        (BUNDLE, {"dev.sigstore.bundle.content": "dsse-envelope",
                  "dev.sigstore.bundle.predicateType": "https://slsa.dev/provenance/v1"},
         Purpose.ATTESTATION, "Attestation: build provenance (SLSA 1) (Sigstore bundle)", "slsaprovenance1"),
        (BUNDLE, {"dev.sigstore.bundle.predicateType": "https://sigstore.dev/cosign/sign/v1"}, Purpose.SIGNATURE,
         "Signature (Sigstore bundle)", ""),
        (BUNDLE, {}, Purpose.ATTESTATION, "Signature or attestation (Sigstore bundle)", ""),
        ("application/vnd.in-toto+json", {"predicateType": "https://spdx.dev/Document/v2.3"}, Purpose.ATTESTATION,
         "Attestation: SBOM (SPDX) (in-toto)", "spdxjson"),
        ("application/vnd.in-toto+json", {"predicateType": "urn:x"}, Purpose.ATTESTATION,
         "Attestation: of type urn:x (in-toto)", ""),
        ("application/spdx+json", {}, Purpose.SBOM, "SBOM (SPDX, JSON)", ""),
        ("application/vnd.cyclonedx+json", {}, Purpose.SBOM, "SBOM (CycloneDX)", ""),
        ("application/vnd.cncf.notary.signature", {}, Purpose.SIGNATURE, "Signature (Notation)", ""),
        ("application/sarif+json", {}, Purpose.REPORT, "Report of a scanner (SARIF)", ""),
        ("application/vnd.example", {}, Purpose.OTHER, "Artifact of type application/vnd.example", ""),
        (None, {}, Purpose.OTHER, "Artifact", ""),
    ],
)  # fmt: skip
def test_types_are_told_in_words(
    artifact_type: str | None, annotations: dict[str, Any], purpose: Purpose, words: str, predicate: str
) -> None:
    assert kind_of_artifact(artifact_type, annotations) == ArtifactKind(purpose, words, predicate)


def test_so_are_the_tags_of_cosign() -> None:
    assert [kind_of_tag(f"sha256-0.{end}").purpose for end in ("sig", "att", "sbom")] == [
        Purpose.SIGNATURE, Purpose.ATTESTATION, Purpose.SBOM,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "plain", "command"),
    [
        (kind_of_tag("x.sig"), False, "cosign verify --key cosign.pub h/n@sha256:a"),
        (kind_of_tag("x.sig"), True, "cosign verify --key cosign.pub --allow-http-registry h/n@sha256:a"),
        (ArtifactKind(Purpose.ATTESTATION, "", "vuln"), False,
         "cosign verify-attestation --key cosign.pub --type vuln h/n@sha256:a"),
        (kind_of_artifact("application/spdx+json", {}), True, "oras pull --plain-http h/n@sha256:b"),
        (kind_of_artifact("application/vnd.cncf.notary.signature", {}), False, "notation verify h/n@sha256:a"),
    ],
)  # fmt: skip
def test_each_has_its_command(kind: ArtifactKind, plain: bool, command: str) -> None:
    assert command_for(kind, chart="h/n@sha256:a", artifact="h/n@sha256:b", plain=plain) == command


@given(
    st.text(), st.dictionaries(st.sampled_from(["predicateType", "dev.sigstore.bundle.content"]), st.text() | st.none())
)
def test_nothing_that_somebody_pushed_gets_into_a_command(artifact_type: str, annotations: dict[str, Any]) -> None:
    kind = kind_of_artifact(artifact_type, annotations)
    command = command_for(kind, chart="h/n@sha256:a", artifact="h/n@sha256:b", plain=True)
    assert set(shlex.split(command)) <= {
        "cosign", "verify", "verify-attestation", "--key", "cosign.pub", "--allow-http-registry", "oras", "pull",
        "--plain-http", "notation", "--insecure-registry", "h/n@sha256:a", "h/n@sha256:b", "--type", "slsaprovenance",
        "slsaprovenance1", "spdxjson", "cyclonedx", "vuln", "custom", "openvex",
    }  # fmt: skip
