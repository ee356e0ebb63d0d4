"""Where a client of a registry gets a token for its credential.

GET with Basic is the distribution project's token specification, POST its OAuth 2 form; containerd tries POST first,
and GET where that is refused. Scopes are taken and not looked at: a token says who somebody is, and rules say the rest.
"""

from typing import Final

from flask import Flask, Response, request

from chartrepo.access import Issued, RegistryTokens
from chartrepo.core.index import timestamp
from chartrepo.http.answers import json_answer
from chartrepo.http.api import respond
from chartrepo.http.auth import Authorizer
from chartrepo.http.challenges import TOKEN_PATH
from chartrepo.http.credentials import Bearer, IdentityToken, read_credential, read_password
from chartrepo.http.errors import BadRequest, Unauthorized
from chartrepo.http.forms import read_form
from chartrepo.http.front import ROUTE

ENDPOINT: Final = "oci_token"


class OciToken:
    """The view of `/v2/token`. It asks the authorizer itself, as whoever has no credential may come too.

    Args:
        authorizer: knows who has shown a credential.
        tokens: makes the token.
    """

    def __init__(self, authorizer: Authorizer, tokens: RegistryTokens) -> None:
        self._authorizer = authorizer
        self._tokens = tokens

    def register(self, app: Flask) -> None:
        """Add the route to an application."""
        app.add_url_rule(TOKEN_PATH, ENDPOINT, self.view, methods=["GET", "POST"])

    def view(self) -> Response:
        """Answer with a token."""
        request.environ[ROUTE] = TOKEN_PATH
        return self._say(self._posted() if request.method == "POST" else self._got())

    def _got(self) -> Issued:
        given = request.environ.get("HTTP_AUTHORIZATION", "")
        credential = read_credential(given) if given else None
        if given and credential is None:
            raise Unauthorized("unauthorized")
        login = self._authorizer.login(request.environ, credential)
        return self._tokens.issue(login, refresh=request.args.get("offline_token") == "true")

    def _posted(self) -> Issued:
        form = read_form()
        match form.get("grant_type"):
            case "password":
                credential = read_password(form.get("username", ""), form.get("password", ""))
                login = self._authorizer.login(request.environ, credential)
                return self._tokens.issue(login, refresh=form.get("access_type") == "offline")
            case "refresh_token":
                return self._renewed(form.get("refresh_token", ""))
        raise BadRequest("grant_type: write password, with username and password, or refresh_token, with that")

    def _renewed(self, text: str) -> Issued:
        credential = read_password("refresh", text)
        if isinstance(credential, Bearer | IdentityToken):  # they do as well, and last for as long as they say
            return self._tokens.issue(self._authorizer.login(request.environ, credential))
        issued = self._tokens.renew(text)
        if issued is None:
            raise Unauthorized("unauthorized")
        return issued

    @staticmethod
    def _say(issued: Issued) -> Response:
        said: dict[str, object] = {
            "token": issued.text,
            "access_token": issued.text,
            "expires_in": issued.expires_in,
            "issued_at": timestamp(issued.issued),
        }
        if issued.refresh is not None:
            said["refresh_token"] = issued.refresh
        return respond(json_answer(200, said, [("Cache-Control", "no-store")]))
