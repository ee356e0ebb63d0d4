"""What may stand in the table of issuers, what is taken for granted, and what is said of the rest."""

from pathlib import Path
from typing import Any, Final

import pytest

from chartrepo.access.issuers import Client, Issuer, KeySource, parse_issuers
from chartrepo.access.rules import parse_rules
from chartrepo.core.errors import AccessMisconfigured

HERE: Final = Path("/etc/chartrepo")
ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
GITHUB: Final = "https://token.actions.githubusercontent.com"


def one(name: str, **fields: Any) -> Issuer:
    return parse_issuers({name: {"audience": "charts", **fields}}, HERE)[name]


def refused(value: object) -> str:
    with pytest.raises(AccessMisconfigured) as refusal:
        parse_issuers(value, HERE)
    return str(refusal.value)


class TestDefaults:
    @pytest.mark.parametrize("fields", [{}, {"kind": "github"}])
    def test_github_is_github_s(self, fields: dict[str, Any]) -> None:
        assert one("github", **fields) == Issuer("github", "github", ("charts",), KeySource(GITHUB, GITHUB))

    def test_gitlab_is_gitlab_s_or_one_s_own(self) -> None:
        assert one("gitlab").source == KeySource("https://gitlab.com", "https://gitlab.com")
        own = one("gitlab", url="https://gitlab.example.com")
        assert (own.kind, own.source.issuer) == ("gitlab", "https://gitlab.example.com")

    def test_a_cluster_is_the_one_that_the_server_runs_in(self) -> None:
        expected = KeySource(
            "https://kubernetes.default.svc.cluster.local",
            "https://kubernetes.default.svc",
            ACCOUNT / "ca.crt",
            ACCOUNT / "token",
        )
        assert one("kubernetes").source == one("main", kind="kubernetes").source == expected

    def test_another_cluster_gets_no_token_of_this_one(self) -> None:
        url = "https://oidc.eks.example.com/id/X"
        assert one("eks", kind="kubernetes", url=url).source == KeySource(url, url)

    def test_all_others_say_where_they_are(self) -> None:
        url = "https://sso.example.com/realms/main"
        sso = one("sso", url=url, user="preferred_username", groups="groups", authenticated=True)
        assert sso == Issuer("sso", "", ("charts",), KeySource(url, url), "preferred_username", "groups", True)
        assert one("sso", url=url, audience=["a", "b"]).audience == ("a", "b")
        assert one("sso", url=url).user == "sub"

    def test_files_lie_beside_the_file_of_rules(self) -> None:
        source = one("partner", issuer="https://p.example", jwks_file="partner.json").source
        assert source == KeySource("https://p.example", jwks_file=HERE / "partner.json")
        assert one("sso", url="https://a", ca_file="/ca.crt", token_file="t").source == KeySource(
            "https://a", "https://a", Path("/ca.crt"), HERE / "t"
        )
        assert one("github", jwks_file="g.json").source == KeySource(GITHUB, jwks_file=HERE / "g.json")

    def test_one_on_this_machine_needs_no_https(self) -> None:
        assert one("sso", url="http://127.0.0.1:8081").source.url == "http://127.0.0.1:8081"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ([], "issuers: write up to 100 issuers by name"),
        ({f"a{n}": {} for n in range(101)}, "issuers: write up to 100"),
        ({1: {}}, "no issuer can be called so"),
        ({"user": {"audience": "x"}}, "no issuer can be called so"),
        ({"group": {"audience": "x"}}, "no issuer can be called so"),
        ({"token": {"audience": "x"}}, "no issuer can be called so"),
        ({"anonymous": {"audience": "x"}}, "no issuer can be called so"),
        ({"authenticated": {"audience": "x"}}, "no issuer can be called so"),
        ({"bearer": {"audience": "x"}}, "no issuer can be called so"),
        ({"SSO": {"audience": "x"}}, "no issuer can be called so"),
        ({"a:b": {"audience": "x"}}, "no issuer can be called so"),
        ({"github": "https://x"}, "is no mapping"),
        ({"github": {}}, "audience: write the audience that its tokens have to be for"),
        ({"github": {"audience": ""}}, "audience: write"),
        ({"github": {"audience": []}}, "audience: write"),
        ({"github": {"audience": ["a", 1]}}, "audience: write"),
        ({"github": {"audience": "x", "aud": "y"}}, "there is no field 'aud': write audience, authenticated, ca_file"),
        ({"sso": {"audience": "x"}}, "url: write where its keys are"),
        ({"sso": {"audience": "x", "issuer": "https://x"}}, "url: write where its keys are"),
        ({"sso": {"audience": "x", "url": "sso.example.com"}}, "url: 'sso.example.com' is no address"),
        ({"sso": {"audience": "x", "url": "http://sso.example.com"}}, "has to begin with https://"),
        ({"sso": {"audience": "x", "url": "https://a:b@sso.example.com"}}, "is no address"),
        ({"sso": {"audience": "x", "url": "https://sso.example.com?x"}}, "is no address"),
        ({"sso": {"audience": "x", "url": "https://["}}, "is no address"),
        ({"sso": {"audience": "x", "url": 1}}, "url: '1' is no text"),
        ({"sso": {"audience": "x", "jwks_file": "a"}}, "issuer: write what its tokens have under iss"),
        ({"sso": {"audience": "x", "issuer": "https://a", "jwks_file": "a", "ca_file": "b"}}, "ca_file: does nothing"),
        ({"sso": {"audience": "x", "url": "https://a", "kind": "gitea"}}, "kind: 'gitea' is none"),
        ({"github": {"audience": "x", "kind": "gitlab"}}, "kind: 'gitlab' is none, or not that of the name"),
        (
            {"github": {"audience": "x", "user": "actor"}},
            "user and groups: callers of kind github have names of their own",
        ),
        ({"github": {"audience": "x", "authenticated": True}}, f"authenticated: anybody can have a token of {GITHUB}"),
        ({"gitlab": {"audience": "x", "authenticated": True}}, "authenticated: anybody can have a token"),
        ({"sso": {"audience": "x", "url": "https://a", "authenticated": "yes"}}, "authenticated: write true or false"),
        (
            {name: {"audience": name, "url": "https://a"} for name in ("one", "two")},
            "issuers, 'two': one is 'https://a' already: keep one of them",
        ),
    ],
)
def test_what_is_wrong_is_told_with_the_remedy(given: object, problem: str) -> None:
    assert problem in refused(given)


