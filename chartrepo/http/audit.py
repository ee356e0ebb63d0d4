"""The API of audit records, for whoever may do everything."""

from http import HTTPStatus
from typing import Final

from flask import Flask, Response, request

from chartrepo.audit import Records
from chartrepo.core import audit
from chartrepo.core.permissions import Action
from chartrepo.http.answers import JSON, Answer
from chartrepo.http.api import respond
from chartrepo.http.auth import visitor_of
from chartrepo.http.errors import Forbidden

_UNSTORED: Final = ("Cache-Control", "no-store")


class AuditApi:
    """View of `/api/audit`. Errors are raised; the application turns them into answers.

    Args:
        records: that are kept; None where none are.
    """

    def __init__(self, records: Records | None) -> None:
        self._records = records

    def register(self, app: Flask) -> None:
        """Add the route to an application."""
        app.add_url_rule("/api/audit", "audit", self.view, methods=["GET"])

    def view(self) -> Response:
        """GET of records, the newest first, and of where the next ones are."""
        visitor_of(request.environ).require_everywhere(Action.ADMIN)
        if self._records is None:
            raise Forbidden("this server keeps no audit records: set audit to true to let it")
        found = self._records.ask(request.args.to_dict())
        lines = b",\n".join(record.to_line().rstrip() for record in found.records)
        following = b"null" if found.next is None else f'"{audit.cursor(found.next)}"'.encode("ascii")
        body = b'{"records":[' + lines + b'],"next":' + following + b"}\n"
        return respond(Answer(HTTPStatus.OK, [JSON, _UNSTORED], [body], len(body)))
