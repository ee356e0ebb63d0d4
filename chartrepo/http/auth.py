"""Who asks, and what that caller may do. The one authorizer, asked by every route.

What a caller may not read is not there for it: a known caller gets the same 404 as for what does not exist, and one
without a credential 401 in both cases, which tells clients to come again with one. 403 is for something else than
reading on what the caller may read.

Without any credential in the settings nobody may write: a proxy on the same host would make every caller look like this
machine itself. `open_writes` is for trying things out on one's own machine, and there no web page in the browser may
write but our own.

Below `/ui/` a session counts too, which is a cookie. Nowhere else is one looked at: what a browser sends along by
itself must let no page write through the API, nor read there.
"""

import math
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from chartrepo import kinds
from chartrepo.access import Directory, Guesses, Login, Session, Shown, chartmuseum
from chartrepo.core.errors import IdentityRefused
from chartrepo.core.permissions import ANONYMOUS, Action, Caller, Extent, Readable, Rights
from chartrepo.core.tokens import id_in
from chartrepo.http.addresses import Addresses
from chartrepo.http.believed import Believed
from chartrepo.http.cookies import Cookie, Cookies
from chartrepo.http.credentials import Bearer, Credential, IdentityToken, Password, RegistryToken, read_credential
from chartrepo.http.errors import Forbidden, NoSuchPath, TooManyGuesses, Unauthorized
from chartrepo.http.pages.links import is_page
from chartrepo.http.trying import Trying

Environ = dict[str, Any]

VISITOR: Final = "chartrepo.visitor"
"""Key of the environment under which `Front` leaves the visitor."""
OWN_FORM: Final = "chartrepo.own_form"
"""Key of the environment under which lies that a form was sent that a page of ours made for this very visitor."""
_SESSION: Final = "chartrepo.session"
"""Key of the environment under which a session and its caller lie, or None, once it was looked for."""
_READS: Final = frozenset({"GET", "HEAD"})
_ACROSS_SITES: Final = frozenset({"cross-site", "same-site"})
_OF_PROXIES: Final = frozenset(
    {
        "HTTP_FORWARDED",
        "HTTP_VIA",
        "HTTP_X_FORWARDED_FOR",
        "HTTP_X_FORWARDED_HOST",
        "HTTP_X_FORWARDED_PROTO",
        "HTTP_X_REAL_IP",
    }
)


class NotAskedError(RuntimeError):
    """A view forgot to ask whether its caller may have what it answers."""


