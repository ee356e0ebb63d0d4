"""Signing in with an issuer: the two addresses to which a browser goes, before and after it was there."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, request

from chartrepo.access import Directory, Issuer, IssuerSignIn
from chartrepo.access.issuer_sign_in import LIFETIME
from chartrepo.core.errors import IdentityRefused, KeysUnavailable
from chartrepo.http.auditing import REASON, Auditor
from chartrepo.http.auth import VISITOR, Authorizer
from chartrepo.http.cookies import Cookie, Cookies
from chartrepo.http.errors import NoSuchPath
from chartrepo.http.pages.links import SIGN_IN, UI
from chartrepo.http.pages.sign_in import SignIn
from chartrepo.http.pages.site import Site

OPEN: Final = frozenset({"begin_with_issuer", "back_from_issuer"})
"""Endpoints that are for everybody: who comes to them is not known yet."""


class IssuerPages:
    """The views.

    Args:
        site: that they are of.
        directory: knows the issuers.
        issuers: begins sign-ins.
        sign_in: signs in who has come back.
        authorizer: knows who is signed in already.
        auditor: told of who was refused.
        cookies: hold what was begun.
    """

    def __init__(
        self,
        site: Site,
        directory: Directory,
        issuers: IssuerSignIn,
        *,
        sign_in: SignIn,
        authorizer: Authorizer,
        auditor: Auditor,
        cookies: Cookies,
    ) -> None:
        self._site = site
        self._directory = directory
        self._issuers = issuers
        self._sign_in = sign_in
        self._authorizer = authorizer
        self._auditor = auditor
        self._cookies = cookies

    def register(self, app: Flask) -> None:
        """Add the routes to an application."""
        app.add_url_rule(f"{UI}/{SIGN_IN}/<name>", "begin_with_issuer", self.begin, methods=["GET"])
        app.add_url_rule(f"{UI}/{SIGN_IN}/<name>/back", "back_from_issuer", self.back, methods=["GET"])

    def begin(self, name: str) -> Response:
        """GET that leads to the issuer."""
        after = request.args.get("next", "")
        issuer = self._issuer(name)

        def begun() -> Response:
            begun = self._issuers.begin(issuer, self._redirect_uri(name), after)
            response = Response(
                status=HTTPStatus.SEE_OTHER, headers={"Location": begun.address, "Cache-Control": "no-store"}
            )
            response.autocorrect_location_header = False
            response.headers.add(*self._cookies.given(request.environ, Cookie.ISSUER, begun.text, seconds=LIFETIME))
            return response

        return self._or_told(begun, after)

    def back(self, name: str) -> Response:
        """GET to which the issuer sends who has signed in there, or has not."""
        issuer = self._issuer(name)

        def signed_in() -> Response:
            text = self._cookies.read(request.environ, Cookie.ISSUER) or ""
            came = self._issuers.come_back(issuer, text, request.args.to_dict())
            login = self._directory.identify_signed_in(issuer, came.token, came.nonce)
            return self._sign_in.signed_in(login, came.after)

        response = self._or_told(signed_in, "")
        response.headers.add(*self._cookies.taken(request.environ, Cookie.ISSUER))
        return response

    def _or_told(self, attempt: Callable[[], Response], after: str) -> Response:
        """Return the answer of an attempt, or the page of signing in with what went wrong."""
        request.environ[VISITOR] = self._authorizer.visitor_of_open_page(request.environ)
        try:
            return attempt()
        except IdentityRefused as error:
            request.environ[REASON] = str(error)
            self._auditor.wrong_credential(request.environ, None, str(error))
            return self._sign_in.page(after, f"You are not signed in: {error}.", status=HTTPStatus.UNAUTHORIZED)
        except KeysUnavailable as error:
            request.environ[REASON] = str(error)
            return self._sign_in.page(after, f"You are not signed in: {error}.", status=HTTPStatus.SERVICE_UNAVAILABLE)

    def _issuer(self, name: str) -> Issuer:
        issuer = self._directory.issuers_to_sign_in_with().get(name)
        if issuer is None:
            raise NoSuchPath
        return issuer

    def _redirect_uri(self, name: str) -> str:
        return f"{self._site.pages.origin()}{self._site.links.page(SIGN_IN, f'{name}/back')}"
