"""Signing in with a name and a password, and out.

An API token does for a password, with any name, as it does for Helm. A token that ends soon does not: a session must
not make it last.
"""

import logging
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, request

from chartrepo.access import Directory, Login, Session, Sessions
from chartrepo.http.auditing import REASON, Auditor
from chartrepo.http.auth import VISITOR, Authorizer
from chartrepo.http.cookies import Cookie, Cookies
from chartrepo.http.credentials import IdentityToken, RegistryToken, read_password
from chartrepo.http.errors import Forbidden, TooManyGuesses, Unauthorized
from chartrepo.http.pages.links import SIGN_IN, SIGN_OUT, UI
from chartrepo.http.pages.site import Site
from storage.base import StorageError

OPEN: Final = frozenset({"show_sign_in", "sign_in", "sign_out"})
"""Endpoints that are for everybody: who comes to them is not known yet, or not any more."""
_UNSTORED: Final = ("Cache-Control", "no-store")

log = logging.getLogger(__name__)


class SignIn:
    """The pages of signing in and out.

    Args:
        site: that they are of.
        directory: knows who there is.
        sessions: makes sessions.
        authorizer: looks at what is shown.
        auditor: told of who signs in.
        cookies: hold sessions.
    """

    def __init__(
        self,
        site: Site,
        directory: Directory,
        sessions: Sessions,
        *,
        authorizer: Authorizer,
        auditor: Auditor,
        cookies: Cookies,
    ) -> None:
        self._site = site
        self._directory = directory
        self._sessions = sessions
        self._authorizer = authorizer
        self._auditor = auditor
        self._cookies = cookies

    def register(self, app: Flask) -> None:
        """Add the routes to an application."""
        app.add_url_rule(f"{UI}/{SIGN_IN}", self.show_sign_in.__name__, self.show_sign_in, methods=["GET"])
        app.add_url_rule(f"{UI}/{SIGN_IN}", self.sign_in.__name__, self.sign_in, methods=["POST"])
        app.add_url_rule(f"{UI}/{SIGN_OUT}", self.sign_out.__name__, self.sign_out, methods=["POST"])

    def show_sign_in(self) -> Response:
        """GET of the form; who has signed in is sent on."""
        after = request.args.get("next", "")
        visitor = request.environ[VISITOR] = self._authorizer.visitor_of_open_page(request.environ)
        return self._sent_on(after) if visitor.is_known else self.page(after)

    def sign_in(self) -> Response:
        """POST of a name and a password."""
        name, password = request.form.get("name", "").strip(), request.form.get("password", "")
        after = request.form.get("next", "")
        request.environ[VISITOR] = self._authorizer.visitor_of_open_page(request.environ)
        if not self._directory.has_credentials:
            return self.page(after, status=HTTPStatus.FORBIDDEN)
        if not name or not password:
            return self.page(after, "Write your name and your password.", name, status=HTTPStatus.BAD_REQUEST)
        credential = read_password(name, password)
        if isinstance(credential, RegistryToken | IdentityToken):
            said = "This token ends soon, and does not sign in. Take your password, or an API token."
            return self.page(after, said, name, status=HTTPStatus.BAD_REQUEST)
        try:
            login = self._authorizer.login(request.environ, credential)
        except TooManyGuesses as error:
            request.environ[REASON] = str(error)
            said = f"Too many passwords were wrong. Wait for {error.seconds} s before you try again."
            headers = (("Retry-After", str(error.seconds)),)
            return self.page(after, said, name, status=HTTPStatus.TOO_MANY_REQUESTS, headers=headers)
        except Unauthorized:
            return self.page(after, "The name or the password is wrong.", name, status=HTTPStatus.UNAUTHORIZED)
        return self.signed_in(login, after)

    def signed_in(self, login: Login, after: str) -> Response:
        """Return the answer that signs somebody in who has just shown a credential, and leads on.

        What was there before ends: nobody goes on in a session that another could know.

        Raises:
            IdentityRefused: the issuer says more than fits into a cookie.
            StorageError: nothing can be signed.
        """
        caller = self._directory.caller_of(login)
        if caller is None:
            raise Forbidden("who has shown this cannot be known any more: try again")
        text, session = self._sessions.open(login)
        before = self._authorizer.session(request.environ)
        if before is not None:
            self._end(before)
        self._auditor.signed_in(request.environ, caller)
        lasts = max(0, session.ends - self._sessions.now())
        response = self._sent_on(after)
        response.headers.add(*self._cookies.given(request.environ, Cookie.SESSION, text, seconds=lasts))
        response.headers.add(*self._cookies.taken(request.environ, Cookie.VISIT))
        return response

    def sign_out(self) -> Response:
        """POST that ends the session, in all copies of its cookie."""
        session = self._authorizer.session(request.environ)
        if session is not None:
            self._end(session)
        response = self._sent_on("")
        response.headers.add(*self._cookies.taken(request.environ, Cookie.SESSION))
        return response

    def _end(self, session: Session) -> None:
        try:
            self._sessions.end(session)
        except StorageError as error:
            # The browser forgets it all the same, and so does this process.
            log.warning(
                "a session of %s ended here alone, other processes were not told: %s", session.login.subject, error
            )

    def page(
        self,
        after: str,
        problem: str = "",
        name: str = "",
        *,
        status: int = HTTPStatus.OK,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Response:
        """Return the form. What was written as the password is never in it.

        Args:
            after: where to go on.
            problem: what went wrong, in a sentence; empty for nothing.
            name: that was written.
            status: of the answer.
            headers: beside those that all pages have.
        """
        return self._site.pages.render(
            "sign_in.html",
            status=status,
            headers=headers,
            next=after if self._site.links.is_next(after) else "",
            problem=problem,
            name=name,
            possible=self._directory.has_credentials,
            with_password=self._directory.has_passwords,
            issuers=sorted(self._directory.issuers_to_sign_in_with()),
        )

    def _sent_on(self, after: str) -> Response:
        """Return where somebody is sent: back to a page of ours, or to the first one."""
        to = after if self._site.links.is_next(after) else self._site.links.home
        response = Response(status=HTTPStatus.SEE_OTHER, headers=[_UNSTORED, ("Location", to)])
        response.autocorrect_location_header = False
        return response
