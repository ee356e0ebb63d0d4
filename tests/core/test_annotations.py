"""The annotations of Artifact Hub, as people write them and as nobody should."""

import pytest
import yaml

from chartrepo.core import annotations
from chartrepo.core.annotations import (
    MOST_ITEMS,
    Change,
    Crd,
    Image,
    Link,
    Maintainer,
    Screenshot,
    SignKey,
)
from tests.support.endless import must_end


def said(**values: str) -> dict[str, str]:
    return {f"artifacthub.io/{name}": value for name, value in values.items()}


class TestWhatIsDocumented:
    def test_changes_as_texts(self) -> None:
        assert annotations.changes(said(changes="- Added cool feature\n- Fixed minor bug\n")) == (
            Change("", "Added cool feature"),
            Change("", "Fixed minor bug"),
        )

    def test_changes_as_mappings(self) -> None:
        text = """
        - kind: added
          description: Cool feature
          links:
            - name: GitHub Issue
              url: https://example.com/issues/1
            - url: https://example.com/pull/2
        - kind: Fixed
          description: Minor bug
        - kind: invented
          description: Something
        """
        assert annotations.changes(said(changes=text)) == (
            Change(
                "added",
                "Cool feature",
                (
                    Link("GitHub Issue", "https://example.com/issues/1"),
                    Link("https://example.com/pull/2", "https://example.com/pull/2"),
                ),
            ),
            Change("fixed", "Minor bug"),
            Change("", "Something"),
        )

    def test_both_forms_in_one_list_and_a_number_for_a_text(self) -> None:
        text = "- 1.10\n- {kind: security, description: true}\n"
        assert annotations.changes(said(changes=text)) == (Change("", "1.1"), Change("security", "true"))

    def test_images(self) -> None:
        text = """
        - name: img1
          image: repo/img1:1.0.0
        - name: img2
          image: repo/img2:2.0.0
          whitelisted: true
          platforms: [linux/amd64, linux/arm64]
        """
        assert annotations.images(said(images=text)) == (
            Image("img1", "repo/img1:1.0.0"),
            Image("img2", "repo/img2:2.0.0", whitelisted=True, platforms=("linux/amd64", "linux/arm64")),
        )

    def test_crds_and_their_examples(self) -> None:
        text = "- {kind: MyKind, version: v1, name: mykind, displayName: My Kind, description: Some nice description}"
        assert annotations.crds(said(crds=text)) == (Crd("MyKind", "v1", "mykind", "My Kind", "Some nice description"),)
        text = """
        - apiVersion: v1
          kind: MyKind
          metadata: {name: mykind}
          spec: {replicas: 1, share: 0.5, on: true, script: "a\\nb\\n", none: null, args: [one, "2"]}
        """
        (example,) = annotations.crd_examples(said(crdsExamples=text))
        assert (example.kind, example.api_version, example.name) == ("MyKind", "v1", "mykind")
        written = annotations.as_yaml(example.value)
        assert written.startswith("apiVersion: v1\nkind: MyKind\n")
        assert "    - one\n" in written
        assert yaml.safe_load(written)["spec"] == {
            "replicas": 1,
            "share": 0.5,
            "true": True,
            "script": "a\nb\n",
            "none": None,
            "args": ["one", "2"],
        }

    def test_links_maintainers_recommendations_and_screenshots(self) -> None:
        found = said(
            links="- {name: link1, url: https://link1.example}\n- {url: https://link2.example}",
            maintainers="- {name: user1, email: user1@example.com}\n- {email: user2@example.com}",
            recommendations="- url: https://artifacthub.io/packages/helm/a/b\n- https://example.com/c",
            screenshots="- {title: Sample, url: https://example.com/1.jpg}",
        )
        assert annotations.links(found) == (
            Link("link1", "https://link1.example"),
            Link("https://link2.example", "https://link2.example"),
        )
        assert annotations.maintainers(found) == (
            Maintainer("user1", "user1@example.com"),
            Maintainer("user2@example.com", "user2@example.com"),
        )
        assert annotations.recommendations(found) == (
            "https://artifacthub.io/packages/helm/a/b",
            "https://example.com/c",
        )
        assert annotations.screenshots(found) == (Screenshot("Sample", "https://example.com/1.jpg"),)
        assert annotations.problems(found) == ()

    def test_single_ones(self) -> None:
        found = said(
            license="Apache-2.0",
            category="streaming-messaging",
            alternativeName="postgres",
            operatorCapabilities="seamless upgrades",
            operator="true",
            prerelease="true",
            containsSecurityUpdates="true",
            signKey="fingerprint: C874011F0AB405110D02105534365D9472D7468F\nurl: https://example.com/key.asc",
        )
        assert annotations.licence(found) == "Apache-2.0"
        assert annotations.category(found) == "Streaming and messaging"
        assert annotations.alternative_name(found) == "postgres"
        assert annotations.operator_capabilities(found) == "Seamless Upgrades"
        assert annotations.is_operator(found)
        assert annotations.is_prerelease(found)
        assert annotations.contains_security_updates(found)
        assert annotations.sign_key(found) == SignKey(
            "C874011F0AB405110D02105534365D9472D7468F", "https://example.com/key.asc"
        )

    def test_nothing_said(self) -> None:
        assert annotations.changes({}) == annotations.images({}) == annotations.links({}) == ()
        assert annotations.sign_key({}) is None
        assert annotations.licence({}) == annotations.category({}) == annotations.operator_capabilities({}) == ""
        assert not annotations.is_prerelease({})
        assert not annotations.contains_security_updates({})
        assert annotations.problems({}) == ()

    def test_an_operator_by_its_name_unless_it_says_otherwise(self) -> None:
        assert annotations.is_operator({}, "redis-operator")
        assert not annotations.is_operator({}, "redis")
        assert not annotations.is_operator(said(operator="false"), "redis-operator")


