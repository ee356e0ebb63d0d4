"""What the catalog knows of OCI, in each engine."""

from dataclasses import replace

import pytest

from chartrepo.catalog import Catalog, ContentKind, ManifestRecord, TagRecord
from chartrepo.core import made_manifests, oci
from chartrepo.core.errors import CatalogIncomplete
from chartrepo.core.made_manifests import Part
from chartrepo.core.oci import Digest, Name
from tests.support.catalogs import build, package, record

WEB = Name("team", "web")
SUBJECT = f"sha256:{'5' * 64}"


def manifest(number: int = 1, **others: object) -> ManifestRecord:
    made = ManifestRecord(
        name=WEB.path,
        digest=f"sha256:{number:064x}",
        media_type=oci.IMAGE_MANIFEST,
        size=100 + number,
        subject=None,
        artifact_type="application/x",
        annotations="{}",
        chart=None,
        loose=False,
        needs=(f"sha256:{'a' * 64}",),
    )
    return replace(made, **others)  # type: ignore[arg-type]


def tag(name: str, digest: str, package: str | None = None) -> TagRecord:
    return TagRecord(WEB.path, name, digest, package, None, "state-1")


def push(catalog: Catalog, *records: ManifestRecord | TagRecord) -> None:
    with catalog.artifacts.holding(WEB.path) as held:
        for each in records:
            if isinstance(each, TagRecord):
                held.put_tag(each)
            else:
                held.put_manifest(each)


def tags(catalog: Catalog, after: str = "", limit: int = 100) -> list[str]:
    return catalog.artifacts.tags(WEB, after=after, limit=limit)


class TestPackages:
    def test_every_part_of_a_package_is_found_by_its_digest(self, catalog: Catalog) -> None:
        made = package("web", repository="team", provenance_digest="cd" * 32, provenance_size=7, signed=True)
        record(catalog, made)
        metadata = made_manifests.metadata_of(made.entry_json)
        parts = Part(made.digest, made.size), Part("cd" * 32, 7)
        digests = {
            ContentKind.PACKAGE: made.digest,
            ContentKind.PROVENANCE: "cd" * 32,
            ContentKind.CONFIG: oci.digest_of(made_manifests.config(metadata)).hex,
            ContentKind.MANIFEST: oci.digest_of(made_manifests.manifest(metadata, parts[0])).hex,
            ContentKind.SIGNED_MANIFEST: oci.digest_of(made_manifests.manifest(metadata, *parts)).hex,
        }
        for kind, digest in digests.items():
            found = catalog.artifacts.contents(WEB, Digest("sha256", digest))
            assert [(each.kind, each.package) for each in found] == [(kind, made)]
            assert catalog.artifacts.contents(Name("", "web"), Digest("sha256", digest)) == []
            assert catalog.artifacts.contents(Name("team", "other"), Digest("sha256", digest)) == []

    def test_nothing_is_found_of_one_that_was_removed_or_replaced(self, catalog: Catalog) -> None:
        old = package("web", repository="team")
        new = package("web", repository="team", digest="ef" * 32, state="state-2")
        record(catalog, old)
        record(catalog, new)
        assert catalog.artifacts.contents(WEB, Digest("sha256", old.digest)) == []
        assert len(catalog.artifacts.contents(WEB, Digest("sha256", new.digest))) == 1
        with catalog.exclusive("team", new.file) as entry:
            entry.remove()
        assert catalog.artifacts.contents(WEB, Digest("sha256", new.digest)) == []
        assert not catalog.artifacts.knows(WEB)

    def test_they_are_found_after_a_build_too(self, catalog: Catalog) -> None:
        made = package("web", repository="team")
        build(catalog, made)
        assert len(catalog.artifacts.contents(WEB, Digest("sha256", made.digest))) == 1

    @pytest.mark.parametrize(
        ("name", "version"), [("Web", "1.0.0"), ("w b", "1.0.0"), ("web", "1.0.0-" + "a" * 130), ("-web", "1.0.0")]
    )
    def test_one_without_an_oci_form_is_not_there(self, catalog: Catalog, name: str, version: str) -> None:
        made = package(name, version, repository="team")
        record(catalog, made)
        assert catalog.artifacts.contents(Name("team", name), Digest("sha256", made.digest)) == []
        assert catalog.artifacts.names() == []

    def test_what_is_not_found_while_the_catalog_is_built_may_be_there(self, unbuilt: Catalog) -> None:
        build(unbuilt)
        with unbuilt.rebuilding(), pytest.raises(CatalogIncomplete):
            unbuilt.artifacts.contents(WEB, Digest("sha256", "0" * 64))


