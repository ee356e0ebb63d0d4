"""The manifests of packages that nobody pushed. Their digests are pinned and signed by people: they never change."""

import io
import json
import struct
import zlib
from typing import Any, Final, NamedTuple

import pytest

from chartrepo.core import index, made_manifests, manifests, oci
from chartrepo.core.made_manifests import Part
from chartrepo.examine import examine
from tests.support.packages import chart_yaml, tar
from tests.support.repositories import provenance

TITLE, VERSION = "org.opencontainers.image.title", "org.opencontainers.image.version"
NOWHERE: Final = Part("a" * 64, 5)


class Made(NamedTuple):
    """What is made from a package."""

    config: bytes
    manifest: bytes
    signed: bytes


class Golden(NamedTuple):
    """A package, and digests (SHA-256 in hex) of it and of what is made from it."""

    fields: dict[str, Any]
    package: str
    config: str
    manifest: str
    signed: str


def stored(data: bytes) -> bytes:
    """A gzip member that holds up to 65,535 bytes as they are: no two compressors make the same of anything."""
    block = struct.pack("<BHH", 1, len(data), len(data) ^ 0xFFFF) + data
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + block + struct.pack("<II", zlib.crc32(data), len(data))


def package(*, name: str = "app", version: str = "1.0.0", **metadata: Any) -> bytes:
    return stored(tar([(f"{name}/Chart.yaml", chart_yaml(name, version, **metadata))]))


def made(data: bytes) -> Made:
    """What is made from a package, by way of its index entry, as a server does."""
    examined = examine(io.BytesIO(data))
    chart = examined.package.chart
    metadata = made_manifests.metadata_of(index.entry(chart.metadata, created=1, digest=examined.digest).json)
    assert metadata == chart.metadata
    signature = provenance(data, f"{chart.name}-{chart.version}.tgz", name=chart.name, version=chart.version)
    whole, signed = Part(examined.digest, examined.size), Part(oci.digest_of(signature).hex, len(signature))
    return Made(
        made_manifests.config(metadata),
        made_manifests.manifest(metadata, whole),
        made_manifests.manifest(metadata, whole, signed),
    )


def said(**metadata: Any) -> dict[str, str]:
    """The annotations of a chart's manifest."""
    document = json.loads(made_manifests.manifest({"name": "app", "version": "1.0.0", **metadata}, NOWHERE))
    found: dict[str, str] = document["annotations"]
    return found


