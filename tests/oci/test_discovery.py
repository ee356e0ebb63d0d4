"""Discovery: which tags a repository has, and what refers to a manifest."""

import json
from typing import Any

import pytest

from tests.support.http import Got
from tests.support.oci import Repository, refusal
from tests.support.oci_contents import ALGORITHMS, CONFIG, IMAGE, INDEX, Bundle, artifact, blob, image, index

TAGS = ["1.0.0", "1.10.0", "1.2.0", "Alpha", "_hidden", "beta", "latest", "v1"]


@pytest.fixture
def tagged(repository: Repository) -> Repository:
    """A repository with one manifest and all of TAGS."""
    repository.push(artifact(), *reversed(TAGS))
    return repository


class TestTags:
    def test_they_are_told_with_the_name_of_the_repository(self, tagged: Repository) -> None:
        got = tagged.list_tags()
        assert got.status == 200
        assert got.headers["Content-Type"].startswith("application/json")
        assert got.json["name"] == tagged.name
        assert sorted(got.json["tags"]) == TAGS

    def test_they_are_in_the_order_of_bytes_or_in_the_lexical_one(self, tagged: Repository) -> None:
        assert tagged.list_tags().json["tags"] in (sorted(TAGS), sorted(TAGS, key=str.lower))

    @pytest.mark.parametrize("count", [1, 3, 7, 8, 100])
    def test_so_many_as_are_asked_for_come_at_a_time_and_a_link_leads_on(self, tagged: Repository, count: int) -> None:
        pages = tagged.all_tags(n=count)
        assert [tag for page in pages for tag in page] == tagged.list_tags().json["tags"]
        assert {len(page) for page in pages[:-1]} <= {count}
        assert len(pages[-1]) <= count

    def test_the_link_says_that_it_leads_to_the_next(self, tagged: Repository) -> None:
        link = tagged.list_tags(n=2).headers["Link"]
        assert link.startswith("<")
        assert link.endswith('>; rel="next"')

    def test_when_all_have_come_no_link_leads_on(self, tagged: Repository) -> None:
        assert tagged.list_tags(n=100).headers["Link"] is None
        assert tagged.list_tags().headers["Link"] is None

    def test_none_asked_for_are_none_without_a_link(self, tagged: Repository) -> None:
        got = tagged.list_tags(n=0)
        assert (got.status, got.json["tags"], got.headers["Link"]) == (200, [], None)

    def test_the_list_begins_behind_the_last_one_that_is_named(self, tagged: Repository) -> None:
        ordered = tagged.list_tags().json["tags"]
        for place, tag in enumerate(ordered):
            assert tagged.all_tags(last=tag) == [ordered[place + 1 :]]
            assert tagged.list_tags(n=2, last=tag).json["tags"] == ordered[place + 1 : place + 3]

    def test_the_last_one_may_have_gone_meanwhile(self, tagged: Repository) -> None:
        ordered = tagged.list_tags().json["tags"]
        assert tagged.delete_manifest(ordered[3]).status == 202
        assert tagged.all_tags(last=ordered[3]) == [ordered[4:]]

    @pytest.mark.parametrize("n", ["-1", "x", "1.5", ""])
    def test_what_is_no_number_is_refused_or_passed_over(self, tagged: Repository, n: str) -> None:
        assert tagged.list_tags(n=n).status in {200, 400}

    def test_a_number_of_any_size_is_one(self, tagged: Repository) -> None:
        got = tagged.list_tags(n=10**30)
        assert got.status in {200, 400}

    def test_a_tag_that_moved_is_there_once(self, repository: Repository) -> None:
        repository.push(artifact(), "latest")
        repository.push(artifact(), "latest")
        assert repository.all_tags() == [["latest"]]

    def test_a_repository_without_tags_has_an_empty_list(self, repository: Repository) -> None:
        repository.push(artifact())
        got = repository.list_tags()
        assert (got.status, got.json) == (200, {"name": repository.name, "tags": []})

    def test_a_repository_that_nobody_pushed_to_is_unknown(self, repository: Repository) -> None:
        assert refusal(repository.list_tags()) == (404, "NAME_UNKNOWN")
        assert refusal(repository.list_tags(n=2)) == (404, "NAME_UNKNOWN")


def listed(answer: Got) -> list[dict[str, Any]]:
    """The descriptors in an answer that is as the specification says."""
    assert (answer.status, answer.headers["Content-Type"]) == (200, INDEX), answer
    body = answer.json
    assert (body["schemaVersion"], body["mediaType"]) == (2, INDEX)
    manifests: list[dict[str, Any]] = body["manifests"]
    return manifests


def expected(bundle: Bundle, artifact_type: str | None) -> dict[str, Any]:
    """The descriptor of a referrer."""
    more = {"artifactType": artifact_type} if artifact_type else {}
    annotations = json.loads(bundle.manifest.data).get("annotations")
    return bundle.manifest.described(**more, **({"annotations": annotations} if annotations else {}))


