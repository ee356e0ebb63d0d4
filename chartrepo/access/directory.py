"""Who is known to this server, and what each may do, as settings and files say now."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from chartrepo.access.certificate import Certificate
from chartrepo.access.htpasswd import Htpasswd
from chartrepo.access.keys import SigningKeys
from chartrepo.access.registry_tokens import RegistryTokens
from chartrepo.access.rules import Rules
from chartrepo.access.tokens import Tokens
from chartrepo.access.watched import Watched
from chartrepo.core.errors import AccessMisconfigured
from chartrepo.core.patterns import Pattern
from chartrepo.core.permissions import ANONYMOUS, ANYBODY, USERS, Action, Caller, Permissions, Rights, Rule
from chartrepo.core.tokens import Token

ADMIN: Final = "admin"
"""The name of the administrator whose password `admin_password` is."""
_EVERYTHING: Final = Pattern.parse("**")
_MOST_RIGHTS: Final = 1000


@dataclass(frozen=True, slots=True)
class Administrator:
    """Somebody whom the settings name, with a password, and who may do everything."""

    name: str
    password: str


class Directory:
    """Identifies callers and gives their rights. Safe to share between threads.

    Args:
        administrators: those of the settings.
        users: of a file; None for none.
        rules: of a file; without one, administrators and users may read and write everything.
        tokens: that were made; None where they are not looked at. Without administrators and users none counts: what
            lets nobody in by its settings must not be opened by an object in its storage.
        keys: that sign registry tokens; None where there are none.
        anonymous_read: whether everybody may read everything, whatever the rules say.
        open_writes: whether everybody may write everything; for trying things out.
        certificate: by which the server is known; only looked after here, beside the other files.
    """

    def __init__(
        self,
        *,
        administrators: tuple[Administrator, ...] = (),
        users: Htpasswd | None = None,
        rules: Watched[Rules] | None = None,
        tokens: Tokens | None = None,
        keys: SigningKeys | None = None,
        anonymous_read: bool = True,
        open_writes: bool = False,
        certificate: Watched[Certificate] | None = None,
    ) -> None:
        self._administrators = {each.name: each for each in administrators}
        self._users = users
        self._rules = rules
        files = {
            "htpasswd": users.file if users is not None else None,
            "permissions": rules,
            "tls_cert": certificate,
        }
        self._files: dict[str, Watched[Any]] = {setting: file for setting, file in files.items() if file is not None}
        self._tokens = tokens if administrators or users is not None else None
        self.registry_tokens = RegistryTokens(keys, self.secret_of) if keys is not None else None
        self._own = _own_rules(
            tuple(self._administrators), anonymous_read=anonymous_read, open_writes=open_writes, rules=rules is not None
        )
        self._known: tuple[Rules | None, Permissions, dict[Caller, Rights]] = (None, self._own, {})

    @property
    def has_credentials(self) -> bool:
        """Whether there is any credential that a caller could bring. Tokens count only beside others."""
        return bool(self._administrators) or self._users is not None

    @property
    def tokens(self) -> Tokens | None:
        """Those that callers can bring; None where none is looked at."""
        return self._tokens

    @property
    def is_open(self) -> bool:
        """Whether everybody may read everything, and no change of the rules could take that away."""
        return self._own.rights(ANONYMOUS).everywhere(Action.READ)

    def check(self) -> None:
        """Read the files now.

        Raises:
            AccessMisconfigured: one of them cannot be used; it tells of all that is wrong with each.
        """
        problems: list[str] = []
        for file in self._files.values():
            try:
                file.check()
            except AccessMisconfigured as error:
                problems += error.problems
        if problems:
            raise AccessMisconfigured(*problems)

    def files(self) -> Mapping[str, bool]:
        """Return whether each file can be used as it is now, by the setting that names it."""
        return {setting: file.problem is None for setting, file in self._files.items()}

    def identify(self, name: str, password: str) -> Caller | None:
        """Return whose name and password these are; None for nobody's.

        Raises:
            AccessMisconfigured: the file of users never could be read.
        """
        administrator = self._administrators.get(name)
        if administrator is not None:
            same = hmac.compare_digest(password.encode(), administrator.password.encode())
        else:
            same = self._users is not None and self._users.verify(name, password)
        if not same:
            return None
        return self.user(name)

    def identify_token(self, text: str) -> Caller | None:
        """Return the caller that the token of this text stands for; None where it is that of none.

        Raises:
            StorageError: the storage of the tokens does not answer.
        """
        token = self._tokens.identify(text) if self._tokens is not None else None
        return bearer(token) if token is not None else None

    def identify_registry_token(self, text: str) -> Caller | None:
        """Return the caller that a registry token of this text was made for; None where it does not hold.

        Raises:
            StorageError: the storage of keys or tokens does not answer.
        """
        subject = self.registry_tokens.subject(text) if self.registry_tokens is not None else None
        return self._caller_of(subject) if subject is not None else None

    def secret_of(self, subject: str) -> str | None:
        """Return what is another where a credential does not hold any more; None where there is no such subject.

        Args:
            subject: as `Login` has it.

        Raises:
            StorageError: the storage of the tokens does not answer.
        """
        kind, _, name = subject.partition(":")
        if kind == "user":
            administrator = self._administrators.get(name)
            if administrator is not None:
                return administrator.password
            return self._users.hash_of(name) if self._users is not None else None
        if kind == "token":
            token = self._tokens.living(name) if self._tokens is not None else None
            return token.digest if token is not None else None
        return None if subject else ""

    def _caller_of(self, subject: str) -> Caller | None:
        kind, _, name = subject.partition(":")
        if kind == "user":
            return self.user(name)
        token = self._tokens.living(name) if self._tokens is not None and kind == "token" else None
        if token is not None:
            return bearer(token)
        return None if subject else ANONYMOUS

    def user(self, name: str) -> Caller:
        """Return the caller that a user is who has logged in, whether or not there is one of this name.

        Raises:
            AccessMisconfigured: the file of rules never could be read.
        """
        rules = self.rules
        return Caller(f"user:{name}", rules.groups_of(name) if rules is not None else frozenset())

    def rights(self, caller: Caller) -> Rights:
        """Return what a caller may do.

        Raises:
            AccessMisconfigured: the file of rules never could be read.
        """
        rules = self.rules
        known = self._known
        if known[0] is not rules:
            own = self._own.rules
            self._known = known = (rules, Permissions((*own, *rules.permissions.rules)) if rules else self._own, {})
        found = known[2].get(caller)
        if found is None:
            found = known[1].rights(caller)
            if len(known[2]) >= _MOST_RIGHTS:
                known[2].clear()
            known[2][caller] = found
        return found

    @property
    def names(self) -> frozenset[str]:
        """Of all users who can log in."""
        return frozenset(self._administrators) | (self._users.names if self._users is not None else frozenset())

    @property
    def rules(self) -> Rules | None:
        """What the file of rules says; None where there is no such file.

        Raises:
            AccessMisconfigured: it never could be read.
        """
        return self._rules.value if self._rules is not None else None

    @property
    def own(self) -> Permissions:
        """The rules that settings stand for. In `permissions` they come first."""
        return self._own

    @property
    def permissions(self) -> Permissions:
        """All rules that are in force but those that callers bring: of the file, and those that settings stand for."""
        self.rights(ANONYMOUS)
        return self._known[1]


def bearer(token: Token) -> Caller:
    """Return the caller that a token stands for."""
    return Caller(f"token:{token.name}", own=token.rules)


def _own_rules(administrators: tuple[str, ...], *, anonymous_read: bool, open_writes: bool, rules: bool) -> Permissions:
    """Return the rules that settings stand for, also of names that no rule in a file could name, such as `*`."""
    made = [_everywhere(f"user:{name}", Action.ADMIN) for name in administrators]
    if anonymous_read:
        made.append(_everywhere(ANYBODY, Action.READ))
    if open_writes:
        made.append(_everywhere(ANYBODY, Action.ADMIN))
    if not rules:
        made.append(_everywhere(USERS, Action.READ, Action.PUBLISH, Action.OVERWRITE, Action.DELETE))
    return Permissions(made)


def _everywhere(who: str, *may: Action) -> Rule:
    return Rule((who,), may, (_EVERYTHING,))
