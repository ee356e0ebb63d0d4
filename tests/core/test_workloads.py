"""Who a token of an issuer is for, and which of them a rule names."""

from typing import Any, Final

import pytest
import yaml

from chartrepo.core.errors import IdentityRefused, PermissionsInvalid
from chartrepo.core.permissions import Action, Caller, Permissions
from chartrepo.core.workloads import claims_of, groups_of, name_of

WORKFLOW: Final = "acme/web/.github/workflows/release.yml@refs/heads/main"
GITHUB: Final = {
    "repository": "acme/web",
    "repository_owner_id": "4711",
    "job_workflow_ref": WORKFLOW,
    "ref": "refs/heads/main",
    "event_name": "push",
    "environment": "production",
}
GITLAB: Final = {
    "project_path": "acme/deep/web",
    "namespace_id": "72",
    "ref": "main",
    "ref_type": "branch",
    "ref_protected": "true",
    "pipeline_source": "push",
}
KUBERNETES: Final = {"kubernetes.io": {"namespace": "ci", "serviceaccount": {"name": "pusher"}}}
ISSUERS: Final = {"github": "github", "gitlab": "gitlab", "cluster": "kubernetes", "sso": ""}


def named(issuer: str, claims: dict[str, Any], *who: object) -> bool:
    """Whether a rule with this under `who` names the caller of these claims."""
    rules = Permissions.parse([{"who": list(who), "may": "publish", "on": "web"}], ISSUERS)
    name = name_of(issuer, ISSUERS[issuer], claims)
    caller = Caller(name, meets=rules.met_by(issuer, name, claims), stranger=True)
    return rules.rule_for(caller, Action.PUBLISH, "", "web") is not None


def refused(*who: object) -> str:
    with pytest.raises(PermissionsInvalid) as refusal:
        Permissions.parse([{"who": list(who), "may": "publish", "on": "web"}], ISSUERS)
    return str(refusal.value)


class TestNames:
    @pytest.mark.parametrize(
        ("issuer", "claims", "name"),
        [
            ("github", GITHUB, f"github:{WORKFLOW}"),
            ("gitlab", GITLAB, "gitlab:acme/deep/web@refs/heads/main"),
            ("gitlab", {**GITLAB, "ref": "v1", "ref_type": "tag"}, "gitlab:acme/deep/web@refs/tags/v1"),
            ("cluster", KUBERNETES, "cluster:ci/pusher"),
            ("sso", {"sub": "ada"}, "sso:ada"),
        ],
    )
    def test_a_caller_is_called_by_its_issuer_and_what_that_says(
        self, issuer: str, claims: dict[str, Any], name: str
    ) -> None:
        assert name_of(issuer, ISSUERS[issuer], claims) == name
        assert named(issuer, claims, name)
        assert not named(issuer, claims, f"{name}x")
        if ISSUERS[issuer]:
            assert name_of(issuer, ISSUERS[issuer], claims_of(ISSUERS[issuer], name.partition(":")[2])) == name

    @pytest.mark.parametrize(
        "changes",
        [
            {"repository": "evil/web"},
            {"repository": "acme/other"},
            {"repository": "acme/we"},
            {"ref": "refs/heads/feature"},
            {"ref": "refs/pull/1/merge"},
        ],
    )
    def test_a_workflow_that_runs_elsewhere_or_with_other_files_has_no_short_name(
        self, changes: dict[str, str]
    ) -> None:
        claims = {**GITHUB, **changes}
        assert not named(
            "github", claims, f"github:{WORKFLOW}", "github:acme/web/.github/workflows/release.yml@refs/heads/*"
        )
        own = name_of("github", "github", claims)
        assert own.startswith("{issuer: github, job_workflow_ref: ")
        assert named(
            "github", claims, {"issuer": "github", **{key: claims[key] for key in ("repository", "job_workflow_ref")}}
        )

    def test_a_pipeline_of_a_merge_request_has_no_short_name(self) -> None:
        claims = {**GITLAB, "pipeline_source": "merge_request_event"}
        assert not named("gitlab", claims, "gitlab:acme/deep/web@refs/heads/main", "gitlab:acme/deep/web@refs/heads/*")
        assert name_of("gitlab", "gitlab", claims).startswith("{issuer: gitlab, ")

    def test_pull_request_target_is_nobody(self) -> None:
        with pytest.raises(IdentityRefused, match="pull_request_target"):
            name_of("github", "github", {**GITHUB, "event_name": "pull_request_target"})

    @pytest.mark.parametrize(
        ("kind", "claims"),
        [
            ("github", {}),
            ("github", {**GITHUB, "repository": 1}),
            ("gitlab", {**GITLAB, "project_path": ""}),
            ("kubernetes", {"kubernetes.io": {"namespace": "ci"}}),
            ("kubernetes", {"kubernetes.io": "ci"}),
            ("", {}),
            ("", {"sub": ["ada"]}),
            ("", {"sub": " ada"}),
            ("", {"sub": "a\nb"}),
            ("", {"sub": "a" * 513}),
        ],
    )
    def test_claims_that_name_nobody_are_refused(self, kind: str, claims: dict[str, Any]) -> None:
        with pytest.raises(IdentityRefused):
            name_of("x", kind, claims)

    def test_an_email_that_was_not_verified_is_nobody_s(self) -> None:
        assert name_of("sso", "", {"email": "ada@x", "email_verified": True}, "email") == "sso:ada@x"
        with pytest.raises(IdentityRefused, match="not verified"):
            name_of("sso", "", {"email": "ada@x", "email_verified": False}, "email")

    def test_groups_have_the_issuer_in_front(self) -> None:
        claims = {"groups": ["web", "", " a", 7, {"a": 1}], "one": "staff", "realm_access": {"roles": ["admin"]}}
        assert groups_of("sso", claims, "groups") == {"sso:web", "sso:7"}
        assert groups_of("sso", claims, "one") == {"sso:staff"}
        assert groups_of("sso", claims, "realm_access.roles") == {"sso:admin"}
        assert groups_of("sso", claims, "none") == set()


