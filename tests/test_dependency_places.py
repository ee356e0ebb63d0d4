"""Which repositories of this server a dependency can mean."""

import pytest

from chartrepo.dependency_places import Bases, candidates

BASES = Bases(("https://charts.example.com/base", "http://localhost:8080/base"), ("oci://charts.example.com/base",))


@pytest.mark.parametrize(
    ("address", "repositories"),
    [
        ("https://charts.example.com/base/team/app", ["team/app"]),
        ("https://charts.example.com/base/team/app/", ["team/app"]),
        ("http://localhost:8080/base/team", ["team"]),
        ("oci://charts.example.com/base/team", ["team"]),
        ("https://charts.example.com/base/", [""]),
        ("oci://charts.example.com/base", [""]),
        ("https://charts.example.com/based/team", []),
        ("https://charts.example.com/other", []),
        ("https://charts.example.com.evil.com/base/team", []),
        ("https://charts.example.com/base/../team", []),
        ("file://../common", ["home"]),
        ("", ["home"]),
        ("@team", ["team", "home"]),
        ("alias:team", ["team", "home"]),
        ("@no such", ["home"]),
        ("javascript:alert(1)", []),
    ],
)
def test_an_address_of_ours_names_a_repository(address: str, repositories: list[str]) -> None:
    assert candidates(address, "home", BASES) == repositories
