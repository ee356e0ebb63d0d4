"""The file of rules: who may do what, and who is in which group."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from chartrepo.core.errors import AccessMisconfigured, PermissionsInvalid
from chartrepo.core.permissions import Permissions
from chartrepo.documents import load_strictly
from chartrepo.watched import Watched

_KEYS: Final = ("permissions", "groups")
_MAX_GROUPS: Final = 1000


@dataclass(frozen=True, slots=True)
class Rules:
    """What the file says.

    Attributes:
        permissions: who may do what.
        groups: the names of users by group.
    """

    permissions: Permissions
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def groups_of(self, user: str) -> frozenset[str]:
        """Return the groups that a user is in."""
        return frozenset(group for group, users in self.groups.items() if user in users)


def watch_rules(path: Path) -> Watched[Rules]:
    """Return what reads a file of rules now and whenever it changes."""

    def parse(data: bytes) -> Rules:
        try:
            return parse_rules(data)
        except AccessMisconfigured as error:
            raise AccessMisconfigured(*(f"{path}: {problem}" for problem in error.problems)) from None

    return Watched(path, parse, remedy="write one, which begins with permissions: and a list of rules below it")


def parse_rules(data: bytes) -> Rules:
    """Read a file of rules, which is YAML with `permissions` and, where there are any, `groups`.

    Raises:
        AccessMisconfigured: it is none; the message says all that is wrong.
    """
    document = load_strictly(data)
    if not isinstance(document, dict) or "permissions" not in document:
        raise AccessMisconfigured("there is no permissions: write a list of rules under it; an empty one allows none")
    wrong = [f"there is no key {str(key)[:80]!r}: write {' and '.join(_KEYS)}" for key in document if key not in _KEYS]
    groups: dict[str, frozenset[str]] = {}
    try:
        permissions = Permissions.parse(document["permissions"])
    except PermissionsInvalid as error:
        wrong += error.problems
        permissions = Permissions(())
    try:
        groups = _groups(document.get("groups") or {})
    except AccessMisconfigured as error:
        wrong += error.problems
    if wrong:
        raise AccessMisconfigured(*wrong)
    return Rules(permissions, groups)


def _groups(value: Any) -> dict[str, frozenset[str]]:
    if not isinstance(value, dict) or len(value) > _MAX_GROUPS:
        raise AccessMisconfigured(f"groups: write up to {_MAX_GROUPS} groups, each with its users, as platform: [ada]")
    wrong = [
        f"groups, {str(name)[:80]!r}: write a list of names of users, as [ada, grace]"
        for name, users in value.items()
        if not (isinstance(name, str) and isinstance(users, list) and all(isinstance(user, str) for user in users))
    ]
    if wrong:
        raise AccessMisconfigured(*wrong)
    return {name: frozenset(users) for name, users in value.items()}
