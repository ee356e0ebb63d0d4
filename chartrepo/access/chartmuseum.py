"""ChartMuseum's bearer tokens: RS256 under one key, and in them what they allow.

`access: [{type: artifact-repository, name: org/repo, actions: [pull, push]}]` lets whoever has the token read in that
repository, or change what is in it; the root repository is called `repo`. ChartMuseum looks at the times and at neither
audience nor issuer. Here both are looked at once they are set.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from chartrepo.access import identity_tokens
from chartrepo.access.identity_tokens import Unverified
from chartrepo.access.jwks import Key
from chartrepo.core.errors import AccessMisconfigured, IdentityRefused, InvalidName, KeysUnavailable, PermissionsInvalid
from chartrepo.core.names import check_repository
from chartrepo.core.patterns import Pattern
from chartrepo.core.permissions import Action, Caller, Rule
from chartrepo.watched import Watched

NAME: Final = "bearer"
"""What a caller is called whom such a token lets in. No rule can name it: all rights are in the token."""
ROOT: Final = "repo"
MAX_ENTRIES: Final = 100
"""Of the claim `access`; what comes behind is not looked at."""

_TYPE: Final = "artifact-repository"
_ACTIONS: Final = {"pull": (Action.READ,), "push": (Action.PUBLISH, Action.OVERWRITE, Action.DELETE)}
"""By ChartMuseum, a DELETE and an upload with ?force are a push."""


@dataclass(frozen=True, slots=True)
class BearerAuth:
    """How such tokens are known, as the settings say.

    Attributes:
        cert_path: of the public key, or of a certificate with it, as PEM.
        issuer: that they have to name; empty where that is not looked at.
        audience: likewise.
    """

    cert_path: Path
    issuer: str = ""
    audience: str = ""


class ChartMuseumTokens:
    """The tokens of one key. Safe to share between threads.

    Args:
        settings: say which.
        clock: tells seconds.
    """

    def __init__(self, settings: BearerAuth, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self.file = Watched(
            settings.cert_path,
            lambda data: _key(data, settings.cert_path),
            remedy="put the public key there that the tokens are signed under, as PEM",
            clock=clock,
        )

    def verify(self, token: Unverified) -> dict[str, Any]:
        """Return the claims of a token.

        Raises:
            IdentityRefused: it does not hold.
            KeysUnavailable: the key never could be read.
        """
        issuer, audience = self._settings.issuer or None, self._settings.audience
        try:
            key = self.file.value
        except AccessMisconfigured:
            raise KeysUnavailable("the key of auth_cert_path cannot be read") from None
        return identity_tokens.verify(token, key, issuer=issuer, audience=(audience,) if audience else (), ends=False)

    @property
    def fingerprint(self) -> str:
        """What is another where a token of before might not hold any more.

        Raises:
            KeysUnavailable: the key never could be read.
        """
        try:
            numbers = self.file.value.public.public_numbers()
        except AccessMisconfigured:
            raise KeysUnavailable("the key of auth_cert_path cannot be read") from None
        said = (str(numbers.n), str(numbers.e), self._settings.issuer, self._settings.audience)
        return sha256("\n".join(said).encode("utf-8", "surrogatepass")).hexdigest()


def caller_of(claims: Mapping[str, Any]) -> Caller:
    """Return whom a token lets in, with the rights that it says.

    Raises:
        IdentityRefused: it says nothing of the kind.
    """
    access = claims.get("access")
    if not isinstance(access, list):
        raise IdentityRefused("the token has no list under access, so that it allows nothing")
    return Caller(NAME, own=tuple(_rules(access[:MAX_ENTRIES])), stranger=True)


def _rules(access: list[Any]) -> Iterator[Rule]:
    for entry in access:
        if not isinstance(entry, dict) or entry.get("type") != _TYPE:
            continue
        name, actions = entry.get("name"), entry.get("actions")
        may = tuple(each for action in _listed(actions) for each in _ACTIONS.get(str(action), ()))
        with suppress(PermissionsInvalid):  # the name is longer than a pattern can be
            on = tuple(Pattern.parse(f"{folder}*") for folder in _folders(name))
            if may and on:
                yield Rule((NAME,), may, on)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _folders(name: Any) -> list[str]:
    """Where the charts of a repository are; none for what can be no repository, and for the root both it can mean."""
    try:
        repository = check_repository(name) if isinstance(name, str) and name else ""
    except InvalidName:
        return []
    return ([f"{repository}/"] if repository else []) + ([""] if repository == ROOT else [])


def _key(data: bytes, path: Path) -> Key:
    try:
        if b"CERTIFICATE" in data:
            public: object = x509.load_pem_x509_certificate(data).public_key()
        else:
            public = load_pem_public_key(data)
    except ValueError:
        raise AccessMisconfigured(f"{path} holds neither a public key nor a certificate, as PEM") from None
    if not isinstance(public, RSAPublicKey):
        raise AccessMisconfigured(f"{path} holds a key that is not RSA, and ChartMuseum's tokens are signed with RS256")
    return Key(None, frozenset({"RS256"}), public)
