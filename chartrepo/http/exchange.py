"""Where a workload gets a token of a quarter of an hour for one of its issuer, which may end before its work does."""

import json
from typing import Any, Final

from flask import Flask, Response, request

from chartrepo.access import RegistryTokens
from chartrepo.core.errors import IdentityRefused
from chartrepo.core.index import timestamp
from chartrepo.http.answers import json_answer
from chartrepo.http.api import respond
from chartrepo.http.auditing import Auditor
from chartrepo.http.auth import Authorizer
from chartrepo.http.credentials import IdentityToken, read_credential, read_password
from chartrepo.http.errors import BadRequest, Forbidden, Unauthorized
from chartrepo.http.forms import read_body, read_form
from chartrepo.http.front import ROUTE

ENDPOINT: Final = "exchange_token"
PATH: Final = "/api/token"
_HOW: Final = (
    'send the token of an issuer: as \'Authorization: Bearer\', in JSON as {"token": "..."}, or in a form as '
    "subject_token"
)


class Exchange:
    """The view of `/api/token`. It asks the authorizer itself, as a token in the body is no other credential.

    Args:
        authorizer: knows whom a token makes known.
        auditor: told of each token that was made.
        tokens: makes the other one.
    """

    def __init__(self, authorizer: Authorizer, auditor: Auditor, tokens: RegistryTokens) -> None:
        self._authorizer = authorizer
        self._auditor = auditor
        self._tokens = tokens

    def register(self, app: Flask) -> None:
        """Add the route to an application."""
        app.add_url_rule(PATH, ENDPOINT, self.view, methods=["POST"])

    def view(self) -> Response:
        """Answer with a token, in the words of RFC 6749 and RFC 8693."""
        request.environ[ROUTE] = PATH
        shown = self._authorizer.shown(_brought(), request.environ)
        if not shown.exchangeable:
            raise Forbidden("who made this token says how long it lasts: get another one there")
        try:
            issued = self._tokens.exchange(shown.login)
        except IdentityRefused as error:
            raise BadRequest(str(error)) from None
        self._auditor.exchanged(request.environ, shown.caller)
        said = {
            "token": issued.text,
            "access_token": issued.text,
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer",
            "expires_in": issued.expires_in,
            "issued_at": timestamp(issued.issued),
            "caller": shown.caller.name,
        }
        return respond(json_answer(200, said, [("Cache-Control", "no-store")]))


def _brought() -> IdentityToken:
    """Return the token that a request brings.

    Raises:
        Unauthorized: it brings none, or another credential.
        BadRequest, BodyTooLarge: its body is none that has one.
    """
    given = request.environ.get("HTTP_AUTHORIZATION", "")
    credential = read_credential(given) if given else read_password("token", _in_body())
    if not isinstance(credential, IdentityToken):
        raise Unauthorized(_HOW)
    return credential


def _in_body() -> str:
    if request.mimetype != "application/json":
        form = read_form()
        return form.get("subject_token") or form.get("token", "")
    try:
        found: Any = json.loads(read_body())
    except (ValueError, RecursionError):
        raise BadRequest("the body is no JSON") from None
    text = found.get("token") if isinstance(found, dict) else None
    if not isinstance(text, str):
        raise BadRequest('the body is no JSON object as {"token": "..."}')
    return text
