"""What browsers are told: what an answer may do in them, and which pages of other sites may read it.

A page of another site never writes: `chartrepo.http.auth` refuses that, whatever is allowed here.
"""

from typing import Any, Final

from chartrepo.http.answers import Answer, Headers
from chartrepo.kinds import ANY_ORIGIN

Environ = dict[str, Any]

_NOSNIFF: Final = ("X-Content-Type-Options", "nosniff")
_HTTPS_ONLY: Final = ("Strict-Transport-Security", "max-age=15552000")
"""For 180 days. Not for names below this one, of which this server knows nothing."""
_PAGE: Final = [
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
]
_HTML: Final = "text/html"

_READS: Final = "GET, HEAD"
_ASKED_WITH: Final = "Authorization, Accept, If-None-Match, If-Modified-Since, Range, X-Request-Id"
_TOLD: Final = (
    "Accept-Ranges, Content-Length, Content-Range, Docker-Content-Digest, ETag, Link, Retry-After, WWW-Authenticate, "
    "X-Request-Id"
)
_REMEMBERED_SECONDS: Final = "600"
_VARIES: Final = ("Vary", "Origin")


class Browsers:
    """Headers for browsers, beside those that an answer has.

    Args:
        external_url: of this server; where it is https, browsers are told to come by that alone.
        origins: whose pages may read, as `https://portal.example.com`, or `ANY_ORIGIN`. They are not let use the
            credential that a browser keeps: a page sends its own.
    """

    def __init__(self, *, external_url: str = "", origins: tuple[str, ...] = ()) -> None:
        self._always: Headers = [_NOSNIFF, *([_HTTPS_ONLY] if external_url.startswith("https://") else [])]
        self._origins = frozenset(origins)

    def headers(self, environ: Environ, headers: Headers) -> Headers:
        """Return what comes beside the headers of an answer."""
        added = self._always
        if any(name == "Content-Type" and value.startswith(_HTML) for name, value in headers):
            added = [*added, *_PAGE]
        if not self._origins:
            return added
        if ANY_ORIGIN in self._origins:
            return [*added, ("Access-Control-Allow-Origin", ANY_ORIGIN), ("Access-Control-Expose-Headers", _TOLD)]
        origin = environ.get("HTTP_ORIGIN")
        if origin not in self._origins:
            return [*added, _VARIES]
        return [
            *added,
            _VARIES,
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Expose-Headers", _TOLD),
        ]

    def preflight(self, environ: Environ) -> Answer | None:
        """Return the answer to a browser that asks whether a page may ask; None where that is not what is asked.

        A browser asks that without a credential, and what it is told is not about anything here.
        """
        if (
            environ["REQUEST_METHOD"] != "OPTIONS"
            or not self._origins
            or "HTTP_ORIGIN" not in environ
            or "HTTP_ACCESS_CONTROL_REQUEST_METHOD" not in environ
        ):
            return None
        if ANY_ORIGIN not in self._origins and environ["HTTP_ORIGIN"] not in self._origins:
            return Answer(204)
        return Answer(
            204,
            [
                ("Access-Control-Allow-Methods", _READS),
                ("Access-Control-Allow-Headers", _ASKED_WITH),
                ("Access-Control-Max-Age", _REMEMBERED_SECONDS),
            ],
        )
