"""Sessions: what a browser has for a credential that somebody has shown on a page.

A session is a text in a cookie: who, how that was shown, and until when, signed as registry tokens are, for another
use. What that one may do is asked for with each request. It ends with the password, user, token or issuer that it was
got for, and where somebody signs out.

Each has a secret that goes into the forms of its pages, and that no other page can know. Who has no session gets a
secret of the same kind with a cookie of its own, so that no page can sign somebody in as somebody else.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from chartrepo.access.ended_sessions import EndedSessions
from chartrepo.access.keys import SigningKeys
from chartrepo.access.registry_tokens import Login
from chartrepo.access.signing import Seal, derived
from chartrepo.core.errors import IdentityRefused

MAX_TEXT: Final = 3840
"""In characters. Browsers keep cookies of 4096 bytes, with name and attributes."""
VISIT_LIFETIME: Final = 86_400
"""Seconds for which a page with a form can lie open before somebody sends it who is not signed in."""
_ID_BYTES: Final = 16
_FORM: Final = "form"


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who has signed in.

    Attributes:
        id: by which it is ended.
        login: who, and how that was shown.
        ends: in seconds since the epoch.
        form_secret: 32 bytes that go into its forms, masked.
    """

    id: str
    login: Login
    ends: int
    form_secret: bytes = field(repr=False)


class Sessions:
    """Makes sessions and believes them.

    Args:
        keys: that sign.
        secret_of: gives the secret of a subject as it is now; None where there is no such subject (any more).
        ended: which were ended before their time.
        lifetime: of a session, in seconds.
        now: tells seconds since the epoch.
    """

    def __init__(
        self,
        keys: SigningKeys,
        secret_of: Callable[[str], str | None],
        *,
        ended: EndedSessions,
        lifetime: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._sessions = Seal(keys, "chartrepo session")
        self._visits = Seal(keys, "chartrepo form")
        self._secret_of = secret_of
        self._ended = ended
        self._lifetime = int(lifetime)
        self._now = now

    def now(self) -> int:
        """Return the seconds since the epoch, by which sessions end."""
        return int(self._now())

    def open(self, login: Login) -> tuple[str, Session]:
        """Return the text of a new session for somebody who has just shown a credential, and the session.

        Raises:
            StorageError: there is no key to sign with, and none can be made.
            IdentityRefused: the issuer says more than fits into a cookie.
        """
        session_id, ends = secrets.token_hex(_ID_BYTES), int(self._now()) + self._lifetime
        if login.until is not None:
            ends = min(ends, login.until)
        said: dict[str, Any] = {"s": login.subject, "e": ends, "n": session_id}
        if login.claims is not None:
            said["i"] = login.claims
        text, key = self._sessions.sign(said, secret=login.secret)
        if len(text) > MAX_TEXT:
            raise IdentityRefused(
                "the issuer says more of you than fits into a cookie: have fewer groups and claims in its tokens"
            )
        return text, Session(session_id, login, ends, derived(key, f"{_FORM} {session_id}"))

    def find(self, text: str) -> Session | None:
        """Return the session of this text; None where it does not hold (any more).

        Raises:
            StorageError: nobody knows, as the storage of keys, tokens or ended sessions does not answer.
        """
        sealed = self._sessions.read(text) if len(text) <= MAX_TEXT else None
        if sealed is None or sealed.said["e"] <= self._now():
            return None
        said = sealed.said
        subject = str(said["s"])
        secret = self._secret_of(subject)
        if secret is None or not sealed.is_stamped_with(secret) or self._ended.has(said["n"], said["e"]):
            return None
        login = Login(subject, secret, said.get("i"))
        return Session(said["n"], login, said["e"], sealed.derived(f"{_FORM} {said['n']}"))

    def end(self, session: Session) -> None:
        """End a session, and whatever copies of it there are.

        Raises:
            StorageError: it holds in this process alone.
        """
        self._ended.note(session.id, session.ends)

    def begin_visit(self) -> tuple[str, bytes]:
        """Return a text for somebody who has not signed in, and the secret for the forms of that one's pages.

        Raises:
            StorageError: there is no key to sign with, and none can be made.
        """
        visit = secrets.token_hex(_ID_BYTES)
        text, key = self._visits.sign({"n": visit, "e": int(self._now()) + VISIT_LIFETIME})
        return text, derived(key, f"{_FORM} {visit}")

    def visit(self, text: str) -> bytes | None:
        """Return the secret that goes with a text of `begin_visit`; None where it is none (any more).

        Raises:
            StorageError: nobody knows, as the storage of the keys does not answer.
        """
        sealed = self._visits.read(text) if len(text) <= MAX_TEXT else None
        if sealed is None or sealed.said["e"] <= self._now():
            return None
        return sealed.derived(f"{_FORM} {sealed.said['n']}")
