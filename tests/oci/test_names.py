"""Which names repositories can have, and how requests are refused."""

import uuid
from collections.abc import Callable
from typing import Final

import pytest

from tests.support.http import Got
from tests.support.oci import Registry, Repository, refusal
from tests.support.oci_contents import IMAGE, NEVER_PUSHED, artifact

PROPER: Final = [
    "a{}",
    "a{}/b",
    "a{}/b/c/d/e/f",
    "0{}/1",
    "a{}/b.c/d_e/f__g/h-i/j--k---l",
    "a{}/blobs",
    "a{}/blobs/uploads",
    "a{}/manifests",
    "a{}/manifests/latest",
    "a{}/tags/list",
    "a{}/referrers",
    "a{}/v2/charts/api",
]

IMPROPER: Final = [
    "Capitals/thing",
    "thing/Capitals",
    "a/../b",
    "..",
    "a/./b",
    "a/..",
    "a//b",
    "a/-b",
    "a-/b",
    "a/.b",
    "a/b.",
    "a/b..c",
    "a/b___c",
    "a/b_-c",
    "a/b%20c",
    "a/%2E%2E/b",
    "a/b%00",
    "a/b%0Ac",
    "a/%C3%A4",
    "a/b%5Cc",
    "a/b+c",
    "a/b:c",
    "a/b@c",
    "a/" + "x" * 300,
    "/".join("x" * 300),
    "x" * 5000,
]

REQUESTS: Final[dict[str, Callable[[Repository], Got]]] = {
    "the tags": lambda repository: repository.list_tags(),
    "a manifest": lambda repository: repository.get_manifest("latest"),
    "a manifest by digest": lambda repository: repository.get_manifest(NEVER_PUSHED),
    "the head of a manifest": lambda repository: repository.head_manifest("latest"),
    "a blob": lambda repository: repository.get_blob(NEVER_PUSHED),
    "an upload": lambda repository: repository.post_upload(),
    "to push a blob": lambda repository: repository.post_upload({"digest": NEVER_PUSHED}, b"x"),
    "to push a manifest": lambda repository: repository.put_manifest(artifact().manifest, "latest"),
    "to delete a manifest": lambda repository: repository.delete_manifest("latest"),
    "referrers": lambda repository: repository.get_referrers(NEVER_PUSHED),
    "to delete a blob": lambda repository: repository.delete_blob(NEVER_PUSHED),
}


class TestNames:
    @pytest.mark.parametrize("form", PROPER)
    def test_every_proper_name_can_be_pushed_to_and_pulled_from(self, registry: Registry, form: str) -> None:
        repository = registry.repository(form.format(uuid.uuid4().hex[:12]))
        bundle = artifact()
        repository.push(bundle, "latest")
        assert repository.get_manifest("latest").body == bundle.manifest.data
        assert repository.get_manifest(bundle.digest).body == bundle.manifest.data
        assert repository.list_tags().json == {"name": repository.name, "tags": ["latest"]}
        for content in bundle.all_blobs():
            assert repository.get_blob(content.digest).body == content.data

    def test_names_of_200_characters_are_proper(self, registry: Registry) -> None:
        repository = registry.repository(f"a{uuid.uuid4().hex[:12]}/".ljust(200, "x"))
        bundle = artifact()
        repository.push(bundle, "latest")
        assert repository.get_manifest("latest").body == bundle.manifest.data

    @pytest.mark.parametrize("name", IMPROPER, ids=lambda name: name[:20])
    def test_an_improper_name_is_refused_whatever_is_asked(self, registry: Registry, name: str) -> None:
        answers = {asked: ask(registry.repository(name)) for asked, ask in REQUESTS.items()}
        assert {asked: got.status for asked, got in answers.items() if got.status not in {400, 404, 414}} == {}
        codes = {refusal(got).code for got in answers.values() if got.status == 400 and got.body}
        assert codes <= {"NAME_INVALID"}


class TestRefusals:
    @pytest.mark.parametrize("rest", ["", "nonsense", "blobs", "blobs/", "manifests/", "tags", "tags/", "referrers/"])
    def test_nothing_is_at_other_paths(self, repository: Repository, rest: str) -> None:
        repository.push(artifact(), "latest")
        for method in ("GET", "PUT", "POST", "PATCH", "DELETE"):
            assert repository.send(method, rest).status in {400, 404, 405}

    @pytest.mark.parametrize(
        ("method", "rest"),
        [
            ("PUT", "tags/list"),
            ("DELETE", "tags/list"),
            ("POST", "manifests/latest"),
            ("PATCH", "manifests/latest"),
            ("PUT", f"blobs/{NEVER_PUSHED}"),
            ("POST", f"blobs/{NEVER_PUSHED}"),
            ("PUT", f"referrers/{NEVER_PUSHED}"),
            ("PUT", "blobs/uploads/"),
            ("GET", "blobs/uploads/"),
        ],
    )
    def test_a_method_that_a_path_does_not_have_is_refused(
        self, repository: Repository, method: str, rest: str
    ) -> None:
        repository.push(artifact(), "latest")
        assert repository.send(method, rest, headers={"Content-Type": IMAGE}).status in {400, 404, 405}

    def test_refusals_are_told_in_words(self, repository: Repository) -> None:
        repository.push(artifact(), "latest")
        for got in (
            repository.get_manifest("missing"),
            repository.get_blob(NEVER_PUSHED),
            repository.put_manifest(artifact().manifest, "x"),
            repository.upload().close(NEVER_PUSHED, b"x"),
        ):
            refusal(got)
            assert all(error["message"] for error in got.json["errors"])
