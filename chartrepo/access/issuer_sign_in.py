"""Signing in with an issuer: OpenID Connect's code flow, with PKCE, state and nonce.

What was begun lies in a cookie of the browser, signed: only where that comes back together with its state is a code
looked at, once, and only for the issuer it was begun with. What the issuer gives for the code goes from server to
server, and has to have the nonce. So nobody can put his own code, an old one, or another issuer's into a browser.
"""

import base64
import hashlib
import hmac
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from chartrepo.access.ended_sessions import EndedSessions
from chartrepo.access.issuer_web import CodeRefused, Endpoints, IssuerError, fetch_endpoints, redeem
from chartrepo.access.issuers import Client, Issuer, KeySource
from chartrepo.access.keys import SigningKeys
from chartrepo.access.signing import Seal
from chartrepo.core.errors import IdentityRefused, KeysUnavailable
from chartrepo.core.messages import shown
from storage.base import StorageError

LIFETIME: Final = 600
"""Seconds that somebody has for signing in there."""
FRESH: Final = 600.0
"""Seconds after which an issuer is asked again where people sign in."""
AT_ONCE: Final = 4
"""So many requests of a process wait for issuers. With the default of threads others still go on."""
_MAX_TEXT: Final = 3840
_MAX_CODE: Final = 4096
_MOST_ISSUERS: Final = 100
_AGAIN: Final = "sign in once more"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that was begun.

    Attributes:
        address: where the browser is sent.
        text: to be kept by the browser until it comes back.
    """

    address: str
    text: str


@dataclass(frozen=True, slots=True)
class Came:
    """A sign-in of which the browser has come back, with what the issuer gave for its code.

    Attributes:
        token: in which the issuer says who that is.
        nonce: which has to be in it.
        after: where the browser goes on.
    """

    token: str
    nonce: str
    after: str


class IssuerSignIn:
    """Begins sign-ins, and gets what issuers give for them. Safe to share between threads; each process has its own.

    Args:
        keys: that sign.
        used: which sign-ins were used up; they are noted as sessions that have ended are.
        clock: tells seconds, of which only differences count.
        now: tells seconds since the epoch.
    """

    def __init__(
        self,
        keys: SigningKeys,
        used: EndedSessions,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._seal = Seal(keys, "chartrepo sign-in")
        self._used = used
        self._clock = clock
        self._now = now
        self._places = threading.Semaphore(AT_ONCE)
        self._endpoints: dict[KeySource, tuple[Endpoints, float]] = {}

    def begin(self, issuer: Issuer, redirect_uri: str, after: str) -> Begun:
        """Return where a browser is sent to sign in with an issuer.

        Args:
            issuer: with `sign_in`.
            redirect_uri: where it is to come back.
            after: where it goes on then.

        Raises:
            KeysUnavailable: the issuer does not say where that is.
            StorageError: nothing can be signed.
        """
        client, endpoints = _client(issuer), self._endpoints_of(issuer)
        state, nonce, verifier = secrets.token_hex(16), secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        ends = int(self._now()) + LIFETIME
        said = {"i": issuer.name, "t": state, "n": nonce, "v": verifier, "e": ends, "r": redirect_uri, "u": after}
        text, _ = self._seal.sign(said, secret=issuer.fingerprint)
        if len(text) > _MAX_TEXT:  # the address of the page is very long
            text, _ = self._seal.sign({**said, "u": ""}, secret=issuer.fingerprint)
        parts = urlsplit(endpoints.authorization)
        query = {
            "response_type": "code",
            "client_id": client.id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(client.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return Begun(urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(query)))))), text)

    def come_back(self, issuer: Issuer, text: str, answer: Mapping[str, str]) -> Came:
        """Return what the issuer gives for what it has sent a browser back with.

        Args:
            issuer: that the address names to which the browser was sent.
            text: that the browser kept.
            answer: the query that it came back with.

        Raises:
            IdentityRefused: nobody has signed in, and why.
            KeysUnavailable: the issuer cannot be asked.
            StorageError: nobody knows whether this was begun here.
        """
        sealed = self._seal.read(text) if len(text) <= _MAX_TEXT else None
        said = sealed.said if sealed is not None else {}
        if sealed is None or said["e"] <= self._now() or not sealed.is_stamped_with(issuer.fingerprint):
            raise IdentityRefused(f"no sign-in was begun in this browser, or it took too long: {_AGAIN}")
        state = str(said["t"])
        if not hmac.compare_digest(answer.get("state", "").encode(), state.encode()) or said["i"] != issuer.name:
            raise IdentityRefused(f"this is the answer to another sign-in (state): {_AGAIN}")
        # RFC 9207: an issuer that says who it is has to be the one that was asked.
        if answer.get("iss", issuer.source.issuer) != issuer.source.issuer:
            raise IdentityRefused(f"this is the answer of another issuer (iss): {_AGAIN}")
        if self._used.has(state, said["e"]):
            raise IdentityRefused(f"this answer was used already: {_AGAIN}")
        try:
            self._used.note(state, said["e"])
        except StorageError as error:
            # This process knows it, and the issuer takes no code twice.
            log.warning("a sign-in with %s was noted as used here alone: %s", issuer.name, error)
        if "error" in answer:
            raise IdentityRefused(f"{issuer.name} says {shown(answer['error'])}{_described(answer)}")
        code = answer.get("code", "")
        if not code or len(code) > _MAX_CODE:
            raise IdentityRefused(f"{issuer.name} sent no code: {_AGAIN}")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": str(said["r"]),
            "code_verifier": str(said["v"]),
        }
        endpoints = self._endpoints_of(issuer)
        with self._asking(issuer):
            token = redeem(issuer.source, _client(issuer), endpoints, form)
        return Came(token, str(said["n"]), str(said["u"]))

    def _endpoints_of(self, issuer: Issuer) -> Endpoints:
        known = self._endpoints.get(issuer.source)
        if known is not None and self._clock() < known[1]:
            return known[0]
        with self._asking(issuer):
            found = fetch_endpoints(issuer.source)
        if len(self._endpoints) >= _MOST_ISSUERS:
            self._endpoints.clear()
        self._endpoints[issuer.source] = found, self._clock() + FRESH
        return found

    @contextmanager
    def _asking(self, issuer: Issuer) -> Iterator[None]:
        """Ask an issuer, where few others are asking.

        Raises:
            IdentityRefused: it takes the code no more.
            KeysUnavailable: it does not answer as it should, or too many are waiting.
        """
        unavailable = KeysUnavailable(f"nobody can sign in with {issuer.name} now: try again in a moment")
        if not self._places.acquire(blocking=False):
            raise unavailable
        try:
            yield
        except CodeRefused:
            raise IdentityRefused(f"{issuer.name} gives nothing for its code: {_AGAIN}") from None
        except IssuerError as error:
            log.warning("issuer %s: signing in: %s", issuer.name, error)
            raise unavailable from None
        finally:
            self._places.release()


def _client(issuer: Issuer) -> Client:
    if issuer.sign_in is None:
        raise IdentityRefused(f"nobody signs in with {issuer.name}")
    return issuer.sign_in


def _described(answer: Mapping[str, str]) -> str:
    said = answer.get("error_description", "")
    return f": {shown(said)}" if said else ""