class TestReferrers:
    @pytest.fixture
    def subject(self, repository: Repository, algorithm: str) -> Bundle:
        """An image in the repository that others may refer to."""
        subject = image(algorithm=algorithm)
        repository.push(subject, "subject")
        return subject

    @pytest.fixture
    def referring(self, repository: Repository, subject: Bundle) -> dict[str, dict[str, Any]]:
        """One of each kind that refers to the subject: its expected descriptor by its digest."""
        about = subject.manifest.described()
        notes = {"org.example.note": "hello", "org.example.other": "ä"}
        kinds = [
            (image(subject=about), CONFIG),
            (artifact("application/vnd.example.one", subject=about, annotations=notes), "application/vnd.example.one"),
            (artifact("application/vnd.example.two+json", subject=about), "application/vnd.example.two+json"),
            (artifact("", layer=blob(), subject=about), "application/vnd.oci.empty.v1+json"),
            (index(image(), subject=about, annotations=notes), None),
            (index(subject=about, artifactType="application/vnd.example.one"), "application/vnd.example.one"),
        ]
        for bundle, _ in kinds:
            repository.push(bundle)
        return {bundle.digest: expected(bundle, artifact_type) for bundle, artifact_type in kinds}

    def test_each_kind_is_described_with_its_type_and_annotations(
        self, repository: Repository, subject: Bundle, referring: dict[str, dict[str, Any]]
    ) -> None:
        assert repository.referrers(subject.digest) == referring

    @pytest.mark.parametrize(
        "artifact_type", ["application/vnd.example.one", "application/vnd.example.two+json", CONFIG, "none/such"]
    )
    def test_those_of_one_type_are_told_with_the_filter_that_was_applied(
        self, repository: Repository, subject: Bundle, referring: dict[str, dict[str, Any]], artifact_type: str
    ) -> None:
        got = repository.get_referrers(subject.digest, artifact_type)
        wanted = [found for found in referring.values() if found.get("artifactType") == artifact_type]
        assert {found["digest"]: found for found in listed(got)} == {found["digest"]: found for found in wanted}
        assert got.headers["OCI-Filters-Applied"] == "artifactType"

    def test_without_a_filter_none_was_applied(self, repository: Repository, subject: Bundle) -> None:
        assert repository.get_referrers(subject.digest).headers["OCI-Filters-Applied"] is None

    def test_a_subject_that_nobody_refers_to_has_an_empty_list(self, repository: Repository, subject: Bundle) -> None:
        assert listed(repository.get_referrers(subject.digest)) == []

    def test_a_subject_that_is_not_there_has_an_empty_list(self, repository: Repository, algorithm: str) -> None:
        repository.push(artifact())
        assert listed(repository.get_referrers(blob(algorithm=algorithm).digest)) == []
        assert listed(repository.get_referrers(blob(algorithm=algorithm).digest, "some/type")) == []

    def test_a_repository_that_nobody_pushed_to_has_an_empty_list(self, repository: Repository, algorithm: str) -> None:
        assert listed(repository.get_referrers(blob(algorithm=algorithm).digest)) == []

    @pytest.mark.parametrize("digest", ["sha256:baddigeststring", f"md5:{'a' * 32}", f"sha256:{'A' * 64}", "nonsense"])
    def test_what_is_no_digest_is_refused(self, repository: Repository, digest: str) -> None:
        repository.push(artifact())
        assert refusal(repository.get_referrers(digest)) == (400, "DIGEST_INVALID")

    def test_a_referrer_may_come_before_its_subject(self, repository: Repository, algorithm: str) -> None:
        subject = image(algorithm=algorithm)
        signature = artifact(subject=subject.manifest.described())
        repository.push(signature)
        assert list(repository.referrers(subject.digest)) == [signature.digest]
        repository.push(subject)
        assert list(repository.referrers(subject.digest)) == [signature.digest]

    def test_one_that_is_pushed_again_and_tagged_is_there_once(self, repository: Repository, subject: Bundle) -> None:
        signature = artifact(subject=subject.manifest.described())
        for _ in range(2):
            repository.push(signature, "first", "second")
        assert list(repository.referrers(subject.digest)) == [signature.digest]

    def test_one_of_another_repository_is_not_among_them(
        self, repository: Repository, other: Repository, subject: Bundle
    ) -> None:
        other.push(artifact(subject=subject.manifest.described()))
        assert listed(repository.get_referrers(subject.digest)) == []

    def test_what_an_index_names_does_not_refer_to_it(self, repository: Repository) -> None:
        part = image()
        whole = index(part)
        repository.push(whole)
        assert listed(repository.get_referrers(part.digest)) == []
        assert listed(repository.get_referrers(whole.digest)) == []

    def test_however_many_there_are_all_can_be_found(self, repository: Repository, subject: Bundle) -> None:
        about = subject.manifest.described()
        layer = blob()
        made = [artifact(layer=layer, subject=about, annotations={"n": str(number)}) for number in range(60)]
        repository.push(made[0])
        for signature in made[1:]:
            assert repository.put_manifest(signature.manifest).status == 201
        assert set(repository.referrers(subject.digest)) == {signature.digest for signature in made}

    def test_one_that_is_deleted_is_no_longer_among_them(
        self, repository: Repository, subject: Bundle, referring: dict[str, dict[str, Any]]
    ) -> None:
        gone, *left = referring
        assert repository.delete_manifest(gone).status == 202
        assert set(repository.referrers(subject.digest)) == set(left)

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_the_algorithm_of_a_referrer_need_not_be_that_of_its_subject(
        self, repository: Repository, subject: Bundle, algorithm: str
    ) -> None:
        for mine in ALGORITHMS:
            repository.push(artifact(subject=subject.manifest.described(), algorithm=mine))
        found = repository.referrers(subject.digest).values()
        assert sorted(descriptor["digest"].partition(":")[0] for descriptor in found) == list(ALGORITHMS)
        assert {descriptor["mediaType"] for descriptor in found} == {IMAGE}
