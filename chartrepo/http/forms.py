"""Bodies of requests for a token: small, and read to their end."""

from typing import Final
from urllib.parse import parse_qsl

from flask import request

from chartrepo.core.errors import BodyTooLarge
from chartrepo.http.errors import BadRequest

_MAX_BODY: Final = 64 * 1024
_MAX_FIELDS: Final = 100


def read_body() -> bytes:
    """Return the body that was sent.

    Raises:
        BodyTooLarge: it is larger than any that makes sense.
    """
    data = b""
    while len(data) <= _MAX_BODY and (more := request.stream.read(_MAX_BODY + 1 - len(data))):
        data += more
    if len(data) > _MAX_BODY:
        raise BodyTooLarge(f"the body is larger than {_MAX_BODY} bytes")
    return data


def read_form() -> dict[str, str]:
    """Return the fields of the form that was sent, of each the first value.

    Raises:
        BodyTooLarge: it is larger than any that makes sense.
        BadRequest: it is no form of this kind.
    """
    try:
        fields = parse_qsl(read_body().decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise BadRequest(
            "the body is no form: write it as application/x-www-form-urlencoded, with few fields"
        ) from None
    return dict(reversed(fields))
