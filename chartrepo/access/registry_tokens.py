"""Registry tokens: what a client of a registry gets for its credential, and sends with each request from then on.

The distribution specification leaves their form to the server. Ours say who somebody is and how that was shown, signed
with a key of the server, and never what they may do: rules are asked with each request, so that a change holds at once.
What was shown goes in as a digest, so that a token ends with the password, user or API token that it was got for.

Of whom an issuer made known, what the issuer said goes in too, since nobody else could say it again. Such a one can
also have a token for a quarter of an hour in exchange for one of the issuer's, which may not last as long as its work.
That one gets registry tokens, which end with it, and no further one like itself.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chartrepo.access.keys import SigningKeys
from chartrepo.access.signing import Seal
from chartrepo.core.errors import IdentityRefused

PREFIX: Final = "crr_"
LIFETIME: Final = 300
"""Seconds. The distribution specification lets clients count on 60; some count on 300."""
REFRESH_LIFETIME: Final = 30 * 86_400
"""Seconds for which a client may get new ones without the credential."""
EXCHANGED_LIFETIME: Final = 900
"""Seconds, of what is given in exchange for a token of an issuer."""
MAX_TEXT: Final = 5632
"""In characters. Web servers take headers of 8 KiB, and Basic makes a third more of a text."""
_ACCESS: Final = "access"
_REFRESH: Final = "refresh"
_EXCHANGED: Final = "exchanged"


@dataclass(frozen=True, slots=True)
class Login:
    """Somebody who has shown a credential.

    Attributes:
        subject: who: `user:ada`, `token:<id>`, `issuer:<name>`; empty for anonymous.
        secret: what is another where the credential no longer holds, as its hash.
        claims: what the issuer said; None where there is none.
        until: when what is got for this has to end, in seconds since the epoch; None for no such time.
    """

    subject: str
    secret: str
    claims: Mapping[str, Any] | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """A registry token.

    Attributes:
        text: of it.
        issued: in seconds since the epoch.
        expires_in: seconds.
        refresh: the text by which new ones are got; None where that was not asked for.
    """

    text: str
    issued: int
    expires_in: int
    refresh: str | None = None


class RegistryTokens:
    """Makes registry tokens and believes them.

    Args:
        keys: that sign.
        secret_of: gives the secret of a subject as it is now; None where there is no such subject (any more).
        now: tells seconds since the epoch.
    """

    def __init__(
        self,
        keys: SigningKeys,
        secret_of: Callable[[str], str | None],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._seal = Seal(keys, "chartrepo registry token")
        self._secret_of = secret_of
        self._now = now

    def issue(self, login: Login, *, refresh: bool = False) -> Issued:
        """Return a token for somebody who has just shown a credential.

        Args:
            login: who, and how that was shown.
            refresh: whether the client wants to get new ones without the credential.

        Raises:
            StorageError: there is no key to sign with, and none can be made.
        """
        issued = int(self._now())
        # What was taken within the leeway of clocks may have ended.
        lifetime = LIFETIME if login.until is None else max(1, min(LIFETIME, login.until - issued))
        # Whom an issuer made known it makes known again, and nobody else for longer than it wants.
        refreshing = refresh and login.claims is None and login.until is None
        return Issued(
            self._made(login, _ACCESS, issued + lifetime),
            issued,
            lifetime,
            self._made(login, _REFRESH, issued + REFRESH_LIFETIME) if refreshing else None,
        )

    def exchange(self, login: Login) -> Issued:
        """Return a token of a quarter of an hour for somebody whom an issuer has just made known.

        Raises:
            StorageError: there is no key to sign with, and none can be made.
            IdentityRefused: the issuer says more than fits in.
        """
        issued = int(self._now())
        return Issued(self._made(login, _EXCHANGED, issued + EXCHANGED_LIFETIME), issued, EXCHANGED_LIFETIME)

    def shown(self, text: str) -> Login | None:
        """Return whose token this is; None where it does not hold (any more).

        What was got in exchange has an end in `Login.until`, and gets others until then. No other token gets any.

        Raises:
            StorageError: nobody knows, as the storage of the keys does not answer.
        """
        return self._believe(text, _ACCESS, _EXCHANGED)

    def renew(self, text: str) -> Issued | None:
        """Return a new token for the text that was got for that; None where it does not hold (any more).

        Raises:
            StorageError: nobody knows, as the storage of the keys does not answer.
        """
        login = self._believe(text, _REFRESH)
        return self.issue(login) if login is not None else None

    def _made(self, login: Login, use: str, until: int) -> str:
        said: dict[str, Any] = {"s": login.subject, "e": until, "u": use}
        if login.claims is not None:
            said["i"] = login.claims
        signed, _ = self._seal.sign(said, secret=login.secret)
        text = f"{PREFIX}{signed}"
        if len(text) > MAX_TEXT:
            raise IdentityRefused(
                "the token says more of its caller than fits into one of ours: have fewer claims in it"
            )
        return text

    def _believe(self, text: str, *uses: str) -> Login | None:
        if not text.startswith(PREFIX) or len(text) > MAX_TEXT:
            return None
        sealed = self._seal.read(text.removeprefix(PREFIX))
        said = sealed.said if sealed is not None else {}
        if sealed is None or said["u"] not in uses or said["e"] <= self._now():
            return None
        subject = str(said["s"])
        secret = self._secret_of(subject)
        if secret is None or not sealed.is_stamped_with(secret):
            return None
        until = said["e"] if said["u"] == _EXCHANGED else None
        return Login(subject, secret, said.get("i"), until)
