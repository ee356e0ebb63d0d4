"""What a rule demands of claims, and which claims meet it."""

from typing import Any

import pytest
import yaml

from chartrepo.core.demands import MAX_CLAIMS, Demand, claim, like
from chartrepo.core.errors import PermissionsInvalid

CLAIMS: dict[str, Any] = {
    "repository": "acme/web",
    "repository_owner_id": "4711",
    "ref": "refs/tags/v1.0",
    "ref_protected": "true",
    "run_number": 7,
    "trusted": True,
    "roles": ["a", "b", 3, {"c": "d"}],
    "fraction": 1.5,
    "nothing": None,
    "kubernetes.io": {"namespace": "ci", "serviceaccount": {"name": "pusher", "uid": "x"}},
}


def demand(**wanted: Any) -> Demand:
    return Demand.parse({"issuer": "github", **{name.replace("__", "."): value for name, value in wanted.items()}})


@pytest.mark.parametrize(
    "wanted",
    [
        {"repository": "acme/web"},
        {"repository": "acme/*"},
        {"repository": "*/*"},
        {"repository_owner_id": "4711"},
        {"repository_owner_id": 4711},
        {"ref": "refs/tags/v*"},
        {"ref_protected": True},
        {"ref_protected": "true"},
        {"trusted": True},
        {"trusted": "true"},
        {"run_number": 7},
        {"run_number": "7"},
        {"roles": "b"},
        {"roles": 3},
        {"kubernetes.io.namespace": "ci"},
        {"kubernetes.io.serviceaccount.name": "push*"},
        {"repository": "acme/web", "ref": "refs/tags/v1.0", "trusted": True},
    ],
)
def test_claims_that_are_as_demanded_meet_it(wanted: dict[str, Any]) -> None:
    assert demand(**wanted).matches("github", CLAIMS)
    assert not demand(**wanted).matches("gitlab", CLAIMS)


@pytest.mark.parametrize(
    "wanted",
    [
        {"repository": "acme/web2"},
        {"repository": "acme"},
        {"repository": "*"},
        {"repository": "ACME/web"},
        {"ref": "refs/*"},
        {"ref": "refs/tags/*/v1.0"},
        {"ref_protected": False},
        {"trusted": 1},
        {"roles": "c"},
        {"roles": "a, b"},
        {"fraction": "1.5"},
        {"nothing": "*"},
        {"nothing": "None"},
        {"missing": "*"},
        {"kubernetes.io": "ci"},
        {"kubernetes.io.serviceaccount": "pusher"},
        {"kubernetes.io.pod.name": "*"},
        {"repository": "acme/web", "environment": "production"},
    ],
)
def test_one_that_is_not_is_enough_to_fail(wanted: dict[str, Any]) -> None:
    assert not demand(**wanted).matches("github", CLAIMS)


def test_the_longest_name_is_the_one_that_is_read() -> None:
    assert claim({"a.b": {"c": 1}, "a": {"b.c": 2, "b": {"c": 3}}}, "a.b.c") == 1
    assert claim({"a": {"b": {"c": 3}}}, "a.b.c") == 3
    assert claim({"a.b.c": 4, "a": {"b": {"c": 3}}}, "a.b.c") == 4
    assert claim({"a": 1}, "a.b") is None
    assert claim({}, "...") is None


@pytest.mark.parametrize("text", ["a" * 5000, "a/" * 5000])
def test_a_value_with_many_stars_takes_no_long(text: str) -> None:
    assert not like("*a" * 200 + "b", text)


@pytest.mark.parametrize(
    "given",
    [
        {"issuer": "github", "repository": "acme/web", "environment": "production"},
        {"environment": "production", "issuer": "github", "repository": "acme/web"},
        {
            "issuer": "github",
            "a": True,
            "b": 1,
            "c": "yes",
            "d": "a: b, c}",
            "e": '"',
            "f f": "ö",
            "kubernetes.io.x": "-",
        },
    ],
)
def test_one_is_the_same_once_written_and_read_again(given: dict[str, Any]) -> None:
    first = Demand.parse(given)
    again = Demand.parse(yaml.safe_load(str(first)))
    assert (again, str(again)) == (first, str(first))


def test_the_order_of_claims_and_their_quotes_make_no_other() -> None:
    one = Demand.parse({"issuer": "github", "a": 1, "b": True})
    assert str(one) == str(Demand.parse({"b": "true", "a": "1", "issuer": "github"}))


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "name the issuer"),
        ({"repository": "acme/web"}, "name the issuer, as {issuer: github, repository: acme/web}"),
        ({"issuer": ["github"], "a": "b"}, "name the issuer"),
        ({"issuer": "github"}, "name at least one claim beside the issuer"),
        ({"issuer": "github", True: "x"}, "'True' is no name of a claim"),
        ({"issuer": "github", "a": None}, "'a': 'None' is no text: put it in quotes"),
        ({"issuer": "github", "a": 1.5}, "'a': '1.5' is no text"),
        ({"issuer": "github", "a": ["b"]}, "'a': \"['b']\" is no text"),
        ({"issuer": "github", "a": ""}, "'a': the value is empty"),
        ({"issuer": "github", "a": "x" * 513}, "'a': the value is empty, longer than 512"),
        ({"issuer": "github", "a": "refs/**"}, "'a': 'refs/**' has '**'"),
        (
            {"issuer": "github", **{f"a{n}": "b" for n in range(MAX_CLAIMS + 1)}},
            "there are 21 claims, and 20 are the most",
        ),
    ],
)
def test_what_is_none_is_refused_with_what_to_write(given: dict[Any, Any], problem: str) -> None:
    with pytest.raises(PermissionsInvalid) as refusal:
        Demand.parse(given)
    assert any(each.startswith(problem) for each in refusal.value.problems)
