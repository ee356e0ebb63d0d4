"""Who is known to this server, and what each may do, as settings and files say now."""

import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chartrepo.access import chartmuseum, identity_tokens
from chartrepo.access.certificate import Certificate
from chartrepo.access.chartmuseum import ChartMuseumTokens
from chartrepo.access.ended_sessions import EndedSessions
from chartrepo.access.htpasswd import Htpasswd
from chartrepo.access.identity_tokens import Unverified
from chartrepo.access.issuer_keys import Keyrings, Told
from chartrepo.access.issuer_sign_in import IssuerSignIn
from chartrepo.access.issuers import Issuer
from chartrepo.access.keys import SigningKeys
from chartrepo.access.registry_tokens import Login, RegistryTokens
from chartrepo.access.rules import Rules
from chartrepo.access.sessions import Session, Sessions
from chartrepo.access.tokens import Tokens
from chartrepo.core import workloads
from chartrepo.core.errors import AccessMisconfigured, IdentityRefused
from chartrepo.core.patterns import Pattern
from chartrepo.core.permissions import ANONYMOUS, ANYBODY, USERS, Action, Caller, Permissions, Rights, Rule
from chartrepo.core.tokens import Token
from chartrepo.watched import Watched

ADMIN: Final = "admin"
"""The name of the administrator whose password `admin_password` is."""
SESSION_LIFETIME: Final = 12 * 3600.0
"""Seconds for which somebody stays signed in unless something else is said."""
_OF_THE_SIGN_IN: Final = frozenset({"nonce", "at_hash", "c_hash", "azp"})
"""Claims that say nothing of the caller."""
_EVERYTHING: Final = Pattern.parse("**")
_MOST_RIGHTS: Final = 1000


@dataclass(frozen=True, slots=True)
class Administrator:
    """Somebody whom the settings name, with a password, and who may do everything."""

    name: str
    password: str


@dataclass(frozen=True, slots=True)
class Shown:
    """Whom a token of an issuer makes known.

    Attributes:
        caller: who it is.
        login: for what the caller gets for the token.
        until: when the token ends, in seconds since the epoch; None where it does not say.
        exchangeable: whether the caller may have one that lasts longer.
    """

    caller: Caller
    login: Login
    until: float | None
    exchangeable: bool


def _untold(_issuer: str, _worked: bool) -> None:  # noqa: FBT001 - as it is called
    """Count nothing."""


