"""The file of rules: who may do what, who is in which group, and whose word is taken for who somebody is."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from chartrepo.access.issuers import Issuer, parse_issuers
from chartrepo.core.errors import AccessMisconfigured, PermissionsInvalid
from chartrepo.core.permissions import Permissions
from chartrepo.documents import load_strictly
from chartrepo.watched import Watched

_KEYS: Final = ("permissions", "groups", "issuers")
_MAX_GROUPS: Final = 1000


@dataclass(frozen=True, slots=True)
class Rules:
    """What the file says.

    Attributes:
        permissions: who may do what.
        groups: the members by group: names of users, or of callers of issuers, as `sso:ada`.
        issuers: whose tokens are believed, by their names.
    """

    permissions: Permissions
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    issuers: Mapping[str, Issuer] = field(default_factory=dict)

    def groups_of(self, member: str) -> frozenset[str]:
        """Return the groups that a member is in. No user of an htpasswd file has a name with a colon."""
        return frozenset(group for group, members in self.groups.items() if member in members)

    @property
    def kinds(self) -> dict[str, str]:
        """The kind of each issuer, by its name."""
        return {name: issuer.kind for name, issuer in self.issuers.items()}

    def issuer_of(self, said: str) -> Issuer | None:
        """Return the issuer whose tokens have this under `iss`; None where there is none."""
        return next((issuer for issuer in self.issuers.values() if issuer.source.issuer == said), None)


def watch_rules(path: Path) -> Watched[Rules]:
    """Return what reads a file of rules now and whenever it changes."""

    def parse(data: bytes) -> Rules:
        try:
            return parse_rules(data, path.parent)
        except AccessMisconfigured as error:
            raise AccessMisconfigured(*(f"{path}: {problem}" for problem in error.problems)) from None

    return Watched(path, parse, remedy="write one, which begins with permissions: and a list of rules below it")


def parse_rules(data: bytes, folder: Path = Path()) -> Rules:
    """Read a file of rules, which is YAML with `permissions` and, where there are any, `groups` and `issuers`.

    Args:
        data: the file's bytes.
        folder: that paths in it start from.

    Raises:
        AccessMisconfigured: it is none; the message says all that is wrong.
    """
    document = load_strictly(data)
    if not isinstance(document, dict) or "permissions" not in document:
        raise AccessMisconfigured("there is no permissions: write a list of rules under it; an empty one allows none")
    wrong = [f"there is no key {str(key)[:80]!r}: write {', '.join(_KEYS)}" for key in document if key not in _KEYS]
    groups: dict[str, frozenset[str]] = {}
    issuers: dict[str, Issuer] = {}
    try:
        issuers = parse_issuers(document.get("issuers") or {}, folder)
    except AccessMisconfigured as error:
        wrong += error.problems
    try:
        permissions = Permissions.parse(document["permissions"], {each.name: each.kind for each in issuers.values()})
    except PermissionsInvalid as error:
        wrong += error.problems
        permissions = Permissions(())
    try:
        groups = _groups(document.get("groups") or {}, issuers)
    except AccessMisconfigured as error:
        wrong += error.problems
    if wrong:
        raise AccessMisconfigured(*wrong)
    return Rules(permissions, groups, issuers)


def _groups(value: Any, issuers: Collection[str]) -> dict[str, frozenset[str]]:
    if not isinstance(value, dict) or len(value) > _MAX_GROUPS:
        raise AccessMisconfigured(f"groups: write up to {_MAX_GROUPS} groups, each with its users, as platform: [ada]")
    wrong = [
        f"groups, {str(name)[:80]!r}: write a list of names of users, as [ada, grace]"
        for name, users in value.items()
        if not (isinstance(name, str) and isinstance(users, list) and all(isinstance(user, str) for user in users))
    ]
    wrong += (
        f"groups, {name[:80]!r}: who is in it the issuer {name.partition(':')[0]} says: choose another name"
        for name in value
        if isinstance(name, str) and ":" in name and name.partition(":")[0] in issuers
    )
    if wrong:
        raise AccessMisconfigured(*wrong)
    return {name: frozenset(users) for name, users in value.items()}
