"""Makes the audit records of requests, in one place: of what the authorizer was asked for, and of how that ended.

A view does not decide whether there is a record. The visitor remembers what it was asked to allow, and the view adds
what it learns. So a route that asks, as all have to, leaves a record of every change and of every refusal.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, request

from chartrepo import logs
from chartrepo.access import Directory, network
from chartrepo.audit import Floods, Unaudited
from chartrepo.core.audit import Deed, Outcome, Record
from chartrepo.core.permissions import ANYBODY, Action, Caller
from chartrepo.core.tokens import id_in
from chartrepo.http.addresses import Addresses
from chartrepo.http.auth import VISITOR, Environ, Visitor
from chartrepo.http.credentials import Credential, Password
from chartrepo.http.oci_paths import is_oci
from chartrepo.http.pages.links import is_page
from chartrepo.http.paths import decode
from chartrepo.http.trying import Trying

REASON: Final = "chartrepo.reason"
"""Key of the environment under which the application leaves why a request was refused, or failed."""

UNFORESEEN: Final = "it failed in a way that nobody foresaw: the log has the rest"
"""A reason of that kind."""

_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_BY_CHART: Final = {Deed.PUBLISH: Action.PUBLISH, Deed.OVERWRITE: Action.OVERWRITE, Deed.DELETE: Action.DELETE}


@dataclass(frozen=True, slots=True)
class Auditor:
    """Makes records, and gives them to whoever keeps them.

    Attributes:
        audit: takes the records.
        directory: knows by which rule somebody may do something.
        addresses: tell where a request comes from.
        floods: decides which refusals are recorded.
    """

    audit: Unaudited
    directory: Directory
    addresses: Addresses
    floods: Floods = field(default_factory=Floods)

    def register(self, app: Flask) -> None:
        """See to it that an application leaves records, each before its answer."""

        @app.after_request
        def record(response: Response) -> Response:
            self.ended(request.environ, response.status_code)
            return response

    def ended(self, environ: Environ, status: int) -> None:
        """Record what a request has done, or tried, before it is answered with a status."""
        if self.audit.is_on:
            self._ended(environ, status)

    def done(self, environ: Environ) -> None:
        """Record now what a request has done so far, before it does more of the same."""
        visitor: Visitor = environ[VISITOR]
        if self.audit.is_on and visitor.trying is not None:
            self.audit.tell(self._record(environ, visitor.caller, visitor.trying, visitor.trying.outcome))

    def wrong_credential(self, environ: Environ, credential: Credential | None, why: str) -> None:
        """Record that a credential was brought that is nobody's, or that is not looked at yet.

        What is no user's name is left out: it may be a password in the wrong field.
        """
        if self.audit.is_on:
            self._refuse(
                environ,
                lambda: self._of_nobody(environ, Deed.LOG_IN, claims=self._claims(credential), detail=why),
            )

    def exchanged(self, environ: Environ, caller: Caller) -> None:
        """Record that somebody got a token for one of an issuer."""
        if self.audit.is_on:
            self.audit.tell(
                Record(
                    action=Deed.CREATE_TOKEN,
                    outcome=Outcome.DONE,
                    caller=caller.name,
                    protocol=_protocol(environ),
                    address=self.addresses.caller(environ),
                    request=logs.request_id.get(),
                    detail="for one of its issuer, for a quarter of an hour",
                )
            )

    def signed_in(self, environ: Environ, caller: Caller) -> None:
        """Record that somebody has signed in to the pages."""
        if self.audit.is_on:
            self.audit.tell(
                Record(
                    action=Deed.LOG_IN,
                    outcome=Outcome.DONE,
                    caller=caller.name,
                    protocol=_protocol(environ),
                    address=self.addresses.caller(environ),
                    request=logs.request_id.get(),
                    detail="signed in to the pages",
                )
            )

    def _claims(self, credential: Credential | None) -> str:
        if isinstance(credential, Password):
            return f"user:{credential.name}" if credential.name in self.directory.names else ""
        token_id = id_in(credential.text) if credential is not None else None
        return f"token:{token_id}" if token_id is not None else ""

    def _ended(self, environ: Environ, status: int) -> None:
        visitor: Visitor | None = environ.get(VISITOR)
        if visitor is None:
            if status == HTTPStatus.UNAUTHORIZED:
                self._without_credential(environ)
            return
        trying = visitor.trying
        if trying is None or trying.is_part:
            return
        failed = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        if status >= HTTPStatus.BAD_REQUEST and not failed:
            # Whoever pushes asks first without a credential, to be told where to get a token.
            if not (status == HTTPStatus.UNAUTHORIZED and _is_unasked(environ)):
                self._refuse(environ, lambda: self._record(environ, visitor.caller, trying, Outcome.REFUSED))
        elif trying.action is not Deed.ADMINISTER and environ["REQUEST_METHOD"] not in _READS:
            # The others look at something, as at the page of a form, and change nothing.
            outcome = Outcome.FAILED if failed else trying.outcome
            self.audit.tell(self._record(environ, visitor.caller, trying, outcome))

    def _without_credential(self, environ: Environ) -> None:
        """Record a try of somebody who may do nothing at all without a credential, so that no view was asked."""
        method = environ["REQUEST_METHOD"]
        if method in _READS or environ.get("HTTP_AUTHORIZATION") or _is_unasked(environ):
            return
        action = Deed.DELETE if method == "DELETE" else Deed.PUBLISH
        path = f"{method} {decode(environ['PATH_INFO'])}: {_reason(environ)}"
        self._refuse(environ, lambda: self._of_nobody(environ, action, detail=path))

    def _record(self, environ: Environ, caller: Caller, trying: Trying, outcome: Outcome) -> Record:
        action = _BY_CHART.get(trying.action, Action.ADMIN)
        return Record(
            action=trying.action,
            outcome=outcome,
            caller=caller.name,
            protocol=_protocol(environ),
            address=self.addresses.caller(environ),
            request=logs.request_id.get(),
            detail=trying.detail or _reason(environ),
            rule=self.directory.reason(caller, action, trying.repository, trying.chart),
            repository=trying.repository,
            chart=trying.chart,
            version=trying.version,
            kind=trying.kind,
            digest=trying.digest,
            replaced=trying.replaced,
            token=trying.token,
            token_id=trying.token_id,
        )

    def _of_nobody(self, environ: Environ, action: Deed, *, claims: str = "", detail: str = "") -> Record:
        """The record of a refusal to somebody whom nobody knows."""
        return Record(
            action=action,
            outcome=Outcome.REFUSED,
            caller=ANYBODY,
            protocol=_protocol(environ),
            claims=claims,
            address=self.addresses.caller(environ),
            request=logs.request_id.get(),
            detail=detail,
        )

    def _refuse(self, environ: Environ, make: Callable[[], Record]) -> None:
        """Record a refusal, unless there are too many; then it is not even made."""
        count = self.floods.count(network(self.addresses.caller(environ)))
        if count is not None:
            self.audit.tell(replace(make(), count=count))


def _is_unasked(environ: Environ) -> bool:
    """Return whether this is how clients of registries find out that they need a credential."""
    return is_oci(environ["PATH_INFO"]) and not environ.get("HTTP_AUTHORIZATION")


def _protocol(environ: Environ) -> str:
    path = environ["PATH_INFO"]
    return "oci" if is_oci(path) else "page" if is_page(path) else "api"


def _reason(environ: Environ) -> str:
    return str(environ.get(REASON, ""))
