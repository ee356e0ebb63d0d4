"""Tokens in which an issuer says who somebody is: JSON Web Tokens (RFC 7519), signed (RFC 7515), and bounded.

A token is read twice. The first time nothing in it is believed: it names the issuer whose keys are tried, and no other
keys ever are; what it says of keys itself (`jku`, `jwk`, `x5u`) is not looked at. The second time PyJWT checks the
signature, by an algorithm that the key is for, and then the audience, the issuer and the times.
"""

import base64
import json
import re
from dataclasses import dataclass
from typing import Any, Final

import jwt

from chartrepo.access.jwks import ALGORITHMS, Key
from chartrepo.core.errors import IdentityRefused
from chartrepo.core.messages import shown

MAX_TEXT: Final = 16 * 1024
"""In characters; nothing of a longer one is read."""
LEEWAY: Final = 30
"""Seconds by which the clocks of an issuer and of this server may differ."""
_MAX_KEY_ID: Final = 512
_TEXT: Final = re.compile(r"eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Unverified:
    """What a token says of itself.

    Attributes:
        text: of the token.
        algorithm: by which it says it was signed; one of those that are taken.
        key_id: of the key that it names; None where it names none.
        issuer: who it says made it; empty where it does not say.
    """

    text: str
    algorithm: str
    key_id: str | None
    issuer: str


def looks_like_one(text: str) -> bool:
    """Return whether a text is written as such a token is, right or not. No other credential is taken for one."""
    return len(text) > len("eyJ..") and text.startswith("eyJ") and text.count(".") == 2  # noqa: PLR2004 - of three parts


def read_unverified(text: str) -> Unverified:
    """Read a token, and believe nothing of it.

    Raises:
        IdentityRefused: it is none, or is none that is taken.
    """
    if len(text) > MAX_TEXT:
        raise IdentityRefused(f"the token is longer than {MAX_TEXT} characters")
    if not _TEXT.fullmatch(text):
        raise IdentityRefused("this is no JSON Web Token")
    encoded_header, encoded_claims, _ = text.split(".")
    header, claims = _object(encoded_header), _object(encoded_claims)
    algorithm, key_id, issuer = header.get("alg"), header.get("kid"), claims.get("iss", "")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise IdentityRefused(f"the token is signed by {shown(str(algorithm))}, which is not taken")
    if "crit" in header:
        raise IdentityRefused("the token wants something understood (crit) that is not")
    if not (key_id is None or (isinstance(key_id, str) and len(key_id) <= _MAX_KEY_ID)):
        raise IdentityRefused("the token names no key that there can be (kid)")
    if not isinstance(issuer, str):
        raise IdentityRefused("the token says under iss who made it, but not as a text")
    return Unverified(text, algorithm, key_id, issuer)


def verify(token: Unverified, key: Key, *, issuer: str | None, audience: tuple[str, ...], ends: bool) -> dict[str, Any]:
    """Return the claims of a token, if they can be believed.

    Args:
        token: as it was read.
        key: that is said to have signed it.
        issuer: whom it has to name; None for whomever.
        audience: of which it has to name one; empty where that is not asked.
        ends: whether it has to say when it ends.

    Raises:
        IdentityRefused: they cannot, and why.
    """
    require = [name for name, wanted in (("exp", ends), ("iss", issuer is not None), ("aud", bool(audience))) if wanted]
    try:
        claims: dict[str, Any] = jwt.decode(
            token.text,
            key=key.public,
            algorithms=[token.algorithm] if token.algorithm in key.algorithms else [],
            issuer=issuer,
            audience=audience or None,
            leeway=LEEWAY,
            options={"require": require, "verify_aud": bool(audience)},
        )
    except jwt.ExpiredSignatureError:
        raise IdentityRefused("the token has expired: get a new one") from None
    except jwt.ImmatureSignatureError:
        raise IdentityRefused(
            "the token is not valid yet: compare the clocks of its issuer and of this server"
        ) from None
    except jwt.InvalidAudienceError:
        raise IdentityRefused(f"the token is for another audience: ask for one with aud {audience[0]}") from None
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
        raise IdentityRefused(f"the token does not hold: {error}") from None
    if not isinstance(claims.get("exp", 0), int | float):  # PyJWT reads a text too, which RFC 7519 does not know
        raise IdentityRefused("the token does not hold: exp is no number")
    return claims


def _object(encoded: str) -> dict[str, Any]:
    try:
        data = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        found = json.loads(data, object_pairs_hook=_once, parse_constant=_number)
        if b"\\" in data:
            json.dumps(found, ensure_ascii=False).encode()  # halves of a character can be escaped, and are no text
    except (ValueError, RecursionError):
        raise IdentityRefused(
            "this is no JSON Web Token: a part of it is no JSON object, or has a name twice"
        ) from None
    if not isinstance(found, dict):
        raise IdentityRefused("this is no JSON Web Token: a part of it is no JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, in which no name stands twice: two readers could each take another one of the values."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _number(_text: str) -> float:
    raise ValueError  # Infinity and NaN are no JSON, and no time either
