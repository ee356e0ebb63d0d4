"""Who a token of an issuer is for: the name of the caller, by what the issuer says.

A name is that of the issuer, a colon, and what the issuer calls the caller, so that no issuer can make a caller of
another, nor a user of the htpasswd file. What that is depends on the kind of the issuer:

- `github:acme/web/.github/workflows/release.yml@refs/heads/main`: a workflow that lies in the repository it runs in,
  and runs at the ref it was taken from. A workflow that others may call runs in their repositories, with their files:
  such a run has no short name, and a rule has to say which repository is meant.
- `gitlab:acme/web@refs/heads/main`: a project and a ref. Pipelines of merge requests have no short name: their ref is
  that of a branch anybody may have made in a fork.
- `kubernetes:ci/pusher`: a namespace and a service account.
- `sso:ada`: of all others, what the claim says that the issuer's `user` names.

Who has no short name is called by the demand that one would write in a rule.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from chartrepo.core.demands import Demand, claim, like, texts
from chartrepo.core.errors import IdentityRefused, PermissionsInvalid
from chartrepo.core.messages import shown

GITHUB: Final = "github"
GITLAB: Final = "gitlab"
KUBERNETES: Final = "kubernetes"
KINDS: Final = (GITHUB, GITLAB, KUBERNETES)
ISSUER_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
RESERVED: Final = frozenset({"user", "group", "token", "anonymous", "authenticated", "bearer"})
"""What no issuer can be called, as callers of others are."""
MAX_NAME: Final = 512
"""Of a caller, in characters."""
MAX_GROUPS: Final = 1000
"""Of one caller; what its issuer says beyond is not looked at."""

_NAMESPACE: Final = "kubernetes.io.namespace"
_ACCOUNT: Final = "kubernetes.io.serviceaccount.name"


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is known of all issuers of a kind.

    Attributes:
        short: the form of a short name, behind the colon.
        example: of one.
        fixed: what ends the part of a short name in which no `*` may stand.
        claims: that its tokens have, beside those that all have; what begins with one and a dot counts too.
        whose: claims of which one at least has to be demanded, without a `*` in its first part: strangers can have
            tokens of such an issuer too, with all others as they like.
    """

    short: re.Pattern[str]
    example: str
    fixed: str
    claims: frozenset[str]
    whose: tuple[str, ...] = ()


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OF_KIND: Final[Mapping[str, _Kind]] = {
    GITHUB: _Kind(
        re.compile(r"[\w.-]+/[\w.-]+/\.github/workflows/[^/@]+@.+"),
        "acme/web/.github/workflows/release.yml@refs/heads/main",
        "@",
        _words(
            "actor actor_id base_ref check_run_id enterprise enterprise_id environment environment_node_id event_name "
            "head_ref issuer_scope job_workflow_ref job_workflow_sha ref ref_protected ref_type repository "
            "repository_id repository_owner repository_owner_id repository_visibility run_attempt run_id run_number "
            "runner_environment sha workflow workflow_ref workflow_sha"
        ),
        ("repository", "repository_id", "repository_owner", "repository_owner_id", "enterprise", "enterprise_id"),
    ),
    GITLAB: _Kind(
        re.compile(r"[^@\s]+/[^@\s]+@refs/(?:heads|tags)/.+"),
        "acme/web@refs/heads/main",
        "@",
        _words(
            "ci_config_ref_uri ci_config_sha deployment_tier environment environment_action environment_protected "
            "groups_direct job_id job_namespace_id job_namespace_path job_project_id job_project_path job_source "
            "namespace_id namespace_path pipeline_id pipeline_ref pipeline_sha pipeline_source pipeline_source_event "
            "project_id project_path project_visibility ref ref_path ref_protected ref_type runner_environment "
            "runner_id sha target_ref target_ref_protected user_access_level user_email user_id user_identities "
            "user_login"
        ),
        ("project_path", "project_id", "namespace_path", "namespace_id"),
    ),
    KUBERNETES: _Kind(
        re.compile(r"[a-z0-9-]+/[a-z0-9.*-]+"),
        "ci/pusher",
        "/",
        frozenset({"kubernetes.io"}),
    ),
}
ABOUT_THE_TOKEN: Final = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti"})
"""Claims that are not about whom a token is for, so that no rule can demand them."""


@dataclass(frozen=True, slots=True)
class Short:
    """A short name with a `*` in it, as a rule can have in place of a caller: `github:.../release.yml@refs/tags/v*`."""

    pattern: str

    def matches(self, name: str) -> bool:
        """Return whether a caller of this name is meant."""
        return like(self.pattern, name)


def name_of(issuer: str, kind: str, claims: Mapping[str, Any], user: str = "sub") -> str:
    """Return by which name a rule can know whom a token is for.

    Args:
        issuer: its name.
        kind: of the issuer: one of `KINDS`, or empty.
        claims: that the issuer made.
        user: the claim that says who a caller is, where the kind is empty.

    Raises:
        IdentityRefused: the token is for nobody that can be let in, and why.
    """
    match kind:
        case "github":
            name = _github(issuer, claims)
        case "gitlab":
            name = _gitlab(issuer, claims)
        case "kubernetes":
            name = f"{issuer}:{_text(claims, _NAMESPACE)}/{_text(claims, _ACCOUNT)}"
        case _:
            if user == "email" and claims.get("email_verified") is False:
                raise IdentityRefused("the issuer says of the token's email that it was not verified")
            name = f"{issuer}:{_text(claims, user)}"
    if len(name) > MAX_NAME:
        raise IdentityRefused(f"the token is for somebody whose name is longer than {MAX_NAME} characters")
    return name