class Visitor:
    """The caller of one request, and its rights.

    Attributes:
        caller: who it is.
        asked: whether anything was asked. An answer without that is not sent: its route forgot to ask.
        trying: what it was asked for that is no reading; None for nothing.
    """

    def __init__(self, caller: Caller, rights: Rights, check_write: Callable[[], None]) -> None:
        self.caller = caller
        self.asked = False
        self.trying: Trying | None = None
        self._rights = rights
        self._check_write = check_write

    @property
    def is_known(self) -> bool:
        """Whether it brought a credential."""
        return self.caller != ANONYMOUS

    def needs_to_be_asked(self) -> None:
        """Do nothing: what it may do is asked later."""

    def needs_nothing(self) -> None:
        """Say that whoever asks gets the same answer."""
        self.asked = True

    def check_asked(self, status: int) -> None:
        """Return if an answer of this status may be sent: nothing was made without asking what the caller may have.

        Raises:
            NotAskedError: it was.
        """
        if not self.asked and status < HTTPStatus.BAD_REQUEST:
            raise NotAskedError

    @property
    def reads_everything(self) -> bool:
        """Whether it may read everything."""
        self.asked = True
        return self._rights.everywhere(Action.READ)

    @property
    def reads_somewhere(self) -> bool:
        """Whether there is anything that it may read, be it there or not."""
        self.asked = True
        return self._rights.anywhere(Action.READ)

    @property
    def publishes_somewhere(self) -> bool:
        """Whether there is anything that it may publish. Nothing is shown by that, so that nothing counts as asked."""
        return self._rights.anywhere(Action.PUBLISH)

    @property
    def administers(self) -> bool:
        """Whether it may do everything. Nothing is shown by that, so that nothing counts as asked."""
        return self._rights.everywhere(Action.ADMIN)

    def may(self, action: Action, repository: str, chart: str) -> bool:
        """Return whether it may do this to a chart."""
        self.asked = True
        return self._rights.may(action, repository, chart)

    def does_somewhere(self, action: Action) -> bool:
        """Return whether there is anything that it may do this to."""
        self.asked = True
        return self._rights.anywhere(action)

    def extent(self, action: Action, repository: str) -> Extent:
        """Return on how much of a repository it may do this, whatever is in it."""
        self.asked = True
        return self._rights.extent(action, repository)

    def readable(self, repository: str) -> Readable | None:
        """Return what tells by its name whether a chart of a repository may be read; None where all may.

        Raises:
            Unauthorized: none may, without a credential.
        """
        self.asked = True
        extent = self._rights.extent(Action.READ, repository)
        if extent is Extent.ALL:
            return None
        if extent is Extent.NONE and not self.is_known:
            raise Unauthorized("unauthorized")
        return Readable(self._rights, repository)

    def reads_all(self, repository: str, chart: str | None) -> bool:
        """Return whether it may read a chart; with None, every chart of a repository, whatever it is called."""
        self.asked = True
        if chart is not None:
            return self._rights.may(Action.READ, repository, chart)
        return self._rights.extent(Action.READ, repository) is Extent.ALL

    def require(self, action: Action, repository: str, chart: str) -> None:
        """Return if it may do this to a chart.

        Raises:
            Unauthorized: not without a credential.
            NoSuchPath: not, and it may not read the chart either.
            Forbidden: not, though it may read the chart; or nobody may.
        """
        self._try(action, repository, chart)
        self._check(action, self.may(action, repository, chart), lambda: self.may(Action.READ, repository, chart))

    def require_some(self, action: Action, repository: str) -> None:
        """Do as `require` for a chart that is not known yet: return if it may do this to any of a repository."""
        self.asked = True
        self._try(action, repository)
        allowed = self._rights.extent(action, repository) is not Extent.NONE
        self._check(action, allowed, lambda: self._rights.extent(Action.READ, repository) is not Extent.NONE)

    def require_somewhere(self, action: Action) -> None:
        """Return if it may do this to anything at all; raises as `require`."""
        self.asked = True
        self._check(action, self._rights.anywhere(action), lambda: self._rights.anywhere(Action.READ))

    def require_everywhere(self, action: Action) -> None:
        """Return if it may do this to everything; raises as `require`."""
        self.asked = True
        self._try(action, None)
        self._check(action, self._rights.everywhere(action), lambda: self._rights.anywhere(Action.READ))

    def _try(self, action: Action, repository: str | None, chart: str = "") -> None:
        """Remember what is tried; a view that asks again knows more of the same."""
        if action is not Action.READ:
            self.trying = Trying.begin(action, repository, chart, self.trying)

    def _check(self, action: Action, allowed: bool, reads: Callable[[], bool]) -> None:  # noqa: FBT001 - by position
        if action is not Action.READ:
            self._check_write()
        if allowed:
            return
        if not self.is_known:
            raise Unauthorized("unauthorized")
        if action is Action.READ or not reads():
            raise NoSuchPath
        name = self.caller.name
        if name == chartmuseum.NAME:
            raise Forbidden(f"the token does not say under access that it may {action.value} here: get another one")
        if self.trying is not None and self.trying.repository is None:
            raise Forbidden(f'{name} may not {action.value} here: a rule of permissions has to allow it on "**"')
        typed = f'"{name}"' if " " in name else name
        raise Forbidden(
            f"{name} may not {action.value} here: a rule of permissions has to allow it; "
            f"'chartrepo permissions explain --as {typed} {action.value} REPOSITORY/CHART' shows which"
        )


