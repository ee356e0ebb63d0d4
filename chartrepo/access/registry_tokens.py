"""Registry tokens: what a client of a registry gets for its credential, and sends with each request from then on.

The distribution specification leaves their form to the server. Ours say who somebody is and how that was shown, signed
with a key of the server, and never what they may do: rules are asked with each request, so that a change holds at once.
What was shown goes in as a digest, so that a token ends with the password, user or API token that it was got for.
"""

import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from itsdangerous import BadSignature, URLSafeSerializer
from itsdangerous.encoding import base64_decode, base64_encode

from chartrepo.access.keys import SigningKeys

PREFIX: Final = "crr_"
LIFETIME: Final = 300
"""Seconds. The distribution specification lets clients count on 60; some count on 300."""
REFRESH_LIFETIME: Final = 30 * 86_400
"""Seconds for which a client may get new ones without the credential."""
MAX_TEXT: Final = 4096
_STAMP_BYTES: Final = 16
_ACCESS: Final = "access"
_REFRESH: Final = "refresh"


@dataclass(frozen=True, slots=True)
class Login:
    """Somebody who has shown a credential.

    Attributes:
        subject: who: `user:ada`, `token:<id>`; empty for anonymous.
        secret: what is another where the credential no longer holds, as its hash.
    """

    subject: str
    secret: str


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
        self._keys = keys
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
        key_id, key = self._keys.newest()
        issued = int(self._now())

        def made(use: str, lifetime: int) -> str:
            said = {"s": login.subject, "c": _stamp(key, login.secret), "e": issued + lifetime, "u": use}
            signed = _serializer(key).dumps(said)
            return f"{PREFIX}{key_id}.{signed if isinstance(signed, str) else signed.decode()}"

        return Issued(made(_ACCESS, LIFETIME), issued, LIFETIME, made(_REFRESH, REFRESH_LIFETIME) if refresh else None)

    def subject(self, text: str) -> str | None:
        """Return whose token this is; empty for anonymous, None where it does not hold (any more).

        Raises:
            StorageError: nobody knows, as the storage of the keys does not answer.
        """
        return self._believe(text, _ACCESS)

    def renew(self, text: str) -> Issued | None:
        """Return a new token for the text that was got for that; None where it does not hold (any more).

        Raises:
            StorageError: nobody knows, as the storage of the keys does not answer.
        """
        subject = self._believe(text, _REFRESH)
        secret = self._secret_of(subject) if subject is not None else None
        return self.issue(Login(subject, secret)) if subject is not None and secret is not None else None

    def _believe(self, text: str, use: str) -> str | None:
        if not text.startswith(PREFIX) or len(text) > MAX_TEXT:
            return None
        key_id, _, signed = text.removeprefix(PREFIX).partition(".")
        key = self._keys.get(key_id)
        said = _said(key, signed) if key is not None else None
        if key is None or said is None or said["u"] != use or said["e"] <= self._now():
            return None
        subject = str(said["s"])
        secret = self._secret_of(subject)
        if secret is None or not hmac.compare_digest(_stamp(key, secret), said["c"]):
            return None
        return subject


def _serializer(key: bytes) -> URLSafeSerializer:
    how = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
    return URLSafeSerializer(key, salt="chartrepo registry token", signer_kwargs=how)


def _said(key: bytes, signed: str) -> Any:
    """Return what was signed with a key; None where that was not, or is written in another way than it was signed."""
    try:
        said = _serializer(key).loads(signed)
    except BadSignature:
        return None
    signature = signed.rpartition(".")[2]  # of whose last letter decoding ignores some bits
    return said if base64_encode(base64_decode(signature)) == signature.encode() else None


def _stamp(key: bytes, secret: str) -> str:
    """A digest of a secret that tells nobody what it is, for the token is in the hands of a client."""
    return hashlib.blake2b(secret.encode("utf-8", "surrogatepass"), key=key, digest_size=_STAMP_BYTES).hexdigest()
