"""Which keys of a set can have signed a token."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from chartrepo.access.jwks import ALGORITHMS, MAX_KEYS, RSA, KeySet, parse_keys
from tests.support.issuers import Key, rsa_key


def parsed(*keys: Any) -> KeySet:
    return parse_keys(json.dumps({"keys": keys}).encode())


def bare(**changes: Any) -> dict[str, Any]:
    """A key of RSA without what it says of itself, and with changes."""
    return {name: each for name, each in rsa_key().jwk.items() if name not in {"kid", "use", "alg"}} | changes


def test_none_and_hmac_are_not_taken() -> None:
    assert not any(each.startswith("HS") or each.lower() == "none" for each in ALGORITHMS)


@pytest.mark.parametrize(
    ("jwk", "algorithms"),
    [
        (bare(), RSA),
        (bare(alg="RS256"), {"RS256"}),
        (bare(alg="PS512", use="sig", key_ops=["verify"]), {"PS512"}),
        (ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()).public_key(), as_dict=True), {"ES384"}),
        (ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP521R1()).public_key(), as_dict=True), {"ES512"}),
        (OKPAlgorithm.to_jwk(ed25519.Ed25519PrivateKey.generate().public_key(), as_dict=True), {"EdDSA"}),
        # What makes it a private one is not looked at.
        (ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True), {"ES256"}),
    ],
)
def test_a_key_is_for_the_algorithms_of_its_kind_or_the_one_it_names(jwk: dict[str, Any], algorithms: set[str]) -> None:
    (key,) = parsed({**jwk, "key_ops": ["verify"]}).keys
    assert (key.algorithms, hasattr(key.public, "private_numbers")) == (algorithms, False)


@pytest.mark.parametrize(
    "jwk",
    [
        {"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"},
        bare(alg="HS256"),
        bare(alg="none"),
        bare(alg="RSA-OAEP"),
        bare(alg="ES256"),
        bare(use="enc"),
        bare(key_ops=["sign"]),
        bare(key_ops=1),
        bare(alg=["RS256"]),
        bare(use=["sig"]),
        bare(n="AQAB"),
        bare(n=1),
        bare(kty="rsa"),
        {"kty": "RSA"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "X25519", "x": "AA"},
        RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 1024).public_key(), as_dict=True),
        "key",
        None,
    ],
)
def test_what_can_have_signed_nothing_is_passed_over(jwk: Any) -> None:
    (key,) = parsed(jwk, Key("good").jwk).keys
    assert key.id == "good"
    with pytest.raises(ValueError, match="have none that signs"):
        parsed(jwk)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": []}', b"\xff", b"[" * 100_000])
def test_what_is_no_set_of_keys_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"are no|have none"):
        parse_keys(data)


def test_only_so_many_are_looked_at() -> None:
    assert [key.id for key in parsed(*[None] * (MAX_KEYS - 1), Key("last").jwk, Key("more").jwk).keys] == ["last"]


class TestFinding:
    keys = parsed(Key("a").jwk, Key("b").jwk, {**rsa_key().jwk, "kid": "a"}, bare())

    @pytest.mark.parametrize(
        ("key_id", "algorithm", "found"),
        [
            ("a", "ES256", True),
            ("a", "RS256", True),
            ("b", "RS256", False),
            ("c", "ES256", False),
            ("", "ES256", False),
            (None, "ES256", False),
            (None, "PS256", True),
            ("a", "HS256", False),
            ("a", "none", False),
        ],
    )
    def test_a_key_is_found_by_its_name_and_algorithm_or_where_there_is_only_one(
        self, key_id: str | None, algorithm: str, found: bool
    ) -> None:
        key = self.keys.find(key_id, algorithm)
        assert (key is not None) == found
        assert key is None or algorithm in key.algorithms
