"""What an S3 service means by its answers."""

import pytest

from storage.base import Changed, InvalidKey, Misconfigured, NoSpace, NotFound, StorageError, Unavailable
from storage.s3_answers import Unsupported, UploadGone, of_answer


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "NoSuchKey", NotFound),
        (404, "404", NotFound),
        (404, "NoSuchBucket", Misconfigured),
        (412, "PreconditionFailed", Changed),
        (409, "ConditionalRequestConflict", Unavailable),
        (409, "OperationAborted", Unavailable),
        (404, "NoSuchUpload", UploadGone),
        (405, "MethodNotAllowed", Unsupported),
        (503, "SlowDown", Unavailable),
        (429, "TooManyRequests", Unavailable),
        (400, "RequestTimeout", Unavailable),
        (400, "BadDigest", Unavailable),
        (500, "InternalError", Unavailable),
        (502, "", Unavailable),
        (507, "", NoSpace),
        (507, "XMinioStorageFull", NoSpace),
        (403, "QuotaExceeded", NoSpace),
        (400, "XMinioAdminBucketQuotaExceeded", NoSpace),
        (403, "AccessDenied", Misconfigured),
        (403, "403", Misconfigured),
        (401, "Whatever", Misconfigured),
        (403, "RequestTimeTooSkewed", Misconfigured),
        (301, "PermanentRedirect", Misconfigured),
        (400, "AuthorizationHeaderMalformed", Misconfigured),
        (400, "InvalidArgument", Misconfigured),
        (400, "KeyTooLongError", InvalidKey),
        (501, "NotImplemented", Unsupported),
        (200, "", Misconfigured),
    ],
)
def test_an_answer_has_a_meaning(status: int, code: str, kind: type[StorageError]) -> None:
    meaning = of_answer(code, status)
    assert meaning.kind is kind
    assert meaning.passing == (kind is Unavailable)
    assert str(status) in meaning.reason
    assert code in meaning.reason


def test_a_code_is_quoted_and_not_longer_than_a_line() -> None:
    reason = of_answer("x\n\x1b" * 1000, 400).reason
    assert reason.isprintable()
    assert len(reason) < 500
