"""The cookies of the pages. Nothing but pages looks at them, and browsers send them to pages alone."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from chartrepo.http.addresses import Addresses
from chartrepo.http.pages.links import UI

Environ = dict[str, Any]
_SECURE: Final = "__Secure-"
"""Browsers take a cookie of such a name over HTTPS alone, so that nobody on the way can put another in its place."""
_MOST: Final = 16_384
"""Characters of the header that are looked at."""


class Cookie(StrEnum):
    """What a cookie is for; the value is its name, before `__Secure-` comes in front."""

    SESSION = "chartrepo_session"
    VISIT = "chartrepo_visit"
    ISSUER = "chartrepo_issuer"


@dataclass(frozen=True, slots=True)
class Cookies:
    """Reads cookies, and says how they are set.

    Attributes:
        addresses: tell whether a caller came by HTTPS.
        context_path: under which everything is served.
    """

    addresses: Addresses
    context_path: str

    def read(self, environ: Environ, cookie: Cookie) -> str | None:
        """Return the value of a cookie; None where there is none, or there are several.

        A page of another name below the same domain can set one beside ours. Nobody knows then which is ours.
        """
        name = self._name(environ, cookie)
        pairs = (pair.strip().partition("=") for pair in str(environ.get("HTTP_COOKIE", ""))[:_MOST].split(";"))
        found = [value for said, _, value in pairs if said == name]
        return found[0] if len(found) == 1 else None

    def given(self, environ: Environ, cookie: Cookie, value: str, *, seconds: int | None = None) -> tuple[str, str]:
        """Return the header that sets a cookie.

        Args:
            environ: of the request.
            cookie: which.
            value: letters, digits and `._-`.
            seconds: for which it is kept; None for as long as the browser runs.
        """
        parts = [f"{self._name(environ, cookie)}={value}", f"Path={self.context_path}{UI}", "HttpOnly", "SameSite=Lax"]
        if seconds is not None:
            parts.append(f"Max-Age={seconds}")
        if self._by_https(environ):
            parts.append("Secure")
        return "Set-Cookie", "; ".join(parts)

    def taken(self, environ: Environ, cookie: Cookie) -> tuple[str, str]:
        """Return the header by which a browser forgets a cookie."""
        return self.given(environ, cookie, "", seconds=0)

    def _name(self, environ: Environ, cookie: Cookie) -> str:
        return f"{_SECURE if self._by_https(environ) else ''}{cookie.value}"

    def _by_https(self, environ: Environ) -> bool:
        return self.addresses.origin(environ).startswith("https://")
