"""Where dependencies may come from."""

import pytest

from chartrepo.core.dependencies import MAX_LENGTH, Allowed
from chartrepo.core.errors import PoliciesInvalid

COMPANY = "https://charts.example.com/**"


@pytest.mark.parametrize(
    ("pattern", "repository"),
    [
        (COMPANY, "https://charts.example.com"),
        (COMPANY, "https://charts.example.com/"),
        (COMPANY, "https://charts.example.com/team/app/"),
        (COMPANY, "HTTPS://Charts.Example.com/team"),
        ("https://charts.example.com/team/", "https://charts.example.com/team"),
        ("https://charts.example.com/*/stable", "https://charts.example.com/team/stable"),
        ("https://*.example.com/**", "https://charts.example.com/team"),
        ("oci://ghcr.io/acme/**", "oci://ghcr.io/acme/charts"),
        ("http://localhost:8080", "http://localhost:8080/"),
        ("file://**", "file://../common"),
        ("", ""),
        ("@stable", "@stable"),
        ("alias:stable", "alias:stable"),
    ],
)
def test_a_pattern_allows(pattern: str, repository: str) -> None:
    assert Allowed.parse(pattern).matches(repository)


@pytest.mark.parametrize(
    ("pattern", "repository"),
    [
        (COMPANY, ""),
        (COMPANY, "http://charts.example.com/team"),
        (COMPANY, "oci://charts.example.com/team"),
        (COMPANY, "https://charts.example.com.evil.org/team"),
        (COMPANY, "https://charts.example.com@evil.org/team"),
        (COMPANY, "https://charts.example.com:pass@evil.org/team"),
        (COMPANY, "https://charts.example.com:8443/team"),
        (COMPANY, "https://evil.org/charts.example.com/team"),
        (COMPANY, "https://charts.example.com/team\n"),
        ("https://*.example.com/**", "https://evil.org?x=.example.com/team"),
        ("https://*.example.com/**", "https://evil.org#.example.com/team"),
        ("https://*.example.com/**", "https://evil.org\\.example.com/team"),
        ("https://*.example.com/**", "https://evil.org/.example.com"),
        ("https://charts.example.com/good/**", "https://charts.example.com/good/../evil"),
        ("https://charts.example.com/good/**", "https://charts.example.com/good/%2e%2e/evil"),
        ("https://charts.example.com/good/**", "https://charts.example.com/good//evil"),
        ("https://charts.example.com/team", "https://charts.example.com/team/app"),
        ("https://charts.example.com/team", "https://charts.example.com/Team"),
        ("https://charts.example.com/*/stable", "https://charts.example.com/a/b/stable"),
        ("https://charts.example.com/**", f"https://charts.example.com/{'a' * 3000}"),
        ("file://**", "https://charts.example.com"),
        ("", "file://../common"),
        ("@stable", "@other"),
    ],
)
def test_a_pattern_does_not_allow(pattern: str, repository: str) -> None:
    assert not Allowed.parse(pattern).matches(repository)


@pytest.mark.parametrize(
    "text",
    [
        "**",
        "charts.example.com",
        "ftp://charts.example.com",
        "https://",
        "https://**",
        "https://a/**/b",
        "https://a/b**",
        "https://user@a/b",
        "https://a/b?c=d",
        "https://a/../b",
        "file://../common",
        "@*",
        f"https://{'a' * MAX_LENGTH}",
    ],
)
def test_what_names_no_repositories_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(PoliciesInvalid, match=r"names no repositories: write an address as https://"):
        Allowed.parse(text)
