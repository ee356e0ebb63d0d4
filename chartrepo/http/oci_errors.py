"""How errors are said on the OCI side: the status of the one table, and the codes of the distribution specification."""

from typing import Final

from chartrepo.core import errors as core
from chartrepo.http import errors
from chartrepo.http.answers import Answer, json_answer
from storage import base as storage

CODES: Final[dict[type[Exception], str]] = {
    core.NameInvalid: "NAME_INVALID",
    core.NameUnknown: "NAME_UNKNOWN",
    core.DigestInvalid: "DIGEST_INVALID",
    core.ManifestInvalid: "MANIFEST_INVALID",
    core.ManifestTooLarge: "SIZE_INVALID",
    core.ManifestUnknown: "MANIFEST_UNKNOWN",
    core.ManifestBlobUnknown: "MANIFEST_BLOB_UNKNOWN",
    core.BlobUnknown: "BLOB_UNKNOWN",
    core.UploadUnknown: "BLOB_UPLOAD_UNKNOWN",
    core.UploadInvalid: "BLOB_UPLOAD_INVALID",
    core.ChunkOutOfOrder: "BLOB_UPLOAD_INVALID",
    core.BodyTooLarge: "SIZE_INVALID",
    core.AlreadyPublished: "DENIED",
    core.WritesUnsafe: "DENIED",
    core.IdentityRefused: "UNAUTHORIZED",
    errors.Forbidden: "DENIED",
    errors.Unauthorized: "UNAUTHORIZED",
    errors.TooManyGuesses: "TOOMANYREQUESTS",
    errors.BodyTooSlow: "BLOB_UPLOAD_INVALID",
    storage.InvalidKey: "NAME_INVALID",
}
"""Exception -> code. A subclass that is not listed has that of its nearest listed parent; whatever else, `_OTHER`."""

_OTHER: Final = "UNSUPPORTED"
_NOT_NOW: Final = "UNAVAILABLE"
"""The specification has no code for a server that fails."""
_FAILS: Final = 500


def answer(error: core.ChartrepoError | storage.StorageError) -> Answer:
    """Return how an error is answered, in the specification's form."""
    said = errors.answer(error)
    code = next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), _OTHER)
    return say(said.status, _NOT_NOW if said.status >= _FAILS else code, str(error), said.headers[1:])


def say(status: int, code: str, message: str, headers: list[tuple[str, str]] | None = None) -> Answer:
    """Return an answer that tells of one error."""
    return json_answer(status, {"errors": [{"code": code, "message": message}]}, headers or ())
