"""The one table of what went wrong and how it is said in HTTP."""

import logging
import math
from http import HTTPStatus
from typing import Final

from chartrepo.core import errors as core
from chartrepo.http.answers import Answer, Headers, json_answer
from chartrepo.metrics import UploadResult
from storage import base as storage

log = logging.getLogger(__name__)


class Unauthorized(core.ChartrepoError):
    """Who is asking is not known, and has to be."""


class Forbidden(core.ChartrepoError):
    """What is asked is not allowed here, whoever asks."""


class FormRefused(core.ChartrepoError):
    """A form was sent that no page of this server made for who sends it."""


class TooManyGuesses(core.ChartrepoError):
    """So many passwords were wrong that the next one is not looked at yet.

    Attributes:
        seconds: after which it is.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = math.ceil(seconds)
        super().__init__(f"too many wrong passwords came from this address, or for this user: wait {self.seconds} s")


class BadRequest(core.ChartrepoError):
    """The request itself is malformed."""


class NoSuchPath(core.ChartrepoError):
    """The server answers nothing at this path."""

    def __init__(self) -> None:
        super().__init__("not found")


class BodyTooSlow(core.ChartrepoError):
    """The body of a request did not arrive in time."""


class TooManyBodies(core.ChartrepoError):
    """As many bodies are being read as may be at a time."""


_SOON: Final = ("Retry-After", "2")
_CHALLENGE: Final = ("WWW-Authenticate", 'Basic realm="chartrepo", charset="UTF-8"')

STATUS: Final[dict[type[Exception], tuple[int, Headers]]] = {
    core.PackageRefused: (400, []),
    core.ProvenanceRefused: (400, []),
    core.InvalidName: (400, []),
    core.InvalidVersion: (400, []),
    core.InvalidConstraint: (400, []),
    core.NameInvalid: (400, []),
    core.DigestInvalid: (400, []),
    core.ManifestInvalid: (400, []),
    core.ManifestBlobUnknown: (400, []),
    core.UploadInvalid: (400, []),
    core.TokenInvalid: (400, []),
    core.AuditQueryInvalid: (400, []),
    BadRequest: (400, []),
    storage.InvalidKey: (400, []),
    Unauthorized: (401, [_CHALLENGE]),
    core.IdentityRefused: (401, [_CHALLENGE]),
    Forbidden: (403, []),
    FormRefused: (403, []),
    core.WritesUnsafe: (403, []),
    NoSuchPath: (404, []),
    core.ChartNotFound: (404, []),
    core.VersionNotFound: (404, []),
    core.FileNotFound: (404, []),
    core.NameUnknown: (404, []),
    core.ManifestUnknown: (404, []),
    core.BlobUnknown: (404, []),
    core.UploadUnknown: (404, []),
    core.TokenUnknown: (404, []),
    storage.NotFound: (404, []),
    core.NotDeletable: (405, []),
    BodyTooSlow: (408, []),
    TooManyGuesses: (429, []),
    core.AlreadyPublished: (409, []),
    core.TokenExists: (409, []),
    storage.AlreadyExists: (409, []),
    core.BodyTooLarge: (413, []),
    core.ManifestTooLarge: (413, []),
    core.ChunkOutOfOrder: (416, []),
    core.CatalogIncomplete: (503, [_SOON]),
    core.CatalogUnavailable: (503, [_SOON]),
    core.CatalogMisconfigured: (503, [_SOON]),
    core.AccessMisconfigured: (503, [_SOON]),
    core.PasswordUnchecked: (503, [_SOON]),
    core.KeysUnavailable: (503, [_SOON]),
    storage.Unavailable: (503, [_SOON]),
    TooManyBodies: (503, [_SOON]),
    storage.Changed: (503, [_SOON]),
    storage.Misconfigured: (503, [_SOON]),
    core.CatalogFull: (507, []),
    storage.NoSpace: (507, []),
}
"""Exception -> status and headers. A subclass that is not listed is answered as its nearest listed parent."""


def tell(error: Exception) -> None:
    """Log what clients are not told of an error, once."""
    if isinstance(error, core.CatalogUnavailable) and error.detail != str(error):
        log.warning("%s", error.detail)
        error.detail = str(error)  # that of an upload is asked for its answer twice, first to be counted


def answer(error: core.ChartrepoError | storage.StorageError) -> Answer:
    """Return how an error is answered: `{"error": <its sentence>}` under its status."""
    tell(error)
    for kind in type(error).__mro__:
        if kind in STATUS:
            status, headers = STATUS[kind]
            if isinstance(error, TooManyGuesses):
                headers = [("Retry-After", str(error.seconds))]
            return json_answer(status, {"error": str(error)}, headers)
    raise TypeError(f"{type(error).__name__} has no row in the table of errors") from error


def upload_result(status: int) -> UploadResult:
    """Return what the metrics call an upload that was answered with an error status."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "failed"
    return _RESULTS.get(status, "refused")


_RESULTS: Final[dict[int, UploadResult]] = {401: "denied", 403: "denied", 409: "conflict", 413: "too_large"}
