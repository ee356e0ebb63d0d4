"""Manifests that clients push: what is read out of them, and what is refused with which words."""

import json
from typing import Any

import pytest

from chartrepo.core import manifests, oci
from chartrepo.core.errors import ManifestInvalid
from chartrepo.core.manifests import ChartParts
from chartrepo.core.oci import Descriptor, Digest
from tests.support.endless import must_end

A, B, C = ("sha256:" + letter * 64 for letter in "abc")


def described(kind: str = "text/plain", digest: object = A, size: object = 5, **more: Any) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest, "size": size, **more}


def image(**fields: Any) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": oci.IMAGE_MANIFEST, "config": described(digest=A), "layers": [], **fields}


def chart(*layers: dict[str, Any]) -> dict[str, Any]:
    return image(config=described(oci.HELM_CONFIG), layers=list(layers))


def index(**fields: Any) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": oci.IMAGE_INDEX, "manifests": [], **fields}


def without(document: dict[str, Any], field: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != field}


def read(document: object, content_type: str = "") -> manifests.Manifest:
    return manifests.parse(json.dumps(document).encode(), content_type)


def refused(data: bytes | object, content_type: str = "") -> str:
    """Why something is refused: a sentence that says where."""
    with pytest.raises(ManifestInvalid) as error:
        manifests.parse(data if isinstance(data, bytes) else json.dumps(data).encode(), content_type)
    said = str(error.value)
    assert said.startswith(("the manifest ", "manifest: "))
    assert len(said) < 500
    assert "\n" not in said
    return said


class TestWhatIsRead:
    def test_an_image_needs_its_config_and_its_layers(self) -> None:
        found = read(image(layers=[described(digest=B), described(digest=C, size=0)]))
        assert [str(blob.digest) for blob in found.blobs] == [A, B, C]
        assert [blob.size for blob in found.blobs] == [5, 5, 0]
        assert (found.media_type, found.manifests, found.chart) == (oci.IMAGE_MANIFEST, (), None)

    def test_an_index_needs_its_manifests(self) -> None:
        found = read(index(manifests=[described(oci.IMAGE_MANIFEST, B)]))
        assert [str(each.digest) for each in found.manifests] == [B]
        assert (found.blobs, found.artifact_type) == ((), None)

    @pytest.mark.parametrize(
        "kind",
        [
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        ],
    )
    def test_layers_that_may_not_be_handed_on_are_not_needed(self, kind: str) -> None:
        assert [str(blob.digest) for blob in read(image(layers=[described(kind, B)])).blobs] == [A]

    @pytest.mark.parametrize(
        ("document", "kind"),
        [
            (without(image(), "mediaType"), oci.IMAGE_MANIFEST),
            (without(index(), "mediaType"), oci.IMAGE_INDEX),
            (image(mediaType=oci.DOCKER_MANIFEST), oci.DOCKER_MANIFEST),
            (index(mediaType=oci.DOCKER_LIST), oci.DOCKER_LIST),
        ],
    )
    def test_its_bytes_alone_tell_what_it_is(self, document: dict[str, Any], kind: str) -> None:
        assert read(document).media_type == kind
        assert read(document, kind).media_type == kind
        assert read(document, f"{kind.upper()}; charset=utf-8").media_type == kind

    @pytest.mark.parametrize("said", ["application/json", "application/octet-stream"])
    def test_a_content_type_that_says_little_is_no_contradiction(self, said: str) -> None:
        assert read(image(), said).media_type == oci.IMAGE_MANIFEST

    @pytest.mark.parametrize(
        ("fields", "kind"),
        [
            ({}, "text/plain"),
            ({"artifactType": "x/y"}, "x/y"),
            ({"artifactType": ""}, "text/plain"),
            ({"artifactType": None}, "text/plain"),
        ],
    )
    def test_the_artifact_type_is_its_own_or_that_of_its_config(self, fields: dict[str, Any], kind: str) -> None:
        assert read(image(**fields)).artifact_type == kind

    def test_subject_and_annotations_are_kept(self) -> None:
        found = read(index(subject=described(digest=C), annotations={"a": "ü", "b": ""}))
        assert str(found.subject) == C
        assert found.annotations == {"a": "ü", "b": ""}

    @pytest.mark.parametrize("document", [image(subject=None, annotations=None), image(layers=None)])
    def test_null_is_as_nothing(self, document: dict[str, Any]) -> None:
        found = read(document)
        assert (found.subject, found.annotations, len(found.blobs)) == (None, {}, 1)

    def test_fields_that_nobody_knows_are_left_alone(self) -> None:
        assert read(image(custom=[{"deep": 1.5}])) == read(image())

    def test_sha512_is_a_digest_too(self) -> None:
        digest = "sha512:" + "a" * 128
        assert str(read(image(layers=[described(digest=digest)])).blobs[1].digest) == digest


