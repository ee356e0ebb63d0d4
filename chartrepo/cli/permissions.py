"""`chartrepo permissions explain` and `check`: who may do what, by the rules and settings as they are now."""

from collections.abc import Iterator
from typing import Any, Final

import yaml

from chartrepo import assembly
from chartrepo.access import ADMIN, Directory, Rules
from chartrepo.cli.console import remark, say, say_rows
from chartrepo.core import workloads
from chartrepo.core.demands import ISSUER, Demand
from chartrepo.core.errors import AccessMisconfigured, IdentityRefused, PermissionsInvalid
from chartrepo.core.messages import shown
from chartrepo.core.permissions import ANYBODY, KNOWN, USERS, Action, Caller, Rule
from chartrepo.settings import Settings
from chartrepo.wording import counted
from storage.base import StorageError

_CREDENTIALS: Final = "htpasswd, admin_password or basic_auth_user"
"""The settings that make somebody known."""
_DEMAND: Final = "{"
"""How a caller begins that is told by claims."""


def run_explain(settings: Settings, *, caller: str, action: Action, repository: str, chart: str) -> int:
    """Print whether a caller may do something with a chart, and the rule that decides.

    Args:
        settings: which name the files.
        caller: as a rule names it; a group stands for somebody who is in that one alone, and a demand for a workload
            of which just that is so.
        action: what is wanted.
        repository: a name that `check_repository` took.
        chart: its name.

    Returns:
        The exit status: 0 where it is allowed, 1 where not.

    Raises:
        AccessMisconfigured: a file cannot be used; it tells of all that is wrong.
        IdentityRefused: no rule lets such a workload in.
    """
    directory = assembly.directory(settings)
    directory.check()
    asked, doubts = _caller(directory, caller), list(_doubts(directory, caller))
    kind, _, name = caller.partition(":")
    if kind == "token" and directory.has_credentials:
        found = _token(settings, directory, name)
        asked, doubts = (asked, [*doubts, found]) if isinstance(found, str) else (found, doubts)
    for doubt in doubts:
        remark(f"note: {doubt}")
    wanted = f"{action.value} {f'{repository}/{chart}' if repository else chart}"
    caller = asked.name if caller.startswith(_DEMAND) else caller
    rule = directory.permissions.rule_for(asked, action, repository, chart)
    if rule is not None:
        say(f"{caller} may {wanted} {_origin(rule, directory, settings)}: {rule}")
        return 0
    missing = directory.permissions.missing_rule(asked, action, repository, chart)
    if settings.permissions is not None:
        say(f"{caller} may not {wanted}: nothing allows it; in {settings.permissions}, below permissions, this would:")
    else:
        say(f"{caller} may not {wanted}: nothing allows it; in a file that the setting permissions names, this would:")
    say(f"- {missing}")
    if asked.own:
        remark(f"note: so would a new token with --allow {action.value}:{missing.on[0]}")
    return 1


def run_check(settings: Settings, *, strict: bool) -> int:
    """Read the files of rules and users, and print what is wrong with them, or what of the rules does nothing.

    Args:
        settings: which name the files.
        strict: whether a rule that does nothing is a fault.

    Returns:
        The exit status: 0 when all is well, 1 when something was found.
    """
    directory = assembly.directory(settings)
    try:
        directory.check()
    except AccessMisconfigured as error:
        for problem in error.problems:
            say(problem)
        return 1
    rules = directory.rules
    users = counted(len(directory.names), "user")
    if rules is None:
        say_rows("The setting permissions names no file of rules. So these hold:", list(_own_rows(directory, settings)))
        if not directory.has_credentials:
            say(f"nobody can be known: set {_CREDENTIALS} where somebody should be")
        say(f"{users}: all is well")
        return 0
    if not directory.has_credentials:
        remark(f"note: no server starts without {_CREDENTIALS}; whether users are there was not checked")
    warnings = list(_warnings(directory, rules))
    for warning in warnings:
        say(f"warning: {settings.permissions}: {warning}")
    verdict = counted(len(warnings), "warning") if warnings else "all is well"
    number = counted(len(rules.permissions.rules), "rule")
    issuers = f", {counted(len(rules.issuers), 'issuer')}" if rules.issuers else ""
    say(f"{number}, {users}, {counted(len(rules.groups), 'group')}{issuers}: {verdict}")
    return 1 if warnings and strict else 0


def _caller(directory: Directory, name: str) -> Caller:
    if name.startswith(_DEMAND):
        return _workload(directory, name)
    kind, _, rest = name.partition(":")
    if kind == "user":
        return directory.user(rest)
    # Somebody in a group is called by it here, so that the missing rule is one for the group.
    issuers = directory.rules.issuers if directory.rules is not None else {}
    issuer = issuers.get(rest.partition(":")[0] if kind == "group" else kind)
    if name in (ANYBODY, KNOWN) or kind in ("token", "group"):
        return Caller(name, stranger=issuer is not None and not issuer.authenticated)
    if issuer is None:
        return Caller(name, stranger=True)
    workloads.check_short(name, issuer.kind)
    return directory.caller_out_of(
        issuer, workloads.claims_of(issuer.kind, rest) if issuer.kind else {issuer.user: rest}
    )