class TestRules:
    @pytest.mark.parametrize(
        ("issuer", "claims", "who"),
        [
            ("github", GITHUB, "github:acme/web/.github/workflows/release.yml@refs/heads/*"),
            ("gitlab", {**GITLAB, "ref": "v1", "ref_type": "tag"}, "gitlab:acme/deep/web@refs/tags/v*"),
            ("cluster", KUBERNETES, "cluster:ci/*"),
            ("github", GITHUB, {"issuer": "github", "repository_owner_id": 4711, "environment": "production"}),
            ("gitlab", GITLAB, {"issuer": "gitlab", "namespace_id": "72", "ref_protected": True}),
            ("cluster", KUBERNETES, {"issuer": "cluster", "kubernetes.io.namespace": "ci"}),
        ],
    )
    def test_a_rule_names_workloads_by_patterns_and_claims(
        self, issuer: str, claims: dict[str, Any], who: object
    ) -> None:
        assert named(issuer, claims, who)
        assert named(issuer, claims, "user:ada", who)

    @pytest.mark.parametrize(
        "claims",
        [
            {**GITHUB, "ref": "refs/heads/a/b", "job_workflow_ref": WORKFLOW.replace("main", "a/b")},
            {**GITHUB, "ref": "refs/tags/v1", "job_workflow_ref": WORKFLOW.replace("heads/main", "tags/v1")},
        ],
    )
    def test_a_star_ends_at_a_slash(self, claims: dict[str, Any]) -> None:
        assert not named("github", claims, "github:acme/web/.github/workflows/release.yml@refs/heads/*")

    def test_a_token_of_another_issuer_meets_nothing(self) -> None:
        assert not named("gitlab", {**GITHUB, **GITLAB}, {"issuer": "github", "repository": "acme/web"})

    def test_authenticated_is_nobody_of_whom_strangers_can_be_one(self) -> None:
        assert not named("github", GITHUB, "authenticated")
        assert named("github", GITHUB, "anonymous")

    @pytest.mark.parametrize(
        ("who", "problem"),
        [
            ("github:acme/web", "is none of github's short names: write one as github:acme/web/.github/workflows/"),
            ("gitlab:acme/web", "is none of gitlab's short names"),
            ("gitlab:acme/web@main", "is none of gitlab's short names"),
            ("cluster:system:serviceaccount:ci:pusher", "write one as cluster:ci/pusher"),
            ("github:*/web/.github/workflows/x.yml@refs/heads/main", "is none of github's short names"),
            ("github:acme/web/.github/workflows/*@refs/heads/main", "a '*' may stand behind the '@' only"),
            ("github:acme/web/.github/workflows/x.yml@refs/**", "a '*' may stand behind the '@' only, and by itself"),
            ("gitlab:acme/*@refs/heads/main", "a '*' may stand behind the '@' only"),
            ("sso:a*", "has a '*', which stands for nobody here"),
            ({"issuer": "github", "environment": "production"}, "would let strangers in"),
            ({"issuer": "github", "repository": "*/web"}, "would let strangers in"),
            ({"issuer": "github", "job_workflow_ref": WORKFLOW}, "would let strangers in"),
            ({"issuer": "gitlab", "ref": "main"}, "would let strangers in"),
            ({"issuer": "sso", "aud": "x", "exp": 1, "sub": "y"}, "aud, exp is about the token"),
        ],
    )
    def test_what_names_nobody_or_strangers_is_refused(self, who: object, problem: str) -> None:
        assert problem in refused(who)

    def test_a_rule_with_claims_is_the_same_once_written_and_read_again(self) -> None:
        who = [{"issuer": "github", "repository": "acme/web", "ref": "refs/tags/v*"}, f"github:{WORKFLOW}"]
        first = Permissions.parse([{"who": who, "may": "publish", "on": "web"}], ISSUERS)
        again = Permissions.parse([yaml.safe_load(str(first.rules[0]))], ISSUERS)
        assert (again.rules, again.demands) == (first.rules, first.demands)

    def test_what_no_token_can_be_is_told(self) -> None:
        rules = Permissions.parse(
            [
                {
                    "who": [
                        {"issuer": "github", "repository": "a/b", "project_path": "a/b"},
                        {"issuer": "gone", "a": "b"},
                        "old:ada",
                        "sso:ada",
                        {"issuer": "cluster", "kubernetes.io.pod.name": "x"},
                        {"issuer": "sso", "whatever": "x"},
                    ],
                    "may": "publish",
                    "on": "web",
                }
            ],
            ISSUERS,
        )
        assert [
            problem.partition(", who: ")[2].partition(":")[0] for problem in rules.never_match(issuers=ISSUERS)
        ] == [
            "no token of github has a claim 'project_path'",
            "no issuer is called 'gone'",
            "no issuer is called 'old'",
        ]
        assert rules.never_match() == []
