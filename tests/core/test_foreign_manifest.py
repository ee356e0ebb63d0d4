"""Manifests that others pushed: which are charts, and what is believed of them."""

import json
from typing import Any, Final

import pytest

from chartrepo.core.foreign_manifest import Blob, InvalidManifestError, PushedChart, pushed_chart

CONFIG: Final = "application/vnd.cncf.helm.config.v1+json"
CONTENT: Final = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
PROVENANCE: Final = "application/vnd.cncf.helm.chart.provenance.v1.prov"
A, B = "a" * 64, "b" * 64


def layer(kind: str = CONTENT, digest: object = f"sha256:{A}", size: object = 5) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest, "size": size}


def manifest(*layers: object, kind: str = CONFIG, **annotations: object) -> bytes:
    said = {f"org.opencontainers.image.{name}": value for name, value in annotations.items()}
    return json.dumps({"config": {"mediaType": kind}, "layers": layers, "annotations": said}).encode()


def chart(data: bytes) -> PushedChart:
    found = pushed_chart(data)
    assert found is not None
    return found


def test_a_chart_is_told_with_all_that_helm_writes() -> None:
    data = manifest(
        layer(PROVENANCE, f"sha256:{B}", 7),
        layer(),
        title="app",
        version="1.0.0+x",
        created="2020-09-13T14:26:40.5+02:00",
    )
    assert pushed_chart(data) == PushedChart(Blob(A, 5), Blob(B, 7), "app", "1.0.0+x", 1_600_000_000, "")


def test_a_chart_needs_no_annotations() -> None:
    assert pushed_chart(json.dumps({"config": {"mediaType": CONFIG}, "layers": [layer()]}).encode()) == PushedChart(
        Blob(A, 5), None, "", "", None, ""
    )


def test_the_media_type_of_helms_experiment_is_known() -> None:
    assert chart(manifest(layer("application/tar+gzip"))).package == Blob(A, 5)


@pytest.mark.parametrize(
    "data",
    [
        manifest(layer(), kind="application/vnd.oci.image.config.v1+json"),
        b'{"manifests": []}',
        b'{"config": null}',
        b"{}",
    ],
)
def test_what_is_no_chart_is_no_fault(data: bytes) -> None:
    assert pushed_chart(data) is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<html>", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "no object"),
        (manifest(), "has no layer of the media type"),
        (manifest("x", 1), "has no layer of the media type"),
        (json.dumps({"config": {"mediaType": CONFIG}, "layers": {}}).encode(), "has no layer of the media type"),
        (manifest(layer(digest="sha512:abc")), "'sha512:abc': not SHA-256"),
        (manifest(layer(digest=f"sha256:{A}/../..")), "not SHA-256"),
        (manifest(layer(digest=None)), "not SHA-256"),
        (manifest(layer(size="5")), "no number"),
        (manifest(layer(size=-1)), "no number"),
        (manifest(layer(size=True)), "no number"),
    ],
)
def test_what_cannot_be_fetched_by_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidManifestError, match=reason):
        pushed_chart(data)


@pytest.mark.parametrize("text", [None, "", "0001-01-01T00:00:00Z"])
def test_a_time_that_nobody_gave_is_none(text: object) -> None:
    found = chart(manifest(layer(), created=text))
    assert (found.created, found.not_a_time) == (None, "")


@pytest.mark.parametrize("text", ["yesterday", "2020-09-13", "2020-13-01T00:00:00Z", "1960-01-01T00:00:00Z", 5, {}])
def test_a_time_that_is_none_is_told_as_it_stands(text: object) -> None:
    found = chart(manifest(layer(), created=text))
    assert (found.created, found.not_a_time) == (None, text if isinstance(text, str) else json.dumps(text))


@pytest.mark.parametrize("text", ["a/b", "../x", "\ud800", "", "x" * 251, 5, None])
def test_a_name_that_cannot_be_one_is_not_believed(text: object) -> None:
    found = chart(manifest(layer(), title=text, version=text))
    assert (found.name, found.version) == ("", "")
