"""Forms of pages: a secret in each that no other page knows, looked for before any view runs (CSRF).

The secret belongs to the session, or to a cookie of a visitor without one. It is masked anew in each answer, as answers
are compressed and show what others wrote: without that their sizes would tell it letter by letter (BREACH).
"""

import base64
import binascii
import hmac
import secrets
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Flask, Response, request
from markupsafe import Markup

from chartrepo.access import Sessions
from chartrepo.http.addresses import Addresses
from chartrepo.http.auth import OWN_FORM, Authorizer
from chartrepo.http.cookies import Cookie, Cookies
from chartrepo.http.errors import FormRefused
from chartrepo.http.uploads import whole_form

Environ = dict[str, Any]

FIELD: Final = "csrf_token"
HEADER: Final = "X-CSRF-Token"
"""For scripts, which need no field then."""
_VISIT: Final = "chartrepo.visit"
"""Key of the environment under which a visit lies that begins with this answer."""
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_NO_SITE: Final = frozenset({"same-origin", "none"})
_BYTES: Final = 32
_RELOAD: Final = (
    "This form is too old, or comes from elsewhere. Go back, load the page anew, and send it again; your browser has "
    "to keep cookies of this site."
)


class FormChecks:
    """Puts the secret into forms, and looks for it in what is sent.

    Args:
        authorizer: knows who is signed in.
        sessions: make the secrets.
        cookies: hold them for who is not.
        addresses: tell by which address a caller reached this server.
    """

    def __init__(self, authorizer: Authorizer, sessions: Sessions, cookies: Cookies, addresses: Addresses) -> None:
        self._authorizer = authorizer
        self._sessions = sessions
        self._cookies = cookies
        self._addresses = addresses

    def register(self, app: Flask) -> None:
        """Have the templates of an application know `csrf_field` and `csrf_token`."""
        app.jinja_env.globals |= {"csrf_field": self.field, "csrf_token": self.token}

        @app.after_request
        def begin_visit(response: Response) -> Response:
            """Give whoever got a first form the cookie that goes with it."""
            visit = request.environ.get(_VISIT)
            if visit is not None:
                response.headers.add(*self._cookies.given(request.environ, Cookie.VISIT, visit[0]))
            return response

    def field(self) -> Markup:
        """Return the hidden field that each form which is sent by POST begins with."""
        return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, self.token())

    def token(self) -> str:
        """Return what stands in that field, for scripts that send it as a header."""
        environ = request.environ
        secret = self._secret(environ)
        if secret is None:
            environ[_VISIT] = self._sessions.begin_visit()
            secret = environ[_VISIT][1]
        mask = secrets.token_bytes(_BYTES)
        return base64.urlsafe_b64encode(mask + _mixed(mask, secret)).decode()

    def check(self, environ: Environ) -> None:
        """Return if a request changes nothing, or comes from a page of ours; then it is marked so.

        It has to have the secret of this visitor, whatever credential it brings: browsers keep those too.

        Raises:
            FormRefused: it does not.
        """
        if environ["REQUEST_METHOD"] in _READS:
            return
        origin, site = environ.get("HTTP_ORIGIN"), environ.get("HTTP_SEC_FETCH_SITE", "same-origin")
        if site not in _NO_SITE or (origin is not None and not self._is_own(environ, origin)):
            raise FormRefused("A page of another site sent this form, so that nothing was done.")
        # Where a script sends it beside a package, the body is not read before anybody is asked.
        given = request.headers.get(HEADER) or whole_form().form.get(FIELD, "")
        secret = self._secret(environ)
        if secret is None or not hmac.compare_digest(_unmasked(given), secret):
            raise FormRefused(_RELOAD)
        environ[OWN_FORM] = True

    def _secret(self, environ: Environ) -> bytes | None:
        session = self._authorizer.session(environ)
        if session is not None:
            return session.form_secret
        if _VISIT in environ:
            secret: bytes = environ[_VISIT][1]
            return secret
        text = self._cookies.read(environ, Cookie.VISIT)
        return self._sessions.visit(text) if text is not None else None

    def _is_own(self, environ: Environ, origin: str) -> bool:
        """Whether an origin has the name that this server was asked under, or has by its settings.

        The scheme is not compared: behind a proxy that is not trusted nobody knows that of the browser.
        """
        try:
            host = urlsplit(origin).netloc
        except ValueError:
            return False
        return bool(host) and host in {environ.get("HTTP_HOST"), urlsplit(self._addresses.origin(environ)).netloc}


def _mixed(mask: bytes, secret: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(mask, secret, strict=True))


def _unmasked(text: str) -> bytes:
    """Return the secret in what was sent; nothing where that is none."""
    try:
        data = base64.urlsafe_b64decode(text.encode("ascii"))
    except (binascii.Error, ValueError):
        return b""
    return _mixed(data[:_BYTES], data[_BYTES:]) if len(data) == 2 * _BYTES else b""
