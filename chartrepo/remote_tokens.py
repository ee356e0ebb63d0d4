"""What an OCI registry wants to see before it answers: a password, or a token that another server gives for it.

The way to a token is that of the distribution project's specification, "Token Authentication".
"""

import json
import re
import threading
from collections.abc import Sequence
from io import BytesIO
from typing import Final, NamedTuple
from urllib.parse import urlencode, urlunsplit

from chartrepo.core.messages import shown
from chartrepo.fetching import (
    AnswerError,
    Credential,
    DeniedError,
    Fetcher,
    Origin,
    PassingError,
    basic,
    origin,
    split,
    told,
)
from chartrepo.sources import SourceError

_MAX_ANSWER: Final = 1024 * 1024
_MAX_CHALLENGE: Final = 4096
"""In characters; what comes after is not read."""

_PART: Final = re.compile(r'([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))|([\w-]+)')
_TOKEN: Final = re.compile("[!-~]+")


class Challenge(NamedTuple):
    """How a registry wants to be asked: what its `WWW-Authenticate` header says.

    Attributes:
        scheme: `bearer` or `basic`.
        realm: the address of the server that gives tokens.
        service: what the registry is called there.
        scope: what has to be allowed; empty where it does not say.
    """

    scheme: str
    realm: str
    service: str
    scope: str


class Tokens:
    """The credentials for one registry, by what they are good for; for several threads at a time.

    Args:
        fetcher: to ask with.
        registry: whom they are for.
        username: to get a token with, or to be sent as it is; empty for none.
        password: that goes with it.
    """

    def __init__(self, fetcher: Fetcher, registry: Origin, *, username: str, password: str) -> None:
        self._fetcher = fetcher
        self._registry = registry
        self._header = basic(username, password) if username or password else ""
        self._first: Challenge | None = None
        self._known: dict[str, Credential] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._locking = threading.Lock()

    def learn(self, challenges: Sequence[str]) -> None:
        """Remember how the registry wants to be asked, so that it need not say so for every scope.

        A scope that it names before anything is asked for is an example, in GHCR one of a repository that is not there.
        """
        asked = challenge(challenges)
        self._first = asked._replace(scope="") if asked is not None else None

    def credential(self, scope: str) -> Credential | None:
        """Return what to send for a scope; None for nothing.

        Raises:
            SourceError: there is no token to be had.
        """
        if scope in self._known:
            return self._known[scope]
        if self._first is None or self._first.scheme != "bearer":
            return self.password()
        return self._token(self._first, scope, refused=None)

    def another(self, scope: str, refused: Credential | None, challenges: Sequence[str]) -> Credential | None:
        """Return what to send instead of what was refused, which may have expired; None where there is nothing.

        Raises:
            SourceError: there is no token to be had.
        """
        asked = challenge(challenges)
        if asked is not None and asked.scheme == "bearer":
            return self._token(asked, scope, refused=refused)
        password = self.password() if asked is not None else None
        return password if password != refused else None

    def password(self) -> Credential | None:
        """Return the user name and password as the registry itself may take them; None where there are none."""
        return Credential(self._registry, self._header) if self._header else None

    def _token(self, asked: Challenge, scope: str, *, refused: Credential | None) -> Credential:
        with self._locking:
            lock = self._locks.setdefault(scope, threading.Lock())
        with lock:
            known = self._known.get(scope)
            if known is None or known == refused:
                known = Credential(self._registry, f"Bearer {self._fetch(asked, scope)}")
                self._known[scope] = known
            return known

    def _fetch(self, asked: Challenge, scope: str) -> str:
        parts = split(asked.realm)
        where = shown(told(asked.realm))
        if parts.scheme != "https" and self._registry.scheme == "https":
            raise SourceError(
                f"the registry sends us for a token to {where}, over plain http, where others could read the password "
                "and the token: it has to name an address that starts with https://"
            )
        wanted = {"service": asked.service, "scope": asked.scope or scope}
        query = "&".join(filter(None, (parts.query, urlencode({key: text for key, text in wanted.items() if text}))))
        answer = BytesIO()
        try:
            self._fetcher.get(
                urlunsplit(parts._replace(query=query)),
                answer,
                limit=_MAX_ANSWER,
                packed=True,
                accept="application/json",
                credential=Credential(origin(parts), self._header) if self._header else None,
            )
        except DeniedError as error:
            said = f"for a token, at {where}, {error.said}"
            raise DeniedError(said, status=error.status, origin=self._registry) from None
        except AnswerError as error:
            raise AnswerError(f"for a token, at {where}, {error}", status=error.status) from None
        except PassingError as error:
            raise PassingError(f"for a token, at {where}: {error}") from None
        return _read(answer.getvalue(), where)


def challenge(headers: Sequence[str]) -> Challenge | None:
    """Return the challenge that a client of a registry answers: Bearer before Basic; None where there is neither."""
    found: dict[str, dict[str, str]] = {}
    parameters: dict[str, str] = {}
    for header in headers:
        for name, quoted, plain, scheme in _PART.findall(header[:_MAX_CHALLENGE]):
            if scheme:
                parameters = found.setdefault(scheme.lower(), {})
            else:
                parameters.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) or plain)
    for kind in ("bearer", "basic"):
        if kind in found:
            told_of = found[kind]
            return Challenge(kind, *(told_of.get(name, "") for name in ("realm", "service", "scope")))
    return None


def _read(answer: bytes, where: str) -> str:
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError):
        document = None
    given = document if isinstance(document, dict) else {}
    for name in ("token", "access_token"):
        token = given.get(name)
        if isinstance(token, str) and _TOKEN.fullmatch(token):
            return token
    raise SourceError(f"the answer of {where} holds no token")
