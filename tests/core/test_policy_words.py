"""What policies ask, in words; and to whom their patterns are told."""

import pytest

from chartrepo.core.policies import Policies
from chartrepo.core.policy_words import asked_in, in_words
from chartrepo.policies import parse_policies


def policies(text: str) -> Policies:
    return parse_policies(f"policies: [{text}]".encode(), "policies.yaml", lambda _: b"{}")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("versions: [stable-only]", "Versions are three numbers alone, as 1.2.3: no prereleases."),
        ("versions: [no-leading-v]", "Versions do not begin with a v."),
        ("required: [icon]", "Chart.yaml has icon."),
        ("required: [icon, home, annotations.x]", "Chart.yaml has icon, home and annotations.x."),
        ("dependencies: []", "A chart has no dependencies."),
        (
            'dependencies: ["https://a.example/**", ""]',
            "Dependencies come from https://a.example/** or the chart itself.",
        ),
        ("largest: 1MiB", "A package has 1MiB at most."),
        ("schema: chart.json", "Chart.yaml follows a JSON Schema."),
        ("immutable: true", "A version is never replaced, and one that was deleted does not come back."),
    ],
)
def test_each_demand_is_a_sentence(asked: str, said: str) -> None:
    (policy,) = policies(f'{{on: ["**"], since: 2020-01-01, {asked}}}').policies
    assert list(in_words(policy)) == [said]


def test_long_lists_are_cut() -> None:
    required = [f"annotations.a{number}" for number in range(30)]
    (policy,) = policies(f'{{on: ["**"], since: 2020-01-01, required: [{", ".join(required)}]}}').policies
    (said,) = in_words(policy)
    assert said.endswith("annotations.a19 and 10 others.")


def test_patterns_are_told_as_far_as_they_name_nothing_hidden() -> None:
    found = policies(
        '{on: ["team/**", "team/secret"], since: 2020-01-01, immutable: true},'
        '{on: ["team/hidden"], since: 2020-01-01, largest: 1KiB},'
        '{on: ["other/**"], existing: hide, largest: 1KiB}'
    )
    all_of_it = asked_in(found, "team", names=True)
    assert [each.on for each in all_of_it] == [("team/**", "team/secret"), ("team/hidden",)]
    assert [each.everywhere for each in all_of_it] == [True, False]
    some = asked_in(found, "team", names=False)
    assert [each.on for each in some] == [("team/**",)]
    assert [each.since for each in asked_in(found, "other", names=False)] == [None]
    assert asked_in(found, "third", names=True) == []
