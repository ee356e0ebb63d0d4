"""Who may do what. The one authorizer, asked by every route.

With a credential set, it guards every route, as ChartMuseum does; `auth_anonymous_get` opens reading. Without one,
nobody may write: a proxy on the same host would make every caller look like this machine itself. `open_writes` is for
trying things out on one's own machine, and there a web page in the browser must not write either.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from chartrepo import kinds
from chartrepo.http.errors import Forbidden, Unauthorized

Environ = Mapping[str, Any]


class Action(Enum):
    """What a caller wants to do."""

    READ = "read"
    WRITE = "write"


_ACROSS_SITES: Final = frozenset({"cross-site", "same-site"})


class Authorizer:
    """Decides from the settings and the request's headers alone.

    Args:
        user: of the one credential; empty where there is none.
        password: that goes with it.
        anonymous_read: whether reading needs no credential.
        open_writes: whether writing needs none, for callers of this machine that are no web page.
    """

    def __init__(self, *, user: str, password: str, anonymous_read: bool, open_writes: bool) -> None:
        self._expected = f"{user}:{password}".encode() if user else None
        # What nearly every client sends, so that the usual request costs one comparison.
        self._usual = "Basic " + base64.b64encode(self._expected).decode() if self._expected else ""
        self._anonymous_read = anonymous_read or not user
        self._open_writes = open_writes

    @property
    def reading_is_private(self) -> bool:
        """Whether answers are for the caller alone, and not for a shared cache."""
        return not self._anonymous_read

    def check_login(self, environ: Environ) -> None:
        """Return if the caller has the credential, or there is none; so that a login can fail where all may read.

        Raises:
            Unauthorized: not with this one, or not without one.
        """
        if self._expected is not None:
            self._check_credential(environ)

    def check(self, environ: Environ, action: Action) -> None:
        """Return if the caller may.

        Raises:
            Unauthorized: not with this credential, or not without one.
            Forbidden: nobody may, or not in this way; the message names the setting to use.
        """
        if action is Action.READ:
            if not self._anonymous_read:
                self._check_credential(environ)
            return
        if environ.get("HTTP_SEC_FETCH_SITE") in _ACROSS_SITES:
            raise Forbidden(
                "a web page of another site asked for this: write with a program such as curl, or from a page of "
                "this site"
            )
        if self._expected is not None:
            self._check_credential(environ)
        elif self._open_writes:
            _check_local_program(environ)
        else:
            raise Forbidden(
                "this server is read-only: set basic_auth_user and basic_auth_password to let a credential write, or "
                "start it with --open-writes on a loopback address to try things out"
            )

    def _check_credential(self, environ: Environ) -> None:
        given = environ.get("HTTP_AUTHORIZATION", "")
        if hmac.compare_digest(given.encode("latin-1", "replace"), self._usual.encode()):
            return
        scheme, _, encoded = given.partition(" ")
        try:
            credential = base64.b64decode(encoded.strip().encode("latin-1", "replace"), validate=True)
        except binascii.Error:
            credential = b""
        matches = hmac.compare_digest(credential, self._expected or b"")
        if not (matches and scheme.lower() == "basic"):
            raise Unauthorized("unauthorized")


def _check_local_program(environ: Environ) -> None:
    if environ.get("HTTP_ORIGIN") is not None or environ.get("HTTP_SEC_FETCH_SITE") is not None:
        raise Forbidden("with --open-writes no web page may write: set basic_auth_user and basic_auth_password instead")
    if not kinds.is_loopback(_host_name(environ.get("HTTP_HOST", ""))):
        raise Forbidden(
            "with --open-writes only this machine may write, under a loopback name such as localhost: "
            "set basic_auth_user and basic_auth_password instead"
        )


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
