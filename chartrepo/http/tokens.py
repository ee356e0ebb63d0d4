"""The API of tokens: made, listed and revoked by whoever may do everything.

Nobody can give a token more than he has himself, since only who has all may give any.
"""

import json
import logging
import time
from http import HTTPStatus
from typing import Any, Final

from flask import Flask, Response, request

from chartrepo.access import Directory, Tokens
from chartrepo.access.tokens import LIFETIME, Listed, described, parse_lifetime
from chartrepo.core.audit import Deed
from chartrepo.core.errors import BodyTooLarge
from chartrepo.core.messages import shown
from chartrepo.core.permissions import Action
from chartrepo.core.tokens import MAX_RECORD
from chartrepo.http.answers import json_answer
from chartrepo.http.api import respond
from chartrepo.http.auth import trying_of, visitor_of
from chartrepo.http.credentials import IdentityToken, RegistryToken, read_credential
from chartrepo.http.errors import BadRequest, Forbidden
from chartrepo.http.front import ROUTE

_UNSTORED: Final = [("Cache-Control", "no-store")]
_FIELDS: Final = ("name", "allow", "expires")


log = logging.getLogger(__name__)


class TokensApi:
    """Views of `/api/tokens`. Errors are raised; the application turns them into answers.

    Args:
        directory: has the tokens, where any count.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def register(self, app: Flask) -> None:
        """Add the routes to an application."""
        for method, path, view in (
            ("GET", "/api/tokens", self.list_tokens),
            ("POST", "/api/tokens", self.create_token),
            ("DELETE", "/api/tokens/<name_or_id>", self.revoke_token),
        ):
            app.add_url_rule(path, view.__name__, view, methods=[method])

    def list_tokens(self) -> Response:
        """GET of all tokens, without what would let anyone use them."""
        found, now = self._tokens().listing(), time.time()
        answer = {
            "tokens": [each.as_json(now) for each in found.tokens],
            "spoilt": [{"id": each.id, "problem": each.problem} for each in found.spoilt],
        }
        return respond(json_answer(HTTPStatus.OK, answer, _UNSTORED))

    def create_token(self) -> Response:
        """POST that makes one, and shows its text this once."""
        made = self._tokens()
        trying = trying_of(request.environ)
        trying.action, trying.kind = Deed.CREATE_TOKEN, "token"
        name, allow, expires = _asked()
        trying.token = name
        maker = visitor_of(request.environ).caller.name
        text, token = made.create(name, allow, lifetime=parse_lifetime(expires), made_by=maker)
        trying.token_id, trying.detail = token.id, described(token)
        log.info("%s made token:%s (%s)", maker, name, token.id)
        answer = {"token": text, **Listed(token, None).as_json(time.time())}
        return respond(json_answer(HTTPStatus.CREATED, answer, _UNSTORED))

    def revoke_token(self, name_or_id: str) -> Response:
        """DELETE of those of a name, or of the one of an id."""
        made = self._tokens()
        request.environ[ROUTE] = "/api/tokens/{token}"
        trying = trying_of(request.environ)
        trying.action, trying.kind, trying.token = Deed.REVOKE_TOKEN, "token", name_or_id
        revoked = made.revoke(name_or_id)
        trying.token_id = ", ".join(revoked)
        log.info("%s revoked token %s (%s)", visitor_of(request.environ).caller.name, name_or_id, ", ".join(revoked))
        return respond(json_answer(HTTPStatus.OK, {"revoked": revoked}))

    def _tokens(self) -> Tokens:
        """Return the tokens, if the caller may look after them.

        Raises:
            Forbidden: they do not count here: one that is made now would wait for the day when they do.
            Unauthorized, NoSuchPath, Forbidden: as `Visitor.require_everywhere`.
        """
        visitor_of(request.environ).require_everywhere(Action.ADMIN)
        if isinstance(read_credential(request.environ.get("HTTP_AUTHORIZATION", "")), RegistryToken | IdentityToken):
            raise Forbidden("a token that ends soon makes no lasting ones: send the password or an API token")
        if visitor_of(request.environ).caller.owner is not None:
            raise Forbidden("a token of one's own makes no others: they could last longer than it, and do more")
        if self._directory.tokens is None:
            raise Forbidden("this server takes no tokens: set admin_password, htpasswd or basic_auth_user first")
        return self._directory.tokens


def _asked() -> tuple[str, list[str], str]:
    """Return name, what is allowed, and the lifetime, as the request's body has them.

    Raises:
        BadRequest: it has them not.
        BodyTooLarge: it is larger than any that has.
    """
    body: Any = _body()
    if not isinstance(body, dict) or not body.keys() <= set(_FIELDS):
        raise BadRequest(f"the body is no JSON object of {', '.join(_FIELDS)} and nothing else")
    name, allow, expires = body.get("name"), body.get("allow", []), body.get("expires", LIFETIME)
    if not isinstance(name, str):
        raise BadRequest('name: give the token a name, as "ci"')
    if not isinstance(allow, list) or not all(isinstance(each, str) for each in allow):
        raise BadRequest('allow: write a list of texts, as ["publish:team/**"]')
    if not isinstance(expires, str):
        raise BadRequest(f'expires: {shown(str(expires))} is no text: write one as "90d", or "never"')
    return name, allow, expires


def _body() -> object:
    data = request.stream.read(MAX_RECORD + 1)
    while len(data) <= MAX_RECORD and (more := request.stream.read(MAX_RECORD + 1 - len(data))):
        data += more
    if len(data) > MAX_RECORD:
        raise BodyTooLarge(f"the body is larger than {MAX_RECORD:,} bytes: allow less by itself, and more by rules")
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise BadRequest("the body is no JSON") from None
