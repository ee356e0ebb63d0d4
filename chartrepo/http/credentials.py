"""What an `Authorization` header says: a name and a password, or a token of ours or of an issuer, in its two forms.

Helm's classic client and Argo CD can send only a name and a password, so a token is taken for the password too, with
any name (RFC 7617 has the form, and RFC 6750 that of `Bearer`).
"""

import base64
import binascii
from dataclasses import dataclass

from chartrepo.access import REGISTRY_TOKEN_PREFIX, looks_like_one
from chartrepo.core.tokens import PREFIX, id_in


@dataclass(frozen=True, slots=True)
class Password:
    """A name and the password that is said to be its."""

    name: str
    password: str


@dataclass(frozen=True, slots=True)
class Bearer:
    """What begins as the text of one of our tokens."""

    text: str

    @property
    def name(self) -> str:
        """By what failures of it are counted: its id, so that neither those of others nor a revoked one slow it."""
        return f"{PREFIX}{id_in(self.text) or ''}"


@dataclass(frozen=True, slots=True)
class RegistryToken:
    """What begins as the text of a registry token."""

    text: str

    @property
    def name(self) -> str:
        """By what failures of it are counted: all together, since nothing in it can be believed."""
        return REGISTRY_TOKEN_PREFIX


@dataclass(frozen=True, slots=True)
class IdentityToken:
    """What is written as a token in which an issuer says who somebody is."""

    text: str


Credential = Password | Bearer | RegistryToken | IdentityToken


def read_credential(header: str) -> Credential | None:
    """Return what a header says, as WSGI gives it; None where it says nothing of the kind."""
    scheme, _, rest = header.partition(" ")
    match scheme.lower():
        case "bearer":
            return _token(rest.strip())
        case "basic":
            return _basic(rest)
    return None


def read_password(name: str, password: str) -> Credential:
    """Return what a name and a password are: a token can stand for the password, with any name."""
    return (_token(password) if name else None) or Password(name, password)


def _token(text: str) -> Bearer | RegistryToken | IdentityToken | None:
    if text.startswith(REGISTRY_TOKEN_PREFIX):
        return RegistryToken(text)
    if looks_like_one(text):
        return IdentityToken(text)
    return Bearer(text) if text.startswith(PREFIX) else None


def _basic(encoded: str) -> Credential | None:
    try:
        text = base64.b64decode(encoded.strip().encode("latin-1", "replace"), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    name, colon, password = text.partition(":")
    if not colon:
        return None
    return read_password(name, password)