class TestTags:
    def test_versions_and_others_are_in_the_order_of_their_bytes(self, catalog: Catalog) -> None:
        for version in ("1.10.0", "1.9.0", "2.0.0+b1"):
            record(catalog, package("web", version, repository="team"))
        push(catalog, manifest(), tag("latest", manifest().digest), tag("Z", manifest().digest))
        assert tags(catalog) == ["1.10.0", "1.9.0", "2.0.0_b1", "Z", "latest"]
        assert tags(catalog, after="1.9.0", limit=2) == ["2.0.0_b1", "Z"]
        assert tags(catalog, limit=1) == ["1.10.0"]
        assert tags(catalog, after="zzz") == []
        assert tags(catalog, after="a\0b") == []

    def test_a_tag_without_its_manifest_is_not_shown(self, catalog: Catalog) -> None:
        push(catalog, tag("latest", manifest().digest))
        assert tags(catalog) == []

    def test_a_version_is_shown_as_long_as_its_package_is_there(self, catalog: Catalog) -> None:
        made = package("web", repository="team")
        chart = manifest(chart=made.digest)
        push(catalog, chart, tag("1.0.0", chart.digest, made.digest), tag("stable", chart.digest))
        assert tags(catalog) == []
        record(catalog, made)
        assert tags(catalog) == ["1.0.0", "stable"]

    def test_a_tag_of_a_chart_that_is_not_published_is_shown_while_its_package_is_a_blob(
        self, catalog: Catalog
    ) -> None:
        chart = manifest(chart="ab" * 32, loose=True)
        push(catalog, chart, tag("stable", chart.digest))
        assert tags(catalog) == ["stable"]
        with catalog.artifacts.holding(WEB.path) as held:
            held.set_loose("ab" * 32, loose=False)
        assert tags(catalog) == []

    def test_a_tag_moves(self, catalog: Catalog) -> None:
        push(catalog, manifest(1), manifest(2), tag("latest", manifest(1).digest))
        push(catalog, tag("latest", manifest(2).digest))
        assert catalog.artifacts.tags_of_manifest(WEB, manifest(1).digest) == []
        assert [each.tag for each in catalog.artifacts.tags_of_manifest(WEB, manifest(2).digest)] == ["latest"]


class TestManifests:
    def test_referrers_are_listed_by_digest_in_parts(self, catalog: Catalog) -> None:
        push(catalog, *(manifest(number, subject=SUBJECT) for number in (3, 1, 2)), manifest(4))
        found = catalog.artifacts.referrers(WEB, SUBJECT, after="", limit=2)
        assert [each.digest for each in found] == [manifest(1).digest, manifest(2).digest]
        rest = catalog.artifacts.referrers(WEB, SUBJECT, after=found[-1].digest, limit=2)
        assert [each.digest for each in rest] == [manifest(3).digest]
        assert catalog.artifacts.referrers(Name("", "web"), SUBJECT, after="", limit=2) == []

    def test_what_a_manifest_needs_is_known_until_it_goes(self, catalog: Catalog) -> None:
        blob = Digest("sha256", "a" * 64)
        push(catalog, manifest())
        assert catalog.artifacts.holders(blob) == [WEB.path]
        with catalog.artifacts.holding(WEB.path) as held:
            assert held.who_needs(blob) == manifest().digest
            held.drop_manifest(manifest().digest)
        with catalog.artifacts.holding(WEB.path) as held:
            assert held.who_needs(blob) is None
            assert held.manifest(manifest().digest) is None
        assert catalog.artifacts.holders(blob) == []

    def test_what_it_needs_is_replaced_with_it(self, catalog: Catalog) -> None:
        push(catalog, manifest())
        push(catalog, manifest(needs=(f"sha256:{'b' * 64}", f"sha256:{'b' * 64}")))
        assert list(catalog.artifacts.all_needs()) == [(WEB.path, manifest().digest, f"sha256:{'b' * 64}")]

    def test_those_of_a_package_are_found(self, catalog: Catalog) -> None:
        push(catalog, manifest(1, chart="ab" * 32), manifest(2, chart="cd" * 32))
        assert [each.digest for each in catalog.artifacts.of_package(WEB, "ab" * 32)] == [manifest(1).digest]

    def test_a_package_has_its_blob_wherever_it_is(self, catalog: Catalog) -> None:
        made = package("web", repository="team")
        record(catalog, made)
        assert catalog.artifacts.holders(Digest("sha256", made.digest)) == [WEB.path]


class TestBuilding:
    def test_a_build_takes_what_another_catalog_gives(self, catalog: Catalog) -> None:
        made = package("web", repository="team")
        chart = manifest(1, chart=made.digest, subject=SUBJECT, artifact_type=None, annotations='{"a":"ä"}')
        pushed = [chart, manifest(2), tag("stable", chart.digest), tag("1.0.0", chart.digest, made.digest)]
        build(catalog, made, *pushed)
        assert {replace(each, needs=chart.needs) for each in catalog.artifacts.all_manifests()} == {chart, manifest(2)}
        assert set(catalog.artifacts.all_tags()) == set(pushed[2:])
        assert tags(catalog) == ["1.0.0", "stable"]
        assert catalog.artifacts.names() == [WEB.path]
        build(catalog)
        assert catalog.artifacts.names() == []
        assert not catalog.artifacts.knows(WEB)

    def test_what_is_said_is_written_even_where_the_rest_fails(self, catalog: Catalog) -> None:
        def fail() -> None:
            with catalog.artifacts.holding(WEB.path) as held:
                held.put_manifest(manifest())
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail()
        assert catalog.artifacts.manifest(WEB, manifest().digest) is not None

    def test_a_package_can_be_published_while_its_oci_repository_is_held(self, catalog: Catalog) -> None:
        with catalog.artifacts.holding(WEB.path):
            for number in range(300):  # more than there are files of locks on keys
                with catalog.exclusive("team", f"web-{number}.0.0.tgz") as entry:
                    assert entry.package() is None

    def test_what_is_said_can_be_written_with_a_package(self, catalog: Catalog) -> None:
        made = package("web", repository="team")
        with catalog.artifacts.holding(WEB.path) as held:
            with catalog.exclusive(made.repository, made.file) as entry:
                entry.record(made)
                held.put_manifest(manifest())
                held.put_tag(tag("latest", manifest().digest))
                entry.with_it(held.take())
                assert tags(catalog) == []
            assert tags(catalog) == ["1.0.0", "latest"]
            assert not held.told
