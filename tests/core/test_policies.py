"""What policies ask of charts, how a chart that breaks them is told so, and how they are written."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest

from chartrepo.core.chart import ChartVersion
from chartrepo.core.errors import PoliciesInvalid
from chartrepo.core.policies import MAX_ENTRIES, MAX_POLICIES, MAX_SENTENCES, Policies, Schema

DAY = 1_767_225_600
"""2026-01-01T00:00:00Z."""


class Small:
    """A schema that wants a home."""

    def problems(self, metadata: Mapping[str, Any]) -> Iterator[str]:
        if "home" not in metadata:
            yield "home is wanted by the schema"


class Files:
    fingerprint = "the same"

    def schema(self, name: str) -> Schema:
        if name != "chart.schema.json":
            raise PoliciesInvalid(f"{name} is not there", f"{name} is missed")
        return Small()


def read(*policies: object) -> Policies:
    return Policies.parse(list(policies), Files(), source="policies.yaml")


def policy(on: object = "**", since: object = "2026-01-01", **demands: object) -> dict[str, object]:
    return {"on": on, "since": since, **demands}


def chart(version: str = "1.0.0", name: str = "web", **metadata: object) -> ChartVersion:
    return ChartVersion(name, version, {"name": name, "version": version, **metadata})


def broken(demands: dict[str, object], found: ChartVersion, *, size: int = 1000) -> list[str]:
    """What a chart breaks of one policy, without the name of the policy at the end."""
    *most, last = read(policy(**demands)).broken_by("team", found, size, DAY) or ("",)
    named = f'({"all by " if most else ""}policy 1, on "**", of policies.yaml)'
    assert not last or last.endswith(f" {named}")
    return [*most, last.removesuffix(f" {named}")] if last else []


class TestDemands:
    def test_a_prerelease_is_not_stable(self) -> None:
        said = "Chart.yaml: version '1.0.0-rc.1' is a prerelease: write three numbers alone, as 1.2.3"
        assert broken({"versions": "stable-only"}, chart("1.0.0-rc.1")) == [said]
        assert broken({"versions": "stable-only"}, chart("v1.0.0+build.1")) == []

    def test_a_leading_v_is_told_with_the_version_without_it(self) -> None:
        said = "Chart.yaml: version 'v1.0.0' begins with 'v': write '1.0.0'"
        assert broken({"versions": ["no-leading-v"]}, chart("v1.0.0")) == [said]
        assert broken({"versions": ["no-leading-v"]}, chart("1.0.0-v1")) == []

    def test_all_required_fields_that_are_missing_are_told(self) -> None:
        wanted = {"required": ["maintainers", "icon", "appVersion", "annotations.artifacthub.io/license"]}
        assert broken(wanted, chart(icon="  ", annotations={"artifacthub.io/license": " "})) == [
            "Chart.yaml: maintainers is missing: write it",
            "Chart.yaml: icon is missing: write it",
            "Chart.yaml: appVersion is missing: write it",
            "Chart.yaml: the annotation 'artifacthub.io/license' is missing: write it below annotations",
        ]
        sound = chart(
            maintainers=[{"name": "ada"}], icon="i", appVersion="1", annotations={"artifacthub.io/license": "MIT"}
        )
        assert broken(wanted, sound) == []

    def test_each_dependency_from_elsewhere_is_told_with_where_to_take_it_from(self) -> None:
        wanted = {"dependencies": ["https://charts.example.com/**", ""]}
        dependencies = [
            {"name": "db", "repository": "https://evil.org"},
            {"name": "cache", "repository": "https://charts.example.com/stable"},
            {"name": "own", "repository": ""},
        ]
        (said,) = broken(wanted, chart(dependencies=dependencies))
        assert said == (
            "Chart.yaml: dependencies[0] 'db' comes from 'https://evil.org': take it from "
            "https://charts.example.com/** or the chart itself, without a repository"
        )

    def test_a_dependency_without_a_repository_has_to_be_allowed(self) -> None:
        said = "Chart.yaml: dependencies[0] 'own' names no repository: take it from @stable"
        assert broken({"dependencies": "@stable"}, chart(dependencies=[{"name": "own", "repository": ""}])) == [said]

    def test_no_dependencies_may_be_allowed_at_all(self) -> None:
        said = "Chart.yaml: dependencies[0] 'db' comes from '@x': leave it out, for no dependencies are allowed"
        assert broken({"dependencies": []}, chart(dependencies=[{"name": "db", "repository": "@x"}])) == [said]
        assert broken({"dependencies": []}, chart()) == []

    def test_a_package_may_be_as_large_as_is_said_and_no_larger(self) -> None:
        assert broken({"largest": "1KiB"}, chart(), size=1024) == []
        (said,) = broken({"largest": "1KiB"}, chart(), size=1025)
        assert said.startswith("the package has 1,025 bytes, and 1KiB is the most: leave out")

    def test_what_the_schema_says_is_told_of_chart_yaml(self) -> None:
        assert broken({"schema": "chart.schema.json"}, chart()) == ["Chart.yaml: home is wanted by the schema"]
        assert broken({"schema": "chart.schema.json"}, chart(home="h")) == []

    def test_all_that_is_wrong_is_told_at_once(self) -> None:
        demands: dict[str, object] = {
            "versions": ["stable-only", "no-leading-v"],
            "required": ["icon"],
            "dependencies": [],
            "largest": 10,
            "schema": "chart.schema.json",
        }
        assert len(broken(demands, chart("v1.0.0-rc", dependencies=[{"name": "x", "repository": "@x"}]))) == 6

    def test_of_very_many_breaches_some_are_told(self) -> None:
        dependencies = [{"name": f"d{number}", "repository": "@x"} for number in range(10_000)]
        found = broken({"dependencies": []}, chart(dependencies=dependencies))
        assert len(found) == MAX_SENTENCES + 1
        assert found[-1] == "and there is more"


class TestSeveral:
    def test_all_that_match_hold_in_whatever_order(self) -> None:
        some = [
            policy("team/*", required="icon"),
            policy("**/web", required="home"),
            policy("other/*", required="type"),
        ]
        for order in (some, some[::-1]):
            found = read(*order).broken_by("team", chart(), 1, DAY)
            assert {each.partition(" is missing")[0] for each in found} == {"Chart.yaml: icon", "Chart.yaml: home"}

    def test_the_same_breach_is_told_once_with_all_policies_by_the_pattern_that_matched(self) -> None:
        policies = read(policy(["secret/**", "team/*"], required="icon"), policy("**", required=["icon"]))
        assert policies.broken_by("team", chart(), 1, DAY) == (
            'Chart.yaml: icon is missing: write it (policy 1, on "team/*" and policy 2, on "**", of policies.yaml)',
        )

    def test_policies_are_named_once_behind_all_that_they_ask(self) -> None:
        policies = read(policy(required=["icon", "home"]), policy("team/*", required="type"))
        assert policies.broken_by("team", chart(), 1, DAY) == (
            "Chart.yaml: icon is missing: write it",
            'Chart.yaml: home is missing: write it (all by policy 1, on "**", of policies.yaml)',
            'Chart.yaml: type is missing: write it (policy 2, on "team/*", of policies.yaml)',
        )

    def test_the_strictest_size_decides(self) -> None:
        (said,) = read(policy(largest="1KiB"), policy(largest="2KiB")).broken_by("", chart(), 1500, DAY)
        assert "1KiB is the most" in said


class TestSince:
    def test_what_was_published_before_breaks_nothing(self) -> None:
        policies = read(policy(required="icon"))
        assert policies.broken_by("", chart(), 1, DAY - 1) == ()
        assert len(policies.broken_by("", chart(), 1, DAY)) == 1

    def test_each_policy_goes_by_its_own_day(self) -> None:
        policies = read(policy(required="icon"), policy(since="2026-01-02", required="home"))
        (said,) = policies.broken_by("", chart(), 1, DAY)
        assert "icon" in said

    def test_what_hides_what_is_there_holds_for_all_times(self) -> None:
        policies = read({"on": "**", "existing": "hide", "required": "icon"})
        assert len(policies.broken_by("", chart(), 1, 0)) == 1

    def test_all_policies_are_asked_where_no_moment_is_given(self) -> None:
        assert len(read(policy(since="9000-01-01", required="icon")).broken_by("", chart(), 1, None)) == 1

    @pytest.mark.parametrize(
        "since",
        [
            date(2026, 1, 1),
            datetime(2026, 1, 1),  # noqa: DTZ001 - as YAML gives one without a zone
            datetime(2026, 1, 1, tzinfo=UTC),
            "2026-01-01",
            "2026-01-01T00:00:00Z",
            "2026-01-01T02:00:00+02:00",
        ],
    )
    def test_a_day_begins_in_utc_and_a_time_is_taken_too(self, since: object) -> None:
        policies = read(policy(since=since, required="icon"))
        assert [bool(policies.broken_by("", chart(), 1, moment)) for moment in (DAY - 1, DAY)] == [False, True]


class TestImmutable:
    def test_the_earliest_day_counts_of_the_policies_that_hold(self) -> None:
        policies = read(
            policy("team/*", immutable=True),
            policy(since="2026-02-01", immutable=True),
            policy(since="2020-01-01", required="icon"),
        )
        found = policies.immutable_since("team", "web", DAY)
        assert found is not None
        assert found == ('policy 1, on "team/*", of policies.yaml', DAY)
        assert policies.immutable_since("team", "web", DAY - 1) is None
        assert policies.immutable_since("other", "web", DAY) is None

    def test_what_hides_what_is_there_is_for_all_deletions(self) -> None:
        found = read({"on": "**", "existing": "hide", "immutable": True}).immutable_since("", "web", DAY)
        assert found is not None
        assert found.since == 0

    def test_false_asks_for_nothing(self) -> None:
        assert not read(policy(immutable=False)).makes_immutable


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "policies: is no list of policies: write each as"),
        ([[]], "policies, policy 1: is no mapping: write {on: [...]"),
        (
            [policy(required="icon"), policy(color="red", required="icon")],
            "policies, policy 2: there is no key 'color'",
        ),
        (
            [policy(color="red")],
            "a policy has on, since, existing, versions, required, dependencies, largest, schema, i",
        ),
        ([{"since": "2026-01-01", "required": "icon"}], "policy 1: on is missing"),
        ([policy("a//b", required="icon")], "policy 1, on: 'a//b' has an empty part"),
        ([policy([], required="icon")], "policy 1, on: is empty: write at least one text"),
        ([policy(7, required="icon")], "policy 1, on: '7' is no text"),
        ([policy(["a"] * (MAX_ENTRIES + 1), required="icon")], "policy 1, on: has 101 entries, and 100 are the most"),
        ([{"on": "**", "required": "icon"}], "policy 1: since is missing: write the day from which it holds"),
        ([policy(existing="hide", required="icon")], "policy 1: since and existing: hide exclude each other"),
        ([policy(existing="keep", required="icon")], "policy 1, existing: 'keep' is not known: write serve or hide"),
        ([policy(since="soon", required="icon")], "policy 1, since: 'soon' is no day: write one as 2026-01-31"),
        ([policy(since=20260101, required="icon")], "policy 1, since: '20260101' is no day"),
        ([policy()], "policy 1: asks for nothing: write one of dependencies, immutable, largest"),
        ([policy(versions="semver")], "policy 1, versions: 'semver' is not known: write stable-only or no-leading-v"),
        ([policy(required="name")], "policy 1, required: 'name' is no field that can be required: write home, "),
        ([policy(required="annotations.")], "policy 1, required: 'annotations.' is no field that can be required"),
        ([policy(dependencies=None)], "policy 1, dependencies: is empty: write repositories, or []"),
        ([policy(dependencies="example.com")], "policy 1, dependencies: 'example.com' names no repositories"),
        ([policy(largest="much")], "policy 1, largest: 'much' is not a size above zero such as 512KiB"),
        ([policy(largest=True)], "policy 1, largest: 'True' is not a size above zero"),
        ([policy(schema=["a"])], "policy 1, schema: is no name of a file: write one"),
        ([policy(schema="other.json")], "policy 1, schema: other.json is missed"),
        ([policy(immutable="yes")], "policy 1, immutable: 'yes' is neither true nor false"),
        ([policy(required="icon")] * (MAX_POLICIES + 1), "there are 1,001 policies, and 1,000 are the most"),
    ],
)
def test_each_refusal_names_the_place_and_what_to_write(given: object, said: str) -> None:
    with pytest.raises(PoliciesInvalid) as raised:
        Policies.parse(given, Files(), source="policies.yaml")
    assert said in str(raised.value)


def test_all_that_is_wrong_in_a_file_is_told_at_once() -> None:
    with pytest.raises(PoliciesInvalid) as raised:
        read(policy("a//b", color=1, required=["name", "icno"], largest="much"), 7, {"on": "**"})
    assert [problem.partition(":")[0] for problem in raised.value.problems] == [
        "policies, policy 1, on",
        "policies, policy 1",
        "policies, policy 1, required",
        "policies, policy 1, required",
        "policies, policy 1, largest",
        "policies, policy 2",
        "policies, policy 3",
        "policies, policy 3",
    ]


def test_an_on_without_quotes_is_what_yaml_makes_of_it() -> None:
    assert read({True: ["team/**"], "since": "2026-01-01", "required": "icon"}).broken_by("team", chart(), 1, DAY)