def _workload(directory: Directory, text: str) -> Caller:
    """The caller of whom an issuer says what stands in a mapping.

    Raises:
        PermissionsInvalid: it is none, or its issuer is not known.
    """
    try:
        given: Any = yaml.safe_load(text)
    except yaml.YAMLError:
        given = None
    if not isinstance(given, dict):
        raise PermissionsInvalid(f"{shown(text)} is no mapping: write {{issuer: github, repository: acme/web}}")
    demand = Demand.parse(given)
    rules = directory.rules
    issuer = rules.issuers.get(demand.issuer) if rules is not None else None
    if issuer is None:
        raise PermissionsInvalid(
            f"{ISSUER}: no issuer is called {shown(demand.issuer)}: write it into the file of rules"
        )
    try:
        return directory.caller_out_of(issuer, dict(demand.wanted))
    except IdentityRefused as error:
        raise IdentityRefused(f"{error}: add it to --as, where such a token would have it") from None


def _token(settings: Settings, directory: Directory, name: str) -> Caller | str:
    """The caller that a token stands for; where there is none, or nobody knows, why."""
    by_rules = "the answer is by the rules alone"
    try:
        made = assembly.tokens(settings)
        token = made.find(name) if made is not None else None
    except StorageError as error:
        return f"whether there is a token {shown(name)} could not be found out, so {by_rules}: {error}"
    if token is None:
        return f"there is no token {shown(name)} that has not expired: {by_rules}"
    return directory.bearer(token) or f"{token.owner} is no more, whose own it is: nobody can use it, and {by_rules}"


def _doubts(directory: Directory, name: str) -> Iterator[str]:
    """Why there may be nobody who is called so."""
    kind, _, rest = name.partition(":")
    issuers = directory.rules.issuers if directory.rules is not None else {}
    if name.startswith(_DEMAND):
        return
    if name != ANYBODY and not directory.has_credentials:
        yield f"nobody can be known: set {_CREDENTIALS}"
    elif kind == "user" and rest not in directory.names:
        yield f"there is no user {shown(rest)}, who could log in: the answer is for one who is added"
    elif kind == "group" and rest not in _groups(directory.rules):
        yield f"nobody is in the group {shown(rest)}: the answer is for one who is put in"
    elif name not in (ANYBODY, KNOWN) and kind not in ("user", "group", "token") and kind not in issuers:
        yield f"no issuer is called {shown(kind)}, who could make anybody known: the answer is for one that is added"


def _groups(rules: Rules | None) -> set[str]:
    """The groups that somebody is in, or may be by what an issuer says."""
    if rules is None:
        return set()
    told = {name for name, issuer in rules.issuers.items() if issuer.groups}
    named = {who.removeprefix("group:") for rule in rules.permissions.rules for who in rule.who}
    return {group for group, users in rules.groups.items() if users} | {
        name for name in named if ":" in name and name.partition(":")[0] in told
    }


def _origin(rule: Rule, directory: Directory, settings: Settings) -> str:
    """By what a rule is in force: its place in the file, a setting, or what a token itself says."""
    if rule not in directory.permissions.rules:
        return "by what the token itself was given"
    number = directory.permissions.rules.index(rule) - len(directory.own.rules)
    if number < 0:
        return _setting(rule, settings)
    return f"by rule {number + 1} of {settings.permissions}"


def _setting(rule: Rule, settings: Settings) -> str:
    """By which setting there is a rule that settings stand for, as `chartrepo.access` makes them."""
    (who,) = rule.who
    if who == USERS:
        return "by default, as permissions is not set"
    if who == ANYBODY and rule.allows(Action.PUBLISH):
        return "by the setting open_writes, on this machine alone"
    if who == ANYBODY and settings.auth_anonymous_get:
        return "by the setting auth_anonymous_get"
    if who == ANYBODY:
        return "by default, as basic_auth_user and permissions are not set"
    # Where both settings name the same user, the password of basic_auth_user counts.
    administrator = who == f"user:{ADMIN}" and not (settings.basic_auth_user == ADMIN and settings.basic_auth_password)
    return f"by the setting {'admin_password' if administrator else 'basic_auth_user'}"


def _own_rows(directory: Directory, settings: Settings) -> Iterator[tuple[str, str]]:
    for rule in directory.own.rules:
        yield _setting(rule, settings), str(rule)


def _warnings(directory: Directory, rules: Rules) -> Iterator[str]:
    # Rules may be checked where there are no passwords, as in CI: then nobody knows who is meant to be there.
    users = directory.names if directory.has_credentials else None
    yield from rules.permissions.never_match(users, _groups(rules), rules.kinds)
    for group, members in sorted(rules.groups.items()):
        for member in sorted(members):
            if ":" in member:
                if member.partition(":")[0] not in rules.issuers:
                    yield f"groups, {shown(group)}: no issuer is called {shown(member.partition(':')[0])}: take it out"
            elif users is not None and member not in users:
                yield f"groups, {shown(group)}: there is no user {shown(member)}: add it to htpasswd, or take it out"
