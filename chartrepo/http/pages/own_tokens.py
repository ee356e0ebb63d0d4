"""The page of tokens: one's own are made, seen and revoked; whoever may do everything sees and revokes all."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, request

from chartrepo.access import Directory, Tokens, own_tokens
from chartrepo.access.tokens import LIFETIME, Listed, Spoilt, described
from chartrepo.core.audit import Deed
from chartrepo.core.errors import TokenExists, TokenInvalid
from chartrepo.core.permissions import Action, Caller
from chartrepo.core.tokens import Token
from chartrepo.http.auditing import REASON
from chartrepo.http.auth import Visitor, trying_of, visitor_of
from chartrepo.http.credentials import Password, read_credential
from chartrepo.http.errors import Forbidden, Unauthorized
from chartrepo.http.pages.links import UI
from chartrepo.http.pages.site import Site
from chartrepo.http.trying import Trying

PATH: Final = f"{UI}/tokens"
_LIFETIMES: Final = (("7d", "7 days"), ("30d", "30 days"), ("90d", "90 days"), ("365d", "1 year"))
_WORDS: Final = {
    Action.READ: "Read: see and pull charts",
    Action.PUBLISH: "Publish new versions",
    Action.OVERWRITE: "Overwrite versions that are there",
    Action.DELETE: "Delete versions",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody has written into the form."""

    name: str
    actions: Sequence[str]
    on: str
    lasts: str


@dataclass(frozen=True, slots=True)
class Made:
    """A token that was made, which is shown this once.

    Attributes:
        text: of it.
        token: what is kept of it.
        user: which name to write beside it.
        repository: one that it is for.
        publishes: whether it may publish.
    """

    text: str
    token: Token
    user: str
    repository: str
    publishes: bool


class OwnTokens:
    """The views of the page.

    Args:
        site: that it is of.
        directory: has the tokens, where any count.
    """

    def __init__(self, site: Site, directory: Directory) -> None:
        self._site = site
        self._directory = directory

    def register(self, app: Flask) -> None:
        """Add the routes to an application."""
        app.add_url_rule(PATH, "show_tokens", self.show, methods=["GET"])
        app.add_url_rule(PATH, "make_token", self.make, methods=["POST"])
        app.add_url_rule(f"{PATH}/revoke", "revoke_own_token", self.revoke, methods=["POST"])

    def show(self) -> Response:
        """GET of the page."""
        visitor = self._visitor()
        rights = self._directory.rights(visitor.caller)
        draft = Draft("", [Action.READ.value], "\n".join(own_tokens.suggested(rights)[:5]), LIFETIME)
        return self._page(visitor, draft)

    def make(self) -> Response:
        """POST that makes a token, and shows it this once."""
        visitor = self._visitor()
        caller, form = visitor.caller, request.form
        trying = visitor.trying = Trying(Deed.CREATE_TOKEN, None, kind="token")
        self._check_may_make(caller)
        draft = Draft(form.get("name", "").strip(), form.getlist("action"), form.get("on", ""), form.get("expires", ""))
        trying.token = draft.name
        try:
            text, token = own_tokens.make(
                self._tokens(),
                caller,
                self._directory.rights(caller),
                name=draft.name,
                actions=draft.actions,
                on=draft.on.replace(",", " ").split(),
                lasts=draft.lasts,
            )
        except (TokenInvalid, TokenExists) as error:
            request.environ[REASON] = str(error)
            return self._page(visitor, draft, problem=str(error), status=HTTPStatus.BAD_REQUEST)
        trying.token, trying.token_id, trying.detail = token.label, token.id, described(token)
        log.info("%s made token:%s (%s)", caller.name, token.label, token.id)
        made = Made(
            text,
            token,
            caller.name.partition(":")[2],
            _repository(token),
            any(rule.allows(Action.PUBLISH) for rule in token.rules),
        )
        return self._page(visitor, Draft("", draft.actions, draft.on, draft.lasts), made=made)

    def revoke(self) -> Response:
        """POST that revokes a token: one's own, or any, by whoever may do everything."""
        visitor = self._visitor()
        token_id = request.form.get("id", "")
        trying = visitor.trying = Trying(Deed.REVOKE_TOKEN, None, kind="token", token=token_id, token_id=token_id)
        if visitor.administers and request.form.get("all"):
            trying_of(request.environ).token_id = ", ".join(self._tokens().revoke(token_id))
        else:
            trying.token = self._tokens().revoke_own(visitor.caller.name, token_id).label
        log.info("%s revoked token %s", visitor.caller.name, token_id)
        response = Response(
            status=HTTPStatus.SEE_OTHER,
            headers={"Location": self._site.links.page("tokens", revoked="1"), "Cache-Control": "no-store"},
        )
        response.autocorrect_location_header = False
        return response

    def _visitor(self) -> Visitor:
        """Return who asks, who has to be known: what is shown and done here is that one's own."""
        visitor = visitor_of(request.environ)
        visitor.needs_nothing()
        if not visitor.is_known:
            raise Unauthorized("unauthorized")
        return visitor

    def _tokens(self) -> Tokens:
        if self._directory.tokens is None:
            raise Forbidden("this server takes no tokens: set admin_password, htpasswd or basic_auth_user first")
        return self._directory.tokens

    def _check_may_make(self, caller: Caller) -> None:
        given = request.environ.get("HTTP_AUTHORIZATION", "")
        if given and not isinstance(read_credential(given), Password):
            raise Forbidden("a token makes no other tokens: sign in with your password")
        if not own_tokens.can_have_own(caller):
            raise Forbidden("only who has a password here makes tokens of his own")

    def _page(
        self,
        visitor: Visitor,
        draft: Draft,
        *,
        made: Made | None = None,
        problem: str = "",
        status: int = HTTPStatus.OK,
    ) -> Response:
        caller = visitor.caller
        can_make = own_tokens.can_have_own(caller)
        rights = self._directory.rights(caller)
        own = self._tokens().own(caller.name).tokens if can_make else ()
        others, spoilt = self._others(visitor)
        return self._site.pages.render(
            "tokens.html",
            status=status,
            headers=[("Cache-Control", "no-store")] if made is not None else [],
            can_make=can_make,
            kind=caller.name.partition(":")[0],
            offered=[(action.value, _WORDS[action]) for action in own_tokens.offered(rights)],
            patterns=own_tokens.suggested(rights),
            lifetimes=_LIFETIMES,
            draft=draft,
            made=made,
            problem=problem,
            own=own,
            others=others,
            spoilt=spoilt,
            revoked="revoked" in request.args,
            now=time.time(),
            origin=self._site.pages.origin(),
            repository_url=self._site.pages.repository_url,
            base_url=self._site.pages.base_url(),
        )

    def _others(self, visitor: Visitor) -> tuple[Sequence[Listed], Sequence[Spoilt]]:
        if not visitor.administers:
            return (), ()
        listing = self._tokens().listing()
        return [each for each in listing.tokens if each.token.owner != visitor.caller.name], listing.spoilt


def _repository(token: Token) -> str:
    """Return a repository that a token is for: what its first pattern has before anything that may be anything."""
    parts = [part.text for part in token.rules[0].on[0].parts[:-1]]
    fixed = next((at for at, text in enumerate(parts) if "*" in text), len(parts))
    return "/".join(parts[:fixed])