class TestCharts:
    def test_the_package_is_told_by_its_media_type(self) -> None:
        package = Descriptor(oci.HELM_CHART, Digest("sha256", "b" * 64), 5)
        assert read(chart(described(oci.HELM_CHART, B), described("x/y"))).chart == ChartParts(package, None)

    def test_the_media_type_of_helms_experiment_is_known(self) -> None:
        found = read(chart(described(oci.HELM_CHARTS[1], B))).chart
        assert found is not None
        assert str(found.package.digest) == B

    def test_a_provenance_may_come_before_or_behind(self) -> None:
        layers = [described(oci.HELM_CHART, B), described(oci.HELM_PROVENANCE, C)]
        for order in (layers, layers[::-1]):
            found = read(chart(*order)).chart
            assert found is not None
            assert found.provenance is not None
            assert (str(found.package.digest), str(found.provenance.digest)) == (B, C)

    def test_a_chart_layer_under_another_config_is_no_chart(self) -> None:
        assert read(image(layers=[described(oci.HELM_CHART, B)])).chart is None

    @pytest.mark.parametrize("count", [0, 2])
    def test_without_one_package_it_is_refused(self, count: int) -> None:
        said = refused(chart(*[described(oci.HELM_CHART, B)] * count))
        assert f"has {count} layers of the type {oci.HELM_CHART}: it has to have one, the chart's package" in said

    def test_two_provenances_are_refused(self) -> None:
        layers = [described(oci.HELM_CHART, B), *[described(oci.HELM_PROVENANCE, C)] * 2]
        assert "has 2 layers of the type" in refused(chart(*layers))

    def test_a_package_named_by_sha512_is_refused(self) -> None:
        said = refused(chart(described(oci.HELM_CHART, "sha512:" + "a" * 128)))
        assert said.endswith("name it by sha256")


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"{",
            b"\xff{}",
            b"{}x",
            b'{"schemaVersion": NaN}',
            b'{"schemaVersion": -Infinity}',
            b"\xef\xbb\xbf{}",
            b'{"schemaVersion": ' + b"1" * 5000 + b"}",
        ],
        ids=range(8),
    )
    def test_what_is_no_json(self, data: bytes) -> None:
        assert "is no JSON in UTF-8" in refused(data)

    @pytest.mark.parametrize("data", [b"[]", b"null", b'"x"', b"2"])
    def test_what_is_no_object(self, data: bytes) -> None:
        assert "is no JSON object" in refused(data)

    @pytest.mark.parametrize("version", [1, 3, "2", None, [], 10**400])
    def test_another_schema_version(self, version: object) -> None:
        said = refused(image(schemaVersion=version))
        assert "has schemaVersion" in said
        assert "only 2 is known" in said

    @pytest.mark.parametrize(
        "data",
        [
            b'{"schemaVersion": 1, "schemaVersion": 2}',
            b'{"schemaVersion": 2, "config": {"size": 1, "digest": "", "size": 2}}',
        ],
    )
    def test_a_key_that_is_there_twice(self, data: bytes) -> None:
        assert "an object has one key twice, and readers differ in which of them counts" in refused(data)

    @pytest.mark.parametrize("kind", ["text/plain", "", 5, None, ["x"], "x" * 10_000])
    def test_another_media_type_is_refused_with_those_known(self, kind: object) -> None:
        document = image(mediaType=kind)
        if kind is None:
            assert read(document).media_type == oci.IMAGE_MANIFEST
        else:
            assert oci.IMAGE_INDEX in refused(document)

    @pytest.mark.parametrize("said", [oci.IMAGE_INDEX, oci.DOCKER_MANIFEST, "text/plain", "x" * 10_000])
    def test_a_content_type_that_says_another_thing(self, said: str) -> None:
        assert refused(image(), said).endswith("send the Content-Type that mediaType says")
        assert refused(without(image(), "mediaType"), said).endswith("say in mediaType what it is")

    @pytest.mark.parametrize(
        ("document", "field"),
        [
            (without(image(), "config"), "config is no descriptor: it has to have mediaType, digest and size"),
            (image(config=[]), "config is no descriptor"),
            (image(layers={}), "layers is no list"),
            (without(index(), "manifests"), "manifests is no list"),
            (index(manifests=None), "manifests is no list"),
            (image(layers=[described(), "x"]), "layers[1] is no descriptor"),
            (image(layers=[described(kind="")]), "layers[0].mediaType is missing, or no text"),
            (image(layers=[without(described(), "size")]), "layers[0].size is missing, or no number of bytes"),
            (image(layers=[described(size=-1)]), "layers[0].size"),
            (image(layers=[described(size=True)]), "layers[0].size"),
            (image(layers=[described(size=1.0)]), "layers[0].size"),
            (
                image(layers=[described(digest="md5:00")]),
                "layers[0].digest: 'md5:00' is of an algorithm that is not known",
            ),
            (image(layers=[described(digest=5)]), "layers[0].digest: '' is no digest: write sha256:"),
            (index(manifests=[described(digest="x")]), "manifests[0].digest"),
            (image(subject="x"), "subject is no descriptor"),
            (image(subject=described(digest="x")), "subject.digest"),
            (image(artifactType=5), "artifactType is no text"),
            (image(annotations=["x"]), "annotations is no mapping of texts to texts"),
            (image(annotations={"a": 5}), "annotations is no mapping of texts to texts"),
        ],
    )
    def test_a_field_that_is_none_is_named(self, document: dict[str, Any], field: str) -> None:
        assert field in refused(document)

    @pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\0"])
    @pytest.mark.parametrize("field", ["artifactType", "annotations", "a key of annotations", "config.mediaType"])
    def test_a_text_that_no_database_keeps_is_refused(self, field: str, text: str) -> None:
        documents = {
            "artifactType": image(artifactType=text),
            "annotations": image(annotations={"a": text}),
            "a key of annotations": image(annotations={text: "a"}),
            "config.mediaType": image(config=described(text)),
        }
        assert field.rpartition(" ")[2] in refused(documents[field])


class TestDepth:
    @pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
    @pytest.mark.parametrize("depth", [100, 100_000])
    def test_what_is_nested_too_deeply_is_refused(self, opening: bytes, closing: bytes, depth: int) -> None:
        data = b'{"schemaVersion": 2, "deep": ' + opening * depth + b"1" + closing * depth + b"}"
        assert "is nested more than 100 levels deep" in refused(data[: manifests.MAX_BYTES])

    def test_as_deep_as_allowed_is_read(self) -> None:
        deep: object = 1
        for _ in range(99):
            deep = [deep]
        assert read(image(deep=deep)) == read(image())

    def test_many_brackets_side_by_side_are_not_deep(self) -> None:
        assert len(read(image(layers=[described()] * 5000)).blobs) == 5001

    def test_brackets_in_texts_are_not_counted(self) -> None:
        texts = {"a": "[" * 500, "b": '\\"' + "{" * 500, '"[': "\\"}
        assert read(image(annotations=texts)).annotations == texts

    @pytest.mark.parametrize("text", [b'\\"', b'"', b"\\", b'"\\', b'""'])
    def test_texts_that_never_end_take_no_long_time(self, text: bytes) -> None:
        data = b"[]" * 101 + text * 300_000
        with must_end():
            refused(data)