class Authorizer:
    """Makes a visitor of a request.

    Args:
        directory: who is known, and what each may do.
        open_writes: whether writing needs no credential, for callers of this machine that are no web page but ours.
        addresses: tell where a request comes from.
        cookies: hold sessions.
        wrong: told of each credential that is nobody's, or is not looked at yet, and why.
    """

    def __init__(
        self,
        directory: Directory,
        *,
        open_writes: bool,
        addresses: Addresses,
        cookies: Cookies,
        wrong: Callable[[Environ, Credential | None, str], None],
    ) -> None:
        self._directory = directory
        self._open_writes = open_writes
        self._addresses = addresses
        self._cookies = cookies
        self._wrong = wrong
        self._guesses = Guesses()
        # Apart from passwords: a pipeline with a revoked token must not slow whoever logs in from beside it.
        self._guesses_of_tokens = Guesses()
        self._believed = Believed()

    @property
    def reading_is_private(self) -> bool:
        """Whether answers are for the caller alone, and not for a shared cache."""
        return not self._directory.is_open

    def check_login(self, environ: Environ) -> None:
        """Return if the caller has a credential, or there are none; so that a login can fail where all may read.

        Raises:
            Unauthorized: not with this one, or not without one.
        """
        if self._directory.has_credentials and not environ.get("HTTP_AUTHORIZATION"):
            raise Unauthorized("unauthorized")

    def visitor_at_hand(self, environ: Environ) -> Visitor | None:
        """Return who asks; None where that could be said only after waiting for a slow hash, or a storage."""
        caller = self._caller_at_hand(environ)
        return self._visitor(environ, caller) if caller is not None else None

    def visitor(self, environ: Environ) -> Visitor:
        """Return who asks.

        Raises:
            TooManyGuesses: the credential is not looked at yet.
            Unauthorized: what the caller says it is cannot be believed, or without a credential nothing is allowed.
            StorageError: the caller brought a token, and the storage that would tell of it does not answer.
            KeysUnavailable: the caller brought a token of an issuer whose keys cannot be had.
        """
        caller = self._caller_at_hand(environ)
        return self._visitor(environ, caller if caller is not None else self._caller(environ))

    def visitor_of_page(self, environ: Environ) -> Visitor:
        """Return who asks for a page: whoever is signed in, where no credential is brought.

        Raises:
            TooManyGuesses, Unauthorized, StorageError, KeysUnavailable: as for `visitor`.
        """
        found = self._signed_in(environ)
        return self._visitor(environ, found[1]) if found is not None else self.visitor(environ)

    def visitor_of_open_page(self, environ: Environ) -> Visitor:
        """Return who asks for a page that everybody may have, whoever that is."""
        found = self._signed_in(environ)
        caller = found[1] if found is not None else ANONYMOUS
        visitor = Visitor(caller, self._directory.rights(caller), lambda: self._check_write(environ))
        visitor.needs_nothing()
        return visitor

    def session(self, environ: Environ) -> Session | None:
        """Return the session that counts for a request; None where there is none, or a credential was brought.

        Raises:
            StorageError: nobody knows whether it still holds.
        """
        found = self._signed_in(environ)
        return found[0] if found is not None else None

    def _signed_in(self, environ: Environ) -> tuple[Session, Caller] | None:
        if environ.get("HTTP_AUTHORIZATION") or not is_page(environ["PATH_INFO"]):
            return None
        if _SESSION not in environ:
            text = self._cookies.read(environ, Cookie.SESSION)
            environ[_SESSION] = self._directory.session(text) if text is not None else None
        found: tuple[Session, Caller] | None = environ[_SESSION]
        return found

    def login(self, environ: Environ, credential: Credential | None) -> Login:
        """Return who has shown a credential, to be believed for longer than one request; None stands for anonymous.

        Raises:
            TooManyGuesses, Unauthorized, StorageError, KeysUnavailable: as for `visitor`.
        """
        if credential is None or not self._directory.has_credentials:
            self._rights(ANONYMOUS)
            return Login("", "")
        if isinstance(credential, IdentityToken):
            return self.shown(credential, environ).login
        self._identify(credential, environ)
        if isinstance(credential, RegistryToken):
            login = self._directory.registry_login(credential.text)
            if login is None or login.until is None:
                raise Unauthorized("unauthorized")  # it is not good for another one
            return login
        subject = f"token:{id_in(credential.text)}" if isinstance(credential, Bearer) else f"user:{credential.name}"
        secret = self._directory.secret_of(subject)
        if secret is None:
            raise Unauthorized("unauthorized")
        return Login(subject, secret)

    def shown(self, credential: IdentityToken, environ: Environ) -> Shown:
        """Return whom a token of an issuer makes known, which a request has brought.

        Raises:
            Unauthorized: nobody, and why.
            KeysUnavailable: the keys of its issuer cannot be had.
        """
        try:
            return self._directory.identify_identity(credential.text)
        except IdentityRefused as error:
            self._wrong(environ, credential, str(error))
            raise Unauthorized(str(error)) from None

    def _visitor(self, environ: Environ, caller: Caller) -> Visitor:
        return Visitor(caller, self._rights(caller), lambda: self._check_write(environ))

    def _rights(self, caller: Caller) -> Rights:
        """What a caller may do.

        Raises:
            Unauthorized: nothing, without a credential.
        """
        rights = self._directory.rights(caller)
        if caller == ANONYMOUS and not any(map(rights.anywhere, Action)):
            raise Unauthorized("unauthorized")
        return rights

    def _caller_at_hand(self, environ: Environ) -> Caller | None:
        """Who asks; None where the credential has to be looked at."""
        given = environ.get("HTTP_AUTHORIZATION")
        if not given or not self._directory.has_credentials:
            return ANONYMOUS
        return self._believed.caller(given, self._addresses.caller(environ))

    def _caller(self, environ: Environ) -> Caller:
        """Who asks, by the credential that was brought."""
        given, address = environ["HTTP_AUTHORIZATION"], self._addresses.caller(environ)
        credential = read_credential(given)
        if credential is None:
            self._wrong(environ, None, "the credential is of no kind that this server takes")
            raise Unauthorized("unauthorized")
        if isinstance(credential, IdentityToken):
            shown = self.shown(credential, environ)
            lasts = shown.until - time.time() if shown.until is not None else math.inf
            self._believed.remember(given, address, shown.caller, lasts=lasts)
            return shown.caller
        caller = self._identify(credential, environ)
        self._believed.remember(given, address, caller)
        return caller

    def _identify(self, credential: Password | Bearer | RegistryToken, environ: Environ) -> Caller:
        address = self._addresses.caller(environ)
        match credential:
            case RegistryToken():  # whose signature nobody guesses, and which expires all the time
                caller = self._directory.identify_registry_token(credential.text)
                if caller is None:
                    raise Unauthorized("unauthorized")
                return caller
            case Bearer():
                guesses, wrong = self._guesses_of_tokens, "the token is wrong, was revoked, or has expired"
                identified = partial(self._directory.identify_token, credential.text)
            case Password():
                guesses, wrong = self._guesses, "the password is wrong, or there is no such user"
                identified = partial(self._directory.identify, credential.name, credential.password)
        wait = guesses.delay(address, credential.name)
        if wait > 0:
            refusal = TooManyGuesses(wait)
            self._wrong(environ, credential, str(refusal))
            raise refusal
        caller = identified()
        if caller is None:
            guesses.failed(address, credential.name)
            self._wrong(environ, credential, wrong)
            raise Unauthorized("unauthorized")
        guesses.succeeded(address, credential.name)
        return caller

    def _check_write(self, environ: Environ) -> None:
        """Return if whoever may write may do so in this way.

        Who asks for a page with GET looks at what could be written: there links from everywhere may lead.
        """
        page = is_page(environ["PATH_INFO"])
        looks = page and environ["REQUEST_METHOD"] in _READS
        if environ.get("HTTP_SEC_FETCH_SITE") in _ACROSS_SITES and not looks:
            raise Forbidden(
                "a web page of another site asked for this: write with a program such as curl, or from a page of "
                "this site"
            )
        if self._directory.has_credentials:
            return
        if not self._open_writes:
            raise Forbidden(
                "this server is read-only: set basic_auth_user and basic_auth_password to let a credential write, or "
                "start it with --open-writes on a loopback address to try things out"
            )
        if looks:
            _check_this_machine(environ)
        elif page:
            _check_own_page(environ)
        else:
            _check_local_program(environ)