class Directory:
    """Identifies callers and gives their rights. Safe to share between threads.

    Args:
        administrators: those of the settings.
        users: of a file; None for none.
        rules: of a file; without one, administrators and users may read and write everything.
        tokens: that were made; None where they are not looked at. Without administrators and users none counts: what
            lets nobody in by its settings must not be opened by an object in its storage.
        keys: that sign registry tokens and sessions; None where there are none.
        ended: which sessions were ended; without it there are none.
        session_lifetime: in seconds.
        bearer: ChartMuseum's bearer tokens; None where they are not taken.
        told: of each try to get the keys of an issuer.
        clock: tells seconds, of which only differences count.
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
        ended: EndedSessions | None = None,
        session_lifetime: float = SESSION_LIFETIME,
        bearer: ChartMuseumTokens | None = None,
        told: Told = _untold,
        clock: Callable[[], float] = time.monotonic,
        anonymous_read: bool = True,
        open_writes: bool = False,
        certificate: Watched[Certificate] | None = None,
    ) -> None:
        self._administrators = {each.name: each for each in administrators}
        self._users = users
        self._rules = rules
        self._bearer = bearer
        self._keyrings = Keyrings(told=told, clock=clock)
        files = {
            "htpasswd": users.file if users is not None else None,
            "permissions": rules,
            "auth_cert_path": bearer.file if bearer is not None else None,
            "tls_cert": certificate,
        }
        self._files: dict[str, Watched[Any]] = {setting: file for setting, file in files.items() if file is not None}
        self._tokens = tokens
        self.registry_tokens = RegistryTokens(keys, self.secret_of) if keys is not None else None
        self.issuer_sign_in = IssuerSignIn(keys, ended) if keys is not None and ended is not None else None
        self.sessions = (
            Sessions(keys, self.secret_of, ended=ended, lifetime=session_lifetime)
            if keys is not None and ended is not None
            else None
        )
        self._own = _own_rules(
            tuple(self._administrators), anonymous_read=anonymous_read, open_writes=open_writes, rules=rules is not None
        )
        self._known: tuple[Rules | None, Permissions, dict[Caller, Rights]] = (None, self._own, {})

    @property
    def has_credentials(self) -> bool:
        """Whether there is any credential that a caller could bring. Our own tokens count only beside others."""
        return (
            self.has_passwords
            or self._bearer is not None
            or (self._rules is not None and self._rules.has_value and bool(self._rules.value.issuers))
        )

    @property
    def has_passwords(self) -> bool:
        """Whether anybody could log in with a name and a password."""
        return bool(self._administrators) or self._users is not None

    @property
    def tokens(self) -> Tokens | None:
        """Those that callers can bring; None where none is looked at."""
        return self._tokens if self.has_credentials else None

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
        if self._rules is not None and self._rules.has_value:
            try:
                self._keyrings.check(list(self._rules.value.issuers.values()))
            except AccessMisconfigured as error:
                problems += error.problems
        if problems:
            raise AccessMisconfigured(*problems)

    def files(self) -> Mapping[str, bool]:
        """Return whether each file can be used as it is now, by the setting that names it, or the issuer."""
        found = {setting: file.problem is None for setting, file in self._files.items()}
        if self._rules is not None and self._rules.has_value:
            found |= self._keyrings.files(self._rules.value.issuers.values())
        return found

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
        token = self.tokens.identify(text) if self.tokens is not None else None
        return self.bearer(token) if token is not None else None

    def identify_identity(self, text: str) -> Shown:
        """Return whom a token of an issuer makes known, or one of ChartMuseum's.

        Raises:
            IdentityRefused: nobody, and why.
            KeysUnavailable: the keys of its issuer cannot be had.
            AccessMisconfigured: the file of rules never could be read.
        """
        token = identity_tokens.read_unverified(text)
        rules = self.rules
        issuer = rules.issuer_of(token.issuer) if rules is not None else None
        if issuer is None:
            return self._shown_to_chartmuseum(token)
        key = self._keyrings.of(issuer).find(token.key_id, token.algorithm)
        if key is None:
            raise IdentityRefused(f"the token is signed by no key of the issuer {issuer.name}")
        claims = identity_tokens.verify(token, key, issuer=issuer.source.issuer, audience=issuer.audience, ends=True)
        said = _about_the_caller(claims)
        login = Login(f"issuer:{issuer.name}", issuer.fingerprint, said)
        return Shown(self.caller_out_of(issuer, said), login, claims["exp"], exchangeable=True)

    def identify_signed_in(self, issuer: Issuer, text: str, nonce: str) -> Login:
        """Return what was shown by a token that an issuer has made for somebody who signed in with it here.

        Its audience is this server as a client; one that was made for a pipeline is none, and the other way round.

        Args:
            issuer: that made it, at our asking.
            text: of the token.
            nonce: that was asked to be in it, so that it is of this sign-in and no other.

        Raises:
            IdentityRefused: it makes nobody known, and why.
            KeysUnavailable: the keys of the issuer cannot be had.
        """
        if issuer.sign_in is None:
            raise IdentityRefused(f"nobody signs in with {issuer.name}")
        token, client = identity_tokens.read_unverified(text), issuer.sign_in.id
        key = self._keyrings.of(issuer).find(token.key_id, token.algorithm)
        if key is None:
            raise IdentityRefused(f"the token is signed by no key of the issuer {issuer.name}")
        claims = identity_tokens.verify(token, key, issuer=issuer.source.issuer, audience=(client,), ends=True)
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode("utf-8", "replace"), nonce.encode()):
            raise IdentityRefused("the token is of another sign-in (nonce)")
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else client) != client:
            raise IdentityRefused("the token was given to another client (azp)")
        said = {name: value for name, value in _about_the_caller(claims).items() if name not in _OF_THE_SIGN_IN}
        self.caller_out_of(issuer, said)
        return Login(f"issuer:{issuer.name}", issuer.fingerprint, said)

    def _shown_to_chartmuseum(self, token: Unverified) -> Shown:
        """What a token is to ChartMuseum: it says what its caller may, and nothing that is got for it lasts longer."""
        if self._bearer is None:
            raise IdentityRefused("the token is of an issuer that is not known here")
        claims = self._bearer.verify(token)
        said, until = _about_the_caller(claims), claims.get("exp")
        ends = int(until) if until is not None else None
        login = Login(chartmuseum.NAME, self._bearer.fingerprint, said, ends)
        return Shown(chartmuseum.caller_of(said), login, until, exchangeable=False)

    def caller_out_of(self, issuer: Issuer, claims: Mapping[str, Any]) -> Caller:
        """Return the caller of whom an issuer says this.

        Raises:
            IdentityRefused: that can be none.
            AccessMisconfigured: the file of rules never could be read.
        """
        rules = self.rules
        name = workloads.name_of(issuer.name, issuer.kind, claims, issuer.user)
        groups = workloads.groups_of(issuer.name, claims, issuer.groups) if issuer.groups else frozenset[str]()
        if rules is None:
            return Caller(name, groups, stranger=not issuer.authenticated)
        return Caller(
            name,
            groups | rules.groups_of(name),
            meets=rules.permissions.met_by(issuer.name, name, claims),
            stranger=not issuer.authenticated,
        )

    def identify_registry_token(self, text: str) -> Caller | None:
        """Return the caller that a registry token of this text was made for; None where it does not hold.

        Raises:
            StorageError: the storage of keys or tokens does not answer.
        """
        login = self.registry_login(text)
        return self.caller_of(login) if login is not None else None

    def registry_login(self, text: str) -> Login | None:
        """Return what was shown for a registry token of this text; None where it does not hold.

        Raises:
            StorageError: the storage of keys or tokens does not answer.
        """
        return self.registry_tokens.shown(text) if self.registry_tokens is not None else None

    def secret_of(self, subject: str) -> str | None:
        """Return what is another where a credential does not hold any more; None where there is no such subject.

        Args:
            subject: as `Login` has it.

        Raises:
            StorageError: the storage of the tokens does not answer.
            KeysUnavailable: the key of ChartMuseum's tokens never could be read.
        """
        kind, _, name = subject.partition(":")
        if kind == "issuer":
            issuer = self._issuer(name)
            return issuer.fingerprint if issuer is not None else None
        if subject == chartmuseum.NAME:
            return self._bearer.fingerprint if self._bearer is not None else None
        if kind == "user":
            administrator = self._administrators.get(name)
            if administrator is not None:
                return administrator.password
            return self._users.hash_of(name) if self._users is not None else None
        if kind == "token":
            token = self.tokens.living(name) if self.tokens is not None else None
            return token.digest if token is not None else None
        return None if subject else ""

    def session(self, text: str) -> tuple[Session, Caller] | None:
        """Return the session of a text, and who is signed in by it; None where it does not hold (any more).

        Raises:
            StorageError: the storage of keys, tokens or ended sessions does not answer.
        """
        session = self.sessions.find(text) if self.sessions is not None and self.has_credentials else None
        caller = self.caller_of(session.login) if session is not None else None
        return (session, caller) if session is not None and caller is not None else None

    def caller_of(self, login: Login) -> Caller | None:
        """Return the caller who has shown a credential; None where that can be none any more.

        Raises:
            StorageError: the storage of the tokens does not answer.
        """
        try:
            return self._caller_of(login)
        except IdentityRefused:  # the issuer is asked for another claim than when that was shown
            return None

    def _caller_of(self, login: Login) -> Caller | None:
        kind, _, name = login.subject.partition(":")
        match kind:
            case "":
                return ANONYMOUS
            case "user":
                return self.user(name)
            case "issuer":
                issuer = self._issuer(name)
                return self.caller_out_of(issuer, login.claims or {}) if issuer is not None else None
            case chartmuseum.NAME:
                return chartmuseum.caller_of(login.claims or {})
        token = self.tokens.living(name) if self.tokens is not None else None
        return self.bearer(token) if token is not None else None

    def bearer(self, token: Token) -> Caller | None:
        """Return the caller that a token stands for; None where it is the own of a user who is no more.

        Raises:
            AccessMisconfigured: the file of users or of rules never could be read.
        """
        name = f"token:{token.label}"
        if not token.owner:
            return Caller(name, own=token.rules)
        if self.secret_of(token.owner) is None:
            return None
        return Caller(name, own=token.rules, owner=self.user(token.owner.partition(":")[2]))

    def issuers_to_sign_in_with(self) -> dict[str, Issuer]:
        """Return the issuers with which people sign in to the pages, by name.

        Raises:
            AccessMisconfigured: the file of rules never could be read.
        """
        rules = self.rules
        found = rules.issuers.items() if rules is not None else ()
        return {name: issuer for name, issuer in found if issuer.sign_in is not None}

    def _issuer(self, name: str) -> Issuer | None:
        rules = self.rules
        return rules.issuers.get(name) if rules is not None else None

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
            self._keyrings.keep(list(rules.issuers.values()) if rules is not None else [])
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

    def reason(self, caller: Caller, action: Action, repository: str | None, chart: str) -> str:
        """Return by which rule a caller may do something, for people to read later; empty where none lets it.

        Args:
            caller: who.
            action: what.
            repository: where; None for everything.
            chart: its name.
        """
        permissions = self.permissions
        if repository is None:
            rule = permissions.rule_everywhere(caller, action)
        else:
            rule = permissions.rule_for(caller, action, repository, chart)
        if rule is None:
            return ""
        if rule in caller.own:
            return f"the token's own: {rule}"
        number = permissions.rules.index(rule) - len(self._own.rules)
        return f"settings: {rule}" if number < 0 else f"rule {number + 1}: {rule}"


def _about_the_caller(claims: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name not in workloads.ABOUT_THE_TOKEN}


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