GOLDEN: Final = {
    "a chart that says nothing": Golden(
        {},
        "6c800e92af847f521edccabaf8a3887150804865fb3d3d7908ce71cf91f45b0d",
        "dc6ebb6b2c973073c0bf453ae8b5e5e7d7b4fc1df8d2ce5c54d9de2c636e0a52",
        "a3c65d9f5483e597c195487e80eb36f0af33477c13132a2b06cd0bf3b9e40847",
        "d1b40b2deed76376cb472561a0103d42ef0e01b9d6f6ebfb34ddaa94bcdd40dc",
    ),
    "with build metadata": Golden(
        {"version": "1.2.3-rc.1+build.5"},
        "d83221b87c79408dcae5c5823dd9825c28c192b4237183499ae46c8de9ca65a7",
        "ae49d5a0dd5eb9dea21d3708760cb5d9473ea7d5b4ad9878684a60e08c849a77",
        "1a6d9a5e83c2792dd45b522d5245be0c3ffe19e871c618b5e9c0fd06b8618e32",
        "cf3d5796ae9e5eac03c0d59afea629f5ff39cd65b7ecfa4a210b8042c66274bd",
    ),
    "with a version that is not strict": Golden(
        {"name": "a-b_c.d", "version": "v1.2"},
        "6d50bc5f6eff9ca6e797b0ff12c56881e5d7c4607c35f6ba2a4607048e444b02",
        "fdd8ddb5133b54b84d7f1f738c74a0cb884327d311c1500d12e2998ce7316e13",
        "34fa5f781d928a91b8141600ca2d1d48f300654a65ac8edfcf2df71ac048ecd4",
        "46c8b69812a7d88a63b7e8675a8616d9c99e03ad8997316601c133c293d91cb0",
    ),
    "maintainers and sources": Golden(
        {
            "home": "https://example.com/app",
            "description": "What it does",
            "sources": ["https://example.com/a.git", "https://example.com/b"],
            "maintainers": [
                {"name": "Ada", "email": "ada@example.com"},
                {"name": "Bob", "url": "https://example.com/bob"},
            ],
        },
        "829d18c80605ca618f1d9439613faa25deb00bdadfb6b874a88545e6e74071c7",
        "7f1f3e9ae0056d37dbbbeb77c5ef71a06b6a6306c002f0a8c99e0bbfd6c6e5b9",
        "73eb3c4d21b54e9ebb1e7b0fbeb53817407052e7c7fd4c1c415568ad9770a426",
        "3e237f20d8cd2772a869c969da94229569c1855caf96fe4cffa8efe21e025e4f",
    ),
    "annotations that claim another title and version": Golden(
        {
            "annotations": {
                TITLE: "other",
                VERSION: "9.9.9",
                "org.opencontainers.image.url": "https://example.com/other",
                "org.opencontainers.image.created": "2020-09-13T12:26:40Z",
                "z": "1",
                "a": "",
            }
        },
        "3a3af293aa8f0735b3287834c89c4ed803ee3f7d0d2c883d5e0c7f8c8099b5de",
        "2735d4d1d92992c104e0e0a2497732dd1eb62cadb4bef62a0e9059afcf4dafc4",
        "fabff149489eeb83a134fc25546fc97dd6a30489244431be4eb8ae73dfa0b781",
        "a9996276b1c3770d431d6b8f0d99797b02056d180eec6bdba862266f37b55edd",
    ),
    "what is not ASCII": Golden(
        {
            "name": "äpp-日本",
            "description": 'Zoë 🎉 \u2028 <b>&amp;</b> "quoted" \\',
            "annotations": {"ключ": "значение 🎉"},
            "keywords": ["日本"],
        },
        "50c99bf09699d23247bef3a4477a3aed1d1bcbd3f560b4da5cb56285422ce9bc",
        "2315dbf93d2ea0ef8857b05de8da043b50f364182006f7784021f548e49e63b6",
        "ed1183d3383526e6ca36fd07484125e6f4884a584fb680e6f9ec8c3b78d0c015",
        "0a5cc56e107dd074e8df64a27329fe1427d159604a7da83921e91f49c7b01e17",
    ),
    "everything": Golden(
        {
            "version": "2.0.0",
            "appVersion": "1.10",
            "kubeVersion": ">=1.28.0-0",
            "type": "library",
            "icon": "https://example.com/i.svg",
            "home": "https://example.com",
            "description": "All of it",
            "keywords": ["y", "1e3", ""],
            "sources": ["https://example.com/a"],
            "maintainers": [{"name": "Ada", "email": "ada@example.com", "url": "https://example.com"}],
            "deprecated": True,
            "condition": "a.enabled",
            "tags": "x,y",
            "annotations": {"b": "1", "a": "2"},
            "dependencies": [
                {
                    "name": "base",
                    "version": "^1.0",
                    "repository": "oci://example.com/charts",
                    "alias": "ground",
                    "condition": "base.enabled",
                    "tags": ["t"],
                    "import-values": ["data", {"child": "a", "parent": "b"}],
                }
            ],
        },
        "bab561bff137e882dce69338f8a8b586207864b60b4e1fc25b1f593efac95d71",
        "677a8b8596380db63f0f83713a1555b3a04776fb6c8118a77c49a0a2349e3bc0",
        "e91047671349d3f5e1d621ed6c32f94c2cce539ca5509c71f67b89909fee0fb5",
        "58709000a0631c715b0abebb9d5a0473a6ae51b2962f33d9d7287fc5eec68572",
    ),
}
"""Where one of these digests differs, the code is wrong, not the digest."""


@pytest.mark.parametrize("golden", GOLDEN.values(), ids=GOLDEN)
def test_what_is_made_from_a_package_never_changes(golden: Golden) -> None:
    data = package(**golden.fields)
    assert oci.digest_of(data).hex == golden.package, "the package of this test is another one: look at its maker"
    found = made(data)
    assert oci.digest_of(found.config).hex == golden.config
    assert oci.digest_of(found.manifest).hex == golden.manifest
    assert oci.digest_of(found.signed).hex == golden.signed