def visitor_of(environ: Environ) -> Visitor:
    """Return the visitor that `Front` left in an environment."""
    found: Visitor = environ[VISITOR]
    return found


def is_signed_in(environ: Environ) -> bool:
    """Return whether a visitor is known by a session."""
    return environ.get(_SESSION) is not None


def trying_of(environ: Environ) -> Trying:
    """Return what a visitor was asked for that is no reading, to say more of it."""
    trying = visitor_of(environ).trying
    if trying is None:
        raise RuntimeError("nothing but reading was asked for, so that nothing can be changed")
    return trying


def _check_local_program(environ: Environ) -> None:
    """Return if a program of this machine asks, which is no browser."""
    if environ.get("HTTP_ORIGIN") is not None or environ.get("HTTP_SEC_FETCH_SITE") is not None:
        raise Forbidden("with --open-writes no web page may write: set basic_auth_user and basic_auth_password instead")
    _check_this_machine(environ)


def _check_own_page(environ: Environ) -> None:
    """Return if a page of this server sent a form, in a browser of this machine.

    A page of another origin has not the secret of the form, and cannot read ours; the browser says where a form comes
    from as well. A page that came under a name which now leads here (DNS rebinding) would be of our own origin, but
    that name is none of this machine's.
    """
    _check_this_machine(environ)
    own = f"{environ.get('wsgi.url_scheme')}://{environ.get('HTTP_HOST')}"
    if not environ.get(OWN_FORM) or environ.get("HTTP_ORIGIN") != own:
        raise Forbidden(
            "with --open-writes no web page may write but those of this server, in a browser that says where a form "
            "comes from: set basic_auth_user and basic_auth_password instead"
        )


def _check_this_machine(environ: Environ) -> None:
    """Return if it is this machine that asks, under a name of its own."""
    if not _OF_PROXIES.isdisjoint(environ):
        raise Forbidden(
            "with --open-writes nobody writes through a proxy, whose callers may be anybody: set basic_auth_user and "
            "basic_auth_password instead"
        )
    if not kinds.is_loopback(_host_name(environ.get("HTTP_HOST", ""))):
        raise Forbidden(
            "with --open-writes only this machine may write, under a loopback name such as localhost: "
            "set basic_auth_user and basic_auth_password instead"
        )


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