def groups_of(issuer: str, claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """Return the groups that an issuer says its caller is in: the issuer's name, a colon, and what it calls the group.

    Args:
        issuer: its name.
        claims: that it made.
        name: of the claim that has them.
    """
    value = claim(claims, name)
    found = list(texts(value[:MAX_GROUPS] if isinstance(value, list) else value))
    return frozenset(f"{issuer}:{each}" for each in found if _is_fit(each) and len(issuer) + len(each) < MAX_NAME)


def claims_of(kind: str, short: str) -> dict[str, Any]:
    """Return the claims that a short name of a kind stands for, without the issuer: what `name_of` makes it of."""
    head, _, ref = short.partition("@")
    if kind == GITHUB:
        owner, name, _ = head.split("/", 2)
        return {
            "repository": f"{owner}/{name}",
            "repository_owner": owner,
            "job_workflow_ref": short,
            "ref": ref,
        }
    if kind == GITLAB:
        _, ref_type, ref_name = ref.split("/", 2)
        said = {"ref_path": ref, "ref": ref_name, "ref_type": "branch" if ref_type == "heads" else "tag"}
        return {"project_path": head, "namespace_path": head.rpartition("/")[0], **said}
    namespace, _, account = short.partition("/")
    return {"kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": account}}}


def check_short(text: str, kind: str) -> None:
    """Return if a rule can have a text in place of a caller of an issuer of a kind.

    Raises:
        PermissionsInvalid: it cannot.
    """
    issuer, _, short = text.partition(":")
    known = _OF_KIND.get(kind)
    if known is None:
        if "*" in short:
            raise PermissionsInvalid(f"{shown(text)} has a '*', which stands for nobody here: name each, or a group")
        return
    if not known.short.fullmatch(short):
        raise PermissionsInvalid(
            f"{shown(text)} is none of {issuer}'s short names: write one as {issuer}:{known.example}, or claims, as "
            f"{{issuer: {issuer}, ...}}"
        )
    if "*" in short.partition(known.fixed)[0] or "**" in short:
        raise PermissionsInvalid(f"{shown(text)}: a '*' may stand behind the {known.fixed!r} only, and by itself")


def check_demand(demand: Demand, kind: str) -> None:
    """Return if a rule can demand this of an issuer of a kind.

    Raises:
        PermissionsInvalid: it demands what is not about a caller, or strangers could have a token that is so.
    """
    known = _OF_KIND.get(kind)
    wanted = dict(demand.wanted)
    others = sorted(ABOUT_THE_TOKEN & wanted.keys())
    if others:
        raise PermissionsInvalid(f"{demand}: {', '.join(others)} is about the token, and not about whom it is for")
    if known is None or not known.whose:
        return
    if not any("*" not in wanted.get(name, "*").partition("/")[0] for name in known.whose):
        raise PermissionsInvalid(
            f"{demand} would let strangers in, as anybody can have such a token: say whose it is, without '*', by "
            f"{', '.join(known.whose[:-1])} or {known.whose[-1]}"
        )


def unknown_claims(demand: Demand, kind: str) -> list[str]:
    """Return the names of claims that are demanded and that no token of an issuer of a kind has."""
    known = _OF_KIND.get(kind)
    if known is None:
        return []
    possible = known.claims | {"sub"}
    return [
        name
        for name, _ in demand.wanted
        if name not in possible and not any(name.startswith(f"{each}.") for each in possible)
    ]


def _github(issuer: str, claims: Mapping[str, Any]) -> str:
    if claims.get("event_name") == "pull_request_target":
        raise IdentityRefused(
            "the token is of a run that pull_request_target started, in which anybody's changes may run with the "
            "rights of the repository: publish from another event, as push"
        )
    repository, workflow = _text(claims, "repository"), _text(claims, "job_workflow_ref")
    ref = claims.get("ref")
    own = workflow.startswith(f"{repository}/.github/workflows/")
    if own and ref in (None, workflow.partition("@")[2]) and _OF_KIND[GITHUB].short.fullmatch(workflow):
        return f"{issuer}:{workflow}"
    return _called(issuer, claims, "repository", "job_workflow_ref", "ref")


def _gitlab(issuer: str, claims: Mapping[str, Any]) -> str:
    project, ref = _text(claims, "project_path"), _text(claims, "ref")
    folder = {"branch": "heads", "tag": "tags"}.get(str(claims.get("ref_type")))
    if folder is None or claims.get("pipeline_source") == "merge_request_event":
        return _called(issuer, claims, "project_path", "pipeline_source", "ref")
    return f"{issuer}:{project}@refs/{folder}/{ref}"


def _called(issuer: str, claims: Mapping[str, Any], *names: str) -> str:
    """The name of who has no short one: the demand for these claims."""
    return str(Demand(issuer, tuple(sorted((name, _text(claims, name)) for name in names if claims.get(name)))))


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claim(claims, name)
    if not isinstance(value, str) or not _is_fit(value):
        raise IdentityRefused(f"the token says nothing under {name} that could be the name of a caller")
    return value


def _is_fit(text: str) -> bool:
    return bool(text) and text.isprintable() and text == text.strip()