def test_the_manifest_of_a_package_byte_for_byte() -> None:
    metadata = {"name": "app", "version": "1.0.0+a", "home": "https://a", "annotations": {"b": "c"}, "apiVersion": "v2"}
    config = b'{"name":"app","version":"1.0.0+a","home":"https://a","annotations":{"b":"c"},"apiVersion":"v2"}'
    assert made_manifests.config(metadata) == config
    assert made_manifests.manifest(metadata, Part("b" * 64, 6), Part("a" * 64, 7)).decode() == (
        '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",'
        '"config":{"mediaType":"application/vnd.cncf.helm.config.v1+json",'
        f'"digest":"{oci.digest_of(config)}","size":{len(config)}}},'
        '"layers":[{"mediaType":"application/vnd.cncf.helm.chart.provenance.v1.prov",'
        f'"digest":"sha256:{"a" * 64}","size":7}},'
        '{"mediaType":"application/vnd.cncf.helm.chart.content.v1.tar+gzip",'
        f'"digest":"sha256:{"b" * 64}","size":6}}],'
        '"annotations":{"b":"c","org.opencontainers.image.title":"app","org.opencontainers.image.url":"https://a",'
        '"org.opencontainers.image.version":"1.0.0+a"}}'
    )


def test_what_is_made_is_read_as_a_chart() -> None:
    data = package(**GOLDEN["everything"].fields)
    found = made(data)
    for each, signed in ((found.manifest, False), (found.signed, True)):
        manifest = manifests.parse(each, oci.IMAGE_MANIFEST)
        assert manifest.chart is not None
        assert manifest.chart.package.digest == oci.digest_of(data)
        assert manifest.chart.package.size == len(data)
        assert (manifest.chart.provenance is not None) == signed
        assert manifest.blobs[0].digest == oci.digest_of(found.config)
        assert manifest.blobs[0].size == len(found.config)
        assert manifest.artifact_type == oci.HELM_CONFIG


def test_neither_the_time_of_publication_nor_its_digest_is_in_the_config() -> None:
    entry = index.entry({"name": "app", "version": "1.0.0"}, created=1_700_000_000, digest="a" * 64).json
    assert made_manifests.metadata_of(entry) == {"name": "app", "version": "1.0.0"}


class TestAnnotations:
    def test_those_of_the_chart_override_all_but_title_and_version(self) -> None:
        home = "org.opencontainers.image.url"
        found = said(home="https://a", annotations={TITLE: "evil", VERSION: "6.6.6", home: "https://b", "own": ""})
        assert found == {TITLE: "app", VERSION: "1.0.0", home: "https://b", "own": ""}

    def test_the_first_source_is_the_source(self) -> None:
        assert said(sources=["https://a", "https://b"])["org.opencontainers.image.source"] == "https://a"

    @pytest.mark.parametrize(
        ("maintainers", "authors"),
        [
            ([{"name": "Ada"}], "Ada"),
            ([{"name": "Ada", "email": "ada@example.com"}, {"name": "Bob"}], "Ada (ada@example.com), Bob"),
            ([{"name": "Ünal", "url": "https://a"}], "Ünal"),
        ],
    )
    def test_maintainers_are_authors_as_helm_writes_them(self, maintainers: list[Any], authors: str) -> None:
        assert said(maintainers=maintainers)["org.opencontainers.image.authors"] == authors

    def test_what_a_chart_says_nothing_of_is_left_out(self) -> None:
        assert said(sources=[], maintainers=[], home="") == {TITLE: "app", VERSION: "1.0.0"}

    def test_they_are_in_order(self) -> None:
        found = list(said(home="x", annotations={"z": "", "a": "", "p": ""}))
        assert found == sorted(found)


class TestLargeOnes:
    LARGE: Final = "x" * (manifests.MAX_BYTES - 100)

    def test_annotations_are_left_out_where_no_client_would_take_the_manifest(self) -> None:
        assert said(home="https://a", annotations={"large": self.LARGE}) == {
            TITLE: "app",
            VERSION: "1.0.0",
            "org.opencontainers.image.url": "https://a",
        }

    def test_one_that_just_fits_keeps_them(self) -> None:
        some = {"large": "x" * 1_000_000}
        taken = len(made_manifests.manifest({"name": "app", "version": "1.0.0", "annotations": some}, NOWHERE))
        fits = "x" * (1_000_000 + manifests.MAX_BYTES - taken)
        assert said(annotations={"large": fits})["large"] == fits
        assert "large" not in said(annotations={"large": fits + "x"})

    @pytest.mark.parametrize(
        "metadata",
        [
            {"description": LARGE},
            {"home": LARGE},
            {"sources": [LARGE]},
            {"maintainers": [{"name": LARGE}]},
            {"description": LARGE, "annotations": {"a": "b"}},
        ],
        ids=["description", "home", "sources", "maintainers", "annotations too"],
    )
    def test_what_helm_adds_is_left_out_where_it_is_what_is_too_large(self, metadata: dict[str, Any]) -> None:
        assert said(**metadata) == {TITLE: "app", VERSION: "1.0.0"}