class TestWhatIsHostile:
    @pytest.mark.parametrize(
        ("text", "word"),
        [
            ("- a: b: c", "cannot be read: line 1"),
            ("{", "cannot be read"),
            ("just a text", "holds the text 'just a text' where a list belongs"),
            ("a: b", "holds a mapping where a list belongs"),
            ("[" * 10_000, "nested deeper"),
            ("- " * 10_000, "nested deeper"),
            ("- a\n" * 100_000, "longer than"),
            ("- a\n" * 10_000, "more values"),
            ("- a\n" * (MOST_ITEMS + 1), f"of which {MOST_ITEMS} are read"),
            ("- {kind: added}", "number 1"),
            ("- good\n- [1]\n", "number 2"),
            ("- &a [x, x, x, x, x, x, x, x]\n" + "- &a [*a, *a, *a, *a, *a, *a, *a, *a]\n" * 30, "cannot be read"),
            ("- !!python/object/apply:os.system [id]", "number 1"),
            ("- !!binary '*'", "cannot be read"),
            ("- .nan\n- .inf", "number 1"),
            ("%YAML 1.2\n---\n- a", "asks for YAML 1.2"),
            ("- \x00", "cannot be read"),
            ("- \ud800", ""),
        ],
    )
    def test_it_gives_what_can_be_read_and_a_word(self, text: str, word: str) -> None:
        with must_end():
            found = annotations.changes(said(changes=text))
            problems = annotations.problems(said(changes=text))
        assert len(found) <= MOST_ITEMS
        if word:
            assert word in problems[0]
            assert problems[0].startswith("artifacthub.io/changes ")

    def test_a_mapping_where_one_belongs(self) -> None:
        found = said(signKey="- fingerprint: AB")
        assert annotations.sign_key(found) is None
        assert annotations.problems(found) == ("artifacthub.io/signKey holds a list where a mapping belongs",)

    def test_addresses_that_run_something_are_left_out(self) -> None:
        urls = ("'javascript:alert(1)'", '"java\\tscript:alert(1)"', "data:x")
        text = "\n".join(f"- {{name: a, url: {url}}}" for url in urls)
        wrong = "- {description: d, links: [1, {url: x}]}"
        found = said(links=text, screenshots=text, recommendations=text, changes=wrong)
        assert annotations.links(found) == ()
        assert annotations.screenshots(found) == ()
        assert annotations.recommendations(found) == ()
        assert annotations.changes(found) == (Change("", "d"),)
        assert len(annotations.problems(found)) == 3

    def test_texts_are_bounded_and_words_stand_on_one_line(self) -> None:
        (change,) = annotations.changes(said(changes=f"- {'x' * 100_000}"))
        assert len(change.description) == annotations.LONGEST_TEXT + 1
        assert annotations.licence(said(license="MIT\n\n  or worse")) == "MIT or worse"
        assert annotations.operator_capabilities(said(operatorCapabilities="Everything")) == ""
        assert annotations.category(said(category="__class__")) == ""
