"""What people see where something went wrong: a page that says what, and what to do about it."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from flask import Response

from chartrepo.core.errors import ChartrepoError
from chartrepo.http.errors import NoSuchPath, Unauthorized, answer
from chartrepo.http.pages.links import FEED, UI
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
_NOT_HERE: Final = (
    "No page has this address, or what it is about is gone, or you may not see it. Look for the chart by its name."
)


def is_page(path: str) -> bool:
    """Return whether a path is that of a page, or of what belongs to pages."""
    return path == UI or path.startswith(f"{UI}/")


def is_for_people(path: str) -> bool:
    """Return whether people see what is answered at a path. A feed is read by programs, who are told as programs."""
    return is_page(path) and path != FEED and not path.startswith(f"{FEED}/")


class ErrorPages:
    """Says errors to people.

    Args:
        pages: make them.
    """

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def say(self, error: ChartrepoError | StorageError) -> Response:
        """Return the page for an error that is known."""
        told = answer(error)
        message = _NOT_HERE if isinstance(error, NoSuchPath) else str(error)
        if isinstance(error, Unauthorized):
            # Browsers would ask for a name and a password by themselves, and send them along for ever.
            message = "What you asked for is not for everybody."
        headers = [each for each in told.headers if each[0] not in {"Content-Type", "WWW-Authenticate"}]
        return self.page(told.status, message, headers)

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