def test_all_that_is_wrong_in_a_file_is_told_at_once() -> None:
    text = b"permissions: [{who: me, may: read, on: x}]\ngroups: {a: 1}\nissuers: {sso: {}}\nx: 1\n"
    with pytest.raises(AccessMisconfigured) as refusal:
        parse_rules(text)
    assert [each.partition(":")[0] for each in refusal.value.problems] == [
        "there is no key 'x'",
        "issuers, 'sso'",
        "issuers, 'sso'",
        "permissions, rule 1, who",
        "groups, 'a'",
    ]


def test_a_group_that_an_issuer_fills_is_none_of_the_table() -> None:
    text = "permissions: []\nissuers: {github: {audience: x}}\ngroups: {'%s:a': [ada]}\n"
    with pytest.raises(AccessMisconfigured, match="who is in it the issuer github says"):
        parse_rules((text % "github").encode())
    assert parse_rules((text % "team").encode()).groups_of("ada") == {"team:a"}


def test_what_a_token_may_rest_on_changes_the_fingerprint() -> None:
    first = one("sso", url="https://a")
    others = [one("sso", url="https://b"), one("sso", url="https://a", audience="b"), one("sso2", url="https://a")]
    assert first.fingerprint == one("sso", url="https://a", user="email").fingerprint
    assert first.fingerprint not in {other.fingerprint for other in others}


class TestSigningIn:
    """How people sign in with an issuer."""

    URL: Final = "https://sso.example.com"

    def test_the_rest_is_taken_for_granted(self) -> None:
        found = one("sso", url=self.URL, sign_in={"client_id": "charts"})
        assert found.sign_in == Client("charts", None, ("openid", "profile", "email"))
        said = {"client_id": "charts", "client_secret_file": "secret", "scopes": ["openid", "groups"]}
        assert one("sso", url=self.URL, sign_in=said).sign_in == Client("charts", HERE / "secret", ("openid", "groups"))
        assert one("sso", url=self.URL).sign_in is None

    def test_another_client_is_another_issuer_to_who_has_signed_in(self) -> None:
        prints = {
            one("sso", url=self.URL, **fields).fingerprint
            for fields in ({}, {"sign_in": {"client_id": "a"}}, {"sign_in": {"client_id": "b"}})
        }
        assert len(prints) == 3
        again = one("sso", url=self.URL, sign_in={"client_id": "a", "scopes": ["openid"]})
        assert again.fingerprint in prints

    @pytest.mark.parametrize(
        ("fields", "problem"),
        [
            ({"sign_in": "charts"}, "sign_in: is no mapping"),
            ({"sign_in": {}}, "sign_in: client_id: '' is no text"),
            ({"sign_in": {"client_id": 1}}, "sign_in: client_id: '1' is no text"),
            ({"sign_in": {"client_id": "a", "client_secret": "b"}}, "there is no field 'client_secret'"),
            ({"sign_in": {"client_id": "a", "client_secret_file": 1}}, "client_secret_file: '1' is no text"),
            ({"sign_in": {"client_id": "a", "scopes": "openid"}}, "scopes: write a list"),
            ({"sign_in": {"client_id": "a", "scopes": ["open id"]}}, "scopes: write a list"),
            ({"sign_in": {"client_id": "a", "scopes": ["email"]}}, "scopes: openid has to be among them"),
            ({"kind": "gitlab", "sign_in": {"client_id": "a"}}, "of a kind that makes workloads known"),
            ({"issuer": "x", "jwks_file": "k", "sign_in": {"client_id": "a"}}, "in place of jwks_file"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, fields: dict[str, Any], problem: str) -> None:
        assert problem in refused({"sso": {"url": self.URL, "audience": "charts", **fields}})
