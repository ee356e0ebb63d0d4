"""What people see where something went wrong: a page that says what, and what to do about it."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

from flask import Response, request

from chartrepo.core.errors import ChartrepoError
from chartrepo.http.errors import NoSuchPath, Unauthorized, answer
from chartrepo.http.pages.links import SIGN_IN
from chartrepo.http.pages.rendering import Pages
from storage.base import StorageError

_TITLES: Final[Mapping[int, str]] = {
    400: "That cannot be done",
    401: "Sign in first",
    403: "That is not allowed",
    404: "There is nothing here",
    409: "That is there already",
    413: "That is too large",
    429: "Too many tries",
    500: "Something went wrong here",
    503: "Not right now",
    507: "There is no room",
}
_HTML: Final = "text/html"
_MOVED: Final = {"Cache-Control": "no-store", "Vary": "Accept, Cookie, Authorization"}
_NOBODY: Final = (
    "What you asked for is not for everybody, and nobody can sign in here: this server has no users. Who runs it can "
    "set admin_password or htpasswd."
)
_NOT_HERE: Final = (
    "No page has this address, or what it is about is gone, or you may not see it. Look for the chart by its name."
)


class ErrorPages:
    """Says errors to people.

    Args:
        pages: make them.
        can_sign_in: tells whether there is anybody who could.
    """

    def __init__(self, pages: Pages, *, can_sign_in: Callable[[], bool]) -> None:
        self._pages = pages
        self._can_sign_in = can_sign_in

    def say(self, error: ChartrepoError | StorageError) -> Response:
        """Return the page for an error that is known."""
        told = answer(error)
        message = _NOT_HERE if isinstance(error, NoSuchPath) else str(error)
        if isinstance(error, Unauthorized):
            if not self._can_sign_in():
                return self.page(told.status, _NOBODY)
            if _is_looked_at_by_a_person():
                return self._to_sign_in()
            # Without its challenge: browsers would ask for a name and a password, and send them along for ever.
            message = "What you asked for is not for everybody. Sign in, and ask again."
        headers = [each for each in told.headers if each[0] not in {"Content-Type", "WWW-Authenticate"}]
        return self.page(told.status, message, headers)

    def _to_sign_in(self) -> Response:
        links = self._pages.links
        response = Response(status=302, headers=_MOVED)
        response.autocorrect_location_header = False
        response.headers["Location"] = links.page(SIGN_IN, next=links.here(request.environ))
        return response

    def unforeseen(self, request_id: str) -> Response:
        """Return the page for an error that nobody foresaw."""
        return self.page(
            500, f"It was nothing that you did. The log of the server tells more about request {request_id}."
        )

    def page(self, status: int, message: str, headers: list[tuple[str, str]] | None = None) -> Response:
        """Return a page for a status, with a sentence."""
        title = _TITLES.get(status) or HTTPStatus(status).phrase
        return self._pages.render(
            "error.html",
            status=status,
            headers=headers or [],
            title=title,
            message=message,
        )


def names_html() -> bool:
    """Return whether who asks names HTML among what it takes, as browsers do and programs do not."""
    return any(kind.lower() == _HTML and quality > 0 for kind, quality in request.accept_mimetypes)


def _is_looked_at_by_a_person() -> bool:
    """Whether a browser shows the answer. Programs, scripts and pictures would take the page for what they want."""
    return (
        request.method in {"GET", "HEAD"}
        and names_html()
        and request.headers.get("Sec-Fetch-Dest", "document") == "document"
        and not request.environ.get("HTTP_AUTHORIZATION")
    )
